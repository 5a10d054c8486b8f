//! What may be done with repositories, tags and manifests: attributes that are changed, and quarantine.
//! Must not know: how content is kept.

use serde_json::{Value, json};

use crate::domain::error::{Error, Result};

/// `changeableAttributes`: what may be done with a repository, tag or manifest. All true at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// `deleteEnabled`; see [`Attributes::deletable`].
    pub delete: bool,
    /// `writeEnabled`.
    pub write: bool,
    /// `readEnabled`.
    pub read: bool,
    /// `listEnabled`.
    pub list: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { delete: true, write: true, read: true, list: true }
    }
}

impl Attributes {
    /// As stored: one bit each, the one for delete lowest.
    #[must_use]
    pub fn bits(self) -> i64 {
        i64::from(self.delete) | i64::from(self.write) << 1 | i64::from(self.read) << 2 | i64::from(self.list) << 3
    }

    /// From what was stored.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self { delete: bits & 1 != 0, write: bits & 2 != 0, read: bits & 4 != 0, list: bits & 8 != 0 }
    }

    /// Whether it may be deleted: what may not be written may not be deleted either [issue].
    #[must_use]
    pub fn deletable(self) -> bool {
        self.delete && self.write
    }

    /// With the changes of a PATCH body; what it does not name stays.
    pub fn patched(self, body: &Value) -> Result<Self> {
        let wrong = |why: &str| crate::domain::error::RequestError::Malformed(why.to_owned());
        let body = body.as_object().ok_or_else(|| wrong("the body is not a JSON object"))?;
        let flag = |name: &str, now: bool| match body.get(name) {
            None | Some(Value::Null) => Ok(now),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(Error::from(wrong(&format!("{name} is not a boolean")))),
        };
        Ok(Self {
            delete: flag("deleteEnabled", self.delete)?,
            write: flag("writeEnabled", self.write)?,
            read: flag("readEnabled", self.read)?,
            list: flag("listEnabled", self.list)?,
        })
    }

    /// As `/acr/v1` shows them [recorded].
    #[must_use]
    pub fn shown(self) -> Value {
        json!({
            "deleteEnabled": self.delete,
            "writeEnabled": self.write,
            "readEnabled": self.read,
            "listEnabled": self.list,
        })
    }
}

/// Where a manifest stands with a registry's quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quarantine {
    /// Anyone may pull it who may pull at all: a scanner found it good, or it was never in quarantine [recorded].
    #[default]
    Passed,
    /// It was pushed under a quarantine policy and waits. [inferred: the word]
    Quarantined,
    /// A scanner found it bad.
    Failed,
}

impl Quarantine {
    const ALL: [Self; 3] = [Self::Passed, Self::Quarantined, Self::Failed];

    /// As `quarantineState` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Quarantined => "Quarantined",
            Self::Failed => "Failed",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word().eq_ignore_ascii_case(word))
    }
}
