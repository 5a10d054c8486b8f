//! `Microsoft.KeyVault/vaults` over ARM (keyvault.md C).
//! Must not know: registries.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::private_links;
use crate::app::Cx;
use crate::app::resources::{groups, operations};
use crate::app::vault::vaults::{self, Asked};
use crate::domain::error::VaultError;
use crate::domain::resources::listing::Part;
use crate::domain::vault::{PolicyChange, Vault};
use crate::domain::world::name::{self, VAULTS};
use crate::domain::{Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::query::PAGE;
use crate::http::arm::table::Request;
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

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let group = request.listed_group();
    if let Some(group) = group {
        groups::get(cx, group).await?;
    }
    let part = request.part(PAGE)?;
    let found = vaults::list(cx, &part).await?;
    Ok(request.page(&part, found.iter().map(|v| shown(v, false)).collect()))
}

/// The same as the list of all resources shows them.
pub(super) async fn listed(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Value>> {
    let shown =
        |v: &Vault| json!({"id": v.arm_id(), "name": v.name, "type": VAULTS, "location": v.location, "tags": v.tags});
    Ok(vaults::list(cx, part).await?.iter().map(shown).collect())
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    vaults::get(cx, request.group(), request.name()).await.map(|v| Answer::ok(shown(&v, false)))
}

/// A PUT or a PATCH.
pub(super) async fn write(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let body = &request.body;
    let asked = Asked {
        group: request.group().to_owned(),
        name: request.name().to_owned(),
        location: body["location"].as_str().map(str::to_owned),
        tags: tags(body),
        properties: body["properties"].as_object().cloned().unwrap_or_default(),
        // keyvault.md C.6: from this version on, null means roles.
        roles_by_default: request.api_version.as_str() >= "2026-02-01",
    };
    let (saved, new) = match request.is_patch() {
        true => (vaults::patch(cx, asked).await?, false),
        false => vaults::put(cx, asked).await?,
    };
    // 200 for a new one too [recorded].
    Ok(Answer::ok(shown(&saved, new)))
}

pub(super) async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = vaults::delete(cx, request.group(), request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

/// `PUT …/accessPolicies/{add, replace or remove}`.
pub(super) async fn change_policies(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let how = match request.name().to_ascii_lowercase().as_str() {
        "add" => PolicyChange::Add,
        "replace" => PolicyChange::Replace,
        "remove" => PolicyChange::Remove,
        _ => return Err(request.unknown_route()),
    };
    let entries = request.body["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    let changed = vaults::change_policies(cx, request.group(), request.top(), how, &entries).await?;
    Ok(Answer::ok(json!({
        "id": format!("{}/accessPolicies/", changed.arm_id()), "type": format!("{VAULTS}/accessPolicies"),
        "properties": {"accessPolicies": changed.policies()},
    })))
}

pub(super) async fn check_name(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let problem = vaults::name_problem(cx, request.body["name"].as_str().unwrap_or_default()).await?;
    let Some(problem) = problem else { return Ok(Answer::ok(json!({"nameAvailable": true}))) };
    let reason = if matches!(problem, VaultError::NameInUse(_)) { "AlreadyExists" } else { "AccountNameInvalid" };
    Ok(Answer::ok(json!({"nameAvailable": false, "reason": reason, "message": problem.to_string()})))
}

pub(super) async fn list_deleted(cx: &mut Cx, _: &Request) -> Result<Answer> {
    Ok(Answer::list(vaults::list_deleted(cx).await?.iter().map(shown_deleted).collect()))
}

/// `GET …/locations/{location}/deletedVaults/{vault}`.
pub(super) async fn get_deleted(cx: &mut Cx, request: &Request) -> Result<Answer> {
    vaults::get_deleted(cx, request.top(), request.name()).await.map(|v| Answer::ok(shown_deleted(&v)))
}

pub(super) async fn purge(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let location = request.top();
    vaults::purge(cx, location, request.name()).await?;
    let operation = operations::succeeded(cx, "purge").await?;
    let poll = format!(
        "https://{}{}/providers/Microsoft.KeyVault/locations/{location}/operationResults/{operation}?api-version={}",
        request.authority,
        name::subscription_id(),
        request.api_version
    );
    Ok(Answer::empty(StatusCode::ACCEPTED).with("location", poll))
}

/// `GET …/locations/{location}/operationResults/{operation}`.
pub(super) async fn result(arm: &mut Arm, request: &Request) -> Result<Answer> {
    operations::outcome(&arm.app, arm.caller.clone(), request.name()).await?;
    let stamp = arm.read().await?.now.zulu().replace('T', " ");
    Ok(Answer::ok(json!({"createdDateTime": stamp, "lastActionDateTime": stamp, "status": "Succeeded"})))
}
