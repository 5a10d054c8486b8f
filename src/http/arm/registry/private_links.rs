//! `privateLinkResources`: what a private endpoint connects to.
//! Must not know: networks.

use serde_json::json;

use super::reading;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::world::name::REGISTRIES;
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// `GET …/privateLinkResources[/registry]` [docs: group and zone names].
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize, rest: &[&str]) -> Result<Answer> {
    let (_, registry) = reading(arm, group, at, "privateLinkResources/read").await?;
    let resource = json!({
        "type": format!("{REGISTRIES}/privateLinkResources"),
        "id": format!("{}/privateLinkResources/registry", registry.arm_id()),
        "name": "registry",
        "properties": {
            "groupId": "registry",
            "requiredMembers": ["registry", format!("registry_data_{}", registry.location)],
            "requiredZoneNames": ["privatelink.azurecr.io"],
        },
    });
    match rest {
        [] => Ok(Answer::list(vec![resource])),
        ["registry"] => Ok(Answer::ok(resource)),
        [other, ..] => Err(ResourceError::ChildNotFound((*other).to_owned()).into()),
    }
}
