//! Refusals of callers who are known and may not.
//! Must not know: status codes, JSON, which protocol asked.

use super::{Error, VaultPlace};
use crate::domain::access::Caller;

/// Known callers who may not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AccessError {
    /// No role gives the control-plane action.
    #[error("{caller} has no role that gives {action} on {scope}")]
    Action {
        caller: Caller,
        /// What, e.g. `Microsoft.KeyVault/vaults/write`.
        action: String,
        scope: String,
    },
    /// No access policy gives the permission.
    #[error("{caller} has no permission '{permission}' for {kind} in the access policies of vault {}", vault.name)]
    Policy {
        caller: Caller,
        /// `keys`, `secrets`, …
        kind: &'static str,
        /// `get`, `wrapKey`, …
        permission: &'static str,
        vault: VaultPlace,
    },
    /// No role gives the data action.
    #[error("{caller} has no role that gives {action} on {resource}")]
    Role {
        caller: Caller,
        action: String,
        /// On what: the resource id, lower-cased.
        resource: String,
        vault: VaultPlace,
    },
    /// The vault's firewall does not know the address.
    #[error("the firewall of vault {} keeps out {caller}", vault.name)]
    Firewall {
        caller: Caller,
        /// `bypass` is `None`.
        bypass_none: bool,
        vault: VaultPlace,
    },
    /// The vault's public network access is off.
    #[error("vault {} has no public network access, which keeps out {caller}", vault.name)]
    PublicNetwork {
        caller: Caller,
        /// `bypass` is `None`.
        bypass_none: bool,
        vault: VaultPlace,
    },
}

impl From<AccessError> for Error {
    fn from(inner: AccessError) -> Self {
        Self::Access(Box::new(inner))
    }
}
