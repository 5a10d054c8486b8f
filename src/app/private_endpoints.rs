//! Private endpoints: the connection that each of them makes to a registry or a vault.
//! Must not know: packets (there are none), HTTP.

use serde_json::{Value, json};

use crate::app::registry::{children, registries};
use crate::app::resources::neighbours;
use crate::app::vault::vaults;
use crate::app::{Cx, access};
use crate::domain::error::{NeighbourError, RequestError, ResourceError};
use crate::domain::registry::child::Kind;
use crate::domain::resources::neighbour::Neighbour;
use crate::domain::resources::network::{Connection, ENDPOINTS, NETWORKS, connection, subnet};
use crate::domain::world::name::{self, REGISTRIES, ResourceId, VAULTS};
use crate::domain::{Error, Result};

/// What an endpoint leads to.
enum Target {
    Registry(ResourceId),
    Vault(ResourceId),
}

impl Target {
    fn of(connection: &Connection) -> Option<Self> {
        let id = ResourceId::parse(&connection.target)?;
        if id.is(REGISTRIES) {
            return Some(Self::Registry(id));
        }
        id.is(VAULTS).then_some(Self::Vault(id))
    }

    /// What can be connected to there.
    fn member(&self) -> &'static str {
        match self {
            Self::Registry(_) => "registry",
            Self::Vault(_) => "vault",
        }
    }
}

/// What was found; `None`: it, or its group, is not there.
fn there<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Resource(ResourceError::NotFound { .. } | ResourceError::GroupNotFound(_))) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of the connection at its target. [inferred] Azure makes one of the endpoint's name and a GUID.
fn name_of(endpoint: &Neighbour) -> String {
    format!("{}.{}", endpoint.name, endpoint.properties()["resourceGuid"].as_str().unwrap_or_default())
}

/// Requires the subnet that an endpoint is put into, and the right to join it.
pub async fn require_subnet(cx: &mut Cx, endpoint: &str, id: &str) -> Result<()> {
    let missing = || NeighbourError::ReferenceNotFound { what: id.to_owned(), by: endpoint.to_owned() };
    let (network, name) = id.rsplit_once("/subnets/").ok_or_else(missing)?;
    let parsed = ResourceId::parse(network).filter(|n| n.is(NETWORKS)).ok_or_else(missing)?;
    let found = neighbours::find(cx, &name::group_id(&parsed.group), NETWORKS, &parsed.name).await?;
    let there = found.is_some_and(|network| subnet(network.properties(), name).is_some());
    if !there {
        return Err(missing().into());
    }
    access::require(cx, "Microsoft.Network/virtualNetworks/subnets/join/action", id).await
}

/// Makes the connection that an endpoint asks for, or changes it; that of the endpoint as it was ends, if it led
/// elsewhere. Who makes one that is approved at once needs the right to approve it.
pub async fn connect(cx: &mut Cx, endpoint: &Neighbour, before: Option<&Neighbour>) -> Result<()> {
    let asked = connection(endpoint.properties())?;
    if let Some(before) = before
        && !connection(before.properties())?.target.eq_ignore_ascii_case(&asked.target)
    {
        disconnect(cx, before).await?;
    }
    let missing = || NeighbourError::ReferenceNotFound { what: asked.target.clone(), by: endpoint.id.clone() };
    let target = Target::of(&asked).ok_or_else(missing)?;
    if !asked.groups.iter().any(|group| group.eq_ignore_ascii_case(target.member())) || asked.groups.len() != 1 {
        let message = format!("'{}' is what can be connected to there", target.member());
        return Err(RequestError::InvalidValue { property: "groupIds".to_owned(), message }.into());
    }
    if !asked.manual {
        let kind = if matches!(target, Target::Vault(_)) { VAULTS } else { REGISTRIES };
        access::require(cx, &format!("{kind}/privateEndpointConnectionsApproval/action"), &asked.target).await?;
    }
    let status = if asked.manual { "Pending" } else { "Approved" };
    let body = json!({"properties": {
        "privateEndpoint": {"id": endpoint.id}, "groupIds": asked.groups,
        "privateLinkServiceConnectionState": {"status": status, "description": asked.message},
    }});
    // What its owner has decided since stays.
    let known = state(cx, endpoint).await?.is_some();
    let name = name_of(endpoint);
    match target {
        _ if known => {}
        Target::Registry(id) => {
            let registry = registries::get(cx, &id.group, &id.name).await?;
            children::put_private_link(cx, &registry, &name, &body).await?;
        }
        Target::Vault(id) => {
            vaults::put_private_link(cx, &id.group, &id.name, &name, &body).await?;
        }
    }
    Ok(())
}

/// The state of an endpoint's connection as its target has it; `None`: the target or the connection is gone.
pub async fn state(cx: &mut Cx, endpoint: &Neighbour) -> Result<Option<Value>> {
    let name = name_of(endpoint);
    let properties = match Target::of(&connection(endpoint.properties())?) {
        None => None,
        Some(Target::Registry(id)) => match there(registries::get(cx, &id.group, &id.name).await)? {
            Some(registry) => {
                let found = children::find(cx, &registry, Kind::PRIVATE_ENDPOINT_CONNECTION, &name).await?;
                found.map(|child| Value::Object(child.properties))
            }
            None => None,
        },
        Some(Target::Vault(id)) => match there(vaults::get(cx, &id.group, &id.name).await)? {
            Some(vault) => {
                let found = vault.private_links().iter().find(|link| vaults::is_named(link, &name));
                found.map(|link| link["properties"].clone())
            }
            None => None,
        },
    };
    Ok(properties.map(|properties| properties["privateLinkServiceConnectionState"].clone()))
}

/// Ends the connection of an endpoint.
async fn disconnect(cx: &mut Cx, endpoint: &Neighbour) -> Result<()> {
    if state(cx, endpoint).await?.is_none() {
        return Ok(());
    }
    let name = name_of(endpoint);
    match Target::of(&connection(endpoint.properties())?) {
        None => {}
        Some(Target::Registry(id)) => {
            let registry = registries::get(cx, &id.group, &id.name).await?;
            children::remove(cx, &registry, Kind::PRIVATE_ENDPOINT_CONNECTION, &name).await?;
        }
        Some(Target::Vault(id)) => {
            vaults::delete_private_link(cx, &id.group, &id.name, &name).await?;
        }
    }
    Ok(())
}

/// Deletes an endpoint with its connection. `false`: there was none.
pub async fn delete(cx: &mut Cx, group: &str, name: &str) -> Result<bool> {
    let scope = name::group_id(group);
    let Some(endpoint) = neighbours::find(cx, &scope, ENDPOINTS, name).await? else { return Ok(false) };
    disconnect(cx, &endpoint).await?;
    neighbours::delete_below(cx, &endpoint.id).await?;
    neighbours::delete(cx, &scope, ENDPOINTS, name).await
}

/// Deletes all endpoints of a group.
pub async fn delete_all(cx: &mut Cx, group: &str) -> Result<()> {
    for endpoint in neighbours::list(cx, Some(&name::group_id(group)), ENDPOINTS).await? {
        delete(cx, group, &endpoint.name).await?;
    }
    Ok(())
}

/// The first endpoint in a subnet, or in any subnet of a network.
pub async fn first_in(cx: &mut Cx, id: &str) -> Result<Option<String>> {
    let within = |subnet: &str| {
        let (subnet, id) = (subnet.to_ascii_lowercase(), id.to_ascii_lowercase());
        subnet.strip_prefix(&id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let all = neighbours::list(cx, None, ENDPOINTS).await?;
    let found = all.into_iter().find(|e| e.properties()["subnet"]["id"].as_str().is_some_and(within));
    Ok(found.map(|endpoint| endpoint.id))
}
