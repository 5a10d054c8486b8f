//! `Microsoft.KeyVault/vaults/keys` over ARM (keyvault.md C.5): keys that are made where there are none.
//! Must not know: registries; how keys are used.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::found;
use crate::app::Cx;
use crate::app::vault::{keys, object};
use crate::domain::Result;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Key, Keys, Version};
use crate::domain::vault::object::{Attributes, invalid};
use crate::domain::vault::rotation;
use crate::domain::vault::wanted::{Described, Wanted};
use crate::domain::world::name;
use crate::domain::world::typed::{self, Object};
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

fn shown(vault: &Vault, key: &Key, version: &Version, versioned: bool) -> Value {
    let mut id = format!("{}/keys/{}", vault.arm_id(), key.name);
    let uri = format!("{}:443/keys/{}", vault.uri(), key.name);
    let mut attributes = json!({
        "enabled": version.enabled, "created": version.created_at.seconds(), "updated": version.updated_at.seconds(),
        "recoveryLevel": vault.recovery_level(), "exportable": version.own.doc["exportable"].as_bool().unwrap_or(false),
    });
    for (name, at) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(at) = at {
            attributes[name] = json!(at);
        }
    }
    let mut properties = json!({"attributes": attributes, "kty": version.own.kty, "keyOps": version.own.key_ops});
    if let Some(curve) = version.own.public_jwk["crv"].as_str() {
        properties["curveName"] = json!(curve);
    } else if let Some(modulus) = version.own.public_jwk["n"].as_str() {
        // Base64 has six bits to a character; sizes are whole kilobits and halves.
        properties["keySize"] = json!(modulus.len() * 6 / 512 * 512);
    }
    properties["keyUri"] = json!(uri);
    properties["keyUriWithVersion"] = json!(format!("{uri}/{}", version.version));
    if let Some(policy) = &key.own.policy {
        properties["rotationPolicy"] = shown_policy(policy);
    }
    if let Some(policy) = version.own.doc.get("release_policy") {
        properties["release_policy"] = policy.clone();
    }
    let mut kind = format!("{}/keys", name::VAULTS);
    let mut shown_name = key.name.clone();
    if versioned {
        id = format!("{id}/versions/{}", version.version);
        kind = format!("{kind}/versions");
        shown_name.clone_from(&version.version);
    }
    let tags = version.tags.clone().unwrap_or_else(|| json!({}));
    json!({"id": id, "name": shown_name, "type": kind, "location": vault.location, "tags": tags, "properties": properties})
}

/// A rotation policy: the types of its actions are in lower case, unlike on the data plane [spec].
fn shown_policy(policy: &Value) -> Value {
    let mut shown = policy.clone();
    for action in shown["lifetimeActions"].as_array_mut().into_iter().flatten() {
        let kind = action["action"]["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        action["action"]["type"] = json!(kind);
    }
    shown
}

/// The body of a key's PUT.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    properties: Option<Object<Properties>>,
    tags: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Properties {
    kty: Option<String>,
    key_ops: Option<Vec<String>>,
    key_size: Option<u64>,
    curve_name: Option<String>,
    attributes: Option<Object<Attributes>>,
    rotation_policy: Option<Object<rotation::Asked>>,
    #[serde(rename = "release_policy")]
    release_policy: Option<Map<String, Value>>,
}

/// What a new key is to be, and what it is to do by itself.
fn wanted(body: &Value) -> Result<(Wanted, Option<rotation::Asked>)> {
    let body: Body = typed::read(body).map_err(|member| invalid(&member))?;
    let asked = body.properties.unwrap_or_default().0;
    let described = Described {
        // Not required here, unlike on the data plane [spec].
        kty: asked.kty.filter(|kty| !kty.is_empty()).or_else(|| Some("RSA".to_owned())),
        size: asked.key_size,
        curve: asked.curve_name,
        key_ops: asked.key_ops,
        attributes: asked.attributes.unwrap_or_default().0,
        tags: body.tags,
        release_policy: asked.release_policy,
    };
    let policy = asked.rotation_policy.map(|policy| policy.0).filter(|policy| !policy.is_empty());
    Ok((described.wanted()?, policy))
}

/// Makes a key where there is none.
pub(super) async fn create(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (wanted, policy) = wanted(&request.body)?;
    let vault = found(cx, request).await?;
    let (vault, key, version) = keys::create_if_missing(cx, vault, request.name(), (&wanted, policy.as_ref())).await?;
    Ok(Answer::ok(shown(&vault, &key, &version, false)))
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let all = object::all(cx, &vault).await?;
    Ok(Answer::list(all.iter().map(|(key, newest)| shown(&vault, key, newest, false)).collect()))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let (key, version) = object::lookup(cx, &vault, request.name(), None).await?;
    Ok(Answer::ok(shown(&vault, &key, &version, false)))
}

pub(super) async fn list_versions(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let all = object::of_vault::<Keys>(cx, &vault, false).await?;
    let versions = all.iter().filter(|(k, _)| k.name.eq_ignore_ascii_case(request.name()));
    let items = versions.flat_map(|(k, all)| all.iter().map(|v| shown(&vault, k, v, true)));
    Ok(Answer::list(items.collect()))
}

pub(super) async fn get_version(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    let version = request.name().to_ascii_lowercase();
    let (key, version) = object::lookup(cx, &vault, request.parent(), Some(&version)).await?;
    Ok(Answer::ok(shown(&vault, &key, &version, true)))
}
