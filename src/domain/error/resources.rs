//! Refusals of resource management itself.
//! Must not know: status codes, JSON, which protocol asked.

use crate::domain::world::time::Timestamp;

/// Refusals of resource management itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResourceError {
    #[error("there is no subscription {0}")]
    SubscriptionNotFound(String),
    /// No such resource group.
    #[error("there is no resource group {0}")]
    GroupNotFound(String),
    /// No such resource.
    #[error("there is no {resource} in resource group {group}")]
    NotFound {
        /// `Microsoft.KeyVault/vaults/x`.
        resource: String,
        group: String,
    },
    /// A child resource is missing (the provider's own short text).
    #[error("there is no {0}")]
    ChildNotFound(String),
    /// A provider that is not emulated or does not exist.
    #[error("there is no resource provider {0}")]
    ProviderNotFound(String),
    /// A resource type that the provider does not have here.
    #[error("{namespace} has no resource type {kind}")]
    TypeNotFound {
        /// The provider's namespace.
        namespace: String,
        /// The type below it.
        kind: String,
    },
    /// A name out of grammar.
    #[error("{name} is no name of {kind}")]
    NameInvalid {
        name: String,
        /// The resource type.
        kind: String,
    },
    #[error("there is no location")]
    LocationMissing,
    /// The location is no region that has such resources.
    #[error("{kind} is not to be had in {wanted}")]
    LocationUnavailable {
        /// As sent.
        wanted: String,
        /// The resource type.
        kind: String,
    },
    /// A location cannot be changed.
    #[error("{name} is in {existing} and cannot be moved to {wanted}")]
    LocationFixed {
        name: String,
        existing: String,
        /// Where it was asked to be.
        wanted: String,
    },
    /// An identity to attach does not exist, or identity and type disagree.
    #[error("{resource}: {message}")]
    IdentityOperation {
        /// The resource that was to get the identity.
        resource: String,
        /// The inner message.
        message: String,
    },
    /// A role assignment.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    /// A long-running operation that does not exist.
    #[error("there is no operation {0}")]
    OperationNotFound(String),
    /// A deployment.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    #[error("there is no lock {0}")]
    LockNotFound(String),
    /// A lock forbids the change.
    #[error("{change} of {scope} is forbidden by locks of {by}")]
    Locked {
        scope: String,
        /// `write` or `delete`.
        change: &'static str,
        /// What is locked, comma-separated.
        by: String,
    },
    /// The directory has no such object.
    #[error("there is no directory object {0}")]
    DirectoryObjectNotFound(String),
}

/// Refusals of role assignments.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AssignmentError {
    /// Same scope, principal and role, other name.
    #[error("the role assignment exists already: {name}")]
    Exists {
        /// The existing one's name, a GUID.
        name: String,
    },
    /// The condition of a role assignment cannot be read: why.
    #[error("the condition cannot be read: {0}")]
    Condition(String),
    /// A role assignment cannot be changed in these fields.
    #[error("these fields of a role assignment cannot be changed")]
    Fixed,
    /// The principal is not in the directory.
    #[error("there is no principal {0}")]
    PrincipalNotFound(String),
    /// The principal is of another type than the role assignment says.
    #[error("principal {principal_id} is a {is}, not a {given}")]
    PrincipalType { principal_id: String, is: &'static str, given: String },
    /// The role is not known.
    #[error("there is no role {0}")]
    RoleNotFound(String),
}

/// Refusals of deployments.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeploymentError {
    /// No such deployment.
    #[error("there is no deployment {0}")]
    NotFound(String),
    /// A deployment of that name is under way.
    #[error("deployment {name} is under way")]
    Active { name: String, began: Timestamp },
    /// A deployment that has ended cannot be cancelled.
    #[error("deployment {name} has ended: {state}")]
    Ended {
        name: String,
        /// How it ended.
        state: String,
    },
    /// A template is not valid: the whole message.
    #[error("{0}")]
    Template(String),
}
