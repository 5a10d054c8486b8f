//! The token endpoints, v1 (`resource`) and v2 (`scope`).
//! Must not know: who is in the directory, what a token holds.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::json;

use super::meet_fault;
use crate::app::App;
use crate::app::directory::people;
use crate::app::directory::sign_in::{self, Credential, Granted};
use crate::domain::Result;
use crate::domain::error::{ClientError, SignInError};
use crate::domain::fault::Service;
use crate::domain::world::well_known::DEVELOPER_USER_NAME;
use crate::http::call::Call;

/// `POST /{tenant}/oauth2/token`: numbers are texts there [recorded].
pub(super) async fn v1(app: &Arc<App>, call: &mut Call, tenant: &str) -> Result<Response> {
    let form = Form::read(call).await?;
    meet_fault(app, call, Service::Entra, "Token", form.get("client_id").unwrap_or_default()).await?;
    let granted = grant(app, tenant, &form, |form| form.need("resource").map(str::to_owned)).await?;
    let body = json!({
        "token_type": "Bearer",
        "expires_in": granted.lifetime.to_string(),
        "ext_expires_in": granted.lifetime.to_string(),
        "expires_on": (granted.not_before + granted.lifetime).to_string(),
        "not_before": granted.not_before.to_string(),
        "resource": granted.resource,
        "access_token": granted.token,
    });
    Ok(no_store(body))
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) async fn v2(app: &Arc<App>, call: &mut Call, tenant: &str) -> Result<Response> {
    let form = Form::read(call).await?;
    meet_fault(app, call, Service::Entra, "Token", form.get("client_id").unwrap_or_default()).await?;
    if let Some(person) = person(app, tenant, &form).await? {
        return Ok(no_store(person));
    }
    let granted = grant(app, tenant, &form, |form| sign_in::resource_of_scope(form.need("scope")?)).await?;
    let body = json!({
        "token_type": "Bearer",
        "expires_in": granted.lifetime,
        "ext_expires_in": granted.lifetime,
        "access_token": granted.token,
    });
    Ok(no_store(body))
}

/// `POST /{tenant}/oauth2/v2.0/devicecode`.
pub(super) async fn device_code(app: &Arc<App>, call: &mut Call, tenant: &str) -> Result<Response> {
    let form = Form::read(call).await?;
    let (client_id, scope) = (form.need("client_id")?, form.need("scope")?);
    let code = people::device_code(app, tenant, client_id, scope).await?;
    let message =
        format!("The emulator signs you in as {DEVELOPER_USER_NAME}: there is no page to open and no code to enter.");
    Ok(no_store(json!({
        "user_code": "ACRITE000",
        "device_code": code,
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": people::CODE_LIFETIME,
        "interval": 1,
        "message": message,
    })))
}

/// Tokens for a person, if the grant is one of people's.
async fn person(app: &Arc<App>, tenant: &str, form: &Form) -> Result<Option<serde_json::Value>> {
    let person = match form.need("grant_type")? {
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => {
            people::redeem(app, tenant, form.need("client_id")?, form.need("device_code")?).await?
        }
        "refresh_token" => {
            let (client_id, refresh_token) = (form.need("client_id")?, form.need("refresh_token")?);
            people::refresh(app, tenant, client_id, refresh_token, form.get("scope")).await?
        }
        _ => return Ok(None),
    };
    Ok(Some(json!({
        "token_type": "Bearer",
        "scope": person.scope,
        "expires_in": person.access.lifetime,
        "ext_expires_in": person.access.lifetime,
        "access_token": person.access.token,
        "refresh_token": person.refresh_token,
        "id_token": person.id_token,
        "client_info": person.client_info,
    })))
}

fn no_store(body: serde_json::Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store, no-cache"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}

async fn grant(
    app: &Arc<App>,
    tenant: &str,
    form: &Form,
    resource: impl Fn(&Form) -> Result<String>,
) -> Result<Granted> {
    match form.need("grant_type")? {
        "client_credentials" => {
            let client_id = form.need("client_id")?;
            let resource = resource(form)?;
            let credential = form.credential()?;
            sign_in::client_credentials(app, tenant, client_id, credential, &resource).await
        }
        // Only people are given refresh tokens, by the other endpoint: each one sent here is made up.
        "refresh_token" => {
            sign_in::check_tenant(tenant)?;
            form.need("client_id")?;
            form.need("refresh_token")?;
            Err(SignInError::GrantInvalid("refresh_token".to_owned()).into())
        }
        other => Err(SignInError::GrantUnsupported(other.to_owned()).into()),
    }
}

/// The form, with the client's id and secret moved into it where they came by Basic.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(call: &mut Call) -> Result<Self> {
        let basic = call.header("authorization").and_then(basic);
        let mut pairs = call.form().await?;
        if let Some((client_id, secret)) = basic {
            pairs.retain(|(name, _)| name != "client_id" && name != "client_secret");
            pairs.push(("client_id".to_owned(), client_id));
            pairs.push(("client_secret".to_owned(), secret));
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    fn need(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or_else(|| SignInError::ParameterMissing(name).into())
    }

    fn credential(&self) -> Result<Credential<'_>> {
        if let Some(assertion) = self.get("client_assertion") {
            return match self.need("client_assertion_type")? {
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" => Ok(Credential::Assertion(assertion)),
                other => Err(SignInError::Invalid(format!("client_assertion_type '{other}' is not supported")).into()),
            };
        }
        self.get("client_secret").map(Credential::Secret).ok_or_else(|| ClientError::CredentialMissing.into())
    }
}

/// Id and secret of a Basic header, each form-encoded inside (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, value) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| crate::http::call::decode(&text.replace('+', " "));
    Some((plain(id), plain(secret)))
}
