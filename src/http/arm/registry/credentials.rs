//! Passwords of the admin user and of tokens (acr.md A.2, A.5).
//! Must not know: what a password is worth.

use serde_json::{Value, json};

use super::{admit, text, writing};
use crate::app::registry::{admin, children};
use crate::domain::error::{RegistryError, RequestError};
use crate::domain::registry::Registry;
use crate::domain::{Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// `listCredentials`, `regenerateCredential`, `generateCredentials`.
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize, verb: &str) -> Result<Answer> {
    match verb {
        "generatecredentials" => generate(arm, group, at).await,
        "regeneratecredential" => {
            admit(arm, at, "regenerateCredential/action").await?;
            let body = arm.object().await?;
            let name = text(&body, "name").unwrap_or_default();
            let (mut cx, registry) = writing(arm, group, at).await?;
            let registry = with_admin(registry)?;
            let passwords = admin::regenerate(&mut cx, &registry, name).await?;
            cx.commit().await?;
            Ok(admin(&registry, &passwords))
        }
        _ => {
            admit(arm, at, "listCredentials/action").await?;
            let (mut cx, registry) = writing(arm, group, at).await?;
            let registry = with_admin(registry)?;
            let passwords = admin::credentials(&mut cx, &registry).await?;
            cx.commit().await?;
            Ok(admin(&registry, &passwords))
        }
    }
}

fn with_admin(registry: Registry) -> Result<Registry> {
    if registry.flag("adminUserEnabled") {
        return Ok(registry);
    }
    Err(RegistryError::AdminDisabled(registry.arm_id()).into())
}

fn admin(registry: &Registry, passwords: &[(&str, String)]) -> Answer {
    let passwords: Vec<Value> = passwords.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    Answer::ok(json!({"username": registry.name, "passwords": passwords}))
}

async fn generate(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    admit(arm, at, "generateCredentials/action").await?;
    let body = arm.object().await?;
    let token = text(&body, "tokenId").unwrap_or_default();
    let expiry = match text(&body, "expiry") {
        None => None,
        Some(expiry) => Some(Timestamp::parse(expiry).ok_or_else(|| RequestError::InvalidValue {
            property: "expiry".to_owned(),
            message: format!("'{expiry}' is not a time"),
        })?),
    };
    let (mut cx, registry) = writing(arm, group, at).await?;
    let made = children::generate_credentials(&mut cx, &registry, token, text(&body, "name"), expiry).await?;
    cx.commit().await?;
    let (token, made) = made;
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
