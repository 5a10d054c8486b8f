//! Repositories and tags: list, show, lock, delete.
//! Must not know: HTTP.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Inside, Writing, deleted, manifests, sweep};
use crate::app::registry::webhooks;
use crate::app::{App, Cx};
use crate::domain::Result;
use crate::domain::error::ContentError;
use crate::domain::registry::content::{Attributes, Digest};
use crate::domain::registry::resource_log::Object;
use crate::store;
pub use crate::store::registry::content::{Order, Repository, Tag};

/// Bytes of a page at most, unless a single row is larger. [inferred]
const PAGE_SIZE: usize = 4 * 1024 * 1024;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// At most so many.
    pub limit: u64,
    /// After this one.
    pub last: String,
}

/// A page's rows, and whether there are more.
#[derive(Debug)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Whether the list goes on.
    pub more: bool,
}

impl Page {
    // One more is asked for than wanted: that there is one tells that the list goes on.
    fn asked(&self) -> u64 {
        self.limit.saturating_add(1)
    }

    fn cut<T>(&self, mut rows: Vec<T>) -> Listed<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit && limit > 0;
        rows.truncate(limit);
        Listed { rows, more }
    }
}

/// Names of repositories.
pub async fn catalog(cx: &mut Cx, inside: &Inside, page: &Page) -> Result<Listed<String>> {
    let rows = store::registry::content::repositories(&mut cx.tx, inside.registry.id, &page.last, page.asked()).await?;
    Ok(page.cut(rows))
}

/// A repository that holds, or held, a manifest.
async fn known(cx: &mut Cx, inside: &Inside, name: &str) -> Result<Repository> {
    let found = store::registry::content::find_repository(&mut cx.tx, inside.registry.id, name).await?;
    found.filter(|r| !r.gone).ok_or_else(|| ContentError::NameUnknown(name.to_owned()).into())
}

/// A repository with the numbers of its manifests and tags.
pub async fn show(cx: &mut Cx, inside: &Inside, name: &str) -> Result<(Repository, i64, i64)> {
    let repository = known(cx, inside, name).await?;
    let (manifests, tags) = store::registry::content::counts(&mut cx.tx, repository.id).await?;
    Ok((repository, manifests, tags))
}

/// Tags of a repository.
pub async fn tags(
    cx: &mut Cx,
    inside: &Inside,
    name: &str,
    page: &Page,
    order: Order,
    digest: Option<&str>,
) -> Result<Listed<Tag>> {
    let repository = known(cx, inside, name).await?;
    let rows =
        store::registry::content::tags(&mut cx.tx, repository.id, &page.last, page.asked(), order, digest).await?;
    Ok(page.cut(rows))
}

/// One tag.
pub async fn tag(cx: &mut Cx, inside: &Inside, name: &str, tag: &str) -> Result<Tag> {
    let repository = known(cx, inside, name).await?;
    let found = store::registry::content::find_tag(&mut cx.tx, repository.id, tag).await?;
    found.ok_or_else(|| ContentError::TagUnknown(tag.to_owned()).into())
}

/// A manifest as `/acr/v1` lists it.
#[derive(Debug)]
pub struct Described {
    /// Its row.
    pub manifest: store::registry::content::Manifest,
    /// What its bytes and its config say of it.
    pub about: Map<String, Value>,
    pub tags: Vec<String>,
    /// What a scanner said of it.
    pub verdict: Option<String>,
}

/// What lists of manifests tell of each, and what is told of one alone beside that.
const ABOUT: [&str; 4] = ["architecture", "os", "configMediaType", "references"];

async fn describe(
    cx: &mut Cx,
    inside: &Inside,
    manifest: store::registry::content::Manifest,
    about: &[&str],
) -> Result<Described> {
    let about = manifests::about(inside, &manifest, about)?;
    let tags = store::registry::content::tags_of(&mut cx.tx, manifest.id).await?;
    let verdict = manifests::verdict(inside, &manifest)?;
    Ok(Described { manifest, about, tags, verdict })
}

/// Manifests of a repository, each as `show` shows it, by its digest. A page ends early where it becomes large.
pub async fn manifests(
    cx: &mut Cx,
    inside: &Inside,
    name: &str,
    (page, order): (&Page, Order),
    show: impl Fn(&Described) -> String,
) -> Result<Listed<(String, String)>> {
    let repository = known(cx, inside, name).await?;
    let ids = store::registry::content::manifests(&mut cx.tx, repository.id, &page.last, page.asked(), order).await?;
    let ids = page.cut(ids);
    let mut listed = Listed { rows: Vec::new(), more: ids.more };
    let mut size = 0;
    for id in ids.rows {
        let Some(manifest) = store::registry::content::manifest_for_list(&mut cx.tx, id).await? else { continue };
        let described = describe(cx, inside, manifest, &ABOUT[..3]).await?;
        let shown = show(&described);
        size += shown.len();
        if size > PAGE_SIZE && !listed.rows.is_empty() {
            listed.more = true;
            return Ok(listed);
        }
        listed.rows.push((described.manifest.digest, shown));
    }
    Ok(listed)
}

/// Names of tags. A page ends early where it becomes large.
pub async fn tag_names(cx: &mut Cx, inside: &Inside, name: &str, page: &Page) -> Result<Listed<String>> {
    /// Names read at a time.
    const STEP: u64 = 1000;
    let repository = known(cx, inside, name).await?;
    let mut listed: Listed<String> = Listed { rows: Vec::new(), more: false };
    let mut size = 0;
    loop {
        let last = listed.rows.last().unwrap_or(&page.last).clone();
        let left = page.asked().saturating_sub(listed.rows.len() as u64).min(STEP);
        let names = store::registry::content::tag_names(&mut cx.tx, repository.id, &last, left).await?;
        let ended = (names.len() as u64) < STEP;
        for tag in names {
            size += tag.len();
            if size > PAGE_SIZE && !listed.rows.is_empty() {
                listed.more = true;
                return Ok(listed);
            }
            listed.rows.push(tag);
        }
        if ended || listed.rows.len() as u64 >= page.asked() {
            return Ok(page.cut(listed.rows));
        }
    }
}

/// One manifest.
pub async fn manifest(cx: &mut Cx, inside: &Inside, name: &str, digest: &Digest) -> Result<Described> {
    let repository = known(cx, inside, name).await?;
    let found = store::registry::content::find_manifest(&mut cx.tx, repository.id, digest.as_str()).await?;
    let found = found.ok_or_else(|| ContentError::ManifestUnknown("manifest unknown".to_owned()))?;
    describe(cx, inside, found, &ABOUT).await
}

/// What attributes belong to.
#[derive(Debug, Clone)]
pub enum Lockable {
    Repository,
    Tag(String),
    Manifest(Digest),
}

/// Changes `changeableAttributes`.
pub async fn lock(writing: &mut Writing, name: &str, what: &Lockable, body: &Value) -> Result<()> {
    let Writing { cx, inside } = writing;
    let repository = known(cx, inside, name).await?;
    match what {
        Lockable::Repository => {
            let attributes = repository.attributes.patched(body)?;
            store::registry::content::lock_repository(&mut cx.tx, repository.id, attributes, cx.now).await
        }
        Lockable::Tag(name_of_tag) => {
            let attributes: Attributes = tag(cx, inside, name, name_of_tag).await?.attributes.patched(body)?;
            store::registry::content::lock_tag(&mut cx.tx, repository.id, name_of_tag, attributes, cx.now).await
        }
        Lockable::Manifest(digest) => {
            let Described { manifest: found, tags, .. } = manifest(cx, inside, name, digest).await?;
            let attributes = found.attributes.patched(body)?;
            manifests::judge(writing, name, &found, &tags, body).await?;
            let cx = &mut writing.cx;
            store::registry::content::lock_manifest(&mut cx.tx, found.id, attributes, cx.now).await
        }
    }
}

/// Removes a tag; its manifest stays.
pub async fn untag(writing: &mut Writing, name: &str, tag_name: &str) -> Result<()> {
    let Writing { cx, inside } = writing;
    let repository = known(cx, inside, name).await?;
    let found = tag(cx, inside, name, tag_name).await?;
    if !repository.attributes.deletable() || !found.attributes.deletable() {
        return Err(ContentError::Locked.into());
    }
    store::registry::content::delete_tag(&mut cx.tx, repository.id, tag_name, deleted::keeps(inside), cx.now).await?;
    store::registry::content::touch_repository(&mut cx.tx, repository.id, cx.now).await?;
    let (tag, digest) = (Some(tag_name.to_owned()), Some(found.digest));
    writing.log("Untag", Object { repository: name.to_owned(), tag, digest, ..Object::default() }, 202);
    Ok(())
}

/// Deletes a repository. Returns the digests and tags that went with it.
pub async fn delete(app: &Arc<App>, mut writing: Writing, name: &str) -> Result<(Vec<String>, Vec<String>)> {
    let Writing { cx, inside } = &mut writing;
    let repository = known(cx, inside, name).await?;
    if !repository.attributes.deletable()
        || store::registry::content::holds_undeletable(&mut cx.tx, repository.id).await?
    {
        return Err(ContentError::Locked.into());
    }
    let digests = store::registry::content::manifest_digests(&mut cx.tx, repository.id).await?;
    let all = Page { limit: u64::from(u32::MAX), last: String::new() };
    let tags = tags(cx, inside, name, &all, Order::Name, None).await?.rows;
    if deleted::keeps(inside) {
        for manifest in store::registry::content::manifest_ids(&mut cx.tx, repository.id).await? {
            store::registry::content::delete_manifest(&mut cx.tx, manifest, true, cx.now).await?;
        }
        store::registry::content::leave_repository(&mut cx.tx, repository.id, cx.now).await?;
    } else {
        store::registry::content::delete_repository(&mut cx.tx, repository.id).await?;
    }
    for digest in &digests {
        webhooks::note(cx, &inside.registry, webhooks::Event::delete(name, digest, None));
    }
    writing.log("Delete", Object { repository: name.to_owned(), ..Object::default() }, 202);
    writing.commit().await?;
    sweep(app).await?;
    Ok((digests, tags.into_iter().map(|t| t.name).collect()))
}
