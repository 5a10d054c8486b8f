//! How Graph's answers are put: one object, a made one with its address, nothing.
//! Must not know: which objects there are, how they are kept.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::schema::Entity;
use crate::domain::world::well_known::TENANT_ID;
use crate::http::call::Call;

/// Whether a call is for `beta`.
pub(super) fn is_beta(call: &Call) -> bool {
    call.path.trim_start_matches('/').starts_with("beta/")
}

/// `@odata.context`: `of` is what follows `$metadata#`.
pub(super) fn context(beta: bool, of: &str) -> String {
    format!("https://graph.microsoft.com/{}/$metadata#{of}", if beta { "beta" } else { "v1.0" })
}

/// A name with a capital: `servicePrincipal` is `ServicePrincipal` among types.
pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// One object.
pub(super) fn one(status: StatusCode, beta: bool, of: &str, object: &Value) -> Response {
    let mut body = json!({"@odata.context": context(beta, of)});
    if let (Some(body), Some(members)) = (body.as_object_mut(), object.as_object()) {
        body.extend(members.clone());
    }
    (status, Json(body)).into_response()
}

/// Where an object lies, in the directory's own terms [recorded].
pub(super) fn address(entity: &Entity, id: &str) -> String {
    let kind = capital(entity.name);
    format!("https://graph.microsoft.com/v2/{TENANT_ID}/directoryObjects/{id}/Microsoft.DirectoryServices.{kind}")
}

/// An answer with the address of what it is about.
pub(super) fn located(mut response: Response, address: &str) -> Response {
    if let Ok(address) = address.parse() {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// A made object, with its address.
pub(super) fn created(beta: bool, entity: &Entity, object: &Value) -> Response {
    let id = object["id"].as_str().unwrap_or_default();
    let response = one(StatusCode::CREATED, beta, &format!("{}/$entity", entity.set), object);
    located(response, &address(entity, id))
}

/// Done, and nothing to show.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
