//! Secrets: what their versions hold beside what all objects have.
//! Must not know: who is calling, how values are sealed.

use serde_json::Value;

use super::kind::ObjectKind;
use super::object::{Attributes, Kind, Object, Version};
use crate::domain::error::{KeyError, Result};
use crate::domain::world::time::Timestamp;

/// Bytes of a value at most [docs: 25 KB].
const VALUE_LIMIT: usize = 25 * 1024;

/// Characters of a content type at most [docs].
const CONTENT_TYPE_LIMIT: usize = 255;

/// Refuses a value that no secret can have. The text is our own (keyvault.md H.4).
pub fn check_value(value: &str) -> Result<()> {
    if value.len() > VALUE_LIMIT {
        let text = format!("Property value has invalid value: it is longer than {VALUE_LIMIT} bytes.\r\n");
        return Err(KeyError::BadParameter(text).into());
    }
    Ok(())
}

impl Change {
    /// Refuses what no secret can have.
    pub fn check(&self) -> Result<()> {
        match self.content_type.as_ref().map(|kind| kind.chars().count()) {
            Some(length) if length > CONTENT_TYPE_LIMIT => {
                Err(KeyError::BadParameter("Property contentType has invalid value\r\n".to_owned()).into())
            }
            _ => Ok(()),
        }
    }
}

/// The kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Secrets;

/// A secret.
pub type Secret = Object<Secrets>;

/// A secret's version. Its dates inform; nothing is refused for them [docs].
pub type SecretVersion = Version<Secrets>;

/// What a secret's version holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The value, sealed.
    pub sealed: Vec<u8>,
    /// `contentType`.
    pub content_type: Option<String>,
}

/// What a write says beside the value. What is `None` was not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// `contentType`.
    pub content_type: Option<String>,
    /// `attributes`.
    pub attributes: Attributes,
    /// Tags, replaced whole.
    pub tags: Option<Value>,
}

impl Kind for Secrets {
    const KIND: ObjectKind = ObjectKind::Secret;
    type Whole = ();
    type Content = Content;
    type Change = Change;

    fn change(version: &mut SecretVersion, change: Change, now: Timestamp) -> Result<()> {
        change.check()?;
        version.own.content_type = change.content_type.or_else(|| version.own.content_type.take());
        version.apply(&change.attributes, change.tags, now);
        Ok(())
    }
}

impl SecretVersion {
    /// Whether its value may be read [recorded: a disabled secret is refused, unlike a disabled key].
    pub fn readable(&self) -> Result<()> {
        if self.enabled { Ok(()) } else { Err(KeyError::Disabled(ObjectKind::Secret, "get").into()) }
    }
}
