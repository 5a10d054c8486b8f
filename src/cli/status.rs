//! `acrite status`: which key protects which registry, and whether it can be opened.
//! Must not know the rules; it lays out what the instance answered.

use std::process::ExitCode;

use serde_json::Value;

use super::control::Control;
use super::output::{print, table};
use super::{At, Failure, clock};

pub(super) async fn run(at: At, json: bool) -> Result<ExitCode, Failure> {
    let status = Control::find(&at).await?.get("/acrite/v1/status").await?;
    print(&if json { format!("{status:#}\n") } else { shown(&status) });
    Ok(ExitCode::SUCCESS)
}

fn shown(status: &Value) -> String {
    let registries = registries(&status["registries"]);
    let keys = keys(&status["vaults"]);
    format!("{registries}\n{keys}\n{}", clock::shown(&status["clock"]))
}

fn registries(registries: &Value) -> String {
    let mut rows = vec![headings(&[
        "REGISTRY",
        "SKU",
        "STATE",
        "ENCRYPTION",
        "ROTATION",
        "IDENTITY",
        "LAST ROTATION",
        "NEXT POLL",
        "KEY",
    ])];
    let mut reasons = String::new();
    for registry in list(registries) {
        let cell = |name: &str| text(&registry[name]);
        rows.push(
            ["name", "sku", "state", "encryption", "rotation", "identity", "last_rotation", "next_poll", "key"]
                .map(cell)
                .to_vec(),
        );
        if let Some(why) = registry["why"].as_str() {
            // Too long for a column, and the one thing that a locked-out person looks for.
            reasons.push_str(&format!("  {} is {}: {why}\n", cell("name"), cell("state")));
        }
    }
    if rows.len() == 1 { "no registries\n".into() } else { table(&rows) + &reasons }
}

fn keys(vaults: &Value) -> String {
    let mut rows = vec![headings(&["VAULT", "KEY", "VERSION", "STATE", "PROTECTS"])];
    for vault in list(vaults) {
        for key in list(&vault["keys"]) {
            for version in list(&key["versions"]) {
                let state = if version["enabled"].as_bool().unwrap_or(false) { "enabled" } else { "disabled" };
                let protects: Vec<String> = list(&version["protects"]).map(text).collect();
                let protects = if protects.is_empty() { "-".into() } else { protects.join(", ") };
                rows.push(vec![
                    text(&vault["name"]),
                    text(&key["name"]),
                    text(&version["version"]),
                    state.into(),
                    protects,
                ]);
            }
        }
    }
    if rows.len() == 1 { "no keys\n".into() } else { table(&rows) }
}

fn headings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_locked_registry_says_why() {
        let status = json!({
            "registries": [
                {"name": "reg", "login_server": "reg.azurecr.io", "sku": "Premium", "encryption": "customer-managed",
                 "key": "https://kv.vault.azure.net/keys/k/1", "rotation": "automatic", "identity": "system",
                 "state": "locked", "why": "the key is disabled", "last_rotation": "2026-01-31T12:00:00Z", "next_poll": null},
                {"name": "plain", "sku": "Basic", "encryption": "service-managed", "state": "open", "why": null},
            ],
            "vaults": [{"name": "kv", "keys": [{"name": "k", "versions": [{"version": "1", "enabled": false, "protects": ["reg"]}]}]}],
            "clock": {"now": "2026-01-31T12:00:00Z", "rate": 1.0, "frozen": true},
        });
        let text = shown(&status);
        assert!(text.contains("  reg is locked: the key is disabled\n"), "{text}");
        assert!(text.contains("kv     k    1        disabled  reg\n"), "{text}");
        assert!(text.contains("plain     Basic    open    service-managed   -"), "{text}");
        assert!(text.contains("frozen"), "{text}");
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert!(shown(&json!({"registries": [], "vaults": []})).starts_with("no registries\n\nno keys\n\n"));
    }
}
