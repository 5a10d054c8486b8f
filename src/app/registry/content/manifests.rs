//! Manifests: get, put, delete, and who refers to whom.
//! Must not know: HTTP.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Inside, Writing, blobs, deleted};
use crate::app::registry::rights::Need;
use crate::app::registry::webhooks::{self, Event};
use crate::app::{App, Cx};
use crate::domain::error::{ContentError, RequestError};
use crate::domain::registry::content::{self, Digest, MANIFEST_LIMIT, Quarantine, Reference};
use crate::domain::registry::resource_log::Object;
use crate::domain::registry::rights::Right;
use crate::domain::world::json;
use crate::domain::{Error, Result};
use crate::store;
use crate::store::registry::unreplicated::Push;

/// A manifest as it is pulled.
#[derive(Debug)]
pub struct Found {
    pub digest: String,
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    sealed: store::registry::content::Manifest,
}

/// What the DEK binds a manifest's bytes to: they cannot stand in for another's.
fn context(digest: &str) -> String {
    format!("manifest {digest}")
}

fn about_context(digest: &str) -> String {
    format!("about manifest {digest}")
}

/// What lists tell of a manifest, as far as it is asked for.
pub(super) fn about(
    inside: &Inside,
    manifest: &store::registry::content::Manifest,
    names: &[&str],
) -> Result<Map<String, Value>> {
    let opened = inside.dek.open(&about_context(&manifest.digest), &manifest.about)?;
    json::members(&opened, names, 4 * json::DOCUMENT_LIMIT)
        .map_err(|_| Error::Internal("what is known of a manifest cannot be read".to_owned()))
}

/// The error for a manifest that is not there.
pub(in crate::app) fn unknown(reference: &Reference) -> ContentError {
    match reference {
        Reference::Tag(tag) => ContentError::ManifestUnknown(format!("manifest tagged by \"{tag}\" is not found")),
        Reference::Digest(digest) => ContentError::ManifestUnknown(format!("manifest {digest} is not found")),
    }
}

/// A manifest by tag or digest.
pub async fn find(cx: &mut Cx, inside: &Inside, repository: &str, reference: &Reference) -> Result<Found> {
    let registry = inside.registry.id;
    let name = match reference {
        Reference::Tag(tag) => tag.as_str(),
        Reference::Digest(digest) => digest.as_str(),
    };
    let found = match (reference, inside.not_yet(cx, repository, name).await?) {
        (_, Some(None)) => None,
        (_, Some(Some(digest))) => {
            store::registry::content::manifest_by_digest(&mut cx.tx, registry, repository, &digest).await?
        }
        (Reference::Tag(tag), None) => {
            store::registry::content::manifest_by_tag(&mut cx.tx, registry, repository, tag).await?
        }
        (Reference::Digest(digest), None) => {
            store::registry::content::manifest_by_digest(&mut cx.tx, registry, repository, digest.as_str()).await?
        }
    };
    let found = found.ok_or_else(|| unknown(reference))?;
    if !found.attributes.read {
        return Err(ContentError::Locked.into());
    }
    // What waits in quarantine is not there by tag [docs: the preview's].
    if found.quarantine != Quarantine::Passed
        && inside.quarantines()
        && !inside.may(&Need::registry(&[Right::QuarantineRead]))
    {
        return Err(match reference {
            Reference::Tag(_) => unknown(reference),
            Reference::Digest(_) => ContentError::Quarantined,
        }
        .into());
    }
    Ok(Found { digest: found.digest.clone(), media_type: found.media_type.clone(), size: found.size, sealed: found })
}

/// The digest that a tag has, whoever may see what it names.
pub(in crate::app) async fn tagged(
    cx: &mut Cx,
    inside: &Inside,
    repository: &str,
    tag: &str,
) -> Result<Option<String>> {
    let found = store::registry::content::manifest_by_tag(&mut cx.tx, inside.registry.id, repository, tag).await?;
    Ok(found.map(|manifest| manifest.digest))
}

impl Found {
    /// Its bytes, as they were pushed.
    pub fn open(&self, inside: &Inside) -> Result<Bytes> {
        let opened = inside.dek.open(&context(&self.digest), &self.sealed.sealed)?;
        Ok(Bytes::copy_from_slice(&opened))
    }
}

/// A manifest that was put.
#[derive(Debug)]
pub struct Put {
    pub digest: Digest,
    /// The digest it refers to.
    pub subject: Option<Digest>,
}

/// Checks and keeps a manifest, and points the tag at it where it was addressed by one.
pub async fn put(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    reference: &Reference,
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<Put> {
    if bytes.len() > MANIFEST_LIMIT {
        return Err(ContentError::TooLarge.into());
    }
    inside.check_writable(repository)?;
    let mut read = content::Manifest::read(bytes, content_type)?;
    let digest = match reference {
        Reference::Tag(_) => Digest::of(bytes),
        Reference::Digest(digest) if digest.matches(bytes) => digest.clone(),
        Reference::Digest(digest) => return Err(ContentError::DigestInvalid(digest.to_string()).into()),
    };
    let about = tell(app, inside, repository, &mut read).await?;
    let artifact_type = about.get("artifactType").and_then(Value::as_str).map(str::to_owned);
    let about = serde_json::to_vec(&about).map_err(Error::internal)?;
    let mut writing = inside.write(app).await?;
    let Writing { cx, inside } = &mut writing;
    inside.check_writable(repository)?;
    // What is pulled through comes when it is asked for.
    if !inside.filling {
        check_references(cx, inside, repository, &read).await?;
    }
    let manifest = store::registry::content::Manifest {
        id: 0,
        digest: digest.to_string(),
        media_type: read.media_type.clone(),
        size: bytes.len() as u64,
        image_size: read.image_size,
        sealed: inside.dek.seal(&context(digest.as_str()), bytes, &mut cx.rng())?,
        about: inside.dek.seal(&about_context(digest.as_str()), &about, &mut cx.rng())?,
        subject: read.subject.as_ref().map(Digest::to_string),
        attributes: content::Attributes::default(),
        quarantine: if inside.quarantines() { Quarantine::Quarantined } else { Quarantine::Passed },
        quarantine_details: None,
        created_at: cx.now,
        updated_at: cx.now,
    };
    let there = store::registry::content::ensure_repository(&mut cx.tx, inside.registry.id, repository, cx.now).await?;
    let before = store::registry::content::state_of_manifest(&mut cx.tx, there.id, digest.as_str()).await?;
    if !there.attributes.write || before.is_some_and(|(attributes, _)| !attributes.write) {
        return Err(ContentError::Locked.into());
    }
    // A manifest that is there stays what a scanner said of it. [inferred]
    let quarantine = before.map_or(manifest.quarantine, |(_, quarantine)| quarantine);
    // Azure wants it restored first (acr.md C.1) [docs]; which refusal it gives is a guess.
    if store::registry::ageing::is_deleted(&mut cx.tx, there.id, digest.as_str()).await? {
        return Err(ContentError::Locked.into());
    }
    let references: Vec<&str> = read.blobs.iter().chain(&read.manifests).map(Digest::as_str).collect();
    let id =
        store::registry::content::add_manifest(&mut cx.tx, there.id, &manifest, &json!(references).to_string()).await?;
    let mut previous = None;
    match reference {
        Reference::Tag(tag) => previous = point(cx, inside, (repository, there.id), tag, id).await?,
        Reference::Digest(_) => store::registry::content::put_untagged(&mut cx.tx, id, cx.now).await?,
    }
    store::registry::content::touch_repository(&mut cx.tx, there.id, cx.now).await?;
    let tag = if let Reference::Tag(tag) = reference { Some(tag.as_str()) } else { None };
    let region = replicate(cx, inside, there.id, (tag, previous), (&digest, before.is_none())).await?;
    let object = Object {
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest: Some(digest.to_string()),
        media_type: Some(read.media_type),
        artifact_type,
        size: Some(bytes.len() as u64),
    };
    pushed(&mut writing, object, (bytes.len(), quarantine), region.as_ref());
    writing.commit().await?;
    Ok(Put { digest, subject: read.subject })
}

/// Points a tag of a repository at a manifest. Returns the digest that it had.
async fn point(
    cx: &mut Cx,
    inside: &Inside,
    (name, repository): (&str, i64),
    tag: &str,
    manifest: i64,
) -> Result<Option<String>> {
    let existing = store::registry::content::find_tag(&mut cx.tx, repository, tag).await?;
    if let Some(existing) = &existing {
        inside.check_tag_may_move(name, tag)?;
        if !existing.attributes.write {
            return Err(ContentError::Locked.into());
        }
    }
    store::registry::content::set_tag(&mut cx.tx, repository, tag, manifest, cx.now).await?;
    Ok(existing.map(|tag| tag.digest))
}

/// Keeps a push from other regions until it arrives there. Returns the region where it was made, if there are others. What
/// a cache rule fetches is fetched in each.
async fn replicate(
    cx: &mut Cx,
    inside: &Inside,
    repository: i64,
    (tag, previous): (Option<&str>, Option<String>),
    (digest, is_new): (&Digest, bool),
) -> Result<Option<Arc<str>>> {
    let Some(region) = inside.region(cx).await?.filter(|_| !inside.filling) else { return Ok(None) };
    let arrives_at = cx.replicated_at();
    let push = |reference, previous| Push { reference, region: &region, previous, arrives_at };
    if is_new {
        store::registry::unreplicated::add(&mut cx.tx, repository, &push(digest.as_str(), None)).await?;
    }
    if let Some(tag) = tag.filter(|_| previous.as_deref() != Some(digest.as_str())) {
        store::registry::unreplicated::add(&mut cx.tx, repository, &push(tag, previous.as_deref())).await?;
    }
    Ok(Some(region))
}

/// Has webhooks and the log told of a manifest that is put.
fn pushed(writing: &mut Writing, object: Object, (size, quarantine): (usize, Quarantine), region: Option<&Arc<str>>) {
    let Writing { cx, inside } = writing;
    let (repository, tag) = (object.repository.as_str(), object.tag.as_deref());
    let (digest, kind) =
        (object.digest.as_deref().unwrap_or_default(), object.media_type.as_deref().unwrap_or_default());
    let event = Event::quarantine(repository, tag, digest, size);
    webhooks::note(cx, &inside.registry, event.in_region(region.cloned()));
    // Of a push into quarantine only scanners are told; the others are when it leaves [docs: the preview's].
    if quarantine == Quarantine::Passed || !inside.quarantines() {
        let event = Event::push(repository, tag, digest, kind, size);
        webhooks::note(cx, &inside.registry, event.in_region(region.cloned()));
    }
    writing.log("Push", object, 201);
}

/// What lists are to tell of a manifest; of an image, also the platform that its config names.
async fn tell(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    read: &mut content::Manifest,
) -> Result<Map<String, Value>> {
    let mut about = std::mem::take(&mut read.about);
    let Some((config, _)) = &read.config else { return Ok(about) };
    let mut cx = app.read(inside.caller()).await?;
    let found = blobs::find(&mut cx, inside, repository, config).await;
    drop(cx);
    // A config that is missing is refused below, with the rest. One that is too large is none.
    if let Ok(blob) = found
        && blob.size <= MANIFEST_LIMIT as u64
    {
        about.extend(content::platform(&blobs::read_whole(app, inside, &blob).await?));
    }
    Ok(about)
}

/// All that a manifest names must be there. A subject need not be (OCI distribution 1.1).
async fn check_references(cx: &mut Cx, inside: &Inside, repository: &str, read: &content::Manifest) -> Result<()> {
    let registry = inside.registry.id;
    let list = |digests: &[Digest]| json!(digests.iter().map(Digest::as_str).collect::<Vec<_>>()).to_string();
    if !read.blobs.is_empty() {
        let missing =
            store::registry::content::missing_blob(&mut cx.tx, registry, repository, &list(&read.blobs)).await?;
        if let Some(digest) = missing {
            return Err(ContentError::ManifestBlobUnknown(digest).into());
        }
    }
    if !read.manifests.is_empty() {
        let missing =
            store::registry::content::missing_entry(&mut cx.tx, registry, repository, &list(&read.manifests)).await?;
        if let Some(digest) = missing {
            return Err(ContentError::ManifestBlobUnknown(digest).into());
        }
    }
    Ok(())
}

/// What the DEK binds a scanner's words to.
fn verdict_context(digest: &str) -> String {
    format!("quarantine of manifest {digest}")
}

/// What a scanner said of a manifest.
pub(super) fn verdict(inside: &Inside, manifest: &store::registry::content::Manifest) -> Result<Option<String>> {
    let Some(sealed) = &manifest.quarantine_details else { return Ok(None) };
    let opened = inside.dek.open(&verdict_context(&manifest.digest), sealed)?;
    Ok(Some(String::from_utf8_lossy(&opened).into_owned()))
}

/// `quarantineState` and `quarantineDetails` of a PATCH, where they are there. What leaves quarantine is pushed now,
/// as far as webhooks know [docs: the preview's].
pub(super) async fn judge(
    writing: &mut Writing,
    repository: &str,
    manifest: &store::registry::content::Manifest,
    tags: &[String],
    body: &Value,
) -> Result<()> {
    let Writing { cx, inside } = writing;
    let (state, details) = (&body["quarantineState"], &body["quarantineDetails"]);
    if state.is_null() && details.is_null() {
        return Ok(());
    }
    if !inside.may(&Need::registry(&[Right::QuarantineWrite])) {
        return Err(ContentError::Denied.into());
    }
    let wrong = |what: &str| RequestError::Malformed(what.to_owned());
    let now = match state {
        Value::Null => manifest.quarantine,
        Value::String(word) => Quarantine::parse(word).ok_or_else(|| wrong("quarantineState is not a state"))?,
        _ => return Err(wrong("quarantineState is not a text").into()),
    };
    let sealed = match details {
        Value::Null => manifest.quarantine_details.clone(),
        Value::String(text) => {
            Some(inside.dek.seal(&verdict_context(&manifest.digest), text.as_bytes(), &mut cx.rng())?)
        }
        _ => return Err(wrong("quarantineDetails is not a text").into()),
    };
    store::registry::content::set_quarantine(&mut cx.tx, manifest.id, now, sealed.as_ref(), cx.now).await?;
    if now == Quarantine::Passed && manifest.quarantine != Quarantine::Passed && inside.quarantines() {
        let size = usize::try_from(manifest.size).map_err(Error::internal)?;
        let mut named: Vec<Option<&str>> = tags.iter().map(|tag| Some(tag.as_str())).collect();
        if named.is_empty() {
            named.push(None);
        }
        for tag in named {
            let event = Event::push(repository, tag, &manifest.digest, &manifest.media_type, size);
            webhooks::note(cx, &inside.registry, event);
        }
    }
    Ok(())
}

/// Deletes a manifest, its tags, and what refers to it; with a soft-delete policy they go to the bin.
pub async fn delete(writing: &mut Writing, repository: &str, digest: &Digest) -> Result<()> {
    let Writing { cx, inside } = writing;
    let unknown = || ContentError::ManifestUnknown(format!("manifest {digest} is not found"));
    let there = store::registry::content::find_repository(&mut cx.tx, inside.registry.id, repository).await?;
    let there = there.ok_or_else(unknown)?;
    let found = store::registry::content::find_manifest(&mut cx.tx, there.id, digest.as_str()).await?;
    let manifest = found.ok_or_else(unknown)?;
    let locked = !there.attributes.deletable() || !manifest.attributes.deletable();
    if locked || store::registry::content::has_undeletable_tag(&mut cx.tx, manifest.id).await? {
        return Err(ContentError::Locked.into());
    }
    // What refers to it goes with it [docs]. That a locked one keeps it is [inferred].
    let hanging = store::registry::content::hanging_on(&mut cx.tx, manifest.id).await?;
    let mut doomed = vec![(manifest.id, manifest.digest, manifest.media_type)];
    for one in hanging {
        let locked = !one.attributes.deletable();
        if locked || store::registry::content::has_undeletable_tag(&mut cx.tx, one.id).await? {
            return Err(ContentError::Locked.into());
        }
        doomed.push((one.id, one.digest, one.media_type));
    }
    for (id, digest, media_type) in doomed {
        let Writing { cx, inside } = writing;
        store::registry::content::delete_manifest(&mut cx.tx, id, deleted::keeps(inside), cx.now).await?;
        webhooks::note(cx, &inside.registry, Event::delete(repository, &digest, Some(&media_type)));
        let (digest, media_type) = (Some(digest), Some(media_type));
        let object = Object { repository: repository.to_owned(), digest, media_type, ..Object::default() };
        writing.log("Delete", object, 202);
    }
    let cx = &mut writing.cx;
    store::registry::content::touch_repository(&mut cx.tx, there.id, cx.now).await
}

/// Descriptors of manifests that refer to another, as JSON, and where the list goes on.
#[derive(Debug, Default)]
pub struct Referrers {
    pub descriptors: Vec<String>,
    /// The digest of the last manifest that was looked at, where there are more.
    pub last: Option<String>,
}

/// The manifests that refer to `subject`, after `last`: as many as fit into an index that a client reads, at least
/// one. Registries with a customer-managed key do not have this API (acr.md B.1 row 27); clients fall back to a tag.
pub async fn referrers(
    cx: &mut Cx,
    inside: &Inside,
    repository: &str,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: &str,
) -> Result<Referrers> {
    if inside.registry.cmk.is_some() {
        return Err(ContentError::Unsupported("referrers".to_owned()).into());
    }
    let registry = inside.registry.id;
    let ids = store::registry::content::referrers(&mut cx.tx, registry, repository, subject.as_str(), last).await?;
    let mut found = Referrers::default();
    let mut size = 0;
    let mut seen = None;
    for id in ids {
        let Some(manifest) = store::registry::content::manifest_for_list(&mut cx.tx, id).await? else { continue };
        let about = about(inside, &manifest, &["artifactType", "annotations"])?;
        if artifact_type.is_none_or(|wanted| about.get("artifactType").and_then(Value::as_str) == Some(wanted)) {
            let mut descriptor =
                json!({"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size});
            for (name, value) in about {
                descriptor[name] = value;
            }
            let descriptor = descriptor.to_string();
            size += descriptor.len();
            if size > MANIFEST_LIMIT && !found.descriptors.is_empty() {
                found.last = seen;
                return Ok(found);
            }
            found.descriptors.push(descriptor);
        }
        seen = Some(manifest.digest);
    }
    Ok(found)
}
