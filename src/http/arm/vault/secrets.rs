//! `Microsoft.KeyVault/vaults/secrets` over ARM: set without the data plane's gate, shown without the value [spec].
//! Must not know: how secrets are kept.

use axum::http::Method;
use serde_json::{Value, json};

use crate::app::vault::{secrets, vaults};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::vault::Vault;
use crate::domain::vault::secret::{Change, Secret, SecretVersion};
use crate::domain::world::name::VAULTS;
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

fn shown(vault: &Vault, secret: &Secret, version: &SecretVersion) -> Value {
    let mut attributes = json!({
        "enabled": version.enabled, "created": version.created_at.seconds(), "updated": version.updated_at.seconds(),
    });
    for (name, at) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(at) = at {
            attributes[name] = json!(at);
        }
    }
    let uri = format!("{}/secrets/{}", vault.uri(), secret.name);
    let mut properties = json!({"attributes": attributes});
    if let Some(kind) = &version.content_type {
        properties["contentType"] = json!(kind);
    }
    properties["secretUri"] = json!(uri);
    properties["secretUriWithVersion"] = json!(format!("{uri}/{}", version.version));
    json!({
        "id": format!("{}/secrets/{}", vault.arm_id(), secret.name), "name": secret.name,
        "type": format!("{VAULTS}/secrets"), "location": vault.location,
        "tags": version.tags.clone().unwrap_or_else(|| json!({})), "properties": properties,
    })
}

/// `at` is the index of the segment `vaults`.
pub(in crate::http::arm) async fn answer(arm: &mut Arm, group: &str, at: usize, rest: &[&str]) -> Result<Answer> {
    let vault = arm.segments[at + 1].clone();
    let scope = arm.scope(at + 2 + rest.len().min(1) * 2);
    let caller = arm.caller.clone();
    let name = rest.first().map(|_| arm.segments[at + 3].clone());
    match (&arm.method, name) {
        (_, Some(_)) if rest.len() > 1 => Err(arm.unknown_route()),
        (&Method::PUT, Some(name)) => {
            arm.require(&format!("{VAULTS}/secrets/write"), &scope).await?;
            let body = arm.object().await?;
            let properties = &body["properties"];
            let value = properties["value"].as_str().ok_or_else(|| RequestError::InvalidValue {
                property: "value".to_owned(),
                message: "The secret needs a value.".to_owned(),
            })?;
            let attributes = &properties["attributes"];
            let change = Change {
                content_type: properties["contentType"].as_str().map(str::to_owned),
                enabled: attributes["enabled"].as_bool(),
                not_before: attributes["nbf"].as_i64(),
                expires: attributes["exp"].as_i64(),
                tags: body.get("tags").filter(|t| t.is_object()).cloned(),
            };
            let mut cx = arm.write().await?;
            let vault = vaults::get(&mut cx, group, &vault).await?;
            let (vault, secret, version) = secrets::put(&mut cx, vault, &name, value, change).await?;
            cx.commit().await?;
            Ok(Answer::ok(shown(&vault, &secret, &version)))
        }
        (&Method::GET, name) => {
            arm.require(&format!("{VAULTS}/secrets/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            let vault = vaults::get(&mut cx, group, &vault).await?;
            if let Some(name) = name {
                let (secret, version) = secrets::lookup(&mut cx, &vault, &name, None).await?;
                return Ok(Answer::ok(shown(&vault, &secret, &version)));
            }
            let all = secrets::of_vault(&mut cx, &vault).await?;
            Ok(Answer::list(all.iter().map(|(s, v)| shown(&vault, s, v)).collect()))
        }
        _ => Err(arm.wrong_method()),
    }
}
