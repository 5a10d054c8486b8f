//! The soft-deleted bin of a registry (`softDeletePolicy`): list and restore. How things get there: manifests and
//! repositories; when they leave it for good: ageing.
//! Must not know: HTTP.

use super::{Inside, Writing};
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::ContentError;
use crate::domain::registry::content::Digest;
use crate::store;
pub use crate::store::registry::ageing::{DeletedManifest, DeletedTag};

/// Whether what is deleted in a registry goes to the bin.
#[must_use]
pub fn keeps(inside: &Inside) -> bool {
    inside.registry.settings().soft_delete()
}

/// Repositories that have something in the bin.
pub async fn repositories(cx: &mut Cx, inside: &Inside) -> Result<Vec<String>> {
    store::registry::ageing::deleted_repositories(&mut cx.tx, inside.registry.id).await
}

async fn place(cx: &mut Cx, inside: &Inside, repository: &str) -> Result<i64> {
    let found = store::registry::content::find_repository(&mut cx.tx, inside.registry.id, repository).await?;
    found.map(|r| r.id).ok_or_else(|| ContentError::NameUnknown(repository.to_owned()).into())
}

/// The manifests of a repository in the bin.
pub async fn manifests(cx: &mut Cx, inside: &Inside, repository: &str) -> Result<Vec<DeletedManifest>> {
    let place = place(cx, inside, repository).await?;
    store::registry::ageing::deleted_manifests(&mut cx.tx, place).await
}

/// The tags of a repository in the bin.
pub async fn tags(cx: &mut Cx, inside: &Inside, repository: &str) -> Result<Vec<DeletedTag>> {
    let place = place(cx, inside, repository).await?;
    store::registry::ageing::deleted_tags(&mut cx.tx, place).await
}

/// Takes a manifest out of the bin and gives it the tag again. A tag that points to another manifest by now
/// stays, unless `force` [inferred: refused as a locked one].
pub async fn restore(
    writing: &mut Writing,
    repository: &str,
    digest: &Digest,
    tag: Option<&str>,
    force: bool,
) -> Result<()> {
    let Writing { cx, inside } = writing;
    let unknown = || ContentError::ManifestUnknown(format!("manifest {digest} is not found"));
    let place = place(cx, inside, repository).await?;
    let there = store::registry::content::find_manifest(&mut cx.tx, place, digest.as_str()).await?;
    let restored = store::registry::ageing::restore(&mut cx.tx, place, digest.as_str(), cx.now).await?;
    // Only the tag was deleted, where the manifest is still there.
    let manifest = restored.or(there.map(|m| m.id)).ok_or_else(unknown)?;
    store::registry::content::ensure_repository(&mut cx.tx, inside.registry.id, repository, cx.now).await?;
    let Some(tag) = tag else { return store::registry::content::put_untagged(&mut cx.tx, manifest, cx.now).await };
    let now_at = store::registry::content::find_tag(&mut cx.tx, place, tag).await?;
    if now_at.is_some_and(|t| t.digest != digest.as_str()) && !force {
        return Err(ContentError::Locked.into());
    }
    store::registry::content::set_tag(&mut cx.tx, place, tag, manifest, cx.now).await?;
    store::registry::ageing::forget_deleted_tag(&mut cx.tx, place, tag, digest.as_str()).await?;
    store::registry::content::touch_repository(&mut cx.tx, place, cx.now).await
}
