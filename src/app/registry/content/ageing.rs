//! What time does to content: untagged manifests under a retention policy, the soft-deleted bin, blobs that no
//! manifest names, abandoned uploads. Called by the poller at the due instant.
//! Must not know: HTTP. Needs no data key: nothing is opened.

use std::collections::HashSet;

use crate::app::Cx;
use crate::domain::registry::Registry;
use crate::domain::registry::resource_log::{Deed, Identity, Object, Record};
use crate::domain::{Result, Timestamp};
use crate::store;
use crate::store::registry::ageing::Purged;

/// When the next thing is due.
pub async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    store::registry::ageing::due(&mut cx.tx).await
}

/// Does all that is due at the context's instant. In one transaction, so that a push that comes beside it finds a blob
/// there and keeps it, or finds it gone and sends it again. The files are the caller's to sweep.
pub async fn do_due(cx: &mut Cx) -> Result<()> {
    let at = cx.now;
    let untagged = store::registry::ageing::untagged(&mut cx.tx, at).await?;
    if !untagged.is_empty() {
        cx.passing(format!("untagged manifests are removed by retention policies: {}", untagged.len()));
    }
    let mut gone = HashSet::new();
    let mut purged = Vec::new();
    for (manifest, bin) in untagged {
        if gone.contains(&manifest) {
            continue;
        }
        // What refers to it goes with it, but for what is locked.
        let hanging = store::registry::content::hanging_on(&mut cx.tx, manifest).await?;
        let hanging = hanging.into_iter().filter(|one| one.attributes.deletable()).map(|one| one.id);
        for id in std::iter::once(manifest).chain(hanging) {
            if gone.insert(id) {
                purged.extend(store::registry::ageing::doomed(&mut cx.tx, id).await?);
                store::registry::content::delete_manifest(&mut cx.tx, id, bin, at).await?;
            }
        }
    }
    purged.extend(store::registry::ageing::purging(&mut cx.tx, at).await?);
    log(cx, purged).await?;
    for repository in store::registry::ageing::purge(&mut cx.tx, at).await? {
        store::registry::content::delete_repository(&mut cx.tx, repository).await?;
    }
    let idle = store::registry::ageing::idle_blobs(&mut cx.tx, at).await?;
    if !idle.is_empty() {
        cx.passing(format!("blobs that no manifest names are collected: {}", idle.len()));
    }
    for (repository, blob) in idle {
        store::registry::content::hide_blob(&mut cx.tx, repository, blob).await?;
    }
    store::registry::ageing::expire_uploads(&mut cx.tx, at).await
}

/// Tells the logs of registries what went by itself.
async fn log(cx: &mut Cx, purged: Vec<Purged>) -> Result<()> {
    let mut registry = None;
    for Purged { registry: id, repository, digest, tag, media_type } in purged {
        if registry.as_ref().is_none_or(|known: &Registry| known.id != id) {
            registry = store::registry::registries::by_id(&mut cx.tx, id).await?;
        }
        let Some(registry) = &registry else { continue };
        let operation = if tag.is_some() { "PurgeTag" } else { "PurgeManifest" };
        let object = Object { repository, tag, digest: Some(digest), media_type, ..Object::default() };
        let deed = Deed::Repository(operation, object);
        let identity = &Identity::default();
        cx.log(&Record { time: cx.now, registry, identity, asked: None, deed, status: 200, took: 0 });
    }
    Ok(())
}
