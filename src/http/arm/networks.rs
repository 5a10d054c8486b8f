//! `Microsoft.Network` over ARM: virtual networks with their subnets, and private endpoints. They are kept, shown and
//! checked, so that what refers to them can be deployed; no packet ever goes through them.
//! Must not know: how a document is kept, what a connection is at its target.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::query;
use super::table::{InGroups, Operation, Place, Request, Type, handler};
use super::wire::{Answer, tags};
use crate::app::resources::{groups, neighbours};
use crate::app::{Cx, private_endpoints};
use crate::domain::Result;
use crate::domain::error::NeighbourError;
use crate::domain::resources::neighbour::Neighbour;
use crate::domain::resources::network::{self, CONNECTIONS, ENDPOINTS, NETWORKS, SUBNETS, ZONE_GROUPS};
use crate::domain::world::name;

const TYPE: Type = Type::new(Place::Group, &["2023-11-01", "2024-05-01", "2024-10-01"]);

/// The rows of the provider: what is in a network comes before it.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: ENDPOINTS,
        in_groups: Some(InGroups {
            listed: |cx, part| Box::pin(neighbours::listed(cx, ENDPOINTS, part)),
            cleared: handler!(private_endpoints::delete_all),
            tagged: |cx, group, name, tags| Box::pin(neighbours::tag(cx, ENDPOINTS, group, name, tags)),
            moved: None,
        }),
        operations: &[
            Operation::list(handler!(list_endpoints)).paging(query::PAGED),
            Operation::get(handler!(get_endpoint)),
            Operation::put(handler!(put_endpoint)),
            Operation::delete(handler!(delete_endpoint)),
        ],
        ..TYPE
    },
    Type {
        name: ZONE_GROUPS,
        operations: &[
            Operation::list(handler!(list_zone_groups)),
            Operation::get(handler!(get_zone_group)),
            Operation::put(handler!(put_zone_group)),
            Operation::delete(handler!(delete_zone_group)),
        ],
        ..TYPE
    },
    Type {
        name: NETWORKS,
        logs: &["VMProtectionAlerts"],
        in_groups: Some(InGroups {
            listed: |cx, part| Box::pin(neighbours::listed(cx, NETWORKS, part)),
            cleared: |cx, group| Box::pin(neighbours::clear(cx, NETWORKS, group)),
            tagged: |cx, group, name, tags| Box::pin(neighbours::tag(cx, NETWORKS, group, name, tags)),
            moved: None,
        }),
        operations: &[
            Operation::list(handler!(list)).paging(query::PAGED),
            Operation::get(handler!(get)),
            Operation::put(handler!(put)),
            Operation::patch(handler!(patch)),
            Operation::delete(handler!(delete)),
        ],
        ..TYPE
    },
    Type {
        name: SUBNETS,
        operations: &[
            Operation::list(handler!(list_subnets)),
            Operation::get(handler!(get_subnet)),
            Operation::put(handler!(put_subnet)),
            Operation::delete(handler!(delete_subnet)),
        ],
        ..TYPE
    },
];

/// A type of a group: those in the path's group, or all.
async fn all(cx: &mut Cx, request: &Request, kind: &'static str) -> Result<Vec<Neighbour>> {
    let Some(group) = request.listed_group() else { return neighbours::list(cx, None, kind).await };
    let group = groups::get(cx, group).await?;
    neighbours::list(cx, Some(&name::group_id(&group.name)), kind).await
}

/// The resource at the top of the path.
async fn found(cx: &mut Cx, request: &Request, kind: &'static str) -> Result<Neighbour> {
    let group = groups::get(cx, request.group()).await?;
    neighbours::get(cx, &name::group_id(&group.name), kind, request.top()).await
}

fn gone(gone: bool) -> Answer {
    Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT })
}

fn saved(new: bool, shown: Value) -> Answer {
    Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown)
}

/// What was changed says that it is being changed [recorded 2026]; it is done all the same, and says so when it is read.
/// Clients that look again wait a second instead of their thirty.
fn changing(new: bool, mut shown: Value) -> Answer {
    fn mark(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(mark),
            Value::Object(fields) => {
                if let Some(state) = fields.get_mut("provisioningState") {
                    *state = json!("Updating");
                }
                fields.values_mut().for_each(mark);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    mark(&mut shown);
    saved(new, shown).with("retry-after", "1".to_owned())
}

/// Tags, a new etag and properties, in place of those that were.
fn fill(cx: &Cx, one: &mut Neighbour, tags: Option<Value>, mut properties: Map<String, Value>) {
    let guid = one.properties()["resourceGuid"].as_str().map_or_else(|| cx.guid(), str::to_owned);
    properties.insert("resourceGuid".to_owned(), guid.into());
    one.document.insert("etag".to_owned(), etag(cx).into());
    one.document.insert("properties".to_owned(), Value::Object(properties));
    match tags {
        Some(tags) => one.document.insert("tags".to_owned(), tags),
        None => one.document.remove("tags"),
    };
}

/// A subnet as it is shown by itself: with a field that its network does not show [recorded 2026].
fn shown_subnet(subnet: &Value) -> Value {
    let mut shown = subnet.clone();
    if let Some(properties) = shown["properties"].as_object_mut() {
        properties.entry("ipamPoolPrefixAllocations").or_insert_with(|| json!([]));
    }
    shown
}

fn etag(cx: &Cx) -> String {
    format!("W/\"{}\"", cx.guid())
}

async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    Ok(Answer::list(all(cx, request, NETWORKS).await?.iter().map(Neighbour::shown).collect()))
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    Ok(Answer::ok(found(cx, request, NETWORKS).await?.shown()))
}

async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let location = request.body["location"].as_str();
    let (mut one, new) = neighbours::begin(cx, request.group(), NETWORKS, request.name(), location).await?;
    let sent = &request.body["properties"];
    let properties = network::settle(sent, one.properties(), (&one.id, &one.name), &etag(cx))?;
    require_unused(cx, &one, &properties).await?;
    fill(cx, &mut one, tags(&request.body), properties);
    neighbours::save(cx, &one).await?;
    Ok(changing(new, one.shown()))
}

/// Networks are patched in their tags alone [spec].
async fn patch(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut one = found(cx, request, NETWORKS).await?;
    if let Some(tags) = tags(&request.body) {
        one.document.insert("tags".to_owned(), tags);
    }
    neighbours::save(cx, &one).await?;
    Ok(Answer::ok(one.shown()))
}

/// Subnets with endpoints in them stay.
async fn require_unused(cx: &mut Cx, before: &Neighbour, after: &Map<String, Value>) -> Result<()> {
    let after = Value::Object(after.clone());
    for kept in before.properties()["subnets"].as_array().into_iter().flatten() {
        let (id, name) = (kept["id"].as_str().unwrap_or_default(), kept["name"].as_str().unwrap_or_default());
        if network::subnet(&after, name).is_none() {
            refuse_used(cx, id, name).await?;
        }
    }
    Ok(())
}

async fn refuse_used(cx: &mut Cx, id: &str, subnet: &str) -> Result<()> {
    match private_endpoints::first_in(cx, id).await? {
        Some(by) => Err(NeighbourError::SubnetInUse { subnet: subnet.to_owned(), by }.into()),
        None => Ok(()),
    }
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let scope = name::group_id(request.group());
    let Some(one) = neighbours::find(cx, &scope, NETWORKS, request.name()).await? else { return Ok(gone(false)) };
    require_unused(cx, &one, &Map::new()).await?;
    neighbours::delete(cx, &scope, NETWORKS, request.name()).await.map(gone)
}

async fn list_subnets(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let one = found(cx, request, NETWORKS).await?;
    Ok(Answer::list(one.properties()["subnets"].as_array().into_iter().flatten().map(shown_subnet).collect()))
}

async fn get_subnet(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let one = found(cx, request, NETWORKS).await?;
    let subnet = network::subnet(one.properties(), request.name()).map(shown_subnet);
    subnet.map(Answer::ok).ok_or_else(|| neighbours::missing(&one.id, SUBNETS, request.name()))
}

async fn put_subnet(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut one = found(cx, request, NETWORKS).await?;
    let new = network::subnet(one.properties(), request.name()).is_none();
    let sent = json!({"name": request.name(), "properties": request.body["properties"]});
    let wanted = network::with_subnet(one.properties(), request.name(), Some(sent));
    change_subnets(cx, &mut one, &wanted).await?;
    let subnet = network::subnet(one.properties(), request.name()).map(shown_subnet).unwrap_or_default();
    Ok(changing(new, subnet))
}

async fn delete_subnet(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut one = found(cx, request, NETWORKS).await?;
    if network::subnet(one.properties(), request.name()).is_none() {
        return Ok(gone(false));
    }
    let wanted = network::with_subnet(one.properties(), request.name(), None);
    change_subnets(cx, &mut one, &wanted).await?;
    Ok(gone(true))
}

async fn change_subnets(cx: &mut Cx, one: &mut Neighbour, wanted: &Value) -> Result<()> {
    let properties = network::settle(wanted, &Value::Null, (&one.id, &one.name), &etag(cx))?;
    require_unused(cx, one, &properties).await?;
    let tags = one.document.get("tags").cloned();
    fill(cx, one, tags, properties);
    neighbours::save(cx, one).await
}

/// An endpoint with its connection as its target has it now.
async fn shown(cx: &mut Cx, endpoint: &Neighbour) -> Result<Value> {
    let state = private_endpoints::state(cx, endpoint).await?;
    // [inferred] The words that stand there once the other side has ended the connection.
    let state =
        state.unwrap_or_else(|| json!({"status": "Disconnected", "description": "", "actionsRequired": "None"}));
    let mut shown = endpoint.shown();
    for list in CONNECTIONS {
        let connections = shown["properties"][list].as_array_mut();
        for connection in connections.into_iter().flatten() {
            let name = connection["name"].as_str().unwrap_or_default().to_owned();
            connection["id"] = json!(format!("{}/{list}/{name}", endpoint.id));
            connection["type"] = json!(format!("{ENDPOINTS}/{list}"));
            connection["properties"]["provisioningState"] = json!("Succeeded");
            connection["properties"]["privateLinkServiceConnectionState"] = state.clone();
        }
    }
    Ok(shown)
}

async fn list_endpoints(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut items = Vec::new();
    for endpoint in all(cx, request, ENDPOINTS).await? {
        items.push(shown(cx, &endpoint).await?);
    }
    Ok(Answer::list(items))
}

async fn get_endpoint(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let endpoint = found(cx, request, ENDPOINTS).await?;
    shown(cx, &endpoint).await.map(Answer::ok)
}

async fn put_endpoint(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let location = request.body["location"].as_str();
    let (mut one, new) = neighbours::begin(cx, request.group(), ENDPOINTS, request.name(), location).await?;
    let before = (!new).then(|| one.clone());
    let mut properties = request.body["properties"].as_object().cloned().unwrap_or_default();
    for list in CONNECTIONS {
        properties.entry(list).or_insert_with(|| json!([]));
    }
    // There are no interfaces and no addresses: nothing is listening in a network that is not there.
    for (field, value) in [("networkInterfaces", json!([])), ("customDnsConfigs", json!([]))] {
        properties.insert(field.to_owned(), value);
    }
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    fill(cx, &mut one, tags(&request.body), properties);
    let subnet = one.properties()["subnet"]["id"].as_str().unwrap_or_default().to_owned();
    private_endpoints::require_subnet(cx, &one.id, &subnet).await?;
    private_endpoints::connect(cx, &one, before.as_ref()).await?;
    neighbours::save(cx, &one).await?;
    Ok(saved(new, shown(cx, &one).await?))
}

async fn delete_endpoint(cx: &mut Cx, request: &Request) -> Result<Answer> {
    private_endpoints::delete(cx, request.group(), request.name()).await.map(gone)
}

async fn list_zone_groups(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let endpoint = found(cx, request, ENDPOINTS).await?;
    let all = neighbours::list(cx, Some(&endpoint.id), ZONE_GROUPS).await?;
    Ok(Answer::list(all.iter().map(Neighbour::shown).collect()))
}

async fn get_zone_group(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let endpoint = found(cx, request, ENDPOINTS).await?;
    Ok(Answer::ok(neighbours::get(cx, &endpoint.id, ZONE_GROUPS, request.name()).await?.shown()))
}

/// Zones are named and not looked for: names are resolved by the proxy, not by zones.
async fn put_zone_group(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let endpoint = found(cx, request, ENDPOINTS).await?;
    let before = neighbours::find(cx, &endpoint.id, ZONE_GROUPS, request.name()).await?;
    let new = before.is_none();
    let mut one = before.unwrap_or_else(|| Neighbour::child(&endpoint.id, ZONE_GROUPS, request.name()));
    let mut properties = request.body["properties"].as_object().cloned().unwrap_or_default();
    properties.entry("privateDnsZoneConfigs").or_insert_with(|| json!([]));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    fill(cx, &mut one, None, properties);
    neighbours::save(cx, &one).await?;
    Ok(saved(new, one.shown()))
}

async fn delete_zone_group(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let endpoint = found(cx, request, ENDPOINTS).await?;
    neighbours::delete(cx, &endpoint.id, ZONE_GROUPS, request.name()).await.map(gone)
}
