//! What the objects of a vault have alike, whatever their kind: a name, soft deletion, versions with dates and tags.
//! Must not know: what an object of any kind is made of, who is calling.

use std::fmt::Debug;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Deletion;
use super::kind::ObjectKind;
use crate::domain::error::{Error, KeyError, Result};
use crate::domain::world::name;
use crate::domain::world::time::Timestamp;

/// A kind of object: what it has of its own, and what follows when it changes.
pub trait Kind: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// Which one.
    const KIND: ObjectKind;
    /// What holds for all versions of one object.
    type Whole: Debug + Clone + PartialEq + Default + Send + Sync;
    /// What a version holds beside dates and tags.
    type Content: Debug + Clone + PartialEq + Send + Sync;
    /// What an update can say.
    type Change: Send;

    /// Applies an update to a version.
    fn change(version: &mut Version<Self>, change: Self::Change, now: Timestamp) -> Result<()>;

    /// Sets what the object will do by itself, after it or its newest version changed.
    fn plan(_object: &mut Object<Self>, _newest: &Version<Self>, _now: Timestamp) {}
}

/// An object: a name in a vault, and what holds for all its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<K: Kind> {
    pub id: i64,
    /// Row id of its vault.
    pub vault: i64,
    pub name: String,
    /// Set while soft-deleted.
    pub deleted: Option<Deletion>,
    /// What its kind adds.
    pub own: K::Whole,
}

impl<K: Kind> Object<K> {
    /// Its soft deletion, or the refusal of an object that is not deleted.
    pub fn deletion(&self) -> Result<Deletion> {
        self.deleted.ok_or_else(|| KeyError::DeletedNotFound(K::KIND, self.name.clone()).into())
    }
}

/// A version of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Version<K: Kind> {
    pub id: i64,
    /// Row id of its object.
    pub object: i64,
    /// 32 hex digits.
    pub version: String,
    /// `attributes.enabled`.
    pub enabled: bool,
    /// `attributes.nbf`, seconds.
    pub not_before: Option<i64>,
    /// `attributes.exp`, seconds.
    pub expires: Option<i64>,
    /// Tags; `None` when never set.
    pub tags: Option<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What its kind adds.
    pub own: K::Content,
}

/// `attributes` of a write. What is `None` was not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Attributes {
    pub enabled: Option<bool>,
    /// Seconds.
    #[serde(rename = "nbf")]
    pub not_before: Option<i64>,
    /// Seconds.
    #[serde(rename = "exp")]
    pub expires: Option<i64>,
    /// Of keys alone.
    pub exportable: Option<bool>,
}

impl<K: Kind> Version<K> {
    /// A version that is made at `now`. It has no row id yet.
    #[must_use]
    pub fn made(
        (object, version): (i64, String),
        attributes: &Attributes,
        tags: Option<Value>,
        own: K::Content,
        now: Timestamp,
    ) -> Self {
        Self {
            id: 0,
            object,
            version,
            enabled: attributes.enabled.unwrap_or(true),
            not_before: attributes.not_before,
            expires: attributes.expires,
            tags,
            created_at: now,
            updated_at: now,
            own,
        }
    }

    /// Applies what an update can say of any kind. What was not sent stays (keyvault.md A.5).
    pub(super) fn apply(&mut self, attributes: &Attributes, tags: Option<Value>, now: Timestamp) {
        self.enabled = attributes.enabled.unwrap_or(self.enabled);
        self.not_before = attributes.not_before.or(self.not_before);
        self.expires = attributes.expires.or(self.expires);
        self.tags = tags.or_else(|| self.tags.take());
        self.updated_at = now;
    }
}

/// The refusal of a member of a body. Only the one without a name is known, of a body that cannot be read; the others are
/// after it (keyvault.md H.4).
#[must_use]
pub fn invalid(member: &str) -> Error {
    KeyError::BadParameter(format!("Property {member} has invalid value\r\n")).into()
}

/// Tags: at most 15 texts, each of at most 256 characters, as are their names [docs].
pub fn check_tags(tags: Option<Map<String, Value>>) -> Result<Option<Value>> {
    let short = |text: &str| text.chars().count() <= 256;
    let fits = |(name, value): (&String, &Value)| short(name) && value.as_str().is_some_and(short);
    match tags {
        Some(tags) if tags.len() > 15 || !tags.iter().all(fits) => Err(invalid("tags")),
        tags => Ok(tags.map(Value::Object)),
    }
}

/// Refuses a name that no object can have [issue].
pub fn check_name(name: &str) -> Result<()> {
    if name::is_vault_object(name) {
        return Ok(());
    }
    Err(KeyError::BadParameter(format!("The request URI contains an invalid name: {name}")).into())
}
