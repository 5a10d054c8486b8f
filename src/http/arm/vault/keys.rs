//! `Microsoft.KeyVault/vaults/keys` over ARM (keyvault.md C.5): keys that are made where there are none.
//! Must not know: registries; how keys are used.

use serde_json::{Value, json};

use super::found;
use crate::app::Cx;
use crate::app::vault::{keys, object};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Attributes, Key, Keys, Material, Version, Wanted, operations};
use crate::domain::world::crypto::Curve;
use crate::domain::world::name;
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

fn invalid(property: &str, message: &str) -> RequestError {
    RequestError::InvalidValue { property: property.to_owned(), message: message.to_owned() }
}

fn wanted(body: &Value) -> Result<Wanted> {
    let properties = &body["properties"];
    let kty = properties["kty"].as_str().unwrap_or("RSA").to_ascii_uppercase();
    let material = match (kty.trim_end_matches("-HSM"), properties["keySize"].as_u64()) {
        ("RSA", None) => Material::Rsa(2048),
        ("RSA", Some(bits @ (2048 | 3072 | 4096))) => Material::Rsa(usize::try_from(bits).unwrap_or(2048)),
        ("RSA", Some(_)) => return Err(invalid("keySize", "use 2048, 3072 or 4096").into()),
        ("EC", _) => {
            let curve = properties["curveName"].as_str().unwrap_or("P-256");
            Material::Ec(Curve::parse(curve).ok_or_else(|| invalid("curveName", "no such curve"))?)
        }
        _ => return Err(invalid("kty", "use RSA, RSA-HSM, EC or EC-HSM").into()),
    };
    let key_ops = properties["keyOps"].as_array();
    let key_ops = key_ops.map(|ops| ops.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let attributes = &properties["attributes"];
    Ok(Wanted {
        material,
        hsm: kty.ends_with("-HSM"),
        key_ops: key_ops.map(|ops| operations(&ops)).transpose()?,
        attributes: Attributes {
            enabled: attributes["enabled"].as_bool(),
            not_before: attributes["nbf"].as_i64(),
            expires: attributes["exp"].as_i64(),
            exportable: attributes["exportable"].as_bool(),
        },
        tags: body.get("tags").filter(|t| t.is_object()).cloned(),
        release_policy: properties.get("release_policy").filter(|p| p.is_object()).cloned(),
    })
}

/// Makes a key where there is none.
pub(super) async fn create(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let wanted = wanted(&request.body)?;
    if request.body["properties"]["rotationPolicy"].is_object() {
        return Err(RequestError::NotEmulated("A rotation policy in a key's template".to_owned()).into());
    }
    let vault = found(cx, request).await?;
    let (vault, key, version) = keys::create_if_missing(cx, vault, request.name(), &wanted).await?;
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
