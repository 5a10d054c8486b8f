//! Passwords of the admin user and of tokens (acr.md A.2, A.5).
//! Must not know: what a password is worth.

use serde_json::{Value, json};

use super::{found, text};
use crate::app::Cx;
use crate::app::registry::{admin, children};
use crate::domain::error::{RegistryError, RequestError};
use crate::domain::registry::Registry;
use crate::domain::{Result, Timestamp};
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = with_admin(found(cx, request).await?)?;
    let passwords = admin::credentials(cx, &registry).await?;
    Ok(admin(&registry, &passwords))
}

pub(super) async fn regenerate(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = with_admin(found(cx, request).await?)?;
    let name = text(&request.body, "name").unwrap_or_default();
    let passwords = admin::regenerate(cx, &registry, name).await?;
    Ok(admin(&registry, &passwords))
}

fn with_admin(registry: Registry) -> Result<Registry> {
    if registry.settings().admin_user() {
        return Ok(registry);
    }
    Err(RegistryError::AdminDisabled(registry.arm_id()).into())
}

fn admin(registry: &Registry, passwords: &[(&str, String)]) -> Answer {
    let passwords: Vec<Value> = passwords.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    Answer::ok(json!({"username": registry.name, "passwords": passwords}))
}

pub(super) async fn generate(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let body = &request.body;
    let token = text(body, "tokenId").unwrap_or_default();
    let expiry = match text(body, "expiry") {
        None => None,
        Some(expiry) => Some(Timestamp::parse(expiry).ok_or_else(|| RequestError::InvalidValue {
            property: "expiry".to_owned(),
            message: format!("'{expiry}' is not a time"),
        })?),
    };
    let registry = found(cx, request).await?;
    let (token, made) = children::generate_credentials(cx, &registry, token, text(body, "name"), expiry).await?;
    let passwords: Vec<Value> = made
        .iter()
        .map(|(password, secret)| {
            let mut shown = json!({"creationTime": password.created_at.offset7()});
            if let Some(expires_at) = password.expires_at {
                shown["expiry"] = json!(expires_at.offset7());
            }
            shown["name"] = json!(password.name);
            shown["value"] = json!(secret);
            shown
        })
        .collect();
    Ok(Answer::ok(json!({"username": token.name, "passwords": passwords})))
}
