//! Diagnostic settings: which logs of a resource go where, and which settings are valid.
//! Must not know: which logs a type has, how they are written.

use serde_json::{Map, Value, json};

use super::neighbour::Neighbour;
use crate::domain::Result;
use crate::domain::error::NeighbourError;

/// The resource type of diagnostic settings.
pub const DIAGNOSTICS: &str = "Microsoft.Insights/diagnosticSettings";
/// Settings of one resource at most [docs].
pub const LIMIT: usize = 5;
/// Where logs go, by the property that names it.
pub const SINKS: [&str; 4] = ["storageAccountId", "workspaceId", "eventHubAuthorizationRuleId", "marketplacePartnerId"];
/// The one category of metrics.
const METRICS: &str = "AllMetrics";
/// The groups of log categories. [inferred] Each holds all categories of the types that are emulated.
const GROUPS: [&str; 2] = ["audit", "allLogs"];

fn same(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
}

fn invalid(message: String) -> NeighbourError {
    NeighbourError::DiagnosticsInvalid(message)
}

/// What an entry of `logs` or `metrics` says once its defaults are filled in.
fn entry(sent: &Value, categories: &[&str], groups: &[&str]) -> Result<Value> {
    let word = |name: &str| sent[name].as_str().filter(|word| !word.is_empty());
    let known = |all: &[&str], word: &str| all.iter().any(|one| one.eq_ignore_ascii_case(word));
    match (word("category"), word("categoryGroup")) {
        (Some(category), None) if !known(categories, category) => {
            return Err(invalid(format!("Category '{category}' is not supported.")).into());
        }
        (None, Some(group)) if !known(groups, group) => {
            return Err(invalid(format!("Category group '{group}' is not supported.")).into());
        }
        (Some(_), None) | (None, Some(_)) => {}
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("Each entry needs either a category or a category group.".to_owned()).into());
        }
    }
    let mut entry = sent.clone();
    for (name, default) in [("enabled", json!(false)), ("retentionPolicy", json!({"enabled": false, "days": 0}))] {
        if entry[name].is_null() {
            entry[name] = default;
        }
    }
    Ok(entry)
}

/// The properties to keep of those that were sent, for a resource with these log categories.
pub fn settle(sent: &Value, categories: &[&str]) -> Result<Map<String, Value>> {
    let mut settled = sent.as_object().cloned().unwrap_or_default();
    // An empty text is what tools send for a sink that nobody named.
    settled.retain(|name, value| !(SINKS.contains(&name.as_str()) && (value.is_null() || same(value, ""))));
    if !SINKS.iter().any(|sink| settled.contains_key(*sink)) {
        return Err(invalid("At least one data sink needs to be specified.".to_owned()).into());
    }
    for (name, known, groups) in [("logs", categories, GROUPS.as_slice()), ("metrics", &[METRICS], &[])] {
        let entries = sent[name].as_array().into_iter().flatten();
        let entries = entries.map(|sent| entry(sent, known, groups)).collect::<Result<Vec<_>>>()?;
        settled.insert(name.to_owned(), Value::Array(entries));
    }
    Ok(settled)
}

/// A diagnostic setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting(pub Neighbour);

impl Setting {
    /// Whether logs of a category are to be written.
    #[must_use]
    pub fn wants(&self, category: &str) -> bool {
        let entries = self.0.properties()["logs"].as_array().into_iter().flatten();
        entries.filter(|entry| entry["enabled"] == true).any(|entry| {
            same(&entry["category"], category) || GROUPS.iter().any(|group| same(&entry["categoryGroup"], group))
        })
    }

    /// Where they go: the id of what each named sink is.
    pub fn sinks(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SINKS.into_iter().filter_map(|sink| Some((sink, self.0.properties()[sink].as_str()?)))
    }

    /// The sink and the category that this setting and another share, which two settings must not.
    #[must_use]
    pub fn clash(&self, other: &Self, categories: &[&str]) -> Option<(String, String)> {
        let shared = self.sinks().find(|(sink, id)| same(&other.0.properties()[*sink], id))?;
        let category = categories.iter().find(|category| self.wants(category) && other.wants(category))?;
        Some((shared.1.to_owned(), (*category).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["A", "B"];

    fn setting(name: &str, sent: &Value) -> Setting {
        let mut one = Neighbour::new("/s", DIAGNOSTICS, name);
        one.document.insert("properties".to_owned(), Value::Object(settle(sent, KNOWN).unwrap()));
        Setting(one)
    }

    #[test]
    fn a_setting_names_a_sink_and_known_categories() {
        for wrong in [
            json!({"logs": [{"category": "A", "enabled": true}]}),
            json!({"workspaceId": ""}),
            json!({"workspaceId": "/w", "logs": [{"category": "C"}]}),
            json!({"workspaceId": "/w", "logs": [{"categoryGroup": "some"}]}),
            json!({"workspaceId": "/w", "logs": [{"enabled": true}]}),
            json!({"workspaceId": "/w", "metrics": [{"category": "A"}]}),
        ] {
            assert!(settle(&wrong, KNOWN).is_err(), "{wrong}");
        }
        let kept =
            settle(&json!({"workspaceId": "/w", "storageAccountId": "", "logs": [{"category": "a"}]}), KNOWN).unwrap();
        assert!(!kept.contains_key("storageAccountId"));
        assert_eq!(kept["logs"][0]["retentionPolicy"], json!({"enabled": false, "days": 0}));
    }

    #[test]
    fn what_is_wanted_goes_to_each_sink_once() {
        let one = setting(
            "one",
            &json!({"workspaceId": "/w", "logs": [{"category": "A", "enabled": true}, {"category": "B"}]}),
        );
        assert!(one.wants("a") && !one.wants("B"));
        let all =
            setting("all", &json!({"workspaceId": "/W", "logs": [{"categoryGroup": "allLogs", "enabled": true}]}));
        assert!(all.wants("A") && all.wants("B"));
        assert_eq!(all.clash(&one, KNOWN), Some(("/W".to_owned(), "A".to_owned())));
        let other = setting("other", &json!({"storageAccountId": "/w", "logs": [{"category": "A", "enabled": true}]}));
        assert_eq!(other.clash(&one, KNOWN), None);
    }
}
