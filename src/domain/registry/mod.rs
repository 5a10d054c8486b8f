//! Registries as resources: what their document may say on which SKU, and how it is settled.
//! Must not know: vaults, content, how the DEK is unwrapped.

pub mod child;
pub mod cmk;
pub mod content;
pub mod envelope;
pub mod values;

use serde_json::{Map, Value, json};

use crate::domain::error::{RegistryError, RequestError, Result};
use crate::domain::registry::cmk::Cmk;
use crate::domain::world::time::Timestamp;
use crate::domain::world::{json, name};

/// A container registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// Row id.
    pub id: i64,
    /// Name, in the case of the creating request.
    pub name: String,
    /// Resource group.
    pub group: String,
    /// Region.
    pub location: String,
    /// `Basic`, `Standard` or `Premium`.
    pub sku: String,
    /// Tags.
    pub tags: Value,
    /// The ARM `properties`, settled by [`settle`], less `encryption`.
    pub properties: Map<String, Value>,
    /// ARM ids of the attached user-assigned identities, as sent.
    pub user_identities: Vec<String>,
    /// Object id of the system-assigned identity.
    pub system_principal: Option<String>,
    /// The customer-managed key; `None` means the service-managed (platform) key.
    pub cmk: Option<Cmk>,
    /// The DEK, wrapped.
    pub wrapped_dek: Vec<u8>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub modified_by: String,
    /// When.
    pub modified_at: Timestamp,
}

impl Registry {
    /// Its ARM id.
    #[must_use]
    pub fn arm_id(&self) -> String {
        name::registry_id(&self.group, &self.name)
    }

    /// `{name}.azurecr.io`, lower case.
    #[must_use]
    pub fn login_server(&self) -> String {
        format!("{}.azurecr.io", self.name.to_ascii_lowercase())
    }

    /// `{name}.{region}.data.azurecr.io`, where the registry has dedicated data endpoints: one in each region [docs].
    #[must_use]
    pub fn data_endpoint(&self, region: &str) -> Option<String> {
        let name = self.name.to_ascii_lowercase();
        self.flag("dataEndpointEnabled").then(|| format!("{name}.{region}.data.azurecr.io"))
    }

    /// `{name}.{region}.geo.azurecr.io`, where the registry has regional endpoints: its login server in one region [docs].
    #[must_use]
    pub fn regional_endpoint(&self, region: &str) -> Option<String> {
        let enabled = self.properties.get("regionalEndpoints").and_then(Value::as_str);
        let name = self.name.to_ascii_lowercase();
        enabled.is_some_and(|e| e.eq_ignore_ascii_case("Enabled")).then(|| format!("{name}.{region}.geo.azurecr.io"))
    }

    /// Whether the SKU is Premium.
    #[must_use]
    pub fn premium(&self) -> bool {
        self.sku == "Premium"
    }

    /// A flag of the document.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.properties.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether its content may be exported to no other registry.
    #[must_use]
    pub fn exports_disabled(&self) -> bool {
        let policies = self.properties.get("policies");
        policies.is_some_and(|policies| policies["exportPolicy"]["status"] == "disabled")
    }

    /// Whether a policy's `status` is `enabled`.
    #[must_use]
    pub fn policy_enabled(&self, policy: &str) -> bool {
        let status = self.properties.get("policies").and_then(|p| p.get(policy)).and_then(|p| p["status"].as_str());
        status.is_some_and(|s| s.eq_ignore_ascii_case("enabled"))
    }
}

/// The SKU by its canonical name.
pub fn sku(asked: Option<&str>) -> Result<&'static str> {
    let asked = asked.ok_or_else(|| RegistryError::Invalid("The property 'sku' is required.".to_owned()))?;
    if asked.eq_ignore_ascii_case("Classic") {
        return Err(RegistryError::ClassicSku.into());
    }
    ["Basic", "Standard", "Premium"]
        .into_iter()
        .find(|s| s.eq_ignore_ascii_case(asked))
        .ok_or_else(|| RegistryError::lacking(asked, "any registries").into())
}

/// The names of properties as Azure writes them. Clients may send any case (the article's template has
/// `KeyIdentifier`); what is not in the list is kept as it was sent.
const PROPERTY_NAMES: &[&str] = &[
    "adminUserEnabled",
    "networkRuleSet",
    "defaultAction",
    "ipRules",
    "virtualNetworkRules",
    "action",
    "value",
    "policies",
    "quarantinePolicy",
    "trustPolicy",
    "retentionPolicy",
    "exportPolicy",
    "softDeletePolicy",
    "azureADAuthenticationAsArmPolicy",
    "status",
    "type",
    "days",
    "retentionDays",
    "lastUpdatedTime",
    "encryption",
    "keyVaultProperties",
    "keyIdentifier",
    "versionedKeyIdentifier",
    "identity",
    "keyRotationEnabled",
    "lastKeyRotationTimestamp",
    "dataEndpointEnabled",
    "dataEndpointHostNames",
    "publicNetworkAccess",
    "networkRuleBypassOptions",
    "networkRuleBypassAllowedForTasks",
    "zoneRedundancy",
    "anonymousPullEnabled",
    "metadataSearch",
    "roleAssignmentMode",
    "autoGeneratedDomainNameLabelScope",
    "loginServer",
    "creationDate",
    "provisioningState",
    "privateEndpointConnections",
    "regionalEndpoints",
    "regionalEndpointHostNames",
    "endpointProtocol",
    "writableCacheRepos",
];

/// Gives known property names their canonical case, at any depth.
#[must_use]
pub fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(name, value)| {
                    let known = PROPERTY_NAMES.iter().find(|n| n.eq_ignore_ascii_case(&name));
                    (known.map_or(name, |n| (*n).to_owned()), canonical(value))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// Computed by the service; never kept from a request.
const COMPUTED: &[&str] = &[
    "loginServer",
    "creationDate",
    "provisioningState",
    "encryption",
    "dataEndpointHostNames",
    "privateEndpointConnections",
    "regionalEndpointHostNames",
    "status",
];

/// Settles a PUT (`existing` is `None`) or an update (`existing` is the document so far) into the
/// document to keep. Fields that the request does not name keep their value; policies merge one by one.
pub fn settle(
    registry: &str,
    sku: &str,
    existing: Option<&Map<String, Value>>,
    asked: &Map<String, Value>,
    has_cmk: bool,
    now: Timestamp,
) -> Result<Map<String, Value>> {
    let premium = sku == "Premium";
    let mut settled = existing.cloned().unwrap_or_else(|| defaults(now));
    for (name, value) in asked {
        if COMPUTED.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        if name == "policies" {
            merge_policies(&mut settled, value, now);
        } else if name == "networkRuleSet" {
            let rules = network_rules(settled.get(name), value);
            settled.insert(name.clone(), rules);
        } else {
            settled.insert(name.clone(), value.clone());
        }
    }
    values::check(registry, &mut settled)?;
    if !json::may_be_kept(&settled, json::DOCUMENT_LIMIT) {
        return Err(RequestError::TooLarge { limit: json::BODY_LIMIT }.into());
    }
    let status =
        |policy: &str| settled["policies"][policy]["status"].as_str().unwrap_or("disabled").to_ascii_lowercase();
    if status("trustPolicy") == "enabled" && has_cmk {
        return Err(RegistryError::ContentTrust(registry.to_owned()).into());
    }
    let word = |name: &str| settled.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if !premium {
        if word("publicNetworkAccess") == "disabled" {
            return Err(RegistryError::PublicNetworkSku(sku.to_owned()).into());
        }
        let denies = settled.get("networkRuleSet").is_some_and(|rules| rules["defaultAction"] == "Deny");
        let on = |name: &str| settled.get(name) == Some(&json!(true));
        let asked = [
            ("content trust", status("trustPolicy") == "enabled"),
            ("a retention policy", status("retentionPolicy") == "enabled"),
            ("quarantine", status("quarantinePolicy") == "enabled"),
            ("network rules whose default action is Deny", denies),
            ("data endpoints", on("dataEndpointEnabled")),
            ("regional endpoints", word("regionalEndpoints") == "enabled"),
            ("zone redundancy", word("zoneRedundancy") == "enabled"),
            ("exports disabled", status("exportPolicy") == "disabled"),
            ("anonymous pull", sku == "Basic" && on("anonymousPullEnabled")),
        ];
        let lacks: Vec<&str> = asked.iter().filter(|(_, asked)| *asked).map(|(what, _)| *what).collect();
        if !lacks.is_empty() {
            return Err(RegistryError::lacking(sku, &lacks.join(", ")).into());
        }
    }
    Ok(settled)
}

/// A new registry's document [recorded].
fn defaults(now: Timestamp) -> Map<String, Value> {
    let stamp = now.offset7();
    let document = json!({
        "adminUserEnabled": false,
        "networkRuleSet": {"defaultAction": "Allow", "ipRules": []},
        "policies": {
            "quarantinePolicy": {"status": "disabled"},
            "trustPolicy": {"type": "Notary", "status": "disabled"},
            "retentionPolicy": {"days": 7, "lastUpdatedTime": stamp, "status": "disabled"},
            "exportPolicy": {"status": "enabled"},
            "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
            "softDeletePolicy": {"retentionDays": 7, "lastUpdatedTime": stamp, "status": "disabled"},
        },
        "dataEndpointEnabled": false,
        "publicNetworkAccess": "Enabled",
        "networkRuleBypassOptions": "AzureServices",
        "zoneRedundancy": "Disabled",
        "anonymousPullEnabled": false,
        "metadataSearch": "Disabled",
        "roleAssignmentMode": "LegacyRegistryPermissions",
    });
    match document {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn merge_policies(settled: &mut Map<String, Value>, asked: &Value, now: Timestamp) {
    let Some(asked) = asked.as_object() else { return };
    let policies = settled.entry("policies").or_insert_with(|| json!({}));
    for (name, policy) in asked {
        if policy.is_null() {
            continue;
        }
        if !policies[name].is_object() {
            policies[name] = json!({});
        }
        let before = policies[name].clone();
        for (field, value) in
            policy.as_object().into_iter().flatten().filter(|(f, v)| *f != "lastUpdatedTime" && !v.is_null())
        {
            policies[name][field] = value.clone();
        }
        // A document sent again changes nothing, this date included.
        if policies[name] != before && policies[name].get("lastUpdatedTime").is_some() {
            policies[name]["lastUpdatedTime"] = json!(now.offset7());
        }
    }
}

/// The rules so far with those that a request names [recorded: an update of `defaultAction` keeps the lists].
fn network_rules(existing: Option<&Value>, asked: &Value) -> Value {
    let mut rules = existing.cloned().unwrap_or_else(|| json!({"defaultAction": "Allow", "ipRules": []}));
    for (name, value) in asked.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
        rules[name] = match (name.as_str(), value) {
            ("ipRules" | "virtualNetworkRules", Value::Array(list)) => list.iter().map(network_rule).collect(),
            _ => value.clone(),
        };
    }
    rules
}

/// What newer versions call a subnet's `id`, in a rule about a virtual network (acr.md A.1).
const SUBNET: &str = "virtualNetworkSubnetResourceId";

/// A rule that says what it does, and names a subnet as the first versions did.
fn network_rule(asked: &Value) -> Value {
    let mut rule = json!({"action": asked["action"].as_str().unwrap_or("Allow")});
    for (name, value) in asked.as_object().into_iter().flatten().filter(|(name, _)| *name != "action") {
        let name = if name.eq_ignore_ascii_case(SUBNET) { "id" } else { name.as_str() };
        rule[name] = value.clone();
    }
    rule
}

/// Fields, policies and rules, with the previews and the stable versions that show them: each from a date on
/// (acr.md A.1; the policies of 2022 by what the versions before and after them have).
const SINCE: &[(&str, &str, &str)] = &[
    ("publicNetworkAccess", "2019-12-01", "2021-09-01"),
    ("dataEndpointEnabled", "2019-12-01", "2021-09-01"),
    ("dataEndpointHostNames", "2019-12-01", "2021-09-01"),
    ("privateEndpointConnections", "2019-12-01", "2021-09-01"),
    ("encryption", "2019-12-01", "2021-09-01"),
    ("networkRuleBypassOptions", "2020-11-01", "2021-09-01"),
    ("zoneRedundancy", "2020-11-01", "2023-07-01"),
    ("anonymousPullEnabled", "2020-11-01", "2025-04-01"),
    ("exportPolicy", "2021-06-01", "2023-07-01"),
    ("azureADAuthenticationAsArmPolicy", "2022-02-01", "2025-04-01"),
    ("softDeletePolicy", "2022-02-01", NEVER),
    ("metadataSearch", "2023-11-01", NEVER),
    ("roleAssignmentMode", "2025-03-01", "2025-11-01"),
    ("regionalEndpoints", "2026-03-01", NEVER),
    ("regionalEndpointHostNames", "2026-03-01", NEVER),
];
const NEVER: &str = "9999";

/// A registry's properties as an api-version shows them.
#[must_use]
pub fn as_of(mut properties: Map<String, Value>, api_version: &str) -> Map<String, Value> {
    let date = api_version.get(..10).unwrap_or(NEVER);
    let preview = api_version.len() > 10;
    let shows = |field: &str| {
        let since = SINCE.iter().find(|(name, ..)| *name == field);
        since.is_none_or(|(_, previews, stable)| date >= if preview { *previews } else { *stable })
    };
    properties.retain(|name, _| shows(name));
    if let Some(policies) = properties.get_mut("policies").and_then(Value::as_object_mut) {
        policies.retain(|name, _| shows(name));
    }
    if let Some(rules) = properties.get_mut("networkRuleSet").and_then(Value::as_object_mut) {
        let networks = rules.remove("virtualNetworkRules").unwrap_or_else(|| json!([]));
        // They left with the versions of 2022 and came back with the previews of 2026.
        if date < "2022" {
            rules.shift_insert(1.min(rules.len()), "virtualNetworkRules".to_owned(), networks);
        } else if preview && date >= "2026" {
            let renamed = networks.as_array().into_iter().flatten().map(|rule| {
                let fields = rule.as_object().into_iter().flatten();
                let named = fields.map(|(n, v)| (if n == "id" { SUBNET.to_owned() } else { n.clone() }, v.clone()));
                Value::Object(named.collect())
            });
            rules.insert("virtualNetworkRules".to_owned(), renamed.collect());
        }
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn property_names_may_come_in_any_case() {
        let sent = json!({"Encryption": {"KeyVaultProperties": {"KeyIdentifier": "x"}}, "Mine": 1});
        assert_eq!(canonical(sent), json!({"encryption": {"keyVaultProperties": {"keyIdentifier": "x"}}, "Mine": 1}));
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let first =
            settle("r", "Premium", None, &map(json!({"adminUserEnabled": true, "mine": [1]})), false, Timestamp(0))
                .unwrap();
        let then = settle(
            "r",
            "Premium",
            Some(&first),
            &map(json!({"policies": {"retentionPolicy": {"days": 3}}})),
            false,
            Timestamp(1),
        )
        .unwrap();
        assert_eq!(then["adminUserEnabled"], json!(true));
        assert_eq!(then["mine"], json!([1]));
        assert_eq!(then["policies"]["retentionPolicy"]["days"], json!(3));
        assert_eq!(then["policies"]["retentionPolicy"]["status"], json!("disabled"));
        assert_eq!(then["policies"]["quarantinePolicy"]["status"], json!("disabled"));
    }

    #[test]
    fn content_trust_and_a_customer_managed_key_exclude_each_other() {
        let trust = map(json!({"policies": {"trustPolicy": {"status": "enabled"}}}));
        let refused = settle("r", "Premium", None, &trust, true, Timestamp(0));
        assert_eq!(refused, Err(RegistryError::ContentTrust("r".into()).into()));
        assert!(settle("r", "Premium", None, &trust, false, Timestamp(0)).is_ok());
        assert!(settle("r", "Basic", None, &trust, false, Timestamp(0)).is_err());
    }

    #[test]
    fn regions_have_endpoints_on_premium_only() {
        let regional = map(json!({"regionalEndpoints": "Enabled"}));
        let refused = settle("r", "Standard", None, &regional, false, Timestamp(0));
        assert_eq!(refused, Err(RegistryError::lacking("Standard", "regional endpoints").into()));
        assert!(settle("r", "Premium", None, &regional, false, Timestamp(0)).is_ok());
    }

    #[test]
    fn older_versions_do_not_show_newer_fields() {
        let shown = |version: &str| as_of(map(json!({"anonymousPullEnabled": true, "mine": 1})), version);
        assert_eq!(shown("2019-12-01-preview"), map(json!({"mine": 1})));
        assert_eq!(shown("2023-07-01"), map(json!({"mine": 1})));
        assert_eq!(shown("2026-09-01-preview"), map(json!({"anonymousPullEnabled": true, "mine": 1})));
    }
}
