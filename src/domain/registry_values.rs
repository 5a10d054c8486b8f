//! What the fields of a registry's document may hold [spec]: types, words, numbers, addresses, and what excludes what.
//! Must not know: how a document is merged or kept (see registry), which SKU has what.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::error::{RegistryError, RequestError, Result};

/// Fields that are true or false.
const FLAGS: &[&str] =
    &["adminUserEnabled", "anonymousPullEnabled", "dataEndpointEnabled", "networkRuleBypassAllowedForTasks"];

/// Fields with one of a few words, written so.
const WORDS: &[(&str, &[&str])] = &[
    ("/publicNetworkAccess", &["Enabled", "Disabled"]),
    ("/networkRuleBypassOptions", &["AzureServices", "None"]),
    ("/zoneRedundancy", &["Enabled", "Disabled"]),
    ("/metadataSearch", &["Enabled", "Disabled"]),
    ("/roleAssignmentMode", &["LegacyRegistryPermissions", "AbacRepositoryPermissions"]),
    ("/regionalEndpoints", &["Enabled", "Disabled"]),
    ("/writableCacheRepos", &["Enabled", "Disabled"]),
    ("/networkRuleSet/defaultAction", &["Allow", "Deny"]),
    ("/policies/quarantinePolicy/status", &["enabled", "disabled"]),
    ("/policies/trustPolicy/type", &["Notary"]),
    ("/policies/trustPolicy/status", &["enabled", "disabled"]),
    ("/policies/retentionPolicy/status", &["enabled", "disabled"]),
    ("/policies/exportPolicy/status", &["enabled", "disabled"]),
    ("/policies/azureADAuthenticationAsArmPolicy/status", &["enabled", "disabled"]),
    ("/policies/softDeletePolicy/status", &["enabled", "disabled"]),
];

/// Days: a first and a last [docs].
const DAYS: &[(&str, i64, i64)] =
    &[("/policies/retentionPolicy/days", 0, 365), ("/policies/softDeletePolicy/retentionDays", 1, 90)];

/// Checks a document's values, and writes words as Azure writes them. Fields that are not known stay as they are.
pub fn check(registry: &str, document: &mut Map<String, Value>) -> Result<()> {
    let mut whole = Value::Object(std::mem::take(document));
    check_fields(&mut whole)?;
    check_addresses(&whole)?;
    check_policies(registry, &whole)?;
    if let Value::Object(map) = whole {
        *document = map;
    }
    Ok(())
}

fn wrong(pointer: &str, message: String) -> super::Error {
    RequestError::InvalidValue { property: pointer.trim_start_matches('/').replace('/', "."), message }.into()
}

fn check_fields(document: &mut Value) -> Result<()> {
    for name in FLAGS {
        let Some(value) = document.get_mut(name) else { continue };
        // Words for them are taken too, as Azure's reader of JSON does [inferred].
        let flag = match &*value {
            Value::Bool(flag) => Some(*flag),
            Value::String(word) => word.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        *value = json!(flag.ok_or_else(|| wrong(name, format!("{value} is not true or false")))?);
    }
    for (pointer, words) in WORDS {
        let Some(value) = document.pointer_mut(pointer) else { continue };
        let word = value.as_str().and_then(|v| words.iter().find(|word| word.eq_ignore_ascii_case(v)));
        *value = json!(word.ok_or_else(|| wrong(pointer, format!("{value} is not one of {words:?}")))?);
    }
    for (pointer, first, last) in DAYS {
        let Some(value) = document.pointer(pointer) else { continue };
        if !value.as_i64().is_some_and(|days| (*first..=*last).contains(&days)) {
            return Err(wrong(pointer, format!("{value} is not a number from {first} to {last}")));
        }
    }
    Ok(())
}

fn check_addresses(document: &Value) -> Result<()> {
    let rules = document.pointer("/networkRuleSet/ipRules").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        let address = &rule["value"];
        if !address.as_str().is_some_and(is_address) {
            return Err(wrong(
                "/networkRuleSet/ipRules/value",
                format!("{address} is not an address or a range in CIDR notation"),
            ));
        }
    }
    Ok(())
}

/// An address, or a range: `192.0.2.0/24`.
fn is_address(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}

fn check_policies(registry: &str, document: &Value) -> Result<()> {
    let is = |pointer: &str, word: &str| document.pointer(pointer).and_then(Value::as_str) == Some(word);
    if is("/policies/retentionPolicy/status", "enabled") && is("/policies/softDeletePolicy/status", "enabled") {
        // [docs] say that one excludes the other; the words are ours.
        let why = "The retention policy and the soft delete policy cannot both be enabled.";
        return Err(RegistryError::Invalid(why.to_owned()).into());
    }
    if is("/policies/exportPolicy/status", "disabled") && !is("/publicNetworkAccess", "Disabled") {
        return Err(RegistryError::ExportsDisabled(registry.to_owned()).into());
    }
    if document.get("autoGeneratedDomainNameLabelScope").is_some_and(|scope| scope != "Unsecure") {
        return Err(RequestError::NotEmulated("A login server with a generated name".to_owned()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(document: Value) -> Result<Value> {
        let mut map = document.as_object().unwrap().clone();
        check("reg", &mut map)?;
        Ok(Value::Object(map))
    }

    #[test]
    fn words_and_flags_are_written_as_azure_writes_them() {
        let sent = json!({
            "adminUserEnabled": "True", "publicNetworkAccess": "enabled", "mine": "x",
            "policies": {"softDeletePolicy": {"status": "Enabled", "retentionDays": 90}},
            "networkRuleSet": {"ipRules": [{"value": "203.0.113.0/24"}, {"value": "203.0.113.7"}, {"value": "2001:db8::/32"}]},
        });
        let kept = checked(sent).unwrap();
        assert_eq!((&kept["adminUserEnabled"], &kept["publicNetworkAccess"]), (&json!(true), &json!("Enabled")));
        assert_eq!(kept["policies"]["softDeletePolicy"]["status"], "enabled");
        assert_eq!(kept["mine"], "x");
    }

    #[test]
    fn what_no_registry_may_hold_is_refused() {
        let soft = |days: i64| json!({"policies": {"softDeletePolicy": {"retentionDays": days}}});
        let address = |value: &str| json!({"networkRuleSet": {"ipRules": [{"value": value}]}});
        for wrong in [
            json!({"adminUserEnabled": "yes"}),
            json!({"anonymousPullEnabled": 1}),
            json!({"publicNetworkAccess": "Maybe"}),
            json!({"networkRuleSet": {"defaultAction": "Perhaps"}}),
            json!({"policies": {"quarantinePolicy": {"status": true}}}),
            json!({"policies": {"retentionPolicy": {"days": 366}}}),
            json!({"policies": {"retentionPolicy": {"days": "7"}}}),
            soft(0),
            soft(91),
            address("banana"),
            address("999.1.1.1"),
            address("203.0.113.0/33"),
            json!({"networkRuleSet": {"ipRules": [{}]}}),
            json!({"policies": {"retentionPolicy": {"status": "enabled"}, "softDeletePolicy": {"status": "enabled"}}}),
            json!({"policies": {"exportPolicy": {"status": "disabled"}}, "publicNetworkAccess": "Enabled"}),
            json!({"autoGeneratedDomainNameLabelScope": "TenantReuse"}),
        ] {
            assert!(checked(wrong.clone()).is_err(), "{wrong}");
        }
        let closed = json!({"policies": {"exportPolicy": {"status": "disabled"}}, "publicNetworkAccess": "Disabled"});
        assert!(checked(closed).is_ok());
    }
}
