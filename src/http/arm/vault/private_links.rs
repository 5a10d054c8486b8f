//! `privateEndpointConnections` and `privateLinkResources` of vaults (keyvault.md C.4). They are kept as
//! documents: the emulator has no private networks, so none of them lets anybody through a firewall.
//! Must not know: how a vault decides.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::vault::vaults;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::vault::Vault;
use crate::domain::world::name::VAULTS;
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// A connection of a vault [spec].
pub(in crate::http::arm) fn shown(vault: &Vault, link: &Value) -> Value {
    let name = link["name"].as_str().unwrap_or_default();
    let mut properties = link["properties"].clone();
    properties["provisioningState"] = json!("Succeeded");
    json!({
        "id": format!("{}/privateEndpointConnections/{name}", vault.arm_id()), "name": name,
        "type": format!("{VAULTS}/privateEndpointConnections"), "etag": "", "properties": properties,
    })
}

pub(in crate::http::arm) async fn connections(arm: &mut Arm, group: &str, at: usize, rest: &[&str]) -> Result<Answer> {
    let vault = arm.segments[at + 1].clone();
    let action = |verb: &str| format!("{VAULTS}/privateEndpointConnections/{verb}");
    let scope = arm.scope(at + 2);
    let caller = arm.caller.clone();
    let Some(link) = rest.first().map(|_| arm.segments[at + 3].clone()) else {
        if arm.method != Method::GET {
            return Err(arm.wrong_method());
        }
        arm.require(&action("read"), &scope).await?;
        let mut cx = arm.app.read(caller).await?;
        let vault = vaults::get(&mut cx, group, &vault).await?;
        return Ok(Answer::list(vault.private_links().iter().map(|l| shown(&vault, l)).collect()));
    };
    if rest.len() > 1 {
        return Err(arm.unknown_route());
    }
    let one = |vault: &Vault| {
        let found = vault.private_links().iter().find(|l| vaults::is_named(l, &link));
        let missing = || ResourceError::NotFound {
            resource: format!("{VAULTS}/{}/privateEndpointConnections/{link}", vault.name),
            group: group.to_owned(),
        };
        found.map(|l| Answer::ok(shown(vault, l))).ok_or_else(missing)
    };
    match arm.method {
        Method::GET => {
            arm.require(&action("read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            Ok(one(&vaults::get(&mut cx, group, &vault).await?)?)
        }
        Method::PUT => {
            arm.require(&action("write"), &scope).await?;
            let body = arm.object().await?;
            let mut cx = arm.write().await?;
            let vault = vaults::put_private_link(&mut cx, group, &vault, &link, &body).await?;
            cx.commit().await?;
            Ok(one(&vault)?)
        }
        Method::DELETE => {
            arm.require(&action("delete"), &scope).await?;
            let mut cx = arm.write().await?;
            let gone = vaults::delete_private_link(&mut cx, group, &vault, &link).await?;
            cx.commit().await?;
            Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
        }
        _ => Err(arm.wrong_method()),
    }
}

/// What can be linked to: the vault itself.
pub(in crate::http::arm) async fn resources(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let vault = arm.segments[at + 1].clone();
    arm.require(&format!("{VAULTS}/privateLinkResources/read"), &arm.scope(at + 2)).await?;
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let vault = vaults::get(&mut cx, group, &vault).await?;
    Ok(Answer::list(vec![json!({
        "id": format!("{}/privateLinkResources/vault", vault.arm_id()), "name": "vault",
        "type": format!("{VAULTS}/privateLinkResources"),
        "properties": {
            "groupId": "vault", "requiredMembers": ["default"],
            "requiredZoneNames": ["privatelink.vaultcore.azure.net"],
        },
    })]))
}
