//! The audit log: every call leaves its record, registries' own calls too, and nothing is lost.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::harness::{Person, World, good, registry_path, vault_url};

/// The AuditEvent records so far.
async fn records(world: &World) -> Vec<Value> {
    entries(world).await.iter().filter_map(|e| e.get("audit").cloned()).collect()
}

async fn entries(world: &World) -> Vec<Value> {
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}/acrite/v1/audit", world.url)).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["entries"].as_array().unwrap().clone()
}

fn named<'a>(records: &'a [Value], operation: &str) -> Vec<&'a Value> {
    records.iter().filter(|r| r["operationName"] == operation).collect()
}

#[tokio::test]
async fn each_call_leaves_who_what_and_how_it_ended() {
    let world = World::with(&["--clock", "2026-03-01T00:00:00Z,frozen"]);
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-heard", true).await;
    let kid = owner.make_key("v-heard", "k").await;
    // First without a token, as every client does.
    let first = world.http().get(vault_url("v-heard", "keys/k")).send().await.unwrap();
    assert_eq!(first.status(), 401);
    let wrap = json!({"alg": "RSA-OAEP-256", "value": "AAEC"});
    good(owner.vault(Method::POST, "v-heard", "keys/k/wrapkey", wrap.clone()).await).await;
    let stranger = world.somebody("stranger").await;
    stranger.vault(Method::POST, "v-heard", "keys/k/wrapkey", wrap).await;
    owner.vault(Method::GET, "v-heard", "keys/none", Value::Null).await;
    good(owner.vault(Method::GET, "v-heard", "keys", Value::Null).await).await;

    let records = records(&world).await;
    let authentication = named(&records, "Authentication")[0];
    assert_eq!(authentication["properties"]["httpStatusCode"], 401);
    assert_eq!(authentication["identity"], json!({}));
    let create = named(&records, "KeyCreate")[0];
    assert_eq!(create["properties"]["id"], kid);
    assert_eq!(create["time"], "2026-03-01T00:00:00.0000000Z", "simulated time");
    let wraps = named(&records, "KeyWrap");
    assert_eq!(wraps.len(), 2);
    assert_eq!(wraps[0]["properties"]["id"], kid, "with the version that did it");
    assert_eq!(wraps[0]["identity"]["claim"]["oid"], owner.object_id);
    assert_eq!(wraps[0]["resultSignature"], "OK");
    assert_eq!(wraps[0]["properties"]["isRbacAuthorized"], true);
    assert_eq!(wraps[0]["properties"]["keyProperties"], json!({"type": "RSA", "attributes": {"hsmPlatform": "0"}}));
    assert_eq!(wraps[1]["identity"]["claim"]["appid"], stranger.client_id);
    assert_eq!(wraps[1]["properties"]["httpStatusCode"], 403);
    assert_eq!(wraps[1]["resultType"], "Success", "as Azure writes it");
    assert_eq!(wraps[1]["resultSignature"], "Forbidden");
    assert_eq!(wraps[1]["resultDescription"], "Caller is not authorized to perform action on resource.");
    assert_eq!(wraps[1]["properties"]["isRbacAuthorized"], false);
    let missing = named(&records, "KeyGet")[0];
    assert_eq!(
        (&missing["resultSignature"], &missing["properties"]["id"]),
        (&json!("Not Found"), &json!("https://v-heard.vault.azure.net/keys/none"))
    );
    assert!(named(&records, "KeyList")[0]["properties"].get("id").is_none());
    assert!(!serde_json::to_string(&records).unwrap().contains("eyJ"), "no token is kept");
}

#[tokio::test]
async fn registries_are_heard_as_their_identity_and_when_they_are_refused() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-cmk", false).await;
    let kid = owner.make_key("v-cmk", "k").await;
    let (client_id, principal) = owner.make_identity("keeper").await;
    owner.allow("v-cmk", &principal).await;
    let body = Person::cmk_body("https://v-cmk.vault.azure.net/keys/k", "keeper", &client_id);
    good(owner.arm(Method::PUT, &registry_path("heardreg"), body).await).await;
    let of_keeper = |records: &[Value], operation: &str| {
        named(records, operation).iter().filter(|r| r["identity"]["claim"]["oid"] == principal.as_str()).count()
    };
    let before = records(&world).await;
    assert_eq!(of_keeper(&before, "KeyWrap"), 1);
    let wrap = named(&before, "KeyWrap")[0];
    assert_eq!(wrap["properties"]["id"], kid);
    assert_eq!(wrap["properties"]["clientInfo"], "Microsoft.ContainerRegistry");
    owner.policy("v-cmk", "remove", &principal, &["unwrapKey"]).await;
    world.status().await;
    assert_eq!(records(&world).await.len(), before.len(), "that the emulator shows the state is no call");
    let docker = owner.sign_in("heardreg", "app").await;
    docker.call(Method::GET, "tags/list").send().await.unwrap();
    let after = records(&world).await;
    let refused = named(&after, "KeyUnwrap").into_iter().find(|r| r["properties"]["httpStatusCode"] == 403).unwrap();
    assert_eq!(refused["properties"]["isAccessPolicyMatch"], false);
    assert!(refused["resultDescription"].as_str().unwrap().contains("keys unwrapKey permission"));
}

#[tokio::test]
async fn new_versions_and_near_ends_are_events() {
    let world = World::with(&["--clock", "2026-03-01T00:00:00Z,frozen"]);
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-events", false).await;
    let kid = owner.make_key("v-events", "k").await;
    let expires = 1_772_323_200 + 60 * 86_400;
    good(owner.vault(Method::PATCH, "v-events", "keys/k", json!({"attributes": {"exp": expires}})).await).await;
    let events = async || -> Vec<Value> {
        world.advance(0).await;
        entries(&world).await.iter().filter_map(|e| e.get("event").cloned()).collect()
    };
    let made = events().await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["eventType"], "Microsoft.KeyVault.KeyNewVersionCreated");
    assert_eq!(made[0]["data"]["Id"], kid);
    world.advance(29 * 86_400).await;
    assert_eq!(events().await.len(), 1, "not near yet");
    world.advance(2 * 86_400).await;
    let near = events().await;
    assert_eq!(near.len(), 2);
    assert_eq!(near[1]["eventType"], "Microsoft.KeyVault.KeyNearExpiry");
    assert_eq!(near[1]["eventTime"], "2026-03-31T00:00:00.0000000Z", "30 days before, to the instant");
    assert_eq!(near[1]["data"]["EXP"], expires);
    good(owner.vault(Method::PATCH, "v-events", "keys/k", json!({"tags": {"a": "b"}})).await).await;
    world.advance(86_400).await;
    assert_eq!(events().await.len(), 2, "told once");
}

#[tokio::test]
async fn the_command_shows_follows_and_the_files_keep_all() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("copy.jsonl");
    let world = World::on(dir.path(), &["--audit-log", copy.to_str().unwrap()]);
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-shown", false).await;
    owner.make_key("v-shown", "k").await;
    let audit = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acrite"));
        command.args(["audit", "--data-dir"]).arg(dir.path()).args(more);
        command
    };
    let shown = String::from_utf8(audit(&[]).output().unwrap().stdout).unwrap();
    assert!(shown.starts_with("TIME"), "{shown}");
    assert!(
        shown
            .lines()
            .any(|l| l.contains("KeyCreate") && l.contains("OK") && l.contains("v-shown.vault.azure.net/keys/k/")),
        "{shown}"
    );
    let lines = String::from_utf8(audit(&["--json"]).output().unwrap().stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().all(|l| l["category"] == "AuditEvent"));
    let events = String::from_utf8(audit(&["--events"]).output().unwrap().stdout).unwrap();
    assert!(events.contains("KeyNewVersionCreated"), "{events}");

    // A follower sees what comes, and a clean stop lets it go and loses nothing.
    let mut follower = audit(&["--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut followed = BufReader::new(follower.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(followed.any(|line| line.contains("\"KeyCreate\"")));
    good(owner.vault(Method::GET, "v-shown", "keys/k", Value::Null).await).await;
    drop(owner);
    world.stop();
    assert!(followed.any(|line| line.contains("\"KeyGet\"")), "it sees what comes");
    assert!(follower.wait().unwrap().success(), "it was let go, not cut off");
    let kept = std::fs::read_to_string(dir.path().join("audit.jsonl")).unwrap();
    assert!(kept.lines().last().unwrap().contains("KeyGet"));
    assert_eq!(kept, std::fs::read_to_string(copy).unwrap());

    let world = World::on(dir.path(), &[]);
    assert_eq!(entries(&world).await.len(), kept.lines().count(), "a restart remembers");
}
