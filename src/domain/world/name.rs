//! The grammar of names and ids: vaults, keys, registries, ARM resource ids.
//! Must not know: whether what a name names exists.

use serde_json::Value;

use super::well_known::SUBSCRIPTION_ID;

/// Vaults: 3 to 24 letters, digits and hyphens; a letter first, no hyphen last, none doubled [docs].
#[must_use]
pub fn is_vault(name: &str) -> bool {
    (3..=24).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && name.as_bytes()[0].is_ascii_alphabetic()
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Keys and secrets: 1 to 127 letters, digits and hyphens [spec].
#[must_use]
pub fn is_vault_object(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Key versions: 32 hex digits.
#[must_use]
pub fn is_key_version(version: &str) -> bool {
    version.len() == 32 && version.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Registries: 5 to 50 letters and digits [spec].
#[must_use]
pub fn is_registry(name: &str) -> bool {
    (5..=50).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Resource groups: 1 to 90 letters, digits, `-_().`, not ending in a dot [docs].
#[must_use]
pub fn is_resource_group(name: &str) -> bool {
    (1..=90).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "-_().".contains(c))
        && !name.ends_with('.')
}

/// User-assigned identities: 3 to 128 letters, digits, `-_`, starting with a letter or digit [docs].
#[must_use]
pub fn is_identity(name: &str) -> bool {
    (3..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// Deployments: 1 to 64 letters, digits, `-_().` [docs].
#[must_use]
pub fn is_deployment(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && name.chars().all(|c| c.is_alphanumeric() || "-_().".contains(c))
}

/// Versions of resource management: a date of 2014 or later, and perhaps a word (`2025-03-01-preview`).
#[must_use]
pub fn is_api_version(version: &str) -> bool {
    let (Some(date), Some(rest)) = (version.get(..10), version.get(10..)) else { return false };
    let word = rest.strip_prefix('-').map_or(rest.is_empty(), |word| {
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    word && date.parse::<jiff::civil::Date>().is_ok_and(|date| date.year() >= 2014)
}

/// A location as Azure keeps it: `East US` becomes `eastus`.
#[must_use]
pub fn location(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

/// `/subscriptions/{s}`.
#[must_use]
pub fn subscription_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}")
}

/// `/subscriptions/{s}/resourceGroups/{g}`.
#[must_use]
pub fn group_id(group: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{group}")
}

/// The ARM id of a resource in a group.
#[must_use]
pub fn resource_id(group: &str, kind: &str, name: &str) -> String {
    format!("{}/providers/{kind}/{name}", group_id(group))
}

/// The resource type of vaults.
pub const VAULTS: &str = "Microsoft.KeyVault/vaults";
/// The resource type of registries.
pub const REGISTRIES: &str = "Microsoft.ContainerRegistry/registries";
/// The resource type of user-assigned identities.
pub const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// A user-assigned identity's id. Azure answers it with `resourcegroups` in lower case [recorded].
#[must_use]
pub fn identity_id(group: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/resourcegroups/{group}/providers/{IDENTITIES}/{name}")
}

/// The ARM id of a registry.
#[must_use]
pub fn registry_id(group: &str, name: &str) -> String {
    resource_id(group, REGISTRIES, name)
}

/// The ARM id of a vault.
#[must_use]
pub fn vault_id(group: &str, name: &str) -> String {
    resource_id(group, VAULTS, name)
}

/// A resource id taken apart: group, type and name of a top-level resource of the one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId {
    pub subscription: String,
    pub group: String,
    /// `Microsoft.KeyVault/vaults`, as written.
    pub kind: String,
    pub name: String,
}

impl ResourceId {
    /// Parses `/subscriptions/{s}/resourceGroups/{g}/providers/{namespace}/{type}/{name}`, case aside.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            [s, subscription, g, group, p, namespace, kind, name]
                if s.eq_ignore_ascii_case("subscriptions")
                    && g.eq_ignore_ascii_case("resourceGroups")
                    && p.eq_ignore_ascii_case("providers") =>
            {
                Some(Self {
                    subscription: (*subscription).to_owned(),
                    group: (*group).to_owned(),
                    kind: format!("{namespace}/{kind}"),
                    name: (*name).to_owned(),
                })
            }
            _ => None,
        }
    }

    /// Whether it is of this type, case aside.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }
}

/// An id, if it is `from` or lies in it, with `to` in its place.
#[must_use]
pub fn renamed_id(id: &str, from: &str, to: &str) -> Option<String> {
    let rest = id.get(from.len()..).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    id[..from.len()].eq_ignore_ascii_case(from).then(|| format!("{to}{rest}"))
}

/// A document in which each text that is such an id is renamed.
#[must_use]
pub fn renamed(document: &Value, from: &str, to: &str) -> Value {
    match document {
        Value::String(text) => Value::String(renamed_id(text, from, to).unwrap_or_else(|| text.clone())),
        Value::Array(items) => items.iter().map(|item| renamed(item, from, to)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), renamed(value, from, to))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => document.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        assert!(is_vault("myvault") && is_vault("a-b-c"));
        assert!(!is_vault("ab") && !is_vault("1ab") && !is_vault("a--b") && !is_vault("abc-") && !is_vault("a_b"));
        assert!(is_registry("reg01") && !is_registry("reg") && !is_registry("my-reg"));
        assert!(is_resource_group("rg_(1).x") && !is_resource_group("rg.") && !is_resource_group("a/b"));
        assert_eq!(location("East US"), "eastus");
    }

    #[test]
    fn api_versions() {
        for good in ["2014-04-01", "2025-11-01", "2018-09-01-preview", "2024-01-01-privatepreview"] {
            assert!(is_api_version(good), "{good}");
        }
        for bad in ["", "banana", "2025", "2013-03-01", "2025-13-01", "2025-02-30", "2025-11-01-", "2025-11-01x", "7.4"]
        {
            assert!(!is_api_version(bad), "{bad}");
        }
    }

    #[test]
    fn ids_parse_case_aside() {
        let id = ResourceId::parse("/SUBSCRIPTIONS/s/resourcegroups/G/providers/microsoft.keyvault/Vaults/v").unwrap();
        assert!(id.is(VAULTS));
        assert_eq!((id.group.as_str(), id.name.as_str()), ("G", "v"));
        assert!(ResourceId::parse("/subscriptions/s/resourceGroups/g").is_none());
    }
}
