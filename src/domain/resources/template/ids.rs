//! Resource ids as templates put them together: types and names interleaved, below a scope.
//! Must not know: whether what an id names exists.

use serde_json::Value;

use super::values::text;
use crate::domain::world::well_known::SUBSCRIPTION_ID;

type Result<T> = std::result::Result<T, String>;

/// `Microsoft.KeyVault/vaults/keys` and `v/k` become `Microsoft.KeyVault/vaults/v/keys/k`. `None`: their
/// segments do not match.
#[must_use]
pub fn interleave(kind: &str, name: &str) -> Option<String> {
    let mut types = kind.split('/');
    let namespace = types.next()?;
    let (types, names): (Vec<&str>, Vec<&str>) = (types.collect(), name.split('/').collect());
    if types.is_empty() || types.len() != names.len() || types.iter().chain(&names).any(|s| s.is_empty()) {
        return None;
    }
    let pairs = types.iter().zip(&names).map(|(kind, name)| format!("/{kind}/{name}"));
    Some(format!("{namespace}{}", pairs.collect::<String>()))
}

/// The id of a resource below a scope. Resource groups are no provider's.
#[must_use]
pub fn below(scope: &str, kind: &str, name: &str) -> Option<String> {
    if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
        return (!name.is_empty() && !name.contains('/'))
            .then(|| format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{name}"));
    }
    let scope = scope.trim_end_matches('/');
    interleave(kind, name).map(|rest| format!("{scope}/providers/{rest}"))
}

/// The type and the name of an id, the innermost provider's: `Microsoft.KeyVault/vaults` and `v`.
#[must_use]
pub fn split(id: &str) -> Option<(String, String)> {
    let lower = id.to_ascii_lowercase();
    let Some(at) = lower.rfind("/providers/") else {
        let group = lower.rfind("/resourcegroups/").map(|at| &id[at + "/resourcegroups/".len()..])?;
        return Some(("Microsoft.Resources/resourceGroups".to_owned(), group.to_owned()));
    };
    let parts: Vec<&str> = id[at + "/providers/".len()..].split('/').collect();
    let (namespace, rest) = parts.split_first()?;
    let types: Vec<&str> = rest.iter().step_by(2).copied().collect();
    let names: Vec<&str> = rest.iter().skip(1).step_by(2).copied().collect();
    Some((format!("{namespace}/{}", types.join("/")), names.join("/")))
}

/// Bytes of an id at most. [inferred]
pub const LENGTH_LIMIT: usize = 2048;

/// The leading arguments before the type, the type, and the names after it.
fn parts<'a>(function: &str, arguments: &'a [Value]) -> Result<(Vec<&'a str>, &'a str, String)> {
    if arguments.iter().filter_map(Value::as_str).map(str::len).sum::<usize>() > LENGTH_LIMIT {
        return Err(format!(
            "Unable to evaluate template language function '{function}': a resource id has at most '{LENGTH_LIMIT}' characters"
        ));
    }
    let words = arguments.iter().map(text).collect::<Result<Vec<_>>>();
    let words = words.map_err(|_| {
        format!("Unable to evaluate template language function '{function}': all parameters must be string literals")
    })?;
    let at = words.iter().position(|w| w.contains('/') && !w.starts_with('/'));
    let at = at.ok_or_else(|| {
        format!(
            "Unable to evaluate template language function '{function}': function requires exactly one multi-segmented argument which must be resource id including resource provider namespace. Current function arguments '{}'",
            words.join(",")
        )
    })?;
    let kind = words[at].trim_end_matches('/');
    let names = words[at + 1..].join("/");
    let wanted = kind.split('/').count() - 1;
    if names.is_empty() || names.split('/').count() != wanted {
        return Err(format!(
            "Unable to evaluate template language function '{function}': the type '{kind}' requires '{wanted}' resource name argument(s)"
        ));
    }
    Ok((words[..at].to_vec(), kind, names))
}

fn made(scope: &str, kind: &str, names: &str) -> Result<String> {
    below(scope, kind, names).ok_or_else(|| format!("'{kind}' and '{names}' do not make a resource id"))
}

/// `resourceId`, at a group or a subscription.
pub fn resource_id(arguments: &[Value], group: Option<&str>) -> Result<String> {
    let (before, kind, names) = parts("resourceId", arguments)?;
    let (subscription, group) = match before.as_slice() {
        [] => (SUBSCRIPTION_ID, group),
        // One word is a subscription if it looks like one.
        [one] if uuid::Uuid::try_parse(one).is_ok() => (*one, group),
        [one] => (SUBSCRIPTION_ID, Some(*one)),
        [subscription, group] => (*subscription, Some(*group)),
        _ => return Err("Unable to evaluate template language function 'resourceId': too many parameters".to_owned()),
    };
    let scope = match group {
        Some(group) => format!("/subscriptions/{subscription}/resourceGroups/{group}"),
        None => format!("/subscriptions/{subscription}"),
    };
    made(&scope, kind, &names)
}

/// `subscriptionResourceId`.
pub fn subscription_resource_id(arguments: &[Value]) -> Result<String> {
    let (before, kind, names) = parts("subscriptionResourceId", arguments)?;
    let subscription = before.last().unwrap_or(&SUBSCRIPTION_ID);
    made(&format!("/subscriptions/{subscription}"), kind, &names)
}

/// `tenantResourceId`.
pub fn tenant_resource_id(arguments: &[Value]) -> Result<String> {
    let (_, kind, names) = parts("tenantResourceId", arguments)?;
    made("", kind, &names)
}

/// `managementGroupResourceId`.
pub fn management_group_resource_id(arguments: &[Value]) -> Result<String> {
    let (before, kind, names) = parts("managementGroupResourceId", arguments)?;
    let group = before.last().ok_or_else(|| {
        "Unable to evaluate template language function 'managementGroupResourceId': the management group is missing"
            .to_owned()
    })?;
    made(&format!("/providers/Microsoft.Management/managementGroups/{group}"), kind, &names)
}

/// `extensionResourceId`.
pub fn extension_resource_id(arguments: &[Value]) -> Result<String> {
    let (scope, rest) = arguments.split_first().ok_or_else(|| "the scope is missing".to_owned())?;
    let (_, kind, names) = parts("extensionResourceId", rest)?;
    let scope = text(scope)?;
    if scope.len() > LENGTH_LIMIT {
        return Err("the scope is too long".to_owned());
    }
    made(scope, kind, &names)
}
