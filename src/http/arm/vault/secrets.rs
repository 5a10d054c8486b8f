//! `Microsoft.KeyVault/vaults/secrets` over ARM: set without the data plane's gate, shown without the value [spec].
//! Must not know: how secrets are kept.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::found;
use crate::app::Cx;
use crate::app::vault::{object, secrets};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::vault::Vault;
use crate::domain::vault::object::{Attributes, check_tags, invalid};
use crate::domain::vault::secret::{Change, Secret, SecretVersion};
use crate::domain::world::name::VAULTS;
use crate::domain::world::typed::{self, Object};
use crate::http::arm::table::Request;
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
    if let Some(kind) = &version.own.content_type {
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

/// The body of a secret's write.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    properties: Option<Object<Properties>>,
    tags: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Properties {
    value: Option<String>,
    content_type: Option<String>,
    attributes: Option<Object<Attributes>>,
}

/// The value, and what stands beside it.
fn written(body: &Value) -> Result<(Option<String>, Change)> {
    let body: Body = typed::read(body).map_err(|member| invalid(&member))?;
    let Properties { value, content_type, attributes } = body.properties.unwrap_or_default().0;
    let attributes = attributes.unwrap_or_default().0;
    Ok((value, Change { content_type, attributes, tags: check_tags(body.tags)? }))
}

pub(super) async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (value, change) = written(&request.body)?;
    let value = value.ok_or_else(|| RequestError::InvalidValue {
        property: "value".to_owned(),
        message: "The secret needs a value.".to_owned(),
    })?;
    let vault = found(cx, request).await?;
    let (vault, secret, version) = secrets::put(cx, vault, request.name(), &value, change).await?;
    Ok(Answer::ok(shown(&vault, &secret, &version)))
}

pub(super) async fn patch(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (value, change) = written(&request.body)?;
    let vault = found(cx, request).await?;
    let (vault, secret, version) = secrets::patch(cx, vault, request.name(), value.as_deref(), change).await?;
    Ok(Answer::ok(shown(&vault, &secret, &version)))
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let all = object::all(cx, &vault).await?;
    Ok(Answer::list(all.iter().map(|(s, v)| shown(&vault, s, v)).collect()))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let (secret, version) = object::lookup(cx, &vault, request.name(), None).await?;
    Ok(Answer::ok(shown(&vault, &secret, &version)))
}
