//! The log of a run kept as an artifact in a repository: for registries with a customer-managed key, whose logs go after a
//! day, where a task or a request says so.
//! Must not know: HTTP, how a log grows (see log).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::blobs::{self, Place, Refusal};
use crate::app::registry::content::entry::{self, Inside};
use crate::app::registry::content::{blobs as content_blobs, manifests, uploads};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::content::{Digest, Reference};
use crate::domain::registry::tasks::images::{self, Image};
use crate::domain::registry::tasks::run::Run;
use crate::domain::registry::tasks::words::Words;
use crate::domain::{Error, Result};
use crate::store;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a log is where artifacts have types. [inferred]
const LOG: &str = "text/plain";
const CONFIG: &str = "application/vnd.oci.empty.v1+json";
/// Where links to artifacts of logs lead in the registry's container.
const FOLDER: &str = "artifacts/";

async fn put_blob(app: &Arc<App>, inside: &Inside, repository: &str, bytes: Vec<u8>) -> Result<(Digest, usize)> {
    let (digest, size) = (Digest::of(&bytes), bytes.len());
    let mut writing = inside.write(app).await?;
    let upload = uploads::start(&mut writing, repository).await?;
    writing.commit().await?;
    let body = stream::iter([Ok(Bytes::from(bytes))]);
    uploads::finish(app, inside, repository, &upload.uuid, &digest, None, body).await?;
    Ok((digest, size))
}

/// What of a run's log is kept already.
async fn kept(app: &Arc<App>, registry: &Registry, run: &Run) -> Result<Vec<u8>> {
    let mut cx = app.read(Caller::system()).await?;
    let found = blobs::source(&mut cx, registry, &run.log_name()).await;
    drop(cx);
    match found {
        Ok(found) => Ok(blobs::read(app, &found, (0, found.size)).try_collect::<Vec<Bytes>>().await?.concat()),
        Err(Refusal::Failed(error)) => Err(error),
        Err(_) => Ok(Vec::new()),
    }
}

/// Keeps a run's log, `rest` at its end, under the name that a template gives. Returns `logArtifact`; an error says why
/// there is none.
pub(super) async fn keep(
    app: &Arc<App>,
    registry: &Registry,
    run: &Run,
    (template, words): (&str, &Words),
    rest: &[u8],
) -> std::result::Result<Value, String> {
    let server = registry.login_server();
    let name = images::in_registry(&words.shorten(&words.fill(template)?, &[]), &server);
    let image = Image::parse(&name).filter(|image| image.registry == server && image.digest.is_none());
    let image = image.ok_or_else(|| format!("'{template}' is no repository and tag of this registry"))?;
    let tag = image.tag.clone().unwrap_or_default();
    let put = async {
        let mut text = kept(app, registry, run).await?;
        text.extend_from_slice(rest);
        let mut cx = app.read(Caller::system()).await?;
        let found = store::registry::registries::by_id(&mut cx.tx, registry.id).await?;
        let found = found.ok_or_else(|| Error::Internal("the registry of a run is gone".to_owned()))?;
        let inside = entry::enter_for_log(&mut cx, found, &image.repository).await?;
        drop(cx);
        let (config, config_size) = put_blob(app, &inside, &image.repository, b"{}".to_vec()).await?;
        let (layer, size) = put_blob(app, &inside, &image.repository, text).await?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": LOG,
            "config": {"mediaType": CONFIG, "digest": config.to_string(), "size": config_size},
            "layers": [{"mediaType": LOG, "digest": layer.to_string(), "size": size}],
        });
        let reference = Reference::parse(&tag)?;
        let bytes = manifest.to_string();
        let put = manifests::put(app, &inside, &image.repository, &reference, Some(MANIFEST), bytes.as_bytes()).await?;
        Ok::<_, Error>((put.digest, layer))
    };
    let (digest, layer) = put.await.map_err(|why| super::reason::reason(&why))?;
    Ok(json!({
        "registry": server, "repository": image.repository, "tag": tag, "digest": digest.to_string(),
        LAYER: layer.to_string(),
    }))
}

/// The field of a run's document that says which blob holds the log. No answer shows it.
const LAYER: &str = "layer";

/// `logArtifact` as answers show it.
#[must_use]
pub fn shown(run: &Run) -> Option<Value> {
    let mut artifact = run.document.get("logArtifact")?.clone();
    artifact.as_object_mut()?.shift_remove(LAYER);
    Some(artifact)
}

/// A link to the log that was kept as an artifact.
pub(super) fn link(cx: &Cx, registry: &Registry, run: &Run) -> Option<String> {
    run.document.get("logArtifact").map(|_| blobs::read_link(cx, registry, &format!("{FOLDER}{}", run.name())))
}

/// Whether a link leads to an artifact.
#[must_use]
pub fn is_meant(place: &Place) -> bool {
    place.name.starts_with(FOLDER)
}

/// The log that a link leads to, out of its repository: its size, and its bytes.
pub async fn read(
    app: &Arc<App>,
    place: &Place,
) -> std::result::Result<(u64, BoxStream<'static, Result<Bytes>>), Refusal> {
    let mut cx = app.read(Caller::system()).await?;
    let registry = place.admit(&mut cx, "r").await?;
    let name = place.name.trim_start_matches(FOLDER);
    let number = Run::number_of(name).ok_or(Refusal::BlobNotFound)?;
    let run = store::registry::tasks::runs::by_number(&mut cx.tx, registry.id, number).await?;
    let artifact = run.and_then(|run| run.document.get("logArtifact").cloned()).ok_or(Refusal::BlobNotFound)?;
    let repository = artifact["repository"].as_str().unwrap_or_default().to_owned();
    let layer = Digest::parse(artifact[LAYER].as_str().unwrap_or_default())?;
    let inside = entry::enter_for_log(&mut cx, registry, &repository).await?;
    let blob = content_blobs::find(&mut cx, &inside, &repository, &layer).await?;
    drop(cx);
    let size = blob.size;
    let parts = content_blobs::read(app, &inside, &blob, 0..size).await?;
    Ok((size, parts.boxed()))
}
