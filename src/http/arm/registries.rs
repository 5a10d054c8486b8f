//! `Microsoft.ContainerRegistry/registries` over ARM (acr.md A).
//! Must not know: how keys are used, what lies in a registry.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::Arm;
use super::wire::{Answer, system_data, tags};
use crate::app::registries::{self, Done, Wanted};
use crate::app::{Cx, cascade, groups, identities, operations};
use crate::domain::cmk;
use crate::domain::error::ResourceError;
use crate::domain::name::{self, REGISTRIES, ResourceId};
use crate::domain::registry::{Registry, canonical, shows};
use crate::domain::well_known::TENANT_ID;
use crate::domain::{Result, Timestamp};

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
    let mut properties = Map::new();
    properties.insert("loginServer".into(), json!(registry.login_server()));
    properties.insert("creationDate".into(), json!(registry.created_at.zulu7()));
    properties.insert("provisioningState".into(), json!(state));
    for (name, field) in &registry.properties {
        if name == "dataEndpointEnabled" {
            insert_encryption(&mut properties, registry);
            properties.insert(name.clone(), field.clone());
            let hosts = if registry.flag("dataEndpointEnabled") {
                vec![format!("{}.{}.data.azurecr.io", registry.name.to_ascii_lowercase(), registry.location)]
            } else {
                Vec::new()
            };
            properties.insert("dataEndpointHostNames".into(), json!(hosts));
            properties.insert("privateEndpointConnections".into(), json!([]));
        } else if name == "networkRuleSet" && !registry.premium() {
            // The CLI reads its absence as "not Premium" [recorded][cli].
        } else {
            properties.insert(name.clone(), field.clone());
        }
    }
    insert_encryption(&mut properties, registry);
    properties.retain(|name, _| shows(name, api_version));
    value["properties"] = Value::Object(properties);
    Ok(value)
}

fn insert_encryption(properties: &mut Map<String, Value>, registry: &Registry) {
    properties.entry("encryption").or_insert_with(|| cmk::shown(registry.cmk.as_ref()));
}

/// `identity`, or nothing where none is assigned; the types' words are lower camel [recorded].
async fn shown_identity(cx: &mut Cx, registry: &Registry) -> Result<Option<Value>> {
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

pub(super) async fn answer(arm: &mut Arm, group: Option<&str>, at: usize, rest: &[&str]) -> Result<Answer> {
    let caller = arm.caller.clone();
    match (rest, group) {
        (["registries"], _) if arm.method == Method::GET => {
            let scope = group.map_or_else(name::subscription_id, name::group_id);
            arm.require(&format!("{REGISTRIES}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            if let Some(group) = group {
                groups::get(&mut cx, group).await?;
            }
            let mut items = Vec::new();
            for registry in registries::list(&mut cx, group).await? {
                items.push(shown(&mut cx, &registry, &arm.api_version, "Succeeded").await?);
            }
            Ok(Answer::list(items))
        }
        (["checknameavailability"], None) if arm.method == Method::POST => check_name(arm).await,
        (["registries", _], Some(group)) => one(arm, group, at).await,
        (["registries", _, "operationstatuses", operation], Some(_)) if arm.method == Method::GET => {
            let mut cx = arm.app.read(caller).await?;
            let outcome = operations::outcome(&mut cx, operation).await?;
            Ok(Answer::ok(outcome).with("azure-asyncoperation", arm.own_url()))
        }
        (["locations", _, "operationresults", operation], None) if arm.method == Method::GET => {
            let mut cx = arm.app.read(caller).await?;
            operations::outcome(&mut cx, operation).await.map(Answer::ok)
        }
        (["registries", _, "listusages"], Some(group)) if arm.method == Method::GET => usages(arm, group, at).await,
        ([kind, ..], _) => {
            let kind = if *kind == "registries" { arm.segments.get(at + 2) } else { arm.segments.get(at) };
            let kind = kind.cloned().unwrap_or_default();
            tracing::warn!(path = %arm.call.path, "this resource type is not emulated");
            Err(ResourceError::TypeNotFound { namespace: "Microsoft.ContainerRegistry".to_owned(), kind }.into())
        }
        ([], _) => Err(arm.unknown_route()),
    }
}

impl Arm {
    fn own_url(&self) -> String {
        format!("https://{}{}?{}", self.call.authority, self.call.path, self.call.query)
    }
}

async fn check_name(arm: &mut Arm) -> Result<Answer> {
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

async fn one(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
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
            let body = canonical_body(arm.object().await?);
            let properties = body["properties"].as_object().cloned().unwrap_or_default();
            let long = arm.method == Method::PUT || is_long(&properties, &body);
            let wanted = Wanted {
                group: group.to_owned(),
                name: registry,
                location: body["location"].as_str().map(str::to_owned),
                sku: body["sku"]["name"].as_str().map(str::to_owned),
                tags: tags(&body),
                identity: body.get("identity").cloned(),
                properties,
            };
            let (saved, done) = match arm.method {
                Method::PATCH => (registries::patch(&arm.app, caller.clone(), wanted).await?, Done::Updated),
                _ => registries::put(&arm.app, caller.clone(), wanted).await?,
            };
            if !long {
                let mut cx = arm.app.read(caller).await?;
                return shown(&mut cx, &saved, &arm.api_version, "Succeeded").await.map(Answer::ok);
            }
            let mut cx = arm.app.write(caller).await?;
            let operation = operations::succeeded(&mut cx, "registries").await?;
            let state = if done == Done::Created { "Creating" } else { "Updating" };
            let answer = Answer::new(StatusCode::CREATED, shown(&mut cx, &saved, &arm.api_version, state).await?);
            cx.commit().await?;
            let poll = format!(
                "https://{}{}/operationStatuses/{operation}?api-version={}",
                arm.call.authority,
                saved.arm_id(),
                arm.api_version
            );
            Ok(answer.with("azure-asyncoperation", poll))
        }
        Method::DELETE => {
            arm.require(&format!("{REGISTRIES}/delete"), &scope).await?;
            let gone = cascade::delete_registry(&arm.app, caller, group, &registry).await?;
            Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
        }
        _ => Err(arm.wrong_method()),
    }
}

/// Names at the top and in `properties` in canonical case; the keys of `identity` are ids and stay.
fn canonical_body(body: Value) -> Value {
    let Value::Object(map) = body else { return body };
    let top = ["location", "sku", "tags", "identity", "properties"];
    Value::Object(
        map.into_iter()
            .map(|(name, value)| {
                let known = top.iter().find(|n| n.eq_ignore_ascii_case(&name)).map_or(name, |n| (*n).to_owned());
                let value = if known == "properties" { canonical(&value) } else { value };
                (known, value)
            })
            .collect(),
    )
}

/// `listUsages`: limits by SKU [recorded].
async fn usages(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    arm.require(&format!("{REGISTRIES}/listUsages/read"), &arm.scope(at + 2)).await?;
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let registry = registries::get(&mut cx, group, &arm.segments[at + 1]).await?;
    let (size, webhooks) = match registry.sku.as_str() {
        "Premium" => (536_870_912_000_i64, 500),
        "Standard" => (107_374_182_400, 10),
        _ => (10_737_418_240, 2),
    };
    let rules = registry.properties.get("networkRuleSet").and_then(|r| r["ipRules"].as_array()).map_or(0, Vec::len);
    let used = registries::size(&mut cx, &registry).await?;
    let count = |name: &str, limit: i64, now: usize| json!({"name": name, "limit": limit, "currentValue": now, "unit": "Count"});
    let mut items = vec![
        json!({"name": "Size", "limit": size, "currentValue": used, "unit": "Bytes"}),
        count("Webhooks", webhooks, 0),
    ];
    if registry.premium() {
        items.extend([
            count("Geo-replications", -1, 0),
            count("IPRules", 100, rules),
            count("VNetRules", 100, 0),
            count("PrivateEndpointConnections", 200, 0),
            count("ScopeMaps", 50_000, 0),
            count("Tokens", 50_000, 0),
        ]);
    }
    Ok(Answer::list(items))
}
