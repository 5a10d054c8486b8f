//! Refusals of resource management itself.
//! Must not know: status codes, JSON, which protocol asked.

use crate::domain::world::time::Timestamp;

/// Refusals of resource management itself.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceError {
    SubscriptionNotFound(String),
    /// No such resource group.
    GroupNotFound(String),
    /// No such resource.
    NotFound {
        /// `Microsoft.KeyVault/vaults/x`.
        resource: String,
        group: String,
    },
    /// A child resource is missing (the provider's own short text).
    ChildNotFound(String),
    /// A provider that is not emulated or does not exist.
    ProviderNotFound(String),
    /// A resource type that the provider does not have here.
    TypeNotFound {
        /// The provider's namespace.
        namespace: String,
        /// The type below it.
        kind: String,
    },
    /// A name out of grammar.
    NameInvalid {
        name: String,
        /// The resource type.
        kind: String,
    },
    LocationMissing,
    /// The location is no region that has such resources.
    LocationUnavailable {
        /// As sent.
        wanted: String,
        /// The resource type.
        kind: String,
    },
    /// A location cannot be changed.
    LocationFixed {
        name: String,
        existing: String,
        /// Where it was asked to be.
        wanted: String,
    },
    /// An identity to attach does not exist, or identity and type disagree.
    IdentityOperation {
        /// The resource that was to get the identity.
        resource: String,
        /// The inner message.
        message: String,
    },
    /// Same scope, principal and role, other name.
    RoleAssignmentExists {
        /// The existing one's name, a GUID.
        name: String,
    },
    /// The condition of a role assignment cannot be read: why.
    ConditionInvalid(String),
    /// A role assignment cannot be changed in these fields.
    RoleAssignmentFixed,
    /// The principal is not in the directory.
    PrincipalNotFound(String),
    /// The principal is of another type than the role assignment says.
    PrincipalTypeUnmatched {
        principal_id: String,
        is: &'static str,
        given: String,
    },
    /// The role is not known.
    RoleNotFound(String),
    /// A long-running operation that does not exist.
    OperationNotFound(String),
    /// No such deployment.
    DeploymentNotFound(String),
    /// A deployment of that name is under way.
    DeploymentActive {
        name: String,
        began: Timestamp,
    },
    /// A deployment that has ended cannot be cancelled.
    DeploymentEnded {
        name: String,
        /// How it ended.
        state: String,
    },
    /// A template is not valid: the whole message.
    TemplateInvalid(String),
    /// The directory has no such object.
    DirectoryObjectNotFound(String),
}
