//! `acrite fault`: adds, lists and clears rules that make calls fail.
//! Must not know how a fault is carried out; it sends wishes and prints what became of them.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::{print, table};
use crate::cli::{At, moment};
use crate::domain::fault::Service;

const PATH: &str = "/acrite/v1/faults";

#[derive(Subcommand)]
pub(super) enum Action {
    /// Make calls fail: `fault add keyvault KeyUnwrap --status 429 --times 3`
    // Said by hand, for of a forgotten argument clap's own would tell without [OPTIONS].
    #[command(override_usage = "acrite fault add SERVICE [OPERATION] [OPTIONS]")]
    Add(Box<Wish>),
    /// Show what was asked for and how often it hit
    List,
    /// Make nothing fail any more, or no more by one rule; says which never matched
    Clear {
        /// The rule's number, as `list` shows it
        id: Option<u64>,
    },
}

#[derive(Args)]
pub(super) struct Wish {
    /// arm, keyvault, registry, entra, graph, imds, webhook, source (of imports and cache rules) or disk
    #[arg(value_parser = service, value_name = "SERVICE")]
    service: Service,
    /// As the audit log, a role or the registry's log names it: KeyUnwrap, */write, Pull; `*` is any text [default: all]
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    /// Only calls about this vault
    #[arg(long, value_name = "NAME")]
    vault: Option<String>,
    /// Only calls about, or by, this registry
    #[arg(long, value_name = "NAME")]
    registry: Option<String>,
    /// Only calls about this key or secret
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Only calls about this repository
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Only calls that this region of a registry serves; a rule for all of them takes it down, and others serve instead
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only calls of this principal: its name, application id or object id
    #[arg(long, value_name = "WHO")]
    caller: Option<String>,
    /// Refuse with this status code
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,
    /// Wait first, in real time
    #[arg(long, value_name = "DURATION", value_parser = moment::duration)]
    latency: Option<Duration>,
    /// Close the connection without an answer
    #[arg(long)]
    drop: bool,
    /// Close the connection after this many bytes of the body
    #[arg(long, value_name = "BYTES")]
    cut_after: Option<u64>,
    /// The disk has no room
    #[arg(long)]
    full: bool,
    /// How many calls to hit [default: all]
    #[arg(long, value_name = "N")]
    times: Option<u64>,
    /// How many matching calls to let through first
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// Seconds to say in Retry-After
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u32>,
}

fn service(text: &str) -> Result<Service, String> {
    let known = || format!("services are {}", Service::names().collect::<Vec<_>>().join(", "));
    Service::parse(text).ok_or_else(known)
}

impl Wish {
    fn document(&self) -> Value {
        let mut document = Map::from_iter([("service".to_owned(), json!(self.service.name()))]);
        let texts = [
            ("operation", &self.operation),
            ("vault", &self.vault),
            ("registry", &self.registry),
            ("key", &self.key),
            ("repository", &self.repository),
            ("region", &self.region),
            ("caller", &self.caller),
        ];
        let mut put = |name: &str, value: Option<Value>| document.extend(value.map(|value| (name.to_owned(), value)));
        for (name, value) in texts {
            put(name, value.as_ref().map(|value| json!(value)));
        }
        put("status", self.status.map(Value::from));
        put("latency", self.latency.map(|latency| json!(latency.as_secs_f64())));
        put("drop", self.drop.then_some(json!(true)));
        put("cut_after", self.cut_after.map(Value::from));
        put("full", self.full.then_some(json!(true)));
        put("times", self.times.map(Value::from));
        put("after", self.after.map(Value::from));
        put("retry_after", self.retry_after.map(Value::from));
        Value::Object(document)
    }
}

pub(super) async fn run(action: Action, at: At, json: bool) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let answer = match &action {
        Action::Add(wish) => control.post(PATH, &wish.document()).await?,
        Action::List => control.get(PATH).await?,
        Action::Clear { id: None } => control.delete(PATH).await?,
        Action::Clear { id: Some(id) } => control.delete(&format!("{PATH}/{id}")).await?,
    };
    let text = match action {
        _ if json => format!("{answer:#}\n"),
        Action::Add(_) => format!("fault {} added: {}\n", answer["id"], described(&answer)),
        Action::List => listed(&answer["faults"]),
        Action::Clear { .. } => cleared(&answer["faults"]),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A rule in one line, as it was asked for.
fn described(rule: &Value) -> String {
    let words = rule.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name.as_str() {
            "id" | "matched" | "hit" => None,
            "after" if value == "0" => None,
            "service" | "operation" => Some(value),
            "drop" | "full" => Some(format!("--{name}")),
            "latency" => Some(format!("--latency {value}s")),
            name => Some(format!("--{} {value}", name.replace('_', "-"))),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn listed(rules: &Value) -> String {
    let mut rows = vec![["ID", "HIT", "MATCHED", "FAULT"].map(str::to_owned).to_vec()];
    for rule in rules.as_array().into_iter().flatten() {
        let number = |name: &str| rule[name].to_string();
        rows.push(vec![number("id"), number("hit"), number("matched"), described(rule)]);
    }
    if rows.len() == 1 { "no faults\n".to_owned() } else { table(&rows) }
}

fn cleared(rules: &Value) -> String {
    let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = format!("{} cleared\n", rules.len());
    for rule in rules.iter().filter(|rule| rule["matched"] == 0) {
        text.push_str(&format!("  never matched: {}\n", described(rule)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_shown_as_they_were_asked_for() {
        let rule = json!({"id": 1, "service": "keyvault", "operation": "KeyUnwrap", "vault": "kv", "status": 429, "times": 3, "after": 0, "matched": 0, "hit": 0});
        assert_eq!(described(&rule), "keyvault KeyUnwrap --vault kv --status 429 --times 3");
        assert_eq!(
            cleared(&json!([rule])),
            "1 cleared\n  never matched: keyvault KeyUnwrap --vault kv --status 429 --times 3\n"
        );
        assert_eq!(listed(&json!([])), "no faults\n");
    }
}
