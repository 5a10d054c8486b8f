//! Vaults: what a vault's document may say, and what follows from it (network, retention, recovery level).
//! Must not know: keys, registries, who is calling beyond their address.

pub mod key;
pub mod kind;
pub mod object;
mod policies;
pub mod rotation;
pub mod secret;
pub mod uses;
pub mod wanted;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use self::policies::{PolicyChange, change_policies, check_policies};
use crate::domain::access::Caller;
use crate::domain::error::{AccessError, Result, VaultError, VaultPlace};
use crate::domain::world::time::Timestamp;
use crate::domain::world::typed::{self, Object};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::world::{name, network};

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
        self.sku().is_some_and(|name| name.eq_ignore_ascii_case("premium"))
    }

    fn sku(&self) -> Option<&str> {
        self.properties.get("sku")?["name"].as_str()
    }

    fn public_access(&self) -> Option<&str> {
        self.properties.get("publicNetworkAccess")?.as_str()
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
        let public = self.public_access().unwrap_or("Enabled");
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

/// What a PUT asks of a vault. Flags may be words. A member of null is one that was not sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    sku: Option<Object<Sku>>,
    tenant_id: Option<String>,
    network_acls: Option<Map<String, Value>>,
    access_policies: Option<Vec<Value>>,
    #[serde(deserialize_with = "typed::flag")]
    enabled_for_deployment: Option<bool>,
    #[serde(deserialize_with = "typed::flag")]
    enabled_for_disk_encryption: Option<bool>,
    #[serde(deserialize_with = "typed::flag")]
    enabled_for_template_deployment: Option<bool>,
    #[serde(deserialize_with = "typed::flag")]
    enable_soft_delete: Option<bool>,
    soft_delete_retention_in_days: Option<i64>,
    #[serde(deserialize_with = "typed::flag")]
    enable_rbac_authorization: Option<bool>,
    #[serde(deserialize_with = "typed::flag")]
    enable_purge_protection: Option<bool>,
    public_network_access: Option<String>,
    /// What we do not know comes back as it was sent.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sku {
    name: Option<String>,
}

/// Settles what a PUT (or an already merged PATCH) asks for into the document to keep.
/// `roles_by_default`: the api-version is 2026-02-01 or newer, and the vault is being created.
pub fn settle(
    existing: Option<&Vault>,
    asked: &Map<String, Value>,
    roles_by_default: bool,
) -> Result<Map<String, Value>> {
    let invalid = |message: &str| VaultError::Invalid(message.to_owned());
    let asked: Asked = typed::read(&Value::Object(asked.clone())).map_err(|member| invalid_value(&member))?;
    if asked.enable_purge_protection == Some(false) {
        return Err(VaultError::PurgeProtectionIrreversible.into());
    }
    // A new vault may ask for none, and has it all the same [recorded 2021].
    if asked.enable_soft_delete == Some(false) && existing.is_some() {
        return Err(VaultError::SoftDeleteIrreversible.into());
    }
    let mut settled = Map::new();

    let sku = match asked.sku {
        Some(sku) => sku.0.name,
        None => existing.and_then(|vault| vault.sku().map(str::to_owned)),
    };
    let sku = sku.ok_or_else(|| invalid("The parameter sku is not specified."))?;
    if !["standard", "premium"].iter().any(|s| s.eq_ignore_ascii_case(&sku)) {
        return Err(invalid(&format!("The sku name '{sku}' is not valid. Use 'standard' or 'premium'.")).into());
    }
    settled.insert("sku".into(), json!({"family": "A", "name": sku.to_ascii_lowercase()}));

    let tenant = asked.tenant_id.as_deref().unwrap_or(TENANT_ID);
    if !tenant.eq_ignore_ascii_case(TENANT_ID) {
        return Err(invalid(&format!("The tenant ID '{tenant}' is not valid or was not found.")).into());
    }
    settled.insert("tenantId".into(), json!(TENANT_ID));

    if let Some(acls) = asked.network_acls {
        settled.insert("networkAcls".into(), network_acls(acls)?);
    }

    let policies = asked.access_policies.unwrap_or_default();
    check_policies(&policies)?;
    settled.insert("accessPolicies".into(), Value::Array(policies));
    settled.insert("enabledForDeployment".into(), json!(asked.enabled_for_deployment.unwrap_or(false)));
    for (name, flag) in [
        ("enabledForDiskEncryption", asked.enabled_for_disk_encryption),
        ("enabledForTemplateDeployment", asked.enabled_for_template_deployment),
    ] {
        if let Some(flag) = flag {
            settled.insert(name.into(), json!(flag));
        }
    }
    settled.insert("enableSoftDelete".into(), json!(true));
    let days = retention_days(existing, asked.soft_delete_retention_in_days)?;
    settled.insert("softDeleteRetentionInDays".into(), json!(days));

    let roles = asked.enable_rbac_authorization.or_else(|| match existing {
        Some(vault) => vault.properties.get("enableRbacAuthorization").and_then(Value::as_bool),
        None => roles_by_default.then_some(true),
    });
    if let Some(roles) = roles {
        settled.insert("enableRbacAuthorization".into(), json!(roles));
    }
    if asked.enable_purge_protection == Some(true) || existing.is_some_and(Vault::purge_protected) {
        settled.insert("enablePurgeProtection".into(), json!(true));
    }
    let access = public_access(asked.public_network_access.as_deref().or(existing.and_then(Vault::public_access)))?;
    settled.insert("publicNetworkAccess".into(), json!(access));

    // Connections are resources of their own: a vault's PUT neither makes nor ends one.
    if let Some(links) = existing.and_then(|v| v.properties.get(PRIVATE_LINKS)) {
        settled.insert(PRIVATE_LINKS.into(), links.clone());
    }
    // What the service computes is not kept.
    let computed = ["vaultUri", "provisioningState", "createMode", PRIVATE_LINKS, "hsmPoolResourceId"];
    settled
        .extend(asked.rest.into_iter().filter(|(name, value)| !computed.contains(&name.as_str()) && !value.is_null()));
    Ok(settled)
}

/// Fixed when the vault is made.
fn retention_days(existing: Option<&Vault>, asked: Option<i64>) -> Result<i64> {
    match (existing, asked) {
        (Some(vault), Some(days)) if days != vault.retention_days() => Err(VaultError::RetentionFixed.into()),
        (Some(vault), _) => Ok(vault.retention_days()),
        (None, Some(days)) if !(7..=90).contains(&days) => {
            let message = "The property \"softDeleteRetentionInDays\" must be between 7 and 90.";
            Err(VaultError::Invalid(message.to_owned()).into())
        }
        (None, days) => Ok(days.unwrap_or(90)),
    }
}

fn public_access(asked: Option<&str>) -> Result<&'static str> {
    let asked = asked.unwrap_or("Enabled");
    let known = ["Enabled", "Disabled", "SecuredByPerimeter"].into_iter().find(|w| w.eq_ignore_ascii_case(asked));
    let message = || format!("The value '{asked}' of publicNetworkAccess is not valid.");
    Ok(known.ok_or_else(|| VaultError::Invalid(message()))?)
}

/// [inferred: the text, after that of access policies]
fn invalid_value(name: &str) -> crate::domain::Error {
    VaultError::Invalid(format!("An invalid value was provided for '{name}'.")).into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Acls {
    bypass: Option<String>,
    default_action: Option<String>,
    ip_rules: Option<Vec<Value>>,
    virtual_network_rules: Option<Vec<Value>>,
}

/// Firewall rules as Azure keeps them: a bare address becomes `/32`, subnet ids lower case [recorded].
fn network_acls(asked: Map<String, Value>) -> Result<Value> {
    let wrong = |name: &str| invalid_value(&format!("networkAcls.{name}"));
    let asked: Acls = typed::read(&Value::Object(asked)).map_err(|member| wrong(&member))?;
    let word = |name: &str, asked: Option<String>, words: [&'static str; 2]| match asked {
        None => Ok(words[0]),
        Some(asked) => words.into_iter().find(|word| word.eq_ignore_ascii_case(&asked)).ok_or_else(|| wrong(name)),
    };
    let mut ip_rules = Vec::new();
    for rule in asked.ip_rules.unwrap_or_default() {
        let value = rule["value"].as_str().unwrap_or_default();
        let range = network::rule(value).ok_or_else(|| wrong("ipRules"))?;
        ip_rules.push(json!({"value": range.to_string()}));
    }
    let mut networks = Vec::new();
    for mut rule in asked.virtual_network_rules.unwrap_or_default() {
        let id = rule["id"].as_str().ok_or_else(|| wrong("virtualNetworkRules"))?;
        rule["id"] = json!(id.to_ascii_lowercase());
        networks.push(rule);
    }
    Ok(json!({
        "bypass": word("bypass", asked.bypass, ["AzureServices", "None"])?,
        "defaultAction": word("defaultAction", asked.default_action, ["Allow", "Deny"])?,
        "ipRules": ip_rules,
        "virtualNetworkRules": networks,
    }))
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
            json!({"sku": "standard"}),
            json!({"tenantId": 1}),
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
}
