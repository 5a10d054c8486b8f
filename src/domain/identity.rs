//! Principals of the directory and the managed identities among them.
//! Must not know: tokens, what rights anybody holds.

use super::time::Timestamp;

/// What kind of principal, in Entra ID's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A service principal of an app registration.
    Application,
    /// A service principal of a managed identity.
    ManagedIdentity,
    /// A person.
    User,
    /// A group.
    Group,
}

impl PrincipalKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::ManagedIdentity => "ManagedIdentity",
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Application, Self::ManagedIdentity, Self::User, Self::Group].into_iter().find(|k| k.as_str() == text)
    }

    /// As role assignments call it: `principalType`.
    #[must_use]
    pub fn principal_type(self) -> &'static str {
        match self {
            Self::Application | Self::ManagedIdentity => "ServicePrincipal",
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// An object of the directory that can hold rights.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Object id.
    pub object_id: String,
    /// Application id, where it has one.
    pub app_id: Option<String>,
    /// What it is.
    pub kind: PrincipalKind,
    /// Its name.
    pub display_name: String,
    /// For managed identities: the ARM id of the identity, or of the resource whose system identity it is.
    pub resource_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What Graph clients sent besides.
    pub doc: serde_json::Value,
}

/// A user-assigned managed identity, as an ARM resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Resource group.
    pub group: String,
    /// Name.
    pub name: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: serde_json::Value,
    /// Client-set properties (`isolationScope`, …).
    pub properties: serde_json::Value,
    /// Object id of its service principal.
    pub principal_id: String,
    /// Client id.
    pub client_id: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}
