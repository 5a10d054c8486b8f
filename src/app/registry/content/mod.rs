//! What lies in a registry. Verbs that read want an [`Inside`], verbs that change something a [`Writing`]; only [`entry`]
//! makes them: after the caller's right and the registry's to its key were asked.
//! Must not know: HTTP, how a key is unwrapped (see cmk), how tokens are made (see tokens).

pub mod ageing;
pub mod blobs;
pub mod deleted;
pub mod entry;
pub mod links;
pub mod manifests;
pub mod repositories;
pub mod uploads;

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::{App, Cx};
use crate::domain::registry::Registry;
use crate::domain::{Error, Result};
use crate::store;
pub use entry::{CachedFrom, Inside, Writing, enter};
pub(in crate::app) use entry::{ENTRANCES, Entrances};

/// Runs what blocks (files, hashing, sealing) off the request threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// Start-up: what a crash left half done is finished or taken back. Looks at upload sessions and at files
/// under upload only, so that it takes no longer with more blobs.
pub(in crate::app) async fn settle_in(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    let sessions: HashMap<String, u64> = store::registry::content::all_uploads(&mut tx).await?.into_iter().collect();
    drop(tx);
    let files = app.blobs.uploads()?;
    let mut lost = Vec::new();
    for uuid in sessions.keys() {
        // A session's row and file leave together, the file first: a blob that still has a session never
        // became one. A session of size 0 may have no file.
        let there = files.contains(uuid) || app.blobs.take_back(uuid)?;
        if !there && sessions[uuid] > 0 {
            lost.push(uuid);
        }
    }
    for file in files.iter().filter(|f| !sessions.contains_key(*f)) {
        app.blobs.remove(&format!("{}/{file}", store::registry::blobs::UPLOADS))?;
    }
    if !lost.is_empty() {
        let mut tx = app.begin().await?;
        for uuid in lost {
            store::registry::content::delete_upload(&mut tx, uuid).await?;
        }
        tx.commit().await?;
    }
    sweep(app).await
}

/// Removes from disk the files that no row names any more. To be called after any deletion was committed:
/// of blobs, repositories, registries, resource groups. What a crash leaves undone, start-up does.
pub async fn sweep(app: &Arc<App>) -> Result<()> {
    sweep_any(app).await.map(|_| ())
}

/// The same. Whether there were any: that is one write more.
pub(in crate::app) async fn sweep_any(app: &Arc<App>) -> Result<bool> {
    let _alone = app.snapshots.sweeping.lock().await;
    let mut tx = app.store.read().await?;
    let paths = store::registry::content::doomed_files(&mut tx).await?;
    drop(tx);
    if paths.is_empty() {
        return Ok(false);
    }
    let (blobs, doomed) = (app.blobs.clone(), paths.clone());
    blocking(move || doomed.iter().try_for_each(|path| blobs.remove(path))).await?;
    let mut tx = app.begin().await?;
    store::registry::content::forget_files(&mut tx, &serde_json::json!(paths).to_string()).await?;
    tx.commit().await?;
    Ok(true)
}

/// How much a registry holds, in bytes: the `Size` of its usages.
pub async fn total_size(cx: &mut Cx, registry: &Registry) -> Result<u64> {
    store::registry::content::total_size(&mut cx.tx, registry.id).await
}
