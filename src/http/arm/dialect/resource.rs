//! How resource management itself says no: groups, locations, roles, deployments, locks.
//! Must not know: routes.

use axum::http::StatusCode;

use super::{Said, gateway, said};
use crate::domain::error::{AssignmentError, DeploymentError, ResourceError};
use crate::domain::resources::region;
use crate::domain::resources::template::DEPLOYMENTS;
use crate::domain::world::time::DAY;
use crate::domain::world::well_known::TENANT_ID;

pub(super) fn say(error: &ResourceError) -> Said {
    use StatusCode as S;
    match error {
        ResourceError::SubscriptionNotFound(id) => {
            gateway(S::NOT_FOUND, "SubscriptionNotFound", format!("The subscription '{id}' could not be found."))
        }
        ResourceError::GroupNotFound(group) => {
            gateway(S::NOT_FOUND, "ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
        }
        ResourceError::NotFound { resource, group } => gateway(
            S::NOT_FOUND,
            "ResourceNotFound",
            format!(
                "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        ),
        ResourceError::ChildNotFound(name) => {
            said(S::NOT_FOUND, "ResourceNotFound", format!("The resource {name} could not be found."))
        }
        ResourceError::ProviderNotFound(namespace) => gateway(
            S::NOT_FOUND,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid. See the table of limits in Acrite's README."),
        ),
        ResourceError::TypeNotFound { namespace, kind } => gateway(
            S::NOT_FOUND,
            "InvalidResourceType",
            format!(
                "The resource type '{kind}' could not be found in the namespace '{namespace}' for the api-version given. See the table of limits in Acrite's README."
            ),
        ),
        ResourceError::NameInvalid { name, kind } => gateway(
            S::BAD_REQUEST,
            "InvalidResourceName",
            format!("The resource name '{name}' of type '{kind}' is not valid."),
        ),
        ResourceError::LocationMissing => {
            gateway(S::BAD_REQUEST, "LocationRequired", "The location property is required for this definition.")
        }
        ResourceError::LocationUnavailable { wanted, kind } => location_unavailable(wanted, kind),
        ResourceError::LocationFixed { name, existing, wanted } => gateway(
            S::CONFLICT,
            "InvalidResourceLocation",
            format!(
                "The resource '{name}' already exists in location '{existing}'. A resource with the same name cannot be created in location '{wanted}'. Please select a new resource name."
            ),
        ),
        ResourceError::IdentityOperation { resource, message } => gateway(
            S::BAD_REQUEST,
            "FailedIdentityOperation",
            format!(
                "Identity operation for resource '{resource}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '{{\"error\":{{\"code\":\"BadRequest\",\"message\":\"{message}\"}}}}'.'."
            ),
        ),
        ResourceError::Assignment(error) => assignment(error),
        ResourceError::OperationNotFound(name) => {
            said(S::NOT_FOUND, "ResourceNotFound", format!("The operation {name} could not be found."))
        }
        ResourceError::Deployment(error) => deployment(error),
        ResourceError::LockNotFound(name) => {
            gateway(S::NOT_FOUND, "LockNotFound", format!("The lock '{name}' could not be found."))
        }
        // [issue: code, status and text]
        ResourceError::Locked { scope, change, by } => gateway(
            S::CONFLICT,
            "ScopeLocked",
            format!(
                "The scope '{scope}' cannot perform {change} operation because following scope(s) are locked: '{by}'. Please remove the lock and try again."
            ),
        ),
        ResourceError::DirectoryObjectNotFound(id) => {
            said(S::NOT_FOUND, "NotFound", format!("The object '{id}' could not be found."))
        }
    }
}

fn location_unavailable(wanted: &str, kind: &str) -> Said {
    let (code, what) = match kind {
        region::GROUPS => ("LocationNotAvailableForResourceGroup", "resource group".to_owned()),
        DEPLOYMENTS => ("LocationNotAvailableForDeployment", "deployment".to_owned()),
        _ => ("LocationNotAvailableForResourceType", format!("resource type '{kind}'")),
    };
    let whose = if what.starts_with("resource type") { " for the resource type" } else { "" };
    gateway(
        StatusCode::BAD_REQUEST,
        code,
        format!(
            "The provided location '{wanted}' is not available for {what}. List of available regions{whose} is '{}'.",
            region::names()
        ),
    )
}

fn assignment(error: &AssignmentError) -> Said {
    use StatusCode as S;
    match error {
        AssignmentError::Exists { name } => said(
            S::CONFLICT,
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                name.replace('-', "")
            ),
        ),
        AssignmentError::Fixed => said(
            S::CONFLICT,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ),
        // The message is Azure's [docs: conditions-troubleshoot], the code is a guess [inferred].
        AssignmentError::Condition(why) => {
            tracing::warn!(%why, "the condition of a role assignment was refused");
            said(S::BAD_REQUEST, "InvalidRoleAssignmentCondition", "The given role assignment condition is invalid.")
        }
        // The misspelt word is Azure's [issue].
        AssignmentError::PrincipalType { principal_id, is, given } => said(
            S::BAD_REQUEST,
            "UnmatchedPrincipalType",
            format!(
                "The PrincipalId '{}' has type '{is}' , which is different from specified PrinciaplType '{given}'.",
                principal_id.replace('-', "")
            ),
        ),
        AssignmentError::PrincipalNotFound(id) => said(
            S::BAD_REQUEST,
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {TENANT_ID}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
                id.replace('-', "")
            ),
        ),
        AssignmentError::RoleNotFound(id) => said(
            S::NOT_FOUND,
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{}' does not exist.", id.replace('-', "")),
        ),
    }
}

fn deployment(error: &DeploymentError) -> Said {
    use StatusCode as S;
    match error {
        DeploymentError::NotFound(name) => {
            gateway(S::NOT_FOUND, "DeploymentNotFound", format!("Deployment '{name}' could not be found."))
        }
        // [issue: code and text]
        DeploymentError::Active { name, began } => gateway(
            S::CONFLICT,
            "DeploymentActive",
            format!(
                "Unable to edit or replace deployment '{name}': previous deployment from '{}' is still active (expiration time is '{}'). Please see https://aka.ms/arm-deploy for usage details.",
                began.american(),
                began.plus(7 * DAY).american(),
            ),
        ),
        DeploymentError::Ended { name, state } => gateway(
            S::CONFLICT,
            "DeploymentCannotBeCancelled",
            format!(
                "The deployment '{name}' cannot be cancelled. The provisioning state of the deployment is '{state}'."
            ),
        ),
        DeploymentError::Template(message) => gateway(S::BAD_REQUEST, "InvalidTemplate", message.clone()),
    }
}
