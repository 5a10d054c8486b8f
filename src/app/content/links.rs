//! Links to blobs on a registry's dedicated data endpoint: who holds one may read one blob for a short while. The
//! registry's key and firewall are asked again when it is used.
//! Must not know: HTTP, how a blob is read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inside;
use crate::app::registry_tokens::{self, Access, Scope};
use crate::app::{App, Cx, clock, registries, replications, rng};
use crate::domain::access::Caller;
use crate::domain::content::Digest;
use crate::domain::error::{ContentError, RegistryError};
use crate::domain::{Result, crypto};

/// Seconds that a link lasts: 20 minutes (acr.md C.4) [docs: 20 to 30].
const LIFETIME: i64 = 20 * 60;
/// What links are bound to.
const CONTEXT: &[u8] = b"link to a blob";

/// The host that reads of blobs go to, where the registry has dedicated data endpoints: in the region whose login
/// server was called, else in the nearest.
pub async fn host_of(cx: &mut Cx, inside: &Inside, region: Option<&str>) -> Result<Option<String>> {
    if !inside.registry.flag("dataEndpointEnabled") {
        return Ok(None);
    }
    let region = match region {
        Some(region) => region.to_owned(),
        None => replications::nearest(cx, &inside.registry).await?,
    };
    Ok(inside.registry.data_endpoint(&region))
}

/// What a link shows for itself: opaque, and only this emulator makes it.
pub fn sign(app: &App, inside: &Inside, repository: &str, digest: &Digest) -> Result<String> {
    let until = clock::machine().seconds() + LIFETIME;
    let told =
        json!({"registry": inside.registry.id, "repository": repository, "digest": digest.as_str(), "until": until});
    Ok(crypto::base64url(&crypto::seal(&app.master, CONTEXT, told.to_string().as_bytes(), &mut rng())?))
}

/// Enters a registry by a link, for the one blob it was made for. `host` is the data endpoint that was called.
pub async fn enter(
    app: &Arc<App>,
    caller: Caller,
    host: &str,
    signature: &str,
    repository: &str,
    digest: &Digest,
) -> Result<(Cx, Inside)> {
    let name = host.split('.').next().unwrap_or_default();
    let mut cx = app.read(caller).await?;
    let registry = registries::by_name(&mut cx, name).await?;
    // Without the setting, or in another region, there is no such host on Azure.
    let regions = replications::regions(&mut cx, &registry).await?;
    if !regions.iter().any(|region| registry.data_endpoint(region).as_deref() == Some(host)) {
        return Err(RegistryError::Unknown(host.trim_end_matches(".azurecr.io").to_owned()).into());
    }
    registry_tokens::admit(&registry, cx.caller.address)?;
    let told = crypto::from_base64url(signature).and_then(|sealed| crypto::open(&app.master, CONTEXT, &sealed).ok());
    let told: Value = told.and_then(|told| serde_json::from_slice(&told).ok()).unwrap_or_default();
    let good = told["registry"] == registry.id
        && told["repository"] == repository
        && told["digest"] == digest.as_str()
        && told["until"].as_i64().is_some_and(|until| clock::machine().seconds() < until);
    if !good {
        return Err(ContentError::LinkInvalid.into());
    }
    let actions = ["pull".to_owned()].into();
    let scope = Scope { kind: "repository".to_owned(), name: repository.to_owned(), actions };
    let address = cx.caller.address;
    let inside = Inside::open(&mut cx, registry, Access::Token(vec![scope]), Some(address)).await?;
    Ok((cx, inside))
}
