//! `Microsoft.ContainerRegistry/registries` over ARM (acr.md A).
//! Must not know: how keys are used, what lies in a registry.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::children::shown as shown_child;
use super::found;
use super::long::{begun, deleting};
use super::private_links::PrivateEndpointConnections;
use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::registries::{self, Done, Wanted, Written};
use crate::app::registry::{children, replications};
use crate::app::resources::groups;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::registry::child::Kind;
use crate::domain::registry::cmk;
use crate::domain::registry::versions::Version;
use crate::domain::registry::{Registry, canonical, completed};
use crate::domain::resources::listing::Part;
use crate::domain::world::name::{self, REGISTRIES, ResourceId};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::query::PAGE;
use crate::http::arm::table::Request;
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
    // By name [recorded], as the hosts of each region are listed.
    let mut regions = replications::regions(cx, registry).await?;
    regions.sort_unstable();
    let mut links = Vec::new();
    for link in children::list(cx, registry, Kind::PRIVATE_ENDPOINT_CONNECTION).await? {
        links.push(shown_child::<PrivateEndpointConnections>(cx, registry, &link, "Succeeded").await?);
    }
    let mut properties = Map::new();
    properties.insert("loginServer".into(), json!(registry.login_server()));
    properties.insert("creationDate".into(), json!(registry.created_at.zulu7()));
    properties.insert("provisioningState".into(), json!(state));
    for (name, field) in &completed(&registry.properties, registry.created_at) {
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
    value["properties"] = Value::Object(Version::of(api_version).shows(properties));
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

/// The registries of a group, or all.
pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let group = request.listed_group();
    if let Some(group) = group {
        groups::get(cx, group).await?;
    }
    let part = request.part(PAGE)?;
    let mut items = Vec::new();
    for registry in registries::list(cx, &part).await? {
        items.push(shown(cx, &registry, &request.api_version, "Succeeded").await?);
    }
    Ok(request.page(&part, items))
}

/// The same as the list of all resources shows them.
pub(super) async fn listed(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    for r in registries::list(cx, part).await? {
        let mut item = json!({
            "id": r.arm_id(), "name": r.name, "type": REGISTRIES, "sku": {"name": r.sku, "tier": r.sku},
            "location": r.location,
        });
        if let Some(mut identity) = shown_identity(cx, &r).await? {
            // ARM's own words for the types, where the provider's are lower camel [recorded].
            let kinds = identity["type"].as_str().unwrap_or_default().replace("system", "System");
            identity["type"] = json!(kinds.replace("user", "User"));
            item["identity"] = identity;
        }
        item["tags"] = r.tags;
        item["systemData"] = system_data(&r.created_by, r.created_at, &r.modified_by, r.modified_at, Timestamp::zulu7);
        items.push(item);
    }
    Ok(items)
}

/// Whether a name can be had.
pub(super) async fn check_name(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let scope = request.body["autoGeneratedDomainNameLabelScope"].as_str();
    if scope.is_some_and(|scope| !scope.is_empty() && scope != "Unsecure") {
        // As the creation is refused.
        return Err(RequestError::NotEmulated("A login server with a generated name".to_owned()).into());
    }
    let wanted = request.body["name"].as_str().unwrap_or_default();
    if !name::is_registry(wanted) {
        let message = "The specified resource name is invalid. Resource names may contain alpha numeric characters only and must be between 5 and 50 characters.";
        return Ok(Answer::ok(json!({"nameAvailable": false, "reason": "Invalid", "message": message})));
    }
    Ok(Answer::ok(match registries::name_is_free(cx, wanted).await? {
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

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    shown(cx, &registry, &request.api_version, "Succeeded").await.map(Answer::ok)
}

/// A PUT or a PATCH.
pub(super) async fn write(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut body = canonical_body(request.body.clone());
    let properties = match body["properties"].take() {
        Value::Object(properties) => properties,
        _ => Map::new(),
    };
    let patch = request.is_patch();
    let long = match patch {
        true => is_long(&properties, &body),
        false => !Version::of(&request.api_version).creates_at_once(),
    };
    let wanted = Wanted {
        group: request.group().to_owned(),
        name: request.name().to_owned(),
        location: body["location"].as_str().map(str::to_owned),
        sku: body["sku"]["name"].as_str().map(str::to_owned),
        tags: tags(&body),
        identity: body.get_mut("identity").map(Value::take),
        properties,
        version: request.api_version.clone(),
    };
    let written = match patch {
        true => registries::patch(cx, &wanted).await?,
        false => registries::put(cx, &wanted).await?,
    };
    let (saved, done) = match written {
        Written::Saved(saved, done) => (saved, done),
        Written::Refused(refusal) => return Ok(Answer::refused(refusal)),
    };
    let state = match (long, done) {
        (false, _) => "Succeeded",
        (true, Done::Created) => "Creating",
        (true, Done::Updated) => "Updating",
    };
    let body = shown(cx, &saved, &request.api_version, state).await?;
    match long {
        true => begun(cx, request, &saved.arm_id(), "registries", body).await,
        false if matches!(done, Done::Created) => Ok(Answer::new(StatusCode::CREATED, body)),
        false => Ok(Answer::ok(body)),
    }
}

pub(super) async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = match found(cx, request).await {
        Ok(registry) => registry,
        Err(Error::Resource(ResourceError::NotFound { .. })) => return Ok(Answer::empty(StatusCode::NO_CONTENT)),
        Err(error) => return Err(error),
    };
    // A registry that ever had a replica goes as a long operation, and says what is going [recorded].
    let answer = match children::count(cx, &registry, Kind::REPLICATION).await? {
        0 => Answer::empty(StatusCode::OK),
        _ => {
            let body = shown(cx, &registry, &request.api_version, "Deleting").await?;
            deleting(cx, request, "registries", &registry.location).await?.saying(body)
        }
    };
    registries::remove(cx, &registry).await?;
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
