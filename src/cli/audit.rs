//! `acrite audit`: who used which key for what, and what was refused.
//! Must not know how the log is kept; it lays out what the instance answered.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::At;
use crate::cli::control::Control;
use crate::cli::expect::{self, Expectation, Meant};
use crate::cli::failure::{Failure, program};
use crate::cli::output::print;

/// What of the log is shown, and how.
#[derive(Args)]
pub(super) struct Options {
    /// Go on until interrupted, showing what happens
    #[arg(long)]
    follow: bool,
    /// Show events instead: new key versions, and keys near their end
    #[arg(long)]
    events: bool,
    /// Show also what registries log: sign-ins, pulls, pushes, deletions
    #[arg(long, conflicts_with = "events")]
    registries: bool,
    /// Show challenges too: first requests without a token, which clients send to be told where to get one
    #[arg(long)]
    all: bool,
    /// Only what came after this mark (`acrite mark`)
    #[arg(long, value_name = "MARK", conflicts_with = "follow")]
    since: Option<String>,
    /// Say by the exit code whether so many records are there: 'KeyUnwrap myvault/mykey >= 1'
    #[arg(long, value_name = "EXPECTATION", value_parser = expect::parse, conflicts_with_all = ["follow", "events"])]
    expect: Option<Expectation>,
    /// Expect them of this caller: its name, application id or object id
    #[arg(long, value_name = "WHO", requires = "expect")]
    caller: Option<String>,
    /// Expect them with this result: OK, Forbidden, …
    #[arg(long, value_name = "RESULT", requires = "expect")]
    result: Option<String>,
    /// Print each record as one line of JSON, in Azure Monitor's shape (events: Event Grid's)
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: At, options: Options) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    if let Some(expectation) = &options.expect {
        return expected(&control, expectation, &options).await;
    }
    let Options { follow, events, registries, all, json, since, .. } = options;
    let since = since.map_or(String::new(), |mark| format!("&since={}", encoded(&mark)));
    let kinds: &[&str] = match (events, registries) {
        (true, _) => &["event"],
        (false, true) => &["audit", "registry"],
        (false, false) => &["audit"],
    };
    let (mut next, mut wait, mut challenges) = (0, false, 0);
    if !json {
        print(&line(&if events { EVENT_HEADINGS } else { HEADINGS }.map(str::to_owned)))?;
    }
    loop {
        let answer = match control.get(&format!("/acrite/v1/audit?after={next}&wait={wait}{since}")).await {
            Ok(answer) => answer,
            // It answered before, so it has ended since: then there is nothing more to follow.
            Err(_) if wait => return Ok(ExitCode::SUCCESS),
            Err(failure) => return Err(failure),
        };
        for entry in answer["entries"].as_array().into_iter().flatten() {
            let Some(record) = kinds.iter().find_map(|kind| entry.get(*kind)) else { continue };
            if !json && !all && is_challenge(record) {
                challenges += 1;
                continue;
            }
            print(&match (json, events) {
                (true, _) => format!("{record}\n"),
                (false, true) => line(&event(record)),
                (false, false) => line(&call(record, entry["caller"].as_str())),
            })?;
        }
        next = answer["next"].as_u64().unwrap_or(next);
        if !follow {
            if challenges > 0 {
                print(&format!("{challenges} challenges are not shown; --all shows them\n"))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        // Only the first look does not wait: what is there is shown at once.
        wait = true;
    }
}

/// A name as it may stand in a query.
fn encoded(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// Counts, and shows what came nearest if it is not so.
async fn expected(control: &Control, expectation: &Expectation, options: &Options) -> Result<ExitCode, Failure> {
    let since = options.since.as_ref().map_or(String::new(), |mark| format!("?since={}", encoded(mark)));
    let answer = control.get(&format!("/acrite/v1/audit{since}")).await?;
    let show = format!("{} audit --all", program());
    if answer["complete"] == false {
        let what = "the oldest records are forgotten, and what was expected may be among them";
        let mark = format!("{} mark start", program());
        return Err(Failure::new(what, "mark where it begins, and expect it --since there", &mark));
    }
    let entries: Vec<&Value> =
        answer["entries"].as_array().into_iter().flatten().filter(|entry| expect::record(entry).is_some()).collect();
    let meant = Meant { caller: options.caller.as_deref(), result: options.result.as_deref() };
    let count = expectation.count(&entries, &meant);
    let met = expectation.is_met(count);
    let nearest = if met { Vec::new() } else { expectation.nearest(&entries, &meant) };
    if options.json {
        let nearest: Vec<&Value> = nearest.iter().filter_map(|entry| expect::record(entry)).collect();
        print(&format!("{:#}\n", json!({"count": count, "met": met, "nearest": nearest})))?;
    } else {
        let shown = |entry: &&Value| Some(line(&call(expect::record(entry)?, entry["caller"].as_str())));
        let lines: String = nearest.iter().filter_map(shown).collect();
        let headings = if lines.is_empty() { String::new() } else { line(&HEADINGS.map(str::to_owned)) };
        print(&format!("counted: {count}\n{headings}{lines}"))?;
    }
    if met {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(format!("it is not as expected: {count} records fit"), "see all that there are", &show))
}

const HEADINGS: [&str; 5] = ["TIME", "CALLER", "OPERATION", "RESULT", "OBJECT"];
const EVENT_HEADINGS: [&str; 5] = ["TIME", "", "EVENT", "EXPIRES", "OBJECT"];

/// Columns of fixed width, for lines that come one by one.
fn line(cells: &[String; 5]) -> String {
    let [time, caller, operation, result, object] = cells;
    format!("{time:<24}  {caller:<24}  {operation:<20}  {result:<14}  {object}\n")
}

/// Whether it is about a request without a token: clients begin with one, and the answer tells them where to sign in.
fn is_challenge(record: &Value) -> bool {
    let nobody = record["identity"].as_object().is_some_and(serde_json::Map::is_empty);
    let asked_in_vain = record["resultDescription"].as_str().is_some_and(|why| why.starts_with("AKV10000"));
    record["operationName"] == "Authentication" && nobody && asked_in_vain
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// To the millisecond.
fn time(value: &Value) -> String {
    let text = text(value);
    match text.get(..23) {
        Some(start) => format!("{start}Z"),
        None => text,
    }
}

fn call(record: &Value, name: Option<&str>) -> [String; 5] {
    let properties = &record["properties"];
    let identity = record["identity"].as_str().filter(|id| !id.is_empty());
    let caller = name.or(record["identity"]["claim"]["appid"].as_str()).or(identity).unwrap_or("-");
    if let Some(server) = properties["loginServer"].as_str() {
        let place =
            |name: &str, sign: &str| properties[name].as_str().map_or(String::new(), |at| format!("{sign}{at}"));
        let digest = if properties["tag"].is_null() { place("digest", "@") } else { String::new() };
        let object = format!("{server}{}{}{digest}", place("repository", "/"), place("tag", ":"));
        let (operation, status) = (text(&record["operationName"]), text(&record["resultDescription"]));
        return [time(&record["time"]), caller.to_owned(), operation, status, object];
    }
    // Lists have no id; then the vault is what was asked.
    let vault = record["resourceId"].as_str().and_then(|id| id.rsplit('/').next()).map(str::to_ascii_lowercase);
    let id = properties["id"].as_str().map(|id| id.trim_start_matches("https://").to_owned());
    let mut object = id.or(vault).unwrap_or_default();
    if let Some(why) = record["resultDescription"].as_str() {
        object = format!("{object}  {}", why.trim());
    }
    [time(&record["time"]), caller.to_owned(), text(&record["operationName"]), text(&record["resultSignature"]), object]
}

fn event(record: &Value) -> [String; 5] {
    let kind = text(&record["eventType"]).trim_start_matches("Microsoft.KeyVault.").to_owned();
    let expires = record["data"]["EXP"].as_i64().map_or("-".to_owned(), |at| at.to_string());
    [time(&record["eventTime"]), String::new(), kind, expires, text(&record["data"]["Id"])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_what_and_why_not() {
        let record = json!({
            "time": "2026-01-01T00:00:00.0000000Z", "operationName": "KeyUnwrap", "resultSignature": "Forbidden",
            "resultDescription": "no", "resourceId": "/X/VAULTS/V", "identity": {"claim": {"appid": "app"}},
            "properties": {"id": "https://v.vault.azure.net/keys/k/1"},
        });
        let said = line(&call(&record, Some("keeper")));
        let words: Vec<&str> = said.split_whitespace().collect();
        let expected =
            ["2026-01-01T00:00:00.000Z", "keeper", "KeyUnwrap", "Forbidden", "v.vault.azure.net/keys/k/1", "no"];
        assert_eq!(words, expected);
        assert!(line(&call(&record, None)).contains(" app "));
        let record = json!({
            "time": "2026-01-01T00:00:00.0000000Z", "operationName": "Pull", "resultDescription": "200",
            "identity": "o", "properties": {"loginServer": "r.azurecr.io", "repository": "a/b", "tag": "v1", "digest": "d"},
        });
        let said = line(&call(&record, None));
        let words: Vec<&str> = said.split_whitespace().collect();
        assert_eq!(words, ["2026-01-01T00:00:00.000Z", "o", "Pull", "200", "r.azurecr.io/a/b:v1"]);
    }
}
