//! `/oauth2/exchange` and `/oauth2/token` (acr.md C.2). They go on working while the key does not.
//! Must not know: what a token is worth.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::{not_allowed, recording, registry_name, wire};
use crate::app::App;
use crate::app::registry::credentials::{self, Presented};
use crate::app::registry::sign_in;
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::registry::rights::Scope;
use crate::http::call::{Call, pairs};

type Form = Vec<(String, String)>;

fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// `service` must name this registry, where it is given.
fn check_service(call: &Call, form: &Form) -> Result<()> {
    match field(form, "service") {
        Some(service) if !service.eq_ignore_ascii_case(&call.host) => {
            let message = format!("'{service}' is not this registry");
            Err(RequestError::InvalidValue { property: "service".to_owned(), message }.into())
        }
        _ => Ok(()),
    }
}

fn grant_unknown(grant: &str) -> crate::domain::Error {
    let message = format!("'{grant}' is not a grant type of this endpoint");
    RequestError::InvalidValue { property: "grant_type".to_owned(), message }.into()
}

/// Scopes of one request at most. [inferred] A token for more would not fit into the head of a request.
const SCOPES: usize = 100;

/// All scopes: the parameter may come several times, and each may hold several, parted by blanks.
fn scopes(form: &Form) -> Result<Vec<Scope>> {
    let texts = form.iter().filter(|(n, _)| n == "scope").flat_map(|(_, v)| v.split(' '));
    let scopes: Vec<Scope> = texts.filter_map(Scope::parse).take(SCOPES + 1).collect();
    if scopes.len() > SCOPES {
        let message = format!("there are more than {SCOPES}");
        return Err(RequestError::InvalidValue { property: "scope".to_owned(), message }.into());
    }
    Ok(scopes)
}

fn answered(name: &str, token: String) -> Response {
    let mut answer = wire::json(StatusCode::OK, &json!({name: token}));
    wire::put(&mut answer, "x-ms-ratelimit-remaining-calls-per-second", "166.65");
    answer
}

/// `POST /oauth2/exchange`: an Entra ID token for a refresh token.
pub async fn exchange(app: &Arc<App>, mut call: Call) -> Result<Response> {
    if call.method != Method::POST {
        return Err(not_allowed(&call));
    }
    let asked = recording::asked(&call);
    let form = call.form().await?;
    check_service(&call, &form)?;
    let grant = field(&form, "grant_type").unwrap_or_default();
    if !["access_token", "access_token_refresh_token", "refresh_token"].contains(&grant) {
        return Err(grant_unknown(grant));
    }
    let entra = field(&form, "access_token").filter(|t| !t.is_empty());
    let given = sign_in::exchange(app, registry_name(&call), entra, call.address).await?;
    given.log(app, &asked);
    Ok(answered("refresh_token", given.token))
}

/// `GET` and `POST /oauth2/token`: an access token.
pub async fn token(app: &Arc<App>, mut call: Call) -> Result<Response> {
    let registry = registry_name(&call).to_owned();
    let asked = recording::asked(&call);
    let (presented, form) = if call.method == Method::GET {
        let presented = credentials::present(app, &registry, call.header("authorization")).await?;
        (presented, pairs(&call.query))
    } else if call.method == Method::POST {
        let form = call.form().await?;
        (posted(app, &registry, &form).await?, form)
    } else {
        return Err(not_allowed(&call));
    };
    check_service(&call, &form)?;
    let given = sign_in::issue(app, &registry, &presented, &scopes(&form)?, call.address).await?;
    given.log(app, &asked);
    Ok(answered("access_token", given.token))
}

async fn posted(app: &Arc<App>, registry: &str, form: &Form) -> Result<Presented> {
    match field(form, "grant_type").unwrap_or_default() {
        "refresh_token" => {
            credentials::present_refresh(app, registry, field(form, "refresh_token").unwrap_or_default()).await
        }
        "password" => match (field(form, "username"), field(form, "password")) {
            (Some(user), Some(password)) if !user.is_empty() => {
                credentials::present_password(app, registry, user.to_owned(), password.to_owned()).await
            }
            _ => Ok(Presented::Nothing),
        },
        other => Err(grant_unknown(other)),
    }
}
