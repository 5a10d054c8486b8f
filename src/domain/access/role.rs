//! Roles: the built-in ones and what any role permits.
//! Must not know: who holds them.

use std::sync::LazyLock;

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
    pub description: String,
    /// Control-plane patterns.
    pub actions: Vec<String>,
    /// Control-plane patterns taken away again.
    #[serde(default)]
    pub not_actions: Vec<String>,
    /// Data-plane patterns.
    #[serde(default)]
    pub data_actions: Vec<String>,
    /// Data-plane patterns taken away again.
    #[serde(default)]
    pub not_data_actions: Vec<String>,
}

impl Role {
    /// Whether the role has `action` in the plane's list and not in the list taken away.
    #[must_use]
    pub fn permits(&self, plane: Plane, action: &str) -> bool {
        let (given, taken) = match plane {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        given.iter().any(|p| matches(p, action)) && !taken.iter().any(|p| matches(p, action))
    }
}

/// The built-in roles that matter for vaults, identities and registries, as Azure publishes them
/// (ids, actions and texts from a dump of the service, August 2026).
pub static BUILT_IN: LazyLock<Vec<Role>> =
    LazyLock::new(|| serde_json::from_str(include_str!("built_in_roles.json")).unwrap_or_default());

/// The built-in role with this GUID.
#[must_use]
pub fn built_in(id: &str) -> Option<&'static Role> {
    BUILT_IN.iter().find(|r| r.id.eq_ignore_ascii_case(id))
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

    #[test]
    fn the_built_in_roles_are_there() {
        assert!(BUILT_IN.len() > 30);
        let owner = built_in("8e3af657-a8ff-443c-a75c-2fe8c4bcb635").unwrap();
        assert!(owner.permits(Plane::Control, "Microsoft.KeyVault/vaults/write"));
        assert!(!owner.permits(Plane::Data, "Microsoft.KeyVault/vaults/keys/read"));
    }
}
