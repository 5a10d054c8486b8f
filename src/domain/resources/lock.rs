//! Locks: what one forbids where [docs: lock-resources].
//! Must not know: how locks are kept, which resources there are.

use serde_json::Value;

/// The resource type of locks.
pub const LOCKS: &str = "Microsoft.Authorization/locks";

/// What a lock forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    CanNotDelete,
    /// All changes.
    ReadOnly,
}

impl Level {
    /// A level by its word, in any case.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        [Self::CanNotDelete, Self::ReadOnly].into_iter().find(|level| level.word().eq_ignore_ascii_case(word))
    }

    /// Its word in resource management.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CanNotDelete => "CanNotDelete",
            Self::ReadOnly => "ReadOnly",
        }
    }
}

/// A lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// The id of what it locks, with all that lies in it.
    pub scope: String,
    pub name: String,
    pub level: Level,
    pub notes: Option<String>,
    /// As sent; null where none were.
    pub owners: Value,
}

/// How a request changes what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Also by a POST: Azure cannot know what it does.
    Write,
    Delete,
}

impl Change {
    /// As refusals name it [issue].
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

fn lies_in(scope: &str, other: &str) -> bool {
    let (scope, other) = (scope.to_ascii_lowercase(), other.trim_end_matches('/').to_ascii_lowercase());
    scope.strip_prefix(&other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Lock {
    /// Whether it stands at a scope or in it.
    #[must_use]
    pub fn is_within(&self, scope: &str) -> bool {
        lies_in(&self.scope, scope)
    }

    /// Whether it forbids a change. What is deleted takes along all that lies in it, locked or not.
    #[must_use]
    pub fn forbids(&self, change: Change, scope: &str) -> bool {
        match (change, self.level) {
            (Change::Delete, _) => lies_in(scope, &self.scope) || lies_in(&self.scope, scope),
            (Change::Write, Level::ReadOnly) => lies_in(scope, &self.scope),
            (Change::Write, Level::CanNotDelete) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lock_forbids() {
        let lock = |level| Lock { scope: "/s/g".into(), name: "l".into(), level, notes: None, owners: Value::Null };
        let forbids = |level, change, scope: &str| lock(level).forbids(change, scope);
        for level in [Level::CanNotDelete, Level::ReadOnly] {
            for (scope, forbidden) in
                [("/S/G", true), ("/s/g/r", true), ("/s", true), ("/s/g2", false), ("/s/h", false)]
            {
                assert_eq!(forbids(level, Change::Delete, scope), forbidden, "{scope}");
            }
        }
        assert!(forbids(Level::ReadOnly, Change::Write, "/s/g/r") && !forbids(Level::ReadOnly, Change::Write, "/s"));
        assert!(!forbids(Level::CanNotDelete, Change::Write, "/s/g/r"));
    }
}
