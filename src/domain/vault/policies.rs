//! Access policies as entries of a vault's document: which there may be, and how a list of them changes.
//! Must not know: what a permission lets anybody do.

use serde_json::{Value, json};

use crate::domain::error::{Result, VaultError};
use crate::domain::world::well_known::TENANT_ID;

/// Every entry must name an object and carry the vault's own tenant (keyvault.md C.2).
pub fn check_policies(policies: &[Value]) -> Result<()> {
    if policies.len() > 1024 {
        return Err(VaultError::Invalid("A vault can have at most 1024 access policies.".to_owned()).into());
    }
    for policy in policies {
        let tenant = policy["tenantId"].as_str().unwrap_or_default();
        if !tenant.eq_ignore_ascii_case(TENANT_ID) {
            let text = "An invalid value was provided for 'accessPolicies': every tenantId must be the vault's own.";
            return Err(VaultError::Invalid(text.to_owned()).into());
        }
        if policy["objectId"].as_str().is_none_or(str::is_empty) {
            let text = "An invalid value was provided for 'accessPolicies': objectId is missing.";
            return Err(VaultError::Invalid(text.to_owned()).into());
        }
    }
    Ok(())
}

/// How a list of access policies changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyChange {
    /// Permissions are added to what an identity has [recorded].
    Add,
    /// The named identities' entries are replaced [inferred: which of the two is not known].
    Replace,
    /// The named permissions go; an entry left empty goes whole [inferred].
    Remove,
}

/// Applies `accessPolicies/{add|replace|remove}`.
#[must_use]
pub fn change_policies(current: &[Value], change: PolicyChange, entries: &[Value]) -> Vec<Value> {
    let same = |a: &Value, b: &Value| {
        ["tenantId", "objectId", "applicationId"].iter().all(|name| {
            a[*name].as_str().unwrap_or_default().eq_ignore_ascii_case(b[*name].as_str().unwrap_or_default())
        })
    };
    let mut result = current.to_vec();
    for entry in entries {
        let at = result.iter().position(|p| same(p, entry));
        match (change, at) {
            (PolicyChange::Add | PolicyChange::Replace, None) => result.push(entry.clone()),
            (PolicyChange::Replace, Some(at)) => result[at] = entry.clone(),
            (PolicyChange::Remove, None) => {}
            (PolicyChange::Add, Some(at)) => merge_permissions(&mut result[at], entry, true),
            (PolicyChange::Remove, Some(at)) => {
                merge_permissions(&mut result[at], entry, false);
                let all_empty = |p: &Value| {
                    p.as_object().is_none_or(|m| m.values().all(|v| v.as_array().is_none_or(Vec::is_empty)))
                };
                if all_empty(&entry["permissions"]) || all_empty(&result[at]["permissions"]) {
                    result.remove(at);
                }
            }
        }
    }
    result
}

fn merge_permissions(entry: &mut Value, other: &Value, add: bool) {
    let Some(others) = other["permissions"].as_object() else { return };
    for (kind, words) in others {
        let words: Vec<&str> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !entry["permissions"].is_object() {
            entry["permissions"] = json!({});
        }
        let mut list = entry["permissions"][kind].as_array().cloned().unwrap_or_default();
        let named = |v: &Value, w: &str| v.as_str().is_some_and(|x| x.eq_ignore_ascii_case(w));
        for word in words {
            if !add {
                list.retain(|v| !named(v, word));
            } else if !list.iter().any(|v| named(v, word)) {
                list.push(json!(word));
            }
        }
        entry["permissions"][kind] = Value::Array(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_a_policy_merges_and_removing_takes_away() {
        let one = |keys: &[&str]| json!({"tenantId": TENANT_ID, "objectId": "o", "permissions": {"keys": keys}});
        let added = change_policies(&[one(&["get", "list"])], PolicyChange::Add, &[one(&["Get", "wrapKey"])]);
        assert_eq!(added, [one(&["get", "list", "wrapKey"])]);
        let removed = change_policies(&added, PolicyChange::Remove, &[one(&["get"])]);
        assert_eq!(removed, [one(&["list", "wrapKey"])]);
        assert!(change_policies(&removed, PolicyChange::Remove, &[one(&[])]).is_empty());
    }
}
