//! Keys and their versions: attributes, operations, and in which state which operation is allowed.
//! Must not know: registries, who is calling, how RSA works.

use serde_json::Value;

use super::error::{KeyError, Result};
use super::time::Timestamp;
use super::vault::Deletion;

/// What a key version can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Encrypt.
    Encrypt,
    /// Decrypt.
    Decrypt,
    /// Wrap a symmetric key.
    WrapKey,
    /// Unwrap it.
    UnwrapKey,
    /// Sign a digest.
    Sign,
    /// Verify a signature.
    Verify,
}

impl Operation {
    /// As `key_ops` and messages name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::WrapKey => "wrapKey",
            Self::UnwrapKey => "unwrapKey",
            Self::Sign => "sign",
            Self::Verify => "verify",
        }
    }

    /// From a path segment, case aside.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Encrypt, Self::Decrypt, Self::WrapKey, Self::UnwrapKey, Self::Sign, Self::Verify]
            .into_iter()
            .find(|o| o.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether the operation makes something new. Those stop outside `nbf`..`exp`; undoing (decrypt,
    /// unwrap, verify) goes on, so that data is never lost to a date [docs key-attributes].
    fn makes(self) -> bool {
        matches!(self, Self::Encrypt | Self::WrapKey | Self::Sign)
    }
}

/// A key: a name, and what holds for all its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Row id.
    pub id: i64,
    /// Row id of its vault.
    pub vault: i64,
    /// Name.
    pub name: String,
    /// Set while soft-deleted.
    pub deleted: Option<Deletion>,
    /// The rotation policy, as Key Vault answers it less `id`.
    pub rotation_policy: Option<Value>,
}

/// A key version.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Row id.
    pub id: i64,
    /// Row id of its key.
    pub key: i64,
    /// 32 hex digits.
    pub version: String,
    /// `RSA`, `RSA-HSM`, `EC`, `EC-HSM`.
    pub kty: String,
    /// `n`, `e` or `crv`, `x`, `y`.
    pub public_jwk: Value,
    /// PKCS#8, sealed.
    pub private_key: Vec<u8>,
    /// `key_ops`.
    pub key_ops: Vec<String>,
    /// `attributes.enabled`.
    pub enabled: bool,
    /// `attributes.nbf`, seconds.
    pub not_before: Option<i64>,
    /// `attributes.exp`, seconds.
    pub expires: Option<i64>,
    /// Tags; `None` when never set.
    pub tags: Option<Value>,
    /// `exportable`, `release_policy`, …
    pub doc: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl Version {
    /// Whether `operation` is allowed now, by the version's own state (keyvault.md A.7).
    pub fn allows(&self, operation: Operation, now: Timestamp) -> Result<()> {
        let name = operation.as_str();
        if !self.enabled {
            return Err(KeyError::Disabled(name).into());
        }
        if operation.makes() {
            if self.expires.is_some_and(|exp| now.seconds() >= exp) {
                return Err(KeyError::Expired(name).into());
            }
            if self.not_before.is_some_and(|nbf| now.seconds() < nbf) {
                return Err(KeyError::NotYetValid(name).into());
            }
        }
        if !self.key_ops.iter().any(|op| op.eq_ignore_ascii_case(name)) {
            return Err(KeyError::OperationForbidden(name).into());
        }
        Ok(())
    }

    /// Whether it is an RSA key, software or HSM.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.kty.eq_ignore_ascii_case("RSA") || self.kty.eq_ignore_ascii_case("RSA-HSM")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        Version {
            id: 1,
            key: 1,
            version: "0".repeat(32),
            kty: "RSA".into(),
            public_jwk: Value::Null,
            private_key: Vec::new(),
            key_ops: vec!["wrapKey".into(), "unwrapKey".into()],
            enabled: true,
            not_before: Some(100),
            expires: Some(200),
            tags: None,
            doc: Value::Null,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn a_date_stops_wrapping_but_never_unwrapping() {
        let at = Timestamp::from_seconds;
        let v = version();
        assert_eq!(v.allows(Operation::WrapKey, at(150)), Ok(()));
        assert_eq!(v.allows(Operation::WrapKey, at(200)), Err(KeyError::Expired("wrapKey").into()));
        assert_eq!(v.allows(Operation::WrapKey, at(99)), Err(KeyError::NotYetValid("wrapKey").into()));
        assert_eq!(v.allows(Operation::UnwrapKey, at(900)), Ok(()));
        assert_eq!(v.allows(Operation::UnwrapKey, at(0)), Ok(()));
    }

    #[test]
    fn disabled_stops_everything_and_key_ops_the_rest() {
        let off = Version { enabled: false, ..version() };
        assert_eq!(off.allows(Operation::UnwrapKey, Timestamp(0)), Err(KeyError::Disabled("unwrapKey").into()));
        let denied = version().allows(Operation::Decrypt, Timestamp(0));
        assert_eq!(denied, Err(KeyError::OperationForbidden("decrypt").into()));
    }
}
