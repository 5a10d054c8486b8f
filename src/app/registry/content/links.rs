//! Links to blobs on a registry's dedicated data endpoint: who holds one may read one blob for a short while. The
//! registry's key and firewall are asked again when it is used.
//! Must not know: HTTP, how a blob is read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::blobs::{self, Blob};
use super::entry::{Entry, Inside};
use crate::app::registry::{registries, replications};
use crate::app::world::clock;
use crate::app::{App, Cx, rng};
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::error::ContentError;
use crate::domain::registry::content::Digest;
use crate::domain::world::crypto;

/// Seconds that a link lasts: 20 minutes (acr.md C.4) [docs: 20 to 30].
const LIFETIME: i64 = 20 * 60;
/// What links are bound to.
const CONTEXT: &[u8] = b"link to a blob of a repository";

/// The host that reads of blobs go to, where the registry has dedicated data endpoints: in the region whose login
/// server was called, else in the nearest.
pub async fn host_of(cx: &mut Cx, inside: &Inside, region: Option<&str>) -> Result<Option<String>> {
    if !inside.registry.settings().data_endpoints() {
        return Ok(None);
    }
    let region = match region {
        Some(region) => region.to_owned(),
        None => replications::nearest(cx, &inside.registry).await?,
    };
    Ok(inside.registry.data_endpoint(&region))
}

/// What a link shows for itself: opaque, and only this emulator makes it. It names registry and repository by their
/// ids, so that it leads nowhere once another one has the name.
pub fn sign(app: &App, inside: &Inside, blob: &Blob, digest: &Digest) -> Result<String> {
    let until = clock::machine().seconds() + LIFETIME;
    let claims = json!({
        "registry": inside.registry.id, "repository": blob.repository, "digest": digest.as_str(), "until": until,
    });
    Ok(crypto::base64url(&crypto::seal(&app.master, CONTEXT, claims.to_string().as_bytes(), &mut rng())?))
}

/// Enters a registry by a link, for the one blob it was made for. `host` is the data endpoint that was called.
pub async fn open(
    app: &Arc<App>,
    caller: Caller,
    host: &str,
    signature: &str,
    repository: &str,
    digest: &Digest,
) -> Result<(Inside, Blob)> {
    let name = host.split('.').next().unwrap_or_default();
    let mut cx = app.read(caller).await?;
    let generation = app.generation();
    let registry = registries::by_name(&mut cx, name).await?;
    let entry = Entry::Link { host: host.to_owned(), repository: repository.to_owned(), address: cx.caller.address };
    // A host that is not there has no signatures to judge.
    entry.ask(&mut cx, &registry).await?;
    let claims = crypto::from_base64url(signature).and_then(|sealed| crypto::open(&app.master, CONTEXT, &sealed).ok());
    let claims: Value = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
    let good = claims["registry"] == registry.id
        && claims["digest"] == digest.as_str()
        && claims["until"].as_i64().is_some_and(|until| clock::machine().seconds() < until);
    if !good {
        return Err(ContentError::LinkInvalid.into());
    }
    let inside = Inside::open(&mut cx, registry, entry, generation).await?;
    let blob = blobs::find(&mut cx, &inside, repository, digest).await?;
    if claims["repository"] != blob.repository {
        return Err(ContentError::LinkInvalid.into());
    }
    Ok((inside, blob))
}
