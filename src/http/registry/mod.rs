//! The registry's login server: OCI distribution 1.1 under `/v2`, Azure's own API under `/acr/v1`, sign-in
//! under `/oauth2`.
//! Must not know: how content is stored or sealed.

mod acr;
mod blobs;
mod deleted;
mod dialect;
mod faults;
mod lists;
mod manifests;
mod oauth;
mod recording;
mod routes;
mod uploads;
mod wire;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;

use crate::app::registry::content::{self, Inside, Writing};
use crate::app::registry::credentials;
use crate::app::registry::replications;
use crate::app::registry::rights::Need;
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::error::RequestError;
use crate::domain::{Error, Result};
use crate::http::call::Call;
use routes::{Of, Route};

/// Answers a call.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    let correlation = recording::correlate(&mut call);
    let refusable = recording::Refusable::of(&call);
    let mut answer = match route(&app, call).await {
        Ok(answer) => answer,
        Err(error) => {
            match &error {
                failure if failure.is_trouble() => tracing::error!("registry: {failure}"),
                Error::Request(RequestError::NotEmulated(what)) => tracing::warn!("not emulated: registries, {what}"),
                _ => {}
            }
            let refusal = dialect::refusal(&error, &correlation);
            if let Some(refusable) = refusable {
                refusable.refused(&app, refusal.status().as_u16()).await;
            }
            refusal
        }
    };
    wire::dress(&mut answer, &correlation);
    answer
}

/// The registry's name: the first label of `{name}.azurecr.io`, and of the hosts of its regions.
fn registry_name(call: &Call) -> &str {
    call.host.split('.').next().unwrap_or_default()
}

/// Whether a dedicated data endpoint was called: `{name}.{region}.data.azurecr.io`.
fn is_data_endpoint(host: &str) -> bool {
    host.ends_with(".data.azurecr.io")
}

/// The region whose login server was called: `{name}.{region}.geo.azurecr.io`.
fn region_of(host: &str) -> Option<&str> {
    host.strip_suffix(".geo.azurecr.io")?.split_once('.').map(|(_, region)| region)
}

async fn route(app: &Arc<App>, mut call: Call) -> Result<Response> {
    faults::meet(app, &mut call).await?;
    if is_data_endpoint(&call.host) {
        return blobs::by_link(app, &mut call).await;
    }
    if routes::is_not_emulated(&call.path) {
        tracing::warn!(path = %call.path, "this feature of registries is not emulated");
    }
    if region_of(&call.host).is_some() {
        let mut cx = app.read(caller(&call)).await?;
        replications::require_endpoint(&mut cx, &call.host).await?;
    }
    let (repository, of) = match routes::parse(&call.path)? {
        Route::Base => return base(app, &mut call).await,
        Route::Exchange => return oauth::exchange(app, call).await,
        Route::Token => return oauth::token(app, call).await,
        Route::Catalog => return lists::catalog(app, &mut call, "/v2/_catalog").await,
        Route::AcrCatalog => return lists::catalog(app, &mut call, "/acr/v1/_catalog").await,
        Route::DeletedCatalog => return deleted::catalog(app, &mut call).await,
        Route::Repository(name, of) => (name, of),
    };
    let name = repository.as_str();
    match of {
        Of::TagList => lists::tags(app, &mut call, name).await,
        Of::Referrers(digest) => lists::referrers(app, &mut call, name, &digest).await,
        Of::Manifest(reference) => manifests::answer(app, call, name, &reference).await,
        Of::Blob(digest) => blobs::answer(app, &mut call, name, &digest).await,
        Of::Uploads => uploads::begin(app, call, name).await,
        Of::Upload(uuid) => uploads::answer(app, call, name, &uuid).await,
        Of::Repository => acr::repository(app, call, name).await,
        Of::AcrTags => acr::tags(app, &mut call, name).await,
        Of::AcrTag(tag) => acr::tag(app, call, name, &tag).await,
        Of::AcrManifests => acr::manifests(app, &mut call, name).await,
        Of::AcrManifest(digest) => acr::manifest(app, call, name, &digest).await,
        Of::DeletedTags => deleted::tags(app, &mut call, name).await,
        Of::DeletedManifests => deleted::manifests(app, &mut call, name).await,
        Of::DeletedManifest(digest) => deleted::restore(app, call, name, &digest).await,
    }
}

fn not_allowed(call: &Call) -> Error {
    RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into()
}

fn reads(call: &Call) -> bool {
    call.method == Method::GET || call.method == Method::HEAD
}

fn caller(call: &Call) -> Caller {
    Caller::nobody(call.address)
}

// Handlers borrow the call mutably even to read it: a body that nobody has read cannot be shared between
// threads, and a shared borrow across an await would ask for that.

/// Looks at the token, opens the registry's data, and returns both with one transaction that reads.
async fn enter(app: &Arc<App>, call: &mut Call, need: &Need<'_>) -> Result<(Cx, Inside)> {
    let asked = recording::asked(call);
    let (mut cx, inside) =
        content::enter(app, caller(call), registry_name(call), call.header("authorization"), need).await?;
    let region = replications::serving(&mut cx, &inside.registry, &call.host).await?;
    Ok((cx, inside.for_client(asked).served_in(region)))
}

/// The same to change what lies in the registry, where nothing else is to be waited for.
async fn enter_to_write(app: &Arc<App>, call: &mut Call, need: &Need<'_>) -> Result<Writing> {
    let (cx, inside) = enter(app, call, need).await?;
    drop(cx);
    inside.write(app).await
}

/// `/v2/`: whether the token is good. Goes on working while the key is not.
async fn base(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let presented = credentials::present(app, registry_name(call), call.header("authorization")).await?;
    let mut cx = app.read(caller(call)).await?;
    credentials::knock(&mut cx, registry_name(call), &presented).await?;
    Ok(wire::json(StatusCode::OK, &serde_json::json!({})))
}
