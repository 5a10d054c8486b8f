//! The firewall of a registry.
//! Must not know: who asks, what for.

use std::net::IpAddr;

use serde_json::Value;

use crate::domain::Result;
use crate::domain::error::ContentError;
use crate::domain::registry::Registry;
use crate::domain::world::network;

/// Lets an address through the registry's own firewall (acr.md C.1).
pub fn admit(registry: &Registry, address: IpAddr) -> Result<()> {
    let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let rules = registry.properties.get("networkRuleSet");
    let open = word(rules.and_then(|r| r.get("defaultAction"))) != "deny";
    let named = || {
        let listed = rules.and_then(|r| r["ipRules"].as_array()).into_iter().flatten();
        listed.filter_map(|r| r["value"].as_str()).any(|rule| network::names(rule, address))
    };
    let public = word(registry.properties.get("publicNetworkAccess")) != "disabled";
    if public && (open || named()) { Ok(()) } else { Err(ContentError::Address(address.to_string()).into()) }
}
