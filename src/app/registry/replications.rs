//! Replications: a registry's other regions, and its own, which is a replication from the first other one on.
//! Must not know: HTTP, what lies in a registry.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::children::{self, Asked, begin, save};
use super::registries;
use crate::app::{App, Cx};
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::error::{RegistryError, ResourceError};
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name;

/// The home region, as a replication.
fn home(registry: &Registry) -> Child {
    let zones = if registry.settings().zone_redundant() { "Enabled" } else { "Disabled" };
    let properties = json!({"regionEndpointEnabled": true, "zoneRedundancy": zones});
    Child {
        location: Some(registry.location.clone()),
        properties: properties.as_object().cloned().unwrap_or_default(),
        ..Child::new(registry, Kind::REPLICATION, &registry.location, &registry.created_by, registry.created_at)
    }
}

fn is_home(registry: &Registry, replication: &str) -> bool {
    name::location(replication) == registry.location
}

/// The registry's regions, its own first.
pub async fn regions(cx: &mut Cx, registry: &Registry) -> Result<Vec<String>> {
    let replicas = children::list(cx, registry, Kind::REPLICATION).await?;
    let others = replicas.into_iter().filter_map(|replica| replica.location).filter(|place| !is_home(registry, place));
    Ok(std::iter::once(registry.location.clone()).chain(others).collect())
}

/// The region that serves callers of the registry's own login server: its own, for every caller is equally near, or
/// the first that is served.
pub async fn nearest(cx: &mut Cx, registry: &Registry) -> Result<String> {
    let mut regions = children::list(cx, registry, Kind::REPLICATION).await?;
    regions.sort_by_key(|region| !is_home(registry, &region.name));
    let faults = cx.app.faults().clone();
    let is_down = |region: &Child| region.location.as_deref().is_some_and(|at| faults.is_down(&registry.name, at));
    let served = regions.into_iter().find(|r| r.is_served() && !is_down(r));
    Ok(served.and_then(|region| region.location).unwrap_or_else(|| registry.location.clone()))
}

/// The region that serves a call of a login server or a data endpoint; of a registry that is not there, none.
pub async fn region_of(app: &Arc<App>, registry: &str, host: &str) -> Result<String> {
    let mut cx = app.read(Caller::system()).await?;
    let Ok(registry) = registries::by_name(&mut cx, registry).await else { return Ok(String::new()) };
    let named = regions(&mut cx, &registry).await?.into_iter().find(|region| {
        let hosts = [registry.regional_endpoint(region), registry.data_endpoint(region)];
        hosts.iter().flatten().any(|own| own == host)
    });
    match named {
        Some(region) => Ok(region),
        None => nearest(&mut cx, &registry).await,
    }
}

/// The region that serves a call of a login server, where regions may differ: pushes take their time to arrive in others.
pub async fn serving(cx: &mut Cx, registry: &Registry, host: &str) -> Result<Option<Arc<str>>> {
    if cx.app.replication_delay == 0 {
        return Ok(None);
    }
    let regions = regions(cx, registry).await?;
    if regions.len() == 1 {
        return Ok(None);
    }
    let called = regions.into_iter().find(|region| registry.regional_endpoint(region).as_deref() == Some(host));
    Ok(Some(match called {
        Some(region) => region.into(),
        None => nearest(cx, registry).await?.into(),
    }))
}

/// Requires that a login server of one region, `{name}.{region}.geo.azurecr.io`, is there.
pub async fn require_endpoint(cx: &mut Cx, host: &str) -> Result<()> {
    let name = host.split('.').next().unwrap_or_default();
    let registry = registries::by_name(cx, name).await?;
    let regions = regions(cx, &registry).await?;
    if regions.iter().any(|region| registry.regional_endpoint(region).as_deref() == Some(host)) {
        return Ok(());
    }
    Err(RegistryError::Unknown(host.trim_end_matches(".azurecr.io").to_owned()).into())
}

/// What can be asked of a replication.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Replication {
    region_endpoint_enabled: Option<bool>,
    zone_redundancy: Option<String>,
}

/// Saves a replication. `true`: it is new.
pub async fn put(
    cx: &mut Cx,
    registry: &Registry,
    replication: &str,
    asked: Asked<Replication>,
) -> Result<(Child, bool)> {
    let (mut child, new) = begin(cx, registry, Kind::REPLICATION, replication).await?;
    if new && registry.settings().soft_delete() {
        return Err(RegistryError::no_soft_delete_with(&registry.name, Kind::REPLICATION.segment()).into());
    }
    let location = asked.location.as_deref().map(name::location);
    if new {
        let location = location.ok_or(ResourceError::LocationMissing)?;
        let taken = children::list(cx, registry, Kind::REPLICATION).await?;
        if is_home(registry, &location) || taken.iter().any(|r| r.location.as_deref() == Some(&location)) {
            return Err(RegistryError::Invalid(format!(
                "A replication of registry {} already exists in location '{location}'.",
                registry.name
            ))
            .into());
        }
        child.location = Some(location);
        child.properties.insert("regionEndpointEnabled".to_owned(), json!(true));
        child.properties.insert("zoneRedundancy".to_owned(), json!("Disabled"));
    } else if let Some(wanted) = location.filter(|l| child.location.as_ref() != Some(l)) {
        let existing = child.location.unwrap_or_default();
        return Err(ResourceError::LocationFixed { name: child.name, existing, wanted }.into());
    }
    if let Some(tags) = asked.tags {
        child.tags = Value::Object(tags);
    }
    let Replication { region_endpoint_enabled, zone_redundancy } = asked.properties;
    if let Some(enabled) = region_endpoint_enabled {
        child.properties.insert("regionEndpointEnabled".to_owned(), json!(enabled));
    }
    if let Some(zones) = zone_redundancy {
        child.properties.insert("zoneRedundancy".to_owned(), json!(zones));
    }
    // The first replica makes the home region a replication too, which stays when the others go [recorded].
    if new && children::find(cx, registry, Kind::REPLICATION, &registry.location).await?.is_none() {
        save(cx, home(registry)).await?;
    }
    Ok((save(cx, child).await?, new))
}

/// How many regions there are beside the home region.
pub async fn count(cx: &mut Cx, registry: &Registry) -> Result<usize> {
    Ok(regions(cx, registry).await?.len() - 1)
}

/// Removes a replication; the home region stays. `None`: there was none.
pub async fn remove(cx: &mut Cx, registry: &Registry, replication: &str) -> Result<Option<Child>> {
    if is_home(registry, replication) {
        return Err(RegistryError::Invalid(format!(
            "The replication in the home region '{}' of registry {} cannot be deleted.",
            registry.location, registry.name
        ))
        .into());
    }
    children::remove(cx, registry, Kind::REPLICATION, replication).await
}
