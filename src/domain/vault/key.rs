//! Keys: what their versions hold beside what all objects have, and in which state which operation is allowed.
//! Must not know: registries, who is calling, how RSA works.

use serde_json::Value;

use super::kind::ObjectKind;
use super::object::{self, Kind, Object};
use super::rotation;
use super::wanted::{Material, check_policy};
use crate::domain::error::{KeyError, Result};
use crate::domain::world::crypto::Curve;
use crate::domain::world::time::Timestamp;

pub use super::object::Attributes;

/// What a key version can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Encrypt,
    Decrypt,
    /// Wrap a symmetric key.
    WrapKey,
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

/// The kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys;

/// A key.
pub type Key = Object<Keys>;

/// A key version.
pub type Version = object::Version<Keys>;

/// What holds for all versions of a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rotation {
    /// The rotation policy, as Key Vault answers it less `id`.
    pub policy: Option<Value>,
    /// When the policy makes the next version by itself.
    pub rotate_at: Option<Timestamp>,
    /// When the end of the newest version is near and that is to be told.
    pub near_expiry_at: Option<Timestamp>,
}

/// What a key version holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// `RSA`, `RSA-HSM`, `EC`, `EC-HSM`.
    pub kty: String,
    /// `n`, `e` or `crv`, `x`, `y`.
    pub public_jwk: Value,
    /// PKCS#8, sealed.
    pub private_key: Vec<u8>,
    /// `key_ops`.
    pub key_ops: Vec<String>,
    /// `exportable`, `release_policy`, …
    pub doc: Value,
}

/// What an update changes. What is `None` was not sent and stays (keyvault.md A.5).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// `key_ops`, replaced whole.
    pub key_ops: Option<Vec<String>>,
    /// `attributes`.
    pub attributes: Attributes,
    /// Tags, replaced whole.
    pub tags: Option<Value>,
    /// `release_policy`.
    pub release_policy: Option<Value>,
}

fn bad<T>(text: &str) -> Result<T> {
    Err(KeyError::BadParameter(text.to_owned()).into())
}

impl Kind for Keys {
    const KIND: ObjectKind = ObjectKind::Key;
    type Whole = Rotation;
    type Content = Content;
    type Change = Change;

    fn change(version: &mut Version, change: Change, now: Timestamp) -> Result<()> {
        check_policy(change.release_policy.as_ref())?;
        let own = &mut version.own;
        if let Some(policy) = change.release_policy {
            // What is immutable of it is told by the policy itself [recorded].
            if own.doc["release_policy"]["immutable"] == true && own.doc["release_policy"] != policy {
                return bad("AKV.SKR.1020: Immutable Key Release Policy cannot be modified.");
            }
            if own.doc["exportable"] != true {
                return bad("AKV.SKR.1005: Non-exportable keys must not have release policy.");
            }
            own.doc["release_policy"] = policy;
        }
        if let Some(ops) = change.key_ops {
            own.key_ops = ops;
        }
        version.apply(&change.attributes, change.tags, now);
        Ok(())
    }

    /// When the key rotates by itself and when its end is told as near. A time that has passed already means now: a
    /// policy does not reach into the past.
    fn plan(key: &mut Key, newest: &Version, now: Timestamp) {
        let policy = key.own.policy.as_ref();
        let next = policy.and_then(|p| rotation::next(p, newest.created_at, newest.expires));
        let announced = newest.expires.is_some() && newest.own.doc["near_expiry_told"].as_i64() == newest.expires;
        let near = rotation::near_expiry(policy, newest.expires).filter(|_| !announced);
        key.own.rotate_at = next.map(|at| at.max(now));
        key.own.near_expiry_at = near.map(|at| at.max(now));
    }
}

impl Version {
    /// Whether `operation` is allowed now, by the version's own state (keyvault.md A.7).
    pub fn allows(&self, operation: Operation, now: Timestamp) -> Result<()> {
        let name = operation.as_str();
        if !self.enabled {
            return Err(KeyError::Disabled(ObjectKind::Key, name).into());
        }
        if operation.makes() {
            if self.expires.is_some_and(|exp| now.seconds() >= exp) {
                return Err(KeyError::Expired(name).into());
            }
            if self.not_before.is_some_and(|nbf| now.seconds() < nbf) {
                return Err(KeyError::NotYetValid(name).into());
            }
        }
        if !self.own.key_ops.iter().any(|op| op.eq_ignore_ascii_case(name)) {
            return Err(KeyError::OperationForbidden(name).into());
        }
        Ok(())
    }

    /// The first instant after `now` at which what it allows changes by itself.
    #[must_use]
    pub fn turns_after(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = [self.not_before, self.expires].into_iter().flatten().map(Timestamp::from_seconds);
        ends.filter(|at| *at > now).min()
    }

    /// In a word, how it stands now by its own attributes.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.expires, self.not_before) {
            _ if !self.enabled => "disabled",
            (Some(exp), _) if now.seconds() >= exp => "expired",
            (_, Some(nbf)) if now.seconds() < nbf => "not yet valid",
            _ => "enabled",
        }
    }

    /// Of what it is made.
    #[must_use]
    pub fn material(&self) -> Material {
        match self.curve() {
            Some(curve) => Material::Ec(curve),
            None => Material::Rsa(match self.own.public_jwk["n"].as_str().map_or(0, str::len) {
                // The base64url lengths of 128, 256, 384 and 512 bytes.
                ..=171 => 1024,
                172..=342 => 2048,
                343..=512 => 3072,
                _ => 4096,
            }),
        }
    }

    /// Its curve, where it has one.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        self.own.public_jwk["crv"].as_str().and_then(Curve::parse)
    }

    /// Whether its type is one of those ending in `-HSM`.
    #[must_use]
    pub fn is_hsm(&self) -> bool {
        self.own.kty.ends_with("-HSM")
    }

    /// Whether it is an RSA key, software or HSM.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.own.kty.eq_ignore_ascii_case("RSA") || self.own.kty.eq_ignore_ascii_case("RSA-HSM")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        let own = Content {
            kty: "RSA".into(),
            public_jwk: Value::Null,
            private_key: Vec::new(),
            key_ops: vec!["wrapKey".into(), "unwrapKey".into()],
            doc: Value::Null,
        };
        let dates = Attributes { not_before: Some(100), expires: Some(200), ..Attributes::default() };
        Version::made((1, "0".repeat(32)), &dates, None, own, Timestamp(0))
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
    fn a_state_is_that_of_the_moment() {
        let at = |seconds| version().state(Timestamp::from_seconds(seconds));
        assert_eq!([at(99), at(100), at(200)], ["not yet valid", "enabled", "expired"]);
        assert_eq!(Version { enabled: false, ..version() }.state(Timestamp::from_seconds(200)), "disabled");
    }

    #[test]
    fn disabled_stops_everything_and_key_ops_the_rest() {
        let off = Version { enabled: false, ..version() };
        assert_eq!(
            off.allows(Operation::UnwrapKey, Timestamp(0)),
            Err(KeyError::Disabled(ObjectKind::Key, "unwrapKey").into())
        );
        let denied = version().allows(Operation::Decrypt, Timestamp(0));
        assert_eq!(denied, Err(KeyError::OperationForbidden("decrypt").into()));
    }
}
