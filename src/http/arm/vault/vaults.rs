//! `Microsoft.KeyVault/vaults` over ARM (keyvault.md C).
//! Must not know: registries.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{keys, private_links, secrets};
use crate::app::resources::{groups, operations};
use crate::app::vault::vaults::{self, Asked};
use crate::domain::error::{ResourceError, VaultError};
use crate::domain::vault::{PolicyChange, Vault};
use crate::domain::world::name::{self, VAULTS};
use crate::domain::{Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::dialect::{name_in_use, name_invalid};
use crate::http::arm::wire::{Answer, system_data, tags};

/// A vault as ARM shows it. The first answer of a new vault says that its name is still being registered,
/// and its URI lacks the slash [recorded].
fn shown(vault: &Vault, first: bool) -> Value {
    let mut properties = Map::new();
    for (name, value) in &vault.properties {
        if name != "publicNetworkAccess" {
            properties.insert(name.clone(), value.clone());
        }
    }
    let slash = if first { "" } else { "/" };
    let links: Vec<Value> = vault.private_links().iter().map(|c| private_links::shown(vault, c)).collect();
    if !links.is_empty() {
        properties.insert("privateEndpointConnections".into(), Value::Array(links));
    }
    properties.insert("vaultUri".into(), json!(format!("{}{slash}", vault.uri())));
    properties.insert("provisioningState".into(), json!(if first { "RegisteringDns" } else { "Succeeded" }));
    if let Some(access) = vault.properties.get("publicNetworkAccess") {
        properties.insert("publicNetworkAccess".into(), access.clone());
    }
    json!({
        "id": vault.arm_id(), "name": vault.name, "type": VAULTS, "location": vault.location, "tags": vault.tags,
        "systemData": system_data(&vault.created_by, vault.created_at, &vault.modified_by, vault.modified_at, Timestamp::zulu3),
        "properties": properties,
    })
}

fn shown_deleted(vault: &Vault) -> Value {
    let mut properties = json!({"vaultId": vault.arm_id(), "location": vault.location, "tags": vault.tags});
    if let Some(deletion) = vault.deleted {
        properties["deletionDate"] = json!(deletion.at.zulu());
        properties["scheduledPurgeDate"] = json!(deletion.purge_at.zulu());
    }
    if vault.purge_protected() {
        properties["purgeProtectionEnabled"] = json!(true);
    }
    json!({
        "id": format!("{}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}", name::subscription_id(), vault.location, vault.name),
        "name": vault.name, "type": "Microsoft.KeyVault/deletedVaults", "properties": properties,
    })
}

pub(in crate::http::arm) async fn answer(
    arm: &mut Arm,
    group: Option<&str>,
    at: usize,
    rest: &[&str],
) -> Result<Answer> {
    let caller = arm.caller.clone();
    match (rest, group) {
        (["vaults"], _) if arm.method == Method::GET => {
            let scope = group.map_or_else(name::subscription_id, name::group_id);
            arm.require(&format!("{VAULTS}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            if let Some(group) = group {
                groups::get(&mut cx, group).await?;
            }
            Ok(Answer::list(vaults::list(&mut cx, group).await?.iter().map(|v| shown(v, false)).collect()))
        }
        (["vaults", _], Some(group)) => one(arm, group, at).await,
        (["vaults", _, "keys", rest @ ..], Some(group)) => keys::answer(arm, group, at, rest).await,
        (["vaults", _, "secrets", rest @ ..], Some(group)) => secrets::answer(arm, group, at, rest).await,
        (["vaults", _, "accesspolicies", how], Some(group)) if arm.method == Method::PUT => {
            let how = match *how {
                "add" => PolicyChange::Add,
                "replace" => PolicyChange::Replace,
                "remove" => PolicyChange::Remove,
                _ => return Err(arm.unknown_route()),
            };
            let vault = arm.segments[at + 1].clone();
            arm.require(&format!("{VAULTS}/accessPolicies/write"), &arm.scope(at + 2)).await?;
            let body = arm.object().await?;
            let entries = body["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
            let mut cx = arm.write().await?;
            let changed = vaults::change_policies(&mut cx, group, &vault, how, &entries).await?;
            cx.commit().await?;
            Ok(Answer::ok(json!({
                "id": format!("{}/accessPolicies/", changed.arm_id()), "type": format!("{VAULTS}/accessPolicies"),
                "properties": {"accessPolicies": changed.policies()},
            })))
        }
        (["vaults", _, "privateendpointconnections", rest @ ..], Some(group)) => {
            private_links::connections(arm, group, at, rest).await
        }
        (["vaults", _, "privatelinkresources"], Some(group)) if arm.method == Method::GET => {
            private_links::resources(arm, group, at).await
        }
        (["checknameavailability"], None) if arm.method == Method::POST => {
            let body = arm.object().await?;
            let mut cx = arm.app.read(caller).await?;
            let problem = vaults::name_problem(&mut cx, body["name"].as_str().unwrap_or_default()).await?;
            Ok(Answer::ok(match problem {
                None => json!({"nameAvailable": true}),
                Some(VaultError::NameInUse(name)) => {
                    json!({"nameAvailable": false, "reason": "AlreadyExists", "message": name_in_use(&name)})
                }
                Some(_) => json!({"nameAvailable": false, "reason": "AccountNameInvalid", "message": name_invalid()}),
            }))
        }
        // Managed HSMs cannot be made here, so there are none; az lists them beside the vaults.
        (["managedhsms" | "deletedmanagedhsms"], _) if arm.method == Method::GET => Ok(Answer::list(Vec::new())),
        (["deletedvaults"], None) if arm.method == Method::GET => {
            arm.require("Microsoft.KeyVault/deletedVaults/read", &name::subscription_id()).await?;
            let mut cx = arm.app.read(caller).await?;
            Ok(Answer::list(vaults::list_deleted(&mut cx).await?.iter().map(shown_deleted).collect()))
        }
        (["locations", _, "deletedvaults", _, end @ ..], None) => deleted(arm, at, end).await,
        (["locations", _, "operationresults", operation], None) if arm.method == Method::GET => {
            operations::outcome(&arm.app, caller.clone(), operation).await?;
            let stamp = arm.app.read(caller).await?.now.zulu().replace('T', " ");
            Ok(Answer::ok(json!({"createdDateTime": stamp, "lastActionDateTime": stamp, "status": "Succeeded"})))
        }
        ([kind, ..], _) if !["vaults", "deletedvaults", "locations", "checknameavailability"].contains(kind) => {
            let kind = arm.segments[at].clone();
            Err(ResourceError::TypeNotFound { namespace: "Microsoft.KeyVault".to_owned(), kind }.into())
        }
        _ => Err(arm.unknown_route()),
    }
}

async fn one(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let vault = arm.segments[at + 1].clone();
    let scope = arm.scope(at + 2);
    let caller = arm.caller.clone();
    match arm.method {
        Method::GET => {
            arm.require(&format!("{VAULTS}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            vaults::get(&mut cx, group, &vault).await.map(|v| Answer::ok(shown(&v, false)))
        }
        Method::PUT | Method::PATCH => {
            arm.require(&format!("{VAULTS}/write"), &scope).await?;
            let body = arm.object().await?;
            arm.require_region(&body, VAULTS)?;
            let asked = Asked {
                group: group.to_owned(),
                name: vault,
                location: body["location"].as_str().map(str::to_owned),
                tags: tags(&body),
                properties: body["properties"].as_object().cloned().unwrap_or_default(),
                // keyvault.md C.6: from this version on, null means roles.
                roles_by_default: arm.api_version.as_str() >= "2026-02-01",
            };
            let mut cx = arm.write().await?;
            let (saved, new) = match arm.method {
                Method::PATCH => (vaults::patch(&mut cx, asked).await?, false),
                _ => vaults::put(&mut cx, asked).await?,
            };
            cx.commit().await?;
            // 200 for a new one too [recorded].
            Ok(Answer::ok(shown(&saved, new)))
        }
        Method::DELETE => {
            arm.require(&format!("{VAULTS}/delete"), &scope).await?;
            let mut cx = arm.write().await?;
            let gone = vaults::delete(&mut cx, group, &vault).await?;
            cx.commit().await?;
            Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
        }
        _ => Err(arm.wrong_method()),
    }
}

async fn deleted(arm: &mut Arm, at: usize, end: &[&str]) -> Result<Answer> {
    let (location, vault) = (arm.segments[at + 1].clone(), arm.segments[at + 3].clone());
    let caller = arm.caller.clone();
    match (end, &arm.method) {
        ([], &Method::GET) => {
            arm.require("Microsoft.KeyVault/locations/deletedVaults/read", &name::subscription_id()).await?;
            let mut cx = arm.app.read(caller).await?;
            vaults::get_deleted(&mut cx, &location, &vault).await.map(|v| Answer::ok(shown_deleted(&v)))
        }
        (["purge"], &Method::POST) => {
            arm.require("Microsoft.KeyVault/locations/deletedVaults/purge/action", &name::subscription_id()).await?;
            let mut cx = arm.write().await?;
            vaults::purge(&mut cx, &location, &vault).await?;
            let operation = operations::succeeded(&mut cx, "purge").await?;
            cx.commit().await?;
            let poll = format!(
                "https://{}{}/providers/Microsoft.KeyVault/locations/{location}/operationResults/{operation}?api-version={}",
                arm.call.authority,
                name::subscription_id(),
                arm.api_version
            );
            Ok(Answer::empty(StatusCode::ACCEPTED).with("location", poll))
        }
        _ => Err(arm.wrong_method()),
    }
}
