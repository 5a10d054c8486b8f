//! Managed identity endpoints, in the shapes of virtual machines (IMDS) and of App Service.
//! Source: keyvault.md F.4.
//! Must not know: which identities there are.

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::app::App;
use crate::app::directory::sign_in::{self, Granted, Select};
use crate::domain::Result;
use crate::domain::error::{RequestError, SignInError};
use crate::http::call::Call;

/// What a managed identity endpoint is asked for.
pub(super) struct Asked {
    /// Which identity.
    pub select: Select,
    pub resource: String,
}

/// Reads `GET http://169.254.169.254/metadata/identity/oauth2/token`.
pub(super) fn imds(call: &Call) -> Result<Asked> {
    if call.segments() != ["metadata", "identity", "oauth2", "token"] {
        return Err(RequestError::RouteUnknown(call.path.clone()).into());
    }
    only_get(call)?;
    check_header(call)?;
    asked(call)
}

/// What no browser sends for a page that it was lured to.
pub(super) fn check_header(call: &Call) -> Result<()> {
    if call.header("metadata").is_some_and(|m| m.eq_ignore_ascii_case("true")) {
        return Ok(());
    }
    Err(SignInError::MetadataHeaderMissing.into())
}

/// Reads `GET $IDENTITY_ENDPOINT`.
pub(super) fn app_service(app: &App, call: &Call) -> Result<Asked> {
    only_get(call)?;
    sign_in::check_identity_header(app, call.header("x-identity-header"))?;
    asked(call)
}

/// The virtual machine's answer. Every number is a text here [recorded].
pub(super) fn imds_answer(granted: &Granted) -> Response {
    let body = json!({
        "access_token": granted.token,
        "client_id": granted.client_id,
        "expires_in": granted.lifetime.to_string(),
        "expires_on": (granted.not_before + granted.lifetime).to_string(),
        "ext_expires_in": granted.lifetime.to_string(),
        "not_before": granted.not_before.to_string(),
        "resource": granted.resource,
        "token_type": "Bearer",
    });
    Json(body).into_response()
}

/// App Service's answer [docs].
pub(super) fn app_service_answer(granted: &Granted) -> Response {
    let body = json!({
        "access_token": granted.token,
        "client_id": granted.client_id,
        "expires_on": (granted.not_before + granted.lifetime).to_string(),
        "not_before": granted.not_before.to_string(),
        "resource": granted.resource,
        "token_type": "Bearer",
    });
    Json(body).into_response()
}

pub(super) fn only_get(call: &Call) -> Result<()> {
    if call.method == Method::GET {
        return Ok(());
    }
    Err(RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into())
}

fn asked(call: &Call) -> Result<Asked> {
    let given = |names: &[&str]| names.iter().find_map(|n| call.query(n)).filter(|v| !v.is_empty());
    given(&["api-version"]).ok_or(RequestError::ApiVersionMissing)?;
    let resource = given(&["resource"]).ok_or(SignInError::ParameterMissing("resource"))?;
    // Clients differ in how they name the same choice [sdk-code].
    let select = if let Some(id) = given(&["client_id", "clientid"]) {
        Select::Client(id)
    } else if let Some(id) = given(&["object_id", "principal_id"]) {
        Select::Object(id)
    } else if let Some(id) = given(&["msi_res_id", "mi_res_id"]) {
        Select::Resource(id)
    } else {
        Select::Only
    };
    Ok(Asked { select, resource })
}
