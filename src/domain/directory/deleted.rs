//! Objects of the directory that were deleted and can be restored.
//! Must not know: how Graph writes them.

use serde::{Deserialize, Serialize};

use super::applications::{Application, FederatedCredential, Password};
use super::identity::{Principal, PrincipalKind};
use crate::domain::Timestamp;
use crate::domain::world::time::DAY;

/// How long a deleted object can be restored [docs].
pub const RESTORABLE: i64 = 30 * DAY;

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Object {
    /// An app registration.
    Application(Application),
    /// A service principal, a user or a group.
    Principal(Principal),
}

/// A deleted object with all that hung on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    pub object: Object,
    /// Its secrets.
    pub passwords: Vec<Password>,
    /// Whose tokens it took in place of a secret.
    pub federated: Vec<FederatedCredential>,
    /// Object ids of its owners.
    pub owners: Vec<String>,
    /// Object ids of the groups it was in.
    pub groups: Vec<String>,
    /// Object ids of its members.
    pub members: Vec<String>,
    pub deleted_at: Timestamp,
}

impl Deleted {
    /// An object on which nothing hung.
    #[must_use]
    pub fn bare(object: Object, deleted_at: Timestamp) -> Self {
        let (passwords, federated, owners) = (Vec::new(), Vec::new(), Vec::new());
        Self { object, passwords, federated, owners, groups: Vec::new(), members: Vec::new(), deleted_at }
    }

    /// Its object id.
    #[must_use]
    pub fn object_id(&self) -> &str {
        match &self.object {
            Object::Application(application) => &application.object_id,
            Object::Principal(principal) => &principal.object_id,
        }
    }

    /// What kind of object, in Graph's word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.object {
            Object::Application(_) => "application",
            Object::Principal(principal) => match principal.kind {
                PrincipalKind::Application | PrincipalKind::ManagedIdentity => "servicePrincipal",
                PrincipalKind::User => "user",
                PrincipalKind::Group => "group",
            },
        }
    }

    /// When it goes for good.
    #[must_use]
    pub fn purge_at(&self) -> Timestamp {
        self.deleted_at.plus(RESTORABLE)
    }
}

/// Whether a deleted object can be restored: managed identities go with their resource for good, and so do groups but
/// Microsoft 365's [docs: security groups cannot be restored].
#[must_use]
pub fn is_restorable(principal: &Principal) -> bool {
    match principal.kind {
        PrincipalKind::Application | PrincipalKind::User => true,
        PrincipalKind::ManagedIdentity => false,
        PrincipalKind::Group => {
            principal.doc["groupTypes"].as_array().is_some_and(|types| types.iter().any(|t| t == "Unified"))
        }
    }
}
