//! Virtual networks and private endpoints: what a document must say, and what is filled in.
//! Must not know: packets (there are none), how a document is kept, what an endpoint leads to.

use serde_json::{Map, Value, json};

use crate::domain::Result;
use crate::domain::error::{NeighbourError, RequestError};
use crate::domain::world::network::range;

pub const NETWORKS: &str = "Microsoft.Network/virtualNetworks";
pub const SUBNETS: &str = "Microsoft.Network/virtualNetworks/subnets";
pub const ENDPOINTS: &str = "Microsoft.Network/privateEndpoints";
pub const ZONE_GROUPS: &str = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups";

/// The lists of an endpoint's connections: approved by who makes the endpoint, or by who owns what it leads to.
pub const CONNECTIONS: [&str; 2] = ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"];

fn wrong(property: &str, message: impl Into<String>) -> RequestError {
    RequestError::InvalidValue { property: property.to_owned(), message: message.into() }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The `properties` to keep of a network: as sent, its subnets filled in. A PUT that says nothing of subnets keeps them
/// [docs: since 2023]. `id` is the network's, `etag` names this state of it.
pub fn settle(sent: &Value, before: &Value, (id, name): (&str, &str), etag: &str) -> Result<Map<String, Value>> {
    let mut settled = sent.as_object().cloned().unwrap_or_default();
    let prefixes: Vec<&str> = texts(&sent["addressSpace"]["addressPrefixes"]).collect();
    if prefixes.is_empty() {
        return Err(wrong("addressSpace.addressPrefixes", "a network has at least one range").into());
    }
    if let Some(bad) = prefixes.iter().find(|prefix| range(prefix).is_none()) {
        return Err(wrong("addressSpace.addressPrefixes", format!("'{bad}' is no range of addresses")).into());
    }
    let subnets = if sent["subnets"].is_null() { &before["subnets"] } else { &sent["subnets"] };
    let mut kept: Vec<Value> = Vec::new();
    for subnet in subnets.as_array().into_iter().flatten() {
        kept.push(settle_subnet(subnet, &prefixes, (id, name), etag)?);
    }
    settled.insert("subnets".to_owned(), Value::Array(kept));
    // [recorded 2026] It is taken, and not shown.
    settled.remove("enableVmProtection");
    for (field, default) in [("virtualNetworkPeerings", json!([])), ("enableDdosProtection", json!(false))] {
        settled.entry(field).or_insert(default);
    }
    settled.insert("provisioningState".to_owned(), json!("Succeeded"));
    Ok(settled)
}

fn settle_subnet(sent: &Value, space: &[&str], (id, network): (&str, &str), etag: &str) -> Result<Value> {
    let name =
        sent["name"].as_str().filter(|name| !name.is_empty()).ok_or_else(|| wrong("name", "a subnet has a name"))?;
    let mut properties = sent["properties"].as_object().cloned().unwrap_or_default();
    let one = properties.get("addressPrefix").and_then(Value::as_str).into_iter();
    let several = properties.get("addressPrefixes").unwrap_or(&Value::Null);
    let prefixes: Vec<&str> = one.chain(texts(several)).collect();
    if prefixes.is_empty() {
        return Err(wrong("addressPrefix", format!("the subnet '{name}' has no range")).into());
    }
    for prefix in prefixes {
        let own =
            range(prefix).ok_or_else(|| wrong("addressPrefix", format!("'{prefix}' is no range of addresses")))?;
        if !space.iter().filter_map(|space| range(space)).any(|space| space.contains(&own)) {
            let (subnet, network) = (name.to_owned(), network.to_owned());
            return Err(NeighbourError::SubnetOutside { subnet, network }.into());
        }
    }
    for (field, default) in [
        ("delegations", json!([])),
        ("privateEndpointNetworkPolicies", json!("Disabled")),
        ("privateLinkServiceNetworkPolicies", json!("Enabled")),
    ] {
        properties.entry(field).or_insert(default);
    }
    let endpoints = properties.get_mut("serviceEndpoints").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten().filter_map(Value::as_object_mut) {
        endpoint.insert("provisioningState".to_owned(), json!("Succeeded"));
        endpoint.entry("locations").or_insert_with(|| json!(["*"]));
    }
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    Ok(
        json!({"name": name, "id": format!("{id}/subnets/{name}"), "etag": etag, "properties": properties, "type": SUBNETS}),
    )
}

/// The subnet of a network's `properties` with a name.
#[must_use]
pub fn subnet<'a>(properties: &'a Value, name: &str) -> Option<&'a Value> {
    let mut subnets = properties["subnets"].as_array().into_iter().flatten();
    subnets.find(|subnet| subnet["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))
}

/// The `properties` of a network with one of its subnets put in place, or taken away.
#[must_use]
pub fn with_subnet(properties: &Value, name: &str, subnet: Option<Value>) -> Value {
    let mut changed = properties.clone();
    let mut subnets = properties["subnets"].as_array().cloned().unwrap_or_default();
    let at = subnets.iter().position(|s| s["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    match (at, subnet) {
        (Some(at), Some(subnet)) => subnets[at] = subnet,
        (Some(at), None) => drop(subnets.remove(at)),
        (None, Some(subnet)) => subnets.push(subnet),
        (None, None) => {}
    }
    changed["subnets"] = Value::Array(subnets);
    changed
}

/// A connection that a private endpoint asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// The id of what it leads to.
    pub target: String,
    pub groups: Vec<String>,
    pub message: String,
    /// Whether the owner of the target still has to approve it.
    pub manual: bool,
}

/// The connections in an endpoint's `properties`: there is exactly one [docs].
pub fn connection(properties: &Value) -> Result<Connection> {
    let mut found = Vec::new();
    for list in CONNECTIONS {
        for connection in properties[list].as_array().into_iter().flatten() {
            let of = &connection["properties"];
            found.push(Connection {
                target: of["privateLinkServiceId"].as_str().unwrap_or_default().to_owned(),
                groups: texts(&of["groupIds"]).map(str::to_owned).collect(),
                message: of["requestMessage"].as_str().unwrap_or_default().to_owned(),
                manual: list == CONNECTIONS[1],
            });
        }
    }
    match <[Connection; 1]>::try_from(found) {
        Ok([connection]) => Ok(connection),
        Err(_) => Err(wrong(CONNECTIONS[0], "a private endpoint has exactly one connection").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_lie_in_their_network() {
        let sent = |prefix: &str| json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [{"name": "s", "properties": {"addressPrefix": prefix}}]});
        let settled = |sent: &Value| settle(sent, &Value::Null, ("/v", "v"), "e");
        let good = settled(&sent("10.0.1.0/24")).unwrap();
        assert_eq!(good["subnets"][0]["id"], "/v/subnets/s");
        for wrong in
            [sent("10.1.0.0/24"), sent("nonsense"), json!({}), json!({"addressSpace": {"addressPrefixes": ["x"]}})]
        {
            assert!(settled(&wrong).is_err(), "{wrong}");
        }
        let again = settle(
            &json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}}),
            &Value::Object(good),
            ("/v", "v"),
            "f",
        );
        assert_eq!(again.unwrap()["subnets"][0]["name"], "s");
    }
}
