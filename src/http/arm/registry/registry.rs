//! `Microsoft.ContainerRegistry/registries` over ARM (acr.md A).
//! Must not know: how keys are used, what lies in a registry.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::long::{Polling, begun, deleting};
use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::registries::{self, Done, Wanted, Written};
use crate::app::registry::{children, content, replications};
use crate::app::resources::groups;
use crate::domain::error::ResourceError;
use crate::domain::registry::child::Kind;
use crate::domain::registry::cmk;
use crate::domain::registry::{Registry, as_of, canonical};
use crate::domain::world::name::{self, REGISTRIES, ResourceId};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::wire::{Answer, system_data, tags};

/// A registry as ARM shows it; the order of keys is Azure's [recorded].
async fn shown(cx: &mut Cx, registry: &Registry, api_version: &str, state: &str) -> Result<Value> {
    let mut value = json!({"sku": {"name": registry.sku, "tier": registry.sku}, "type": REGISTRIES});
    if let Some(identity) = shown_identity(cx, registry).await? {
        value["identity"] = identity;
    }
    value["id"] = json!(registry.arm_id());
    value["name"] = json!(registry.name);
    value["location"] = json!(registry.location);
    value["tags"] = registry.tags.clone();
    value["systemData"] = system_data(
        &registry.created_by,
        registry.created_at,
        &registry.modified_by,
        registry.modified_at,
        Timestamp::offset7,
    );
    let regions = replications::regions(cx, registry).await?;
    let mut links = Vec::new();
    for link in children::list(cx, registry, Kind::PrivateEndpointConnection).await? {
        links.push(crate::http::arm::registry::shown::shown(cx, registry, &link, "Succeeded").await?);
    }
    let mut properties = Map::new();
    properties.insert("loginServer".into(), json!(registry.login_server()));
    properties.insert("creationDate".into(), json!(registry.created_at.zulu7()));
    properties.insert("provisioningState".into(), json!(state));
    for (name, field) in &registry.properties {
        if name == "dataEndpointEnabled" {
            insert_encryption(&mut properties, registry);
            properties.insert(name.clone(), field.clone());
            let hosts = regions.iter().filter_map(|region| registry.data_endpoint(region));
            properties.insert("dataEndpointHostNames".into(), hosts.collect());
            properties.insert("privateEndpointConnections".into(), json!(links));
        } else if name == "regionalEndpoints" {
            properties.insert(name.clone(), field.clone());
            let hosts = regions.iter().filter_map(|region| registry.regional_endpoint(region));
            properties.insert("regionalEndpointHostNames".into(), hosts.collect());
        } else if name == "networkRuleSet" && !registry.premium() {
            // The CLI reads its absence as "not Premium" [recorded][cli].
        } else {
            properties.insert(name.clone(), field.clone());
        }
    }
    insert_encryption(&mut properties, registry);
    value["properties"] = Value::Object(as_of(properties, api_version));
    Ok(value)
}

fn insert_encryption(properties: &mut Map<String, Value>, registry: &Registry) {
    properties.entry("encryption").or_insert_with(|| cmk::shown(registry.cmk.as_ref()));
}

/// `identity`, or nothing where none is assigned; the types' words are lower camel [recorded].
pub(in crate::http::arm) async fn shown_identity(cx: &mut Cx, registry: &Registry) -> Result<Option<Value>> {
    let system = registry.system_principal.as_ref();
    let kind = match (system, registry.user_identities.is_empty()) {
        (None, true) => return Ok(None),
        (Some(_), true) => "systemAssigned",
        (None, false) => "userAssigned",
        (Some(_), false) => "systemAssigned, userAssigned",
    };
    let mut identity = json!({ "type": kind });
    if let Some(principal) = system {
        identity["principalId"] = json!(principal);
        identity["tenantId"] = json!(TENANT_ID);
    }
    let mut users = Map::new();
    for id in &registry.user_identities {
        let parsed = ResourceId::parse(id);
        let found = match &parsed {
            Some(p) => identities::find(cx, &p.group, &p.name).await?,
            None => None,
        };
        let shown =
            found.map_or_else(|| json!({}), |i| json!({"principalId": i.principal_id, "clientId": i.client_id}));
        users.insert(id.clone(), shown);
    }
    if !users.is_empty() {
        identity["userAssignedIdentities"] = Value::Object(users);
    }
    Ok(Some(identity))
}

/// The registries of a group, or all.
pub(super) async fn list(arm: &mut Arm, group: Option<&str>) -> Result<Answer> {
    let scope = group.map_or_else(name::subscription_id, name::group_id);
    arm.require(&format!("{REGISTRIES}/read"), &scope).await?;
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    if let Some(group) = group {
        groups::get(&mut cx, group).await?;
    }
    let mut items = Vec::new();
    for registry in registries::list(&mut cx, group).await? {
        items.push(shown(&mut cx, &registry, &arm.api_version, "Succeeded").await?);
    }
    Ok(Answer::list(items))
}

/// Whether a name can be had.
pub(super) async fn check_name(arm: &mut Arm) -> Result<Answer> {
    let body = arm.object().await?;
    let wanted = body["name"].as_str().unwrap_or_default().to_owned();
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    if !name::is_registry(&wanted) {
        let message = "The specified resource name is invalid. Resource names may contain alpha numeric characters only and must be between 5 and 50 characters.";
        return Ok(Answer::ok(json!({"nameAvailable": false, "reason": "Invalid", "message": message})));
    }
    Ok(Answer::ok(match registries::name_is_free(&mut cx, &wanted).await? {
        true => json!({"nameAvailable": true}),
        false => json!({
            "nameAvailable": false, "reason": "AlreadyExists", "message": format!("The registry {wanted} is already in use."),
        }),
    }))
}

/// What writes are done at once and which are followed by polling, as [recorded] (acr.md A.0).
fn is_long(properties: &Map<String, Value>, body: &Value) -> bool {
    body.get("identity").is_some()
        || properties.contains_key("encryption")
        || properties.contains_key("anonymousPullEnabled")
}

/// `GET`, `PUT`, `PATCH` and `DELETE` of a registry.
pub(super) async fn one(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let registry = arm.segments[at + 1].clone();
    let scope = arm.scope(at + 2);
    let caller = arm.caller.clone();
    match arm.method {
        Method::GET => {
            arm.require(&format!("{REGISTRIES}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = registries::get(&mut cx, group, &registry).await?;
            shown(&mut cx, &found, &arm.api_version, "Succeeded").await.map(Answer::ok)
        }
        Method::PUT | Method::PATCH => {
            arm.require(&format!("{REGISTRIES}/write"), &scope).await?;
            write(arm, group, registry).await
        }
        Method::DELETE => {
            arm.require(&format!("{REGISTRIES}/delete"), &scope).await?;
            delete(arm, group, &registry).await
        }
        _ => Err(arm.wrong_method()),
    }
}

/// What a write is done with, attempt by attempt.
struct Write {
    wanted: Wanted,
    patch: bool,
    long: bool,
    api_version: String,
    polling: Polling,
}

async fn write(arm: &mut Arm, group: &str, registry: String) -> Result<Answer> {
    let mut body = canonical_body(arm.object().await?);
    arm.require_region(&body, REGISTRIES)?;
    let properties = match body["properties"].take() {
        Value::Object(properties) => properties,
        _ => Map::new(),
    };
    let patch = arm.method == Method::PATCH;
    let write = Write {
        patch,
        long: !patch || is_long(&properties, &body),
        wanted: Wanted {
            group: group.to_owned(),
            name: registry,
            location: body["location"].as_str().map(str::to_owned),
            sku: body["sku"]["name"].as_str().map(str::to_owned),
            tags: tags(&body),
            identity: body.get_mut("identity").map(Value::take),
            properties,
        },
        api_version: arm.api_version.clone(),
        polling: Polling::of(arm),
    };
    arm.change(&write, |cx, write| Box::pin(write.carry_out(cx))).await?
}

impl Write {
    /// The inner refusal leaves something that lasts, the outer one does not.
    async fn carry_out(&self, cx: &mut Cx) -> Result<Result<Answer>> {
        let written = match self.patch {
            true => registries::patch(cx, &self.wanted).await?,
            false => registries::put(cx, &self.wanted).await?,
        };
        let (saved, done) = match written {
            Written::Saved(saved, done) => (saved, done),
            Written::Refused(refusal) => return Ok(Err(refusal)),
        };
        let state = match (self.long, done) {
            (false, _) => "Succeeded",
            (true, Done::Created) => "Creating",
            (true, Done::Updated) => "Updating",
        };
        let body = shown(cx, &saved, &self.api_version, state).await?;
        match self.long {
            true => begun(cx, &self.polling, &saved.arm_id(), "registries", body).await.map(Ok),
            false => Ok(Ok(Answer::ok(body))),
        }
    }
}

async fn delete(arm: &mut Arm, group: &str, registry: &str) -> Result<Answer> {
    let (polling, api_version) = (Polling::of(arm), arm.api_version.clone());
    let mut cx = arm.write().await?;
    let found = match registries::get(&mut cx, group, registry).await {
        Ok(found) => found,
        Err(Error::Resource(ResourceError::NotFound { .. })) => return Ok(Answer::empty(StatusCode::NO_CONTENT)),
        Err(error) => return Err(error),
    };
    // A registry that ever had a replica goes as a long operation, and says what is going [recorded].
    let answer = match children::count(&mut cx, &found, Kind::Replication).await? {
        0 => Answer::empty(StatusCode::OK),
        _ => {
            let body = shown(&mut cx, &found, &api_version, "Deleting").await?;
            deleting(&mut cx, &polling, "registries", &found.location).await?.saying(body)
        }
    };
    registries::remove(&mut cx, &found).await?;
    cx.commit().await?;
    content::sweep(&arm.app).await?;
    Ok(answer)
}

/// Names at the top and in `properties` in canonical case; the keys of `identity` are ids and stay.
fn canonical_body(body: Value) -> Value {
    let Value::Object(map) = body else { return body };
    let top = ["location", "sku", "tags", "identity", "properties"];
    Value::Object(
        map.into_iter()
            .map(|(name, value)| {
                let known = top.iter().find(|n| n.eq_ignore_ascii_case(&name)).map_or(name, |n| (*n).to_owned());
                let value = if known == "properties" { canonical(value) } else { value };
                (known, value)
            })
            .collect(),
    )
}
