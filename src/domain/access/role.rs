//! Roles, and what their lists give.
//! Must not know: who holds them, which there are.

use serde::{Deserialize, Serialize};

/// Which of a role's lists counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// `actions`: resource management, and the registry's older rights.
    Control,
    /// `dataActions`.
    Data,
}

/// A role definition. Custom roles have the same shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The definition's GUID.
    pub id: String,
    /// Its display name.
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    pub permissions: Vec<Permissions>,
}

/// One element of a role's `permissions`: it gives what its own lists say, where its own condition holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permissions {
    /// Control-plane patterns.
    pub actions: Vec<String>,
    /// Control-plane patterns taken away again.
    pub not_actions: Vec<String>,
    /// Data-plane patterns.
    pub data_actions: Vec<String>,
    /// Data-plane patterns taken away again.
    pub not_data_actions: Vec<String>,
    /// What has to hold besides. Only built-in roles have such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_version: Option<String>,
}

impl Permissions {
    /// Whether `action` is in the plane's list and not in the list taken away, the condition aside.
    #[must_use]
    pub fn list(&self, plane: Plane, action: &str) -> bool {
        let (given, taken) = match plane {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        given.iter().any(|p| matches(p, action)) && !taken.iter().any(|p| matches(p, action))
    }
}

/// Whether `action` matches `pattern`: case aside, `*` stands for any text, slashes included.
#[must_use]
pub fn matches(pattern: &str, action: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let action = action.to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("*", "Microsoft.KeyVault/vaults/write"));
        assert!(matches("*/read", "microsoft.keyvault/vaults/keys/read"));
        assert!(!matches("*/read", "microsoft.keyvault/vaults/write"));
        assert!(matches("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write"));
        assert!(!matches("Microsoft.KeyVault/vaults", "Microsoft.KeyVault/vaults/write"));
        assert!(!matches("ab*b", "ab"));
    }
}
