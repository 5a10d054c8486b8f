//! Secrets and their versions.
//! Must not know: who is calling, how values are sealed.

use serde_json::Value;

use super::Deletion;
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

/// A secret: a name, and what holds for all its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    pub id: i64,
    /// Row id of its vault.
    pub vault: i64,
    pub name: String,
    /// Set while soft-deleted.
    pub deleted: Option<Deletion>,
}

impl Secret {
    /// Its soft deletion, or the refusal of a secret that is not deleted.
    pub fn deletion(&self) -> Result<Deletion> {
        self.deleted.ok_or_else(|| KeyError::DeletedSecretNotFound(self.name.clone()).into())
    }
}

/// A secret's version.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretVersion {
    pub id: i64,
    /// Row id of its secret.
    pub secret: i64,
    /// 32 hex digits.
    pub version: String,
    /// The value, sealed.
    pub sealed: Vec<u8>,
    /// `contentType`.
    pub content_type: Option<String>,
    /// `attributes.enabled`.
    pub enabled: bool,
    /// `attributes.nbf`, seconds. It informs; nothing is refused for it [docs].
    pub not_before: Option<i64>,
    /// `attributes.exp`, seconds. It informs; nothing is refused for it [docs].
    pub expires: Option<i64>,
    /// Tags; `None` when never set.
    pub tags: Option<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a write says beside the value. What is `None` was not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// `contentType`.
    pub content_type: Option<String>,
    /// `attributes.enabled`.
    pub enabled: Option<bool>,
    /// `attributes.nbf`, seconds.
    pub not_before: Option<i64>,
    /// `attributes.exp`, seconds.
    pub expires: Option<i64>,
    /// Tags, replaced whole.
    pub tags: Option<Value>,
}

impl SecretVersion {
    /// Applies an update.
    pub fn change(&mut self, change: Change, now: Timestamp) {
        self.content_type = change.content_type.or_else(|| self.content_type.take());
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.not_before = change.not_before.or(self.not_before);
        self.expires = change.expires.or(self.expires);
        self.tags = change.tags.or_else(|| self.tags.take());
        self.updated_at = now;
    }

    /// Whether its value may be read [recorded: a disabled secret is refused, unlike a disabled key].
    pub fn readable(&self) -> Result<()> {
        if self.enabled { Ok(()) } else { Err(KeyError::SecretDisabled("get").into()) }
    }
}
