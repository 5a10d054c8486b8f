//! A registry's document, read: what its settings say, by name and not by path.
//! Must not know: how the document is settled (see registry), what its values may be (see values).

use serde_json::{Map, Value};

/// The settings of a registry.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a Map<String, Value>);

impl<'a> Settings<'a> {
    /// Reads the `properties` of a registry.
    #[must_use]
    pub fn of(properties: &'a Map<String, Value>) -> Self {
        Self(properties)
    }

    fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn is(self, name: &str, word: &str) -> bool {
        self.0.get(name).and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(word))
    }

    fn policy(self, policy: &str, status: &str) -> bool {
        let value = self.0.get("policies").and_then(|policies| policies[policy]["status"].as_str());
        value.is_some_and(|value| value.eq_ignore_ascii_case(status))
    }

    #[must_use]
    pub fn admin_user(self) -> bool {
        self.flag("adminUserEnabled")
    }

    #[must_use]
    pub fn anonymous_pull(self) -> bool {
        self.flag("anonymousPullEnabled")
    }

    /// Whether blobs come from a host of their own in each region.
    #[must_use]
    pub fn data_endpoints(self) -> bool {
        self.flag("dataEndpointEnabled")
    }

    /// Whether each region has a login server of its own.
    #[must_use]
    pub fn regional_endpoints(self) -> bool {
        self.is("regionalEndpoints", "Enabled")
    }

    #[must_use]
    pub fn zone_redundant(self) -> bool {
        self.is("zoneRedundancy", "Enabled")
    }

    /// Whether roles are worth something by repository: the mode is `AbacRepositoryPermissions`.
    #[must_use]
    pub fn rights_by_repository(self) -> bool {
        self.is("roleAssignmentMode", "AbacRepositoryPermissions")
    }

    /// Whether tokens of Entra ID for resource management are taken for sign-in.
    #[must_use]
    pub fn management_tokens(self) -> bool {
        self.policy("azureADAuthenticationAsArmPolicy", "enabled")
    }

    /// Whether repositories that a cache rule fills may be pushed to.
    #[must_use]
    pub fn cached_writable(self) -> bool {
        self.is("writableCacheRepos", "Enabled")
    }

    /// Whether runs of its tasks pass its firewall.
    #[must_use]
    pub fn tasks_pass_the_firewall(self) -> bool {
        self.flag("networkRuleBypassAllowedForTasks") && !self.is("networkRuleBypassOptions", "None")
    }

    /// Whether its content may be exported to no other registry.
    #[must_use]
    pub fn exports_disabled(self) -> bool {
        self.policy("exportPolicy", "disabled")
    }

    #[must_use]
    pub fn content_trust(self) -> bool {
        self.policy("trustPolicy", "enabled")
    }

    /// Whether what is pushed waits for a scanner.
    #[must_use]
    pub fn quarantine(self) -> bool {
        self.policy("quarantinePolicy", "enabled")
    }

    /// Whether untagged manifests go after a while.
    #[must_use]
    pub fn retention(self) -> bool {
        self.policy("retentionPolicy", "enabled")
    }

    /// The whole policy of that, to tell whether it changes.
    #[must_use]
    pub fn retention_policy(self) -> Option<&'a Value> {
        self.0.get("policies").map(|policies| &policies["retentionPolicy"])
    }

    /// Whether what is deleted goes to a bin.
    #[must_use]
    pub fn soft_delete(self) -> bool {
        self.policy("softDeletePolicy", "enabled")
    }

    /// Whether clients of the public network get in at all.
    #[must_use]
    pub fn public(self) -> bool {
        !self.is("publicNetworkAccess", "Disabled")
    }

    /// Whether addresses that no rule names are kept out.
    #[must_use]
    pub fn denies_by_default(self) -> bool {
        let rules = self.0.get("networkRuleSet");
        rules.and_then(|r| r["defaultAction"].as_str()).is_some_and(|action| action.eq_ignore_ascii_case("Deny"))
    }

    fn rules(self, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.0.get("networkRuleSet").and_then(|rules| rules[list].as_array()).into_iter().flatten()
    }

    /// The addresses and ranges that rules name.
    pub fn ip_rules(self) -> impl Iterator<Item = &'a str> {
        self.rules("ipRules").filter_map(|rule| rule["value"].as_str())
    }

    /// How many rules there are: about addresses, and about virtual networks.
    #[must_use]
    pub fn rule_counts(self) -> (usize, usize) {
        (self.rules("ipRules").count(), self.rules("virtualNetworkRules").count())
    }
}
