//! Vaults: what a vault's document may say, and what follows from it (network, retention, recovery level).
//! Must not know: keys, registries, who is calling beyond their address.

pub mod key;
pub mod kind;
pub mod object;
pub mod rotation;
pub mod secret;
pub mod uses;
pub mod wanted;

use serde_json::{Map, Value, json};

use crate::domain::access::Caller;
use crate::domain::error::{AccessError, Result, VaultError, VaultPlace};
use crate::domain::world::time::Timestamp;
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::world::{json, name, network};

/// When something was deleted, and when it goes for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// When it was deleted.
    pub at: Timestamp,
    /// When it is purged by itself.
    pub purge_at: Timestamp,
}

/// The member of a vault's document that keeps its private endpoint connections.
pub const PRIVATE_LINKS: &str = "privateEndpointConnections";

/// A key vault.
#[derive(Debug, Clone, PartialEq)]
pub struct Vault {
    pub id: i64,
    /// Name, in the case of the creating request.
    pub name: String,
    pub group: String,
    pub location: String,
    pub tags: Value,
    /// The ARM `properties` document, settled by [`settle`].
    pub properties: Map<String, Value>,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Who changed it last.
    pub modified_by: String,
    pub modified_at: Timestamp,
    /// Set while soft-deleted.
    pub deleted: Option<Deletion>,
}

impl Vault {
    /// Its ARM id.
    #[must_use]
    pub fn arm_id(&self) -> String {
        name::vault_id(&self.group, &self.name)
    }

    /// `https://{name}.vault.azure.net`, without a slash.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("https://{}.vault.azure.net", self.name.to_ascii_lowercase())
    }

    /// As refusals name it.
    #[must_use]
    pub fn place(&self) -> VaultPlace {
        VaultPlace { name: self.name.clone(), location: self.location.clone() }
    }

    fn flag(&self, name: &str) -> bool {
        self.properties.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether roles decide on the data plane; else access policies do.
    #[must_use]
    pub fn uses_roles(&self) -> bool {
        self.flag("enableRbacAuthorization")
    }

    /// Whether nothing can be purged before its retention ends.
    #[must_use]
    pub fn purge_protected(&self) -> bool {
        self.flag("enablePurgeProtection")
    }

    /// Whether it is of the Premium SKU, which has the `-HSM` key types.
    #[must_use]
    pub fn premium(&self) -> bool {
        self.properties["sku"]["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case("premium"))
    }

    /// Days for which deleted things can be recovered.
    #[must_use]
    pub fn retention_days(&self) -> i64 {
        self.properties.get("softDeleteRetentionInDays").and_then(Value::as_i64).unwrap_or(90)
    }

    /// The access policies' entries.
    #[must_use]
    pub fn policies(&self) -> &[Value] {
        self.properties.get("accessPolicies").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Its private endpoint connections: `{"name", "properties"}` each.
    #[must_use]
    pub fn private_links(&self) -> &[Value] {
        self.properties.get(PRIVATE_LINKS).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The `recoveryLevel` its objects show (keyvault.md A.7).
    #[must_use]
    pub fn recovery_level(&self) -> &'static str {
        match (self.retention_days() < 90, self.purge_protected()) {
            (false, false) => "Recoverable+Purgeable",
            (false, true) => "Recoverable",
            (true, false) => "CustomizedRecoverable+Purgeable",
            (true, true) => "CustomizedRecoverable",
        }
    }

    /// A deletion at `now`.
    #[must_use]
    pub fn deletion(&self, now: Timestamp) -> Deletion {
        Deletion { at: now, purge_at: now.plus(self.retention_days() * crate::domain::world::time::DAY) }
    }

    /// The network part of the access decision (keyvault.md D.1 step 4). Trusted services pass where
    /// `bypass` says `AzureServices`.
    pub fn admits(&self, caller: &Caller) -> Result<()> {
        let acls = self.properties.get("networkAcls");
        let word = |name: &str| acls.and_then(|a| a.get(name)).and_then(Value::as_str);
        let bypass_none = word("bypass").is_some_and(|b| b.eq_ignore_ascii_case("None"));
        let public = self.properties.get("publicNetworkAccess").and_then(Value::as_str).unwrap_or("Enabled");
        // A perimeter's own rules count then, and here there are none [docs].
        let perimeter = public.eq_ignore_ascii_case("SecuredByPerimeter");
        let trusted = caller.trusted_service && !bypass_none && !perimeter;
        let refusal = || (caller.clone(), bypass_none, self.place());
        if !public.eq_ignore_ascii_case("Enabled") {
            if trusted {
                return Ok(());
            }
            let (caller, bypass_none, vault) = refusal();
            return Err(AccessError::PublicNetwork { caller, bypass_none, vault }.into());
        }
        let open = word("defaultAction").is_none_or(|d| d.eq_ignore_ascii_case("Allow"));
        let listed = || {
            acls.and_then(|a| a.get("ipRules")).and_then(Value::as_array).is_some_and(|rules| {
                rules.iter().any(|r| r["value"].as_str().is_some_and(|v| network::names(v, caller.address)))
            })
        };
        if open || trusted || listed() {
            return Ok(());
        }
        let (caller, bypass_none, vault) = refusal();
        Err(AccessError::Firewall { caller, bypass_none, vault }.into())
    }
}

/// Settles what a PUT (or an already merged PATCH) asks for into the document to keep.
/// `roles_by_default`: the api-version is 2026-02-01 or newer, and the vault is being created.
pub fn settle(
    existing: Option<&Vault>,
    asked: &Map<String, Value>,
    roles_by_default: bool,
) -> Result<Map<String, Value>> {
    let invalid = |message: &str| VaultError::Invalid(message.to_owned());
    check_types(asked)?;
    let asked_flag = |name: &str| asked.get(name).and_then(json::flag);
    if asked_flag("enablePurgeProtection") == Some(false) {
        return Err(VaultError::PurgeProtectionIrreversible.into());
    }
    // A new vault may ask for none, and has it all the same [recorded 2021].
    if asked_flag("enableSoftDelete") == Some(false) && existing.is_some() {
        return Err(VaultError::SoftDeleteIrreversible.into());
    }
    let mut settled = Map::new();

    let sku = asked.get("sku").or_else(|| existing.and_then(|v| v.properties.get("sku")));
    let sku_name =
        sku.and_then(|s| s["name"].as_str()).ok_or_else(|| invalid("The parameter sku is not specified."))?;
    if !["standard", "premium"].iter().any(|s| s.eq_ignore_ascii_case(sku_name)) {
        return Err(invalid(&format!("The sku name '{sku_name}' is not valid. Use 'standard' or 'premium'.")).into());
    }
    settled.insert("sku".into(), json!({"family": "A", "name": sku_name.to_ascii_lowercase()}));

    let tenant = asked.get("tenantId").and_then(Value::as_str).unwrap_or(TENANT_ID);
    if !tenant.eq_ignore_ascii_case(TENANT_ID) {
        return Err(invalid(&format!("The tenant ID '{tenant}' is not valid or was not found.")).into());
    }
    settled.insert("tenantId".into(), json!(TENANT_ID));

    if let Some(acls) = asked.get("networkAcls").filter(|a| a.is_object()) {
        settled.insert("networkAcls".into(), network_acls(acls)?);
    }

    let policies = asked.get("accessPolicies").and_then(Value::as_array).cloned().unwrap_or_default();
    check_policies(&policies)?;
    settled.insert("accessPolicies".into(), Value::Array(policies));
    settled.insert("enabledForDeployment".into(), json!(asked_flag("enabledForDeployment").unwrap_or(false)));
    for name in ["enabledForDiskEncryption", "enabledForTemplateDeployment"] {
        if let Some(flag) = asked_flag(name) {
            settled.insert(name.into(), json!(flag));
        }
    }
    settled.insert("enableSoftDelete".into(), json!(true));

    settled.insert("softDeleteRetentionInDays".into(), json!(retention_days(existing, asked)?));

    let roles = asked_flag("enableRbacAuthorization").or_else(|| match existing {
        Some(vault) => vault.properties.get("enableRbacAuthorization").and_then(Value::as_bool),
        None => roles_by_default.then_some(true),
    });
    if let Some(roles) = roles {
        settled.insert("enableRbacAuthorization".into(), json!(roles));
    }
    if asked_flag("enablePurgeProtection") == Some(true) || existing.is_some_and(Vault::purge_protected) {
        settled.insert("enablePurgeProtection".into(), json!(true));
    }
    settled.insert("publicNetworkAccess".into(), json!(public_access(existing, asked)?));

    // Connections are resources of their own: a vault's PUT neither makes nor ends one.
    if let Some(links) = existing.and_then(|v| v.properties.get(PRIVATE_LINKS)) {
        settled.insert(PRIVATE_LINKS.into(), links.clone());
    }

    // What we do not know comes back as it was sent; what the service computes is not kept.
    for (name, value) in asked {
        let computed = ["vaultUri", "provisioningState", "createMode", PRIVATE_LINKS, "hsmPoolResourceId"];
        if !settled.contains_key(name) && !computed.contains(&name.as_str()) && !value.is_null() {
            settled.insert(name.clone(), value.clone());
        }
    }
    Ok(settled)
}

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

/// Fixed when the vault is made.
fn retention_days(existing: Option<&Vault>, asked: &Map<String, Value>) -> Result<i64> {
    match (existing, asked.get("softDeleteRetentionInDays").and_then(Value::as_i64)) {
        (Some(vault), Some(days)) if days != vault.retention_days() => Err(VaultError::RetentionFixed.into()),
        (Some(vault), _) => Ok(vault.retention_days()),
        (None, Some(days)) if !(7..=90).contains(&days) => {
            let message = "The property \"softDeleteRetentionInDays\" must be between 7 and 90.";
            Err(VaultError::Invalid(message.to_owned()).into())
        }
        (None, days) => Ok(days.unwrap_or(90)),
    }
}

fn public_access(existing: Option<&Vault>, asked: &Map<String, Value>) -> Result<&'static str> {
    let word = |properties: &Map<String, Value>| properties.get("publicNetworkAccess")?.as_str().map(str::to_owned);
    let asked = word(asked).or_else(|| word(&existing?.properties)).unwrap_or_else(|| "Enabled".to_owned());
    let known = ["Enabled", "Disabled", "SecuredByPerimeter"].into_iter().find(|w| w.eq_ignore_ascii_case(&asked));
    let message = || format!("The value '{asked}' of publicNetworkAccess is not valid.");
    Ok(known.ok_or_else(|| VaultError::Invalid(message()))?)
}

/// Refuses fields of a wrong type. One of null is one that was not sent.
fn check_types(asked: &Map<String, Value>) -> Result<()> {
    type Fits = fn(&Value) -> bool;
    let flag: Fits = |value| json::flag(value).is_some();
    let fields: [(&str, Fits); 11] = [
        ("enablePurgeProtection", flag),
        ("enableSoftDelete", flag),
        ("enabledForDeployment", flag),
        ("enabledForDiskEncryption", flag),
        ("enabledForTemplateDeployment", flag),
        ("enableRbacAuthorization", flag),
        ("softDeleteRetentionInDays", Value::is_i64),
        ("tenantId", Value::is_string),
        ("publicNetworkAccess", Value::is_string),
        ("accessPolicies", Value::is_array),
        ("networkAcls", Value::is_object),
    ];
    let sent = |name: &str| asked.get(name).filter(|value| !value.is_null());
    match fields.iter().find(|(name, fits)| sent(name).is_some_and(|value| !fits(value))) {
        Some((name, _)) => Err(invalid_value(name)),
        None => Ok(()),
    }
}

/// [inferred: the text, after that of access policies]
fn invalid_value(name: &str) -> crate::domain::Error {
    VaultError::Invalid(format!("An invalid value was provided for '{name}'.")).into()
}

/// Firewall rules as Azure keeps them: a bare address becomes `/32`, subnet ids lower case [recorded].
fn network_acls(asked: &Value) -> Result<Value> {
    let sent = |name: &str| asked.get(name).filter(|value| !value.is_null());
    let word = |name: &str, words: [&'static str; 2]| match sent(name) {
        None => Ok(words[0]),
        Some(value) => {
            let known = value.as_str().and_then(|v| words.into_iter().find(|word| word.eq_ignore_ascii_case(v)));
            known.ok_or_else(|| invalid_value(&format!("networkAcls.{name}")))
        }
    };
    let list = |name: &str| match sent(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(invalid_value(&format!("networkAcls.{name}"))),
    };
    let mut ip_rules = Vec::new();
    for rule in list("ipRules")? {
        let value = rule["value"].as_str().unwrap_or_default();
        let range = network::rule(value).ok_or_else(|| invalid_value("networkAcls.ipRules"))?;
        ip_rules.push(json!({"value": range.to_string()}));
    }
    let mut networks = Vec::new();
    for mut rule in list("virtualNetworkRules")? {
        let id = rule["id"].as_str().ok_or_else(|| invalid_value("networkAcls.virtualNetworkRules"))?;
        rule["id"] = json!(id.to_ascii_lowercase());
        networks.push(rule);
    }
    Ok(json!({
        "bypass": word("bypass", ["AzureServices", "None"])?,
        "defaultAction": word("defaultAction", ["Allow", "Deny"])?,
        "ipRules": ip_rules,
        "virtualNetworkRules": networks,
    }))
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

    fn asked(extra: Value) -> Map<String, Value> {
        let mut base = json!({"sku": {"name": "standard"}, "tenantId": TENANT_ID, "accessPolicies": []});
        for (k, v) in extra.as_object().unwrap() {
            base[k] = v.clone();
        }
        base.as_object().unwrap().clone()
    }

    #[test]
    fn roles_are_the_default_only_where_the_version_says_so() {
        let old = settle(None, &asked(json!({})), false).unwrap();
        assert!(!old.contains_key("enableRbacAuthorization"));
        let new = settle(None, &asked(json!({})), true).unwrap();
        assert_eq!(new["enableRbacAuthorization"], json!(true));
        let explicit = settle(None, &asked(json!({"enableRbacAuthorization": false})), true).unwrap();
        assert_eq!(explicit["enableRbacAuthorization"], json!(false));
    }

    #[test]
    fn purge_protection_cannot_be_taken_back() {
        let refused = settle(None, &asked(json!({"enablePurgeProtection": false})), false);
        assert_eq!(refused, Err(VaultError::PurgeProtectionIrreversible.into()));
    }

    #[test]
    fn what_no_vault_may_hold_is_refused() {
        let acls = |name: &str, value: Value| json!({"networkAcls": {name: value}});
        for wrong in [
            json!({"enabledForDeployment": "yes"}),
            json!({"enableRbacAuthorization": 1}),
            json!({"enablePurgeProtection": []}),
            json!({"softDeleteRetentionInDays": "90"}),
            json!({"publicNetworkAccess": false}),
            json!({"accessPolicies": {}}),
            json!({"networkAcls": "closed"}),
            acls("bypass", json!("Everybody")),
            acls("defaultAction", json!("Perhaps")),
            acls("defaultAction", json!(1)),
            acls("ipRules", json!({"value": "10.0.0.1"})),
            acls("ipRules", json!([{"value": "banana"}])),
            acls("ipRules", json!([{"value": "10.0.0.0/33"}])),
            acls("ipRules", json!([{"value": "2001:db8::1"}])),
            acls("ipRules", json!([{}])),
            acls("virtualNetworkRules", json!([{}])),
        ] {
            assert!(settle(None, &asked(wrong.clone()), false).is_err(), "{wrong}");
        }
        let sent = json!({
            "enabledForDeployment": "True", "enableRbacAuthorization": null,
            "networkAcls": {"defaultAction": "deny", "bypass": null, "ipRules": [{"value": "10.0.0.1"}, {"value": "10.2.0.0/16"}]},
        });
        let kept = settle(None, &asked(sent), false).unwrap();
        assert_eq!(kept["enabledForDeployment"], json!(true));
        assert_eq!(
            kept["networkAcls"],
            json!({"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": [{"value": "10.0.0.1/32"}, {"value": "10.2.0.0/16"}], "virtualNetworkRules": []})
        );
    }

    #[test]
    fn unknown_fields_come_back() {
        let kept = settle(None, &asked(json!({"future": {"a": 1}, "vaultUri": "x"})), false).unwrap();
        assert_eq!(kept["future"], json!({"a": 1}));
        assert!(!kept.contains_key("vaultUri"));
    }

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
