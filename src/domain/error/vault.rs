//! Refusals of vaults and of what lies in them.
//! Must not know: status codes, JSON, which protocol asked.

use crate::domain::vault::kind::ObjectKind;

/// A vault as refusals name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPlace {
    pub name: String,
    pub location: String,
}

/// Refusals of vaults as resources.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VaultError {
    /// The host names no vault. On Azure the name would not resolve.
    #[error("there is no vault {0}")]
    Unknown(String),
    /// Out of grammar [issue].
    #[error(
        "The vault name '{0}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
    )]
    NameInvalid(String),
    /// Taken by a living vault elsewhere; "globaly" is Azure's spelling [recorded].
    #[error(
        "The vault name '{0}' is already in use. Vault names are globaly unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information on soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740."
    )]
    NameInUse(String),
    /// Taken by a soft-deleted vault.
    #[error("vault {0} is deleted and can be recovered")]
    SoftDeleted(String),
    /// No such deleted vault.
    #[error("there is no deleted vault {0}")]
    DeletedNotFound(String),
    /// Purge protection forbids it.
    #[error("vault {0} is protected from being purged")]
    PurgeProtected(String),
    /// `enablePurgeProtection: false`.
    #[error("purge protection cannot be switched off")]
    PurgeProtectionIrreversible,
    /// `enableSoftDelete: false`.
    #[error("soft delete cannot be switched off")]
    SoftDeleteIrreversible,
    /// `softDeleteRetentionInDays` is fixed at creation.
    #[error("the days of soft delete cannot be changed")]
    RetentionFixed,
    /// Any other wrong property.
    #[error("{0}")]
    Invalid(String),
}

/// Refusals of keys and secrets.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// No such object or version; as addressed, `name` or `name/version`.
    #[error("there is no {kind} {name}", kind = .0.noun(), name = .1)]
    NotFound(ObjectKind, String),
    /// No such deleted object.
    #[error("there is no deleted {kind} {name}", kind = .0.noun(), name = .1)]
    DeletedNotFound(ObjectKind, String),
    /// The name belongs to a deleted object.
    #[error(
        "{title} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the {noun} can only be recovered or purged.",
        title = .0.title(), name = .1, noun = .0.noun()
    )]
    DeletedButRecoverable(ObjectKind, String),
    /// The version is disabled.
    #[error("the {kind} version is disabled: {name} is not allowed", kind = .0.noun(), name = .1)]
    Disabled(ObjectKind, &'static str),
    /// The version has expired.
    #[error("the key version has expired: {0} is not allowed")]
    Expired(&'static str),
    /// The version is not valid yet.
    #[error("the key version is not valid yet: {0} is not allowed")]
    NotYetValid(&'static str),
    /// `key_ops` does not name the operation.
    #[error("the key is not for {0}")]
    OperationForbidden(&'static str),
    /// Purge protection forbids it.
    #[error("vault {} is protected from being purged", .0.name)]
    PurgeProtected(VaultPlace),
    /// A parameter is wrong.
    #[error("{0}")]
    BadParameter(String),
    /// Something with that name exists already: the whole message.
    #[error("{0}")]
    Conflict(String),
}
