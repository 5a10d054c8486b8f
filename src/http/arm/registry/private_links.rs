//! Private endpoint connections over ARM, and `privateLinkResources`: what they connect to.
//! Must not know: networks.

use serde_json::{Value, json};

use super::children::{ChildType, in_capitals};
use super::{found, versions};
use crate::app::Cx;
use crate::app::registry::children;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name::REGISTRIES;
use crate::http::arm::table::{Request, Supported};
use crate::http::arm::wire::Answer;

pub(super) struct PrivateEndpointConnections;

impl ChildType for PrivateEndpointConnections {
    const KIND: Kind = Kind::PRIVATE_ENDPOINT_CONNECTION;
    const SUPPORTED: Supported = versions::as_asked;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        children::put_private_link(cx, registry, request.name(), &request.body).await
    }

    fn result_of_deletion(registry: &Registry, _: &Child) -> Option<String> {
        in_capitals(registry)
    }
}

/// The one resource that there is [docs: group and zone names].
fn resource(registry: &Registry) -> Value {
    json!({
        "type": format!("{REGISTRIES}/privateLinkResources"),
        "id": format!("{}/privateLinkResources/registry", registry.arm_id()),
        "name": "registry",
        "properties": {
            "groupId": "registry",
            "requiredMembers": ["registry", format!("registry_data_{}", registry.location)],
            "requiredZoneNames": ["privatelink.azurecr.io"],
        },
    })
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    Ok(Answer::list(vec![resource(&registry)]))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    match request.name().eq_ignore_ascii_case("registry") {
        true => Ok(Answer::ok(resource(&registry))),
        false => Err(ResourceError::ChildNotFound(request.name().to_owned()).into()),
    }
}
