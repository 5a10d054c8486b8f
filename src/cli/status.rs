//! `acrite status`: which key protects which registry, and whether it can be opened.
//! Must not know the rules; it lays out what the instance answered.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::{Colour, coloured, is_coloured, print, table};
use crate::cli::{At, clock};

/// How often a watched instance is looked at.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(at: At, json: bool, watch: bool) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let colours = is_coloured(&std::io::stdout());
    let said = |status: &Value| if json { format!("{status:#}\n") } else { painted(&shown(status), colours) };
    let mut status = control.get("/acrite/v1/status").await?;
    if !watch {
        print(&said(&status))?;
        return Ok(ExitCode::SUCCESS);
    }
    let at_terminal = std::io::stdout().is_terminal();
    let mut before = Value::Null;
    loop {
        // A terminal shows the newest alone, a file each change.
        let clear = if at_terminal { "\x1b[H\x1b[2J" } else { "" };
        let now = json!([status["registries"], status["vaults"]]);
        if at_terminal || now != before {
            print(&format!("{clear}{}", said(&status)))?;
        }
        before = now;
        tokio::time::sleep(PAUSE).await;
        status = match control.get("/acrite/v1/status").await {
            Ok(status) => status,
            // It answered before, so it has ended since.
            Err(_) => return Ok(ExitCode::SUCCESS),
        };
    }
}

/// With headings and states that strike the eye.
fn painted(text: &str, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let line = |line: &str| {
        if line.starts_with("REGISTRY ") || line.starts_with("VAULT ") {
            return coloured(line, Colour::Bold, colours);
        }
        if line.starts_with("  ") {
            return coloured(line, Colour::Red, colours);
        }
        let states = [(" open ", Colour::Green), (" locked ", Colour::Red), (" disabled ", Colour::Red)];
        let found = states.into_iter().find_map(|(word, colour)| Some((line.split_once(word)?, word, colour)));
        found.map_or(line.to_owned(), |((before, after), word, colour)| {
            format!("{before}{}{after}", coloured(word, colour, colours))
        })
    };
    text.lines().map(|one| line(one) + "\n").collect()
}

fn shown(status: &Value) -> String {
    let registries = registries(&status["registries"]);
    let keys = keys(&status["vaults"]);
    format!("{registries}\n{keys}\n{}", clock::shown(&status["clock"]))
}

fn registries(registries: &Value) -> String {
    let headings = ["REGISTRY", "SKU", "STATE", "ROTATION", "IDENTITY", "LAST ROTATION", "NEXT POLL", "KEY"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    let mut reasons = String::new();
    for registry in list(registries) {
        let cell = |name: &str| text(&registry[name]);
        let identity = match (registry["identity"].as_str(), registry["identity_name"].as_str()) {
            (Some(_), None) => "(gone)".into(),
            (_, name) => name.unwrap_or("-").to_owned(),
        };
        rows.push(vec![
            cell("name"),
            cell("sku"),
            cell("state"),
            cell("rotation"),
            identity,
            moment(&registry["last_rotation"]),
            moment(&registry["next_poll"]),
            registry["key"].as_str().map_or_else(|| cell("encryption"), key),
        ]);
        if let Some(why) = registry["why"].as_str() {
            // Too long for a column, and the one thing that a locked-out person looks for.
            reasons.push_str(&format!("  {} is {}: {why}\n", cell("name"), cell("state")));
        }
    }
    if rows.len() == 1 { "no registries\n".into() } else { table(&rows) + &reasons }
}

/// `https://kv.vault.azure.net/keys/k/0123…` as `kv/k/01234567`: the table of keys has the whole version.
fn key(id: &str) -> String {
    let short = || {
        let (vault, path) = id.strip_prefix("https://")?.split_once(".vault.azure.net/keys/")?;
        let (name, version) = path.split_once('/')?;
        Some(format!("{vault}/{name}/{}", version.get(..8).unwrap_or(version)))
    };
    short().unwrap_or_else(|| id.to_owned())
}

/// A time to the second.
fn moment(at: &Value) -> String {
    match at.as_str().and_then(|at| at.split_once('.')) {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text(at),
    }
}

fn keys(vaults: &Value) -> String {
    let mut rows = vec![["VAULT", "KEY", "VERSION", "STATE", "PROTECTS"].map(str::to_owned).to_vec()];
    for vault in list(vaults) {
        for key in list(&vault["keys"]) {
            for version in list(&key["versions"]) {
                let protects: Vec<String> = list(&version["protects"]).map(text).collect();
                let protects = if protects.is_empty() { "-".into() } else { protects.join(", ") };
                let state = text(&version["state"]);
                rows.push(vec![text(&vault["name"]), text(&key["name"]), text(&version["version"]), state, protects]);
            }
        }
    }
    if rows.len() == 1 { "no keys\n".into() } else { table(&rows) }
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
    use super::*;

    #[test]
    fn a_locked_registry_says_why() {
        let status = json!({
            "registries": [
                {"name": "reg", "login_server": "reg.azurecr.io", "sku": "Premium", "encryption": "customer-managed",
                 "key": "https://kv.vault.azure.net/keys/k/0123456789abcdef", "rotation": "automatic", "identity": "cc85", "identity_name": "id1",
                 "state": "locked", "why": "the key is disabled", "last_rotation": "2026-01-31T12:00:00.123Z", "next_poll": null},
                {"name": "plain", "sku": "Basic", "encryption": "service-managed", "state": "open", "why": null},
            ],
            "vaults": [{"name": "kv", "keys": [{"name": "k", "versions": [{"version": "1", "state": "disabled", "protects": ["reg"]}]}]}],
            "clock": {"now": "2026-01-31T12:00:00Z", "rate": 1.0, "frozen": true},
        });
        let text = shown(&status);
        assert!(text.contains("  reg is locked: the key is disabled\n"), "{text}");
        assert!(text.contains("kv     k    1        disabled  reg\n"), "{text}");
        let row = "reg       Premium  locked  automatic  id1       2026-01-31T12:00:00Z  -          kv/k/01234567\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("-          service-managed\n"), "{text}");
        assert!(text.contains("frozen"), "{text}");
        assert_eq!(painted(&text, false), text);
        let painted = painted(&text, true);
        assert!(painted.contains("\x1b[31m locked \x1b[0m") && painted.contains("\x1b[32m open \x1b[0m"), "{painted}");
        assert!(painted.contains("\x1b[31m  reg is locked: the key is disabled\x1b[0m\n"), "{painted}");
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert!(shown(&json!({"registries": [], "vaults": []})).starts_with("no registries\n\nno keys\n\n"));
    }
}
