//! `privateEndpointConnections` and `privateLinkResources` of vaults (keyvault.md C.4). They are kept as
//! documents: the emulator has no private networks, so none of them lets anybody through a firewall.
//! Must not know: how a vault decides.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::found;
use crate::app::Cx;
use crate::app::vault::vaults;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::vault::Vault;
use crate::domain::world::name::VAULTS;
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// A connection of a vault [spec].
pub(super) fn shown(vault: &Vault, link: &Value) -> Value {
    let name = link["name"].as_str().unwrap_or_default();
    let mut properties = link["properties"].clone();
    properties["provisioningState"] = json!("Succeeded");
    json!({
        "id": format!("{}/privateEndpointConnections/{name}", vault.arm_id()), "name": name,
        "type": format!("{VAULTS}/privateEndpointConnections"), "etag": "", "properties": properties,
    })
}

fn one(vault: &Vault, request: &Request) -> Result<Answer> {
    let link = request.name();
    let found = vault.private_links().iter().find(|l| vaults::is_named(l, link));
    let missing = || ResourceError::NotFound {
        resource: format!("{VAULTS}/{}/privateEndpointConnections/{link}", vault.name),
        group: request.group().to_owned(),
    };
    Ok(found.map(|l| Answer::ok(shown(vault, l))).ok_or_else(missing)?)
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    Ok(Answer::list(vault.private_links().iter().map(|l| shown(&vault, l)).collect()))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    one(&found(cx, request).await?, request)
}

pub(super) async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = vaults::put_private_link(cx, request.group(), request.top(), request.name(), &request.body).await?;
    one(&vault, request)
}

pub(super) async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = vaults::delete_private_link(cx, request.group(), request.top(), request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

/// What can be linked to: the vault itself.
pub(super) async fn resources(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let vault = found(cx, request).await?;
    Ok(Answer::list(vec![json!({
        "id": format!("{}/privateLinkResources/vault", vault.arm_id()), "name": "vault",
        "type": format!("{VAULTS}/privateLinkResources"),
        "properties": {
            "groupId": "vault", "requiredMembers": ["default"],
            "requiredZoneNames": ["privatelink.vaultcore.azure.net"],
        },
    })]))
}
