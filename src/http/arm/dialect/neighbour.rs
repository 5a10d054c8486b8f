//! How the providers of diagnostic settings and networks say no [issue: codes and texts].
//! Must not know: routes.

use axum::http::StatusCode;

use super::{Said, gateway, said};
use crate::domain::error::NeighbourError;

pub(super) fn say(error: &NeighbourError) -> Said {
    let bad = |code, message: String| said(StatusCode::BAD_REQUEST, code, message);
    match error {
        NeighbourError::DiagnosticsInvalid(message) => bad("BadRequest", message.clone()),
        NeighbourError::DiagnosticsUnsupported(kind) => {
            bad("ResourceTypeNotSupported", format!("The resource type '{kind}' does not support diagnostic settings."))
        }
        NeighbourError::SinkTaken { sink, setting, category } => said(
            StatusCode::CONFLICT,
            "Conflict",
            format!(
                "Data sink '{sink}' is already used in diagnostic setting '{setting}' for category '{category}'. Data sinks can't be reused in different settings on the same category for the same resource."
            ),
        ),
        NeighbourError::SubnetOutside { subnet, network } => bad(
            "NetcfgSubnetRangeOutsideVnet",
            format!(
                "Subnet '{subnet}' is not valid because its IP address range is outside the IP address range of virtual network '{network}'."
            ),
        ),
        NeighbourError::SubnetInUse { subnet, by } => bad(
            "InUseSubnetCannotBeDeleted",
            format!(
                "Subnet {subnet} is in use by {by} and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet."
            ),
        ),
        NeighbourError::Unmovable(kinds) => gateway(
            StatusCode::CONFLICT,
            "ResourceMoveNotSupported",
            format!("Resource move is not supported for resource types '{kinds}'."),
        ),
        NeighbourError::Unregistered(namespace) => gateway(
            StatusCode::CONFLICT,
            "MissingSubscriptionRegistration",
            format!(
                "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how to register subscriptions."
            ),
        ),
        // [inferred] The pages only say that it is refused.
        NeighbourError::ProviderInUse(namespace) => gateway(
            StatusCode::CONFLICT,
            "CannotUnregisterProvider",
            format!("The subscription still has resources of namespace '{namespace}', so it cannot be unregistered."),
        ),
        NeighbourError::ReferenceNotFound { what, by } => bad(
            "InvalidResourceReference",
            format!(
                "Resource {what} referenced by resource {by} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region."
            ),
        ),
    }
}
