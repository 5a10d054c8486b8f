//! What a test author proves with the command line alone: waiting for what time brings, and who used which key.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{MANIFEST, World, good, registry_path};
use crate::process::{acrite, err, out};
use crate::stage;

/// Runs commands for a world.
struct Desk<'w> {
    home: TempDir,
    world: &'w World,
}

impl<'w> Desk<'w> {
    fn new(world: &'w World) -> Self {
        Self { home: TempDir::new().unwrap(), world }
    }

    fn ask(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = acrite(self.home.path(), arguments);
        tokio::task::block_in_place(|| command.env("ACRITE_URL", &self.world.url).output().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_lets_time_pass_until_it_is_so() {
    let world = World::with(&["--clock", "2026-01-31T12:00:00Z,frozen"]);
    let me = world.developer().await;
    stage::registry(&me, false).await;
    let desk = Desk::new(&world);
    let now = async || world.status().await["clock"]["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let before = now().await;
    let open = desk.ask(&["wait", "reg01", "open"]);
    assert!(open.status.success() && out(&open).starts_with("reg01 is open at "), "{}", err(&open));
    assert_eq!(now().await, before, "it was so already");

    let newer = me.make_key("vault1", "key").await;
    let rotated = desk.ask(&["wait", "reg01", "rotated"]);
    assert!(out(&rotated).contains(&format!("reg01 is rotated to {newer} at ")), "{}{}", out(&rotated), err(&rotated));
    let passed = now().await.duration_since(before).as_secs();
    assert!((1..=3600).contains(&passed), "one look later, not more: {passed}");

    // A version that is valid only later is not taken before.
    let activation = now().await.as_second() + 86_400;
    let later = json!({"kty": "RSA", "key_size": 2048, "attributes": {"nbf": activation}});
    let later = good(me.vault(Method::POST, "vault1", "keys/key/create", later).await).await;
    let early = desk.ask(&["wait", "reg01", "rotated", "--within", "12h"]);
    assert_eq!(early.status.code(), Some(1));
    assert!(err(&early).contains("reg01 was not rotated by ") && err(&early).contains(&newer), "{}", err(&early));
    let rotated = desk.ask(&["wait", "reg01", "rotated", "--within", "2d", "--json"]);
    let shown: Value = serde_json::from_str(&out(&rotated)).unwrap();
    assert_eq!(shown["key"], later["key"]["kid"]);
    assert!((activation..activation + 3700).contains(&now().await.as_second()));

    let blocked = desk.ask(&["wait", "reg01", "blocked", "--within", "1h"]);
    assert_eq!(blocked.status.code(), Some(1));
    good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await;
    let blocked = desk.ask(&["wait", "REG01", "blocked"]);
    assert!(blocked.status.success() && out(&blocked).contains(" is blocked at "), "{}", out(&blocked));
    let missing = desk.ask(&["wait", "nowhere", "open"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).starts_with("acrite: there is no registry nowhere\n"), "{}", err(&missing));
    assert_eq!(desk.ask(&["wait", "reg01", "gone"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_whether_it_is_as_expected() {
    let world = World::new();
    let me = world.developer().await;
    let (s, docker, _) = stage::image(&me, false, "app", b"layer").await;
    let desk = Desk::new(&world);
    let expect = |arguments: &[&str]| desk.ask(&[&["audit", "--expect"], arguments].concat());
    let met = |arguments: &[&str]| {
        let ran = expect(arguments);
        assert!(ran.status.success(), "{arguments:?}: {}{}", out(&ran), err(&ran));
    };
    met(&["KeyCreate vault1/key == 1"]);
    met(&["KeyWrap vault1/key >= 1", "--caller", "id1"]);
    met(&["KeyWrap", "--caller", &s.principal]);
    met(&["KeyDelete == 0"]);

    let missed = expect(&["KeyWrap vault1/other >= 1"]);
    assert_eq!(missed.status.code(), Some(1));
    let shown = out(&missed);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 5, "the count, headings, and the three nearest: {shown}");
    assert!(lines[0] == "counted: 0" && lines[2].contains("KeyWrap") && lines[2].contains("vault1"), "{shown}");
    assert_eq!(err(&missed).lines().count(), 2, "{}", err(&missed));
    let json = expect(&["KeyWrap vault1/other >= 1", "--json"]);
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!((&json["count"], &json["met"]), (&json!(0), &json!(false)));
    assert_eq!(json["nearest"].as_array().unwrap().len(), 3);

    let marked = desk.ask(&["mark", "before pull & co"]);
    assert!(out(&marked).starts_with("before pull & co is after record "), "{}", err(&marked));
    met(&["* == 0", "--since", "before pull & co"]);
    me.policy("vault1", "remove", &s.principal, &[]).await;
    assert!(docker.pull_image("v1").await.is_err());
    met(&["KeyUnwrap vault1/key >= 1", "--since", "before pull & co", "--result", "Forbidden", "--caller", "id1"]);
    met(&["KeyCreate == 0", "--since", "before pull & co"]);
    let shown = out(&desk.ask(&["audit", "--since", "before pull & co"]));
    assert!(shown.contains("KeyUnwrap") && !shown.contains("KeyCreate"), "{shown}");

    let unknown = expect(&["*", "--since", "never"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).starts_with("acrite: there is no mark 'never'"), "{}", err(&unknown));
    assert_eq!(expect(&["KeyWrap >= many"]).status.code(), Some(2));
    assert_eq!(desk.ask(&["audit", "--caller", "id1"]).status.code(), Some(2));
}

/// Nothing is counted that may have been forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_forgotten_is_not_counted_as_absent() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    me.make_key("vault1", "key").await;
    let desk = Desk::new(&world);
    // Long addresses fill the log's memory before its number of records does.
    let long = "x".repeat(12_000);
    for _ in 0..720 {
        let url = format!("https://vault1.vault.azure.net/keys?api-version=7.4&{long}");
        world.http().get(url).send().await.unwrap();
    }
    let ran = desk.ask(&["audit", "--expect", "KeyCreate == 0"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(err(&ran).contains("the oldest records are forgotten"), "{}{}", out(&ran), err(&ran));
    desk.ask(&["mark", "here"]);
    assert!(desk.ask(&["audit", "--expect", "* == 0", "--since", "here"]).status.success());
}

/// What registries logged so far.
async fn logged(world: &World) -> Vec<Value> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}/acrite/v1/audit", world.url)).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["entries"].as_array().unwrap().iter().filter_map(|entry| entry.get("registry").cloned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_log_sign_ins_and_what_is_done_in_repositories() {
    let world = World::with(&["--clock", "2026-03-01T00:00:00Z,frozen"]);
    let me = world.developer().await;
    let (s, docker, manifest) = stage::image(&me, false, "team/app", b"layer").await;
    docker.pull_image("v1").await.unwrap();
    docker.call(Method::HEAD, "manifests/v1").send().await.unwrap();
    docker.push_image("v2", b"another").await.unwrap();
    assert_eq!(docker.acr(Method::DELETE, "_tags/v2").send().await.unwrap().status(), 202);
    me.policy("vault1", "remove", &s.principal, &[]).await;
    assert!(docker.pull_image("v1").await.is_err());
    me.allow("vault1", &s.principal).await;
    // Without a credential a call is only challenged.
    world.http().get("https://reg01.azurecr.io/v2/team/app/manifests/v1").send().await.unwrap();
    let wrong = world.http().get("https://reg01.azurecr.io/oauth2/token?service=reg01.azurecr.io&scope=x");
    assert_eq!(wrong.basic_auth("somebody", Some("wrong")).send().await.unwrap().status(), 401);
    let gone = crate::harness::digest(&manifest);
    assert_eq!(docker.call(Method::DELETE, &format!("manifests/{gone}")).send().await.unwrap().status(), 202);
    let whole = world.http().delete("https://reg01.azurecr.io/acr/v1/team/app").bearer_auth(&docker.token);
    assert_eq!(whole.send().await.unwrap().status(), 202);

    let records = logged(&world).await;
    let told: Vec<String> = records
        .iter()
        .map(|r| {
            let text = |name: &str| r["properties"][name].as_str().unwrap_or("-").to_owned();
            let (what, how) = (r["operationName"].as_str().unwrap(), r["resultDescription"].as_str().unwrap());
            format!("{what} {how} {} {}", text("repository"), text("tag"))
        })
        .collect();
    let wanted = [
        "Login 200 - -",
        "Login 200 - -",
        "Push 201 team/app v1",
        "Pull 200 team/app v1",
        "Push 201 team/app v2",
        "Untag 202 team/app v2",
        "Pull 403 team/app v1",
        "Login 401 - -",
        "Delete 202 team/app -",
        "Delete 202 team/app -",
    ];
    assert_eq!(told, wanted);
    let push = &records[2];
    assert_eq!(push["category"], "ContainerRegistryRepositoryEvents");
    assert_eq!(push["time"], "2026-03-01T00:00:00.0000000Z", "simulated time");
    assert_eq!((&push["identity"], &push["callerIpAddress"]), (&json!(me.object_id), &json!("127.0.0.1")));
    assert_eq!(push["resourceId"], registry_path("reg01").to_uppercase());
    assert_eq!((&push["resultType"], &push["location"]), (&json!("HttpStatusCode"), &json!("eastus")));
    let about = &push["properties"];
    assert_eq!((&about["digest"], &about["size"]), (&json!(gone), &json!(manifest.len())));
    assert_eq!((&about["loginServer"], &about["mediaType"]), (&json!("reg01.azurecr.io"), &json!(MANIFEST)));
    assert_eq!(records[0]["category"], "ContainerRegistryLoginEvents");
    assert_eq!(records[0]["properties"]["jwtId"].as_str().unwrap().len(), 36);
    assert_eq!(records[6]["identity"], json!(me.object_id), "a refusal says whom it met");
    assert_eq!((&records[7]["identity"], records[7]["properties"].get("jwtId")), (&json!("somebody"), None));
    assert!(!serde_json::to_string(&records).unwrap().contains("eyJ"), "no token is kept");

    let desk = Desk::new(&world);
    let met = |arguments: &[&str]| {
        let ran = desk.ask(&[&["audit", "--expect"], arguments].concat());
        assert!(ran.status.success(), "{arguments:?}: {}{}", out(&ran), err(&ran));
    };
    met(&["Pull reg01/team/app:v1 == 2"]);
    met(&["Pull reg01/team == 1", "--result", "403", "--caller", &me.object_id]);
    met(&["Login reg01 == 1", "--result", "401", "--caller", "somebody"]);
    let shown = out(&desk.ask(&["audit", "--registries"]));
    assert!(shown.contains("reg01.azurecr.io/team/app:v1") && shown.contains("KeyUnwrap"), "{shown}");
    assert!(!out(&desk.ask(&["audit"])).contains("azurecr.io"));
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_log_what_goes_by_itself() {
    let world = World::with(&["--clock", "frozen"]);
    let me = world.developer().await;
    let (_, docker, manifest) = stage::image(&me, false, "app", b"layer").await;
    let policy = async |policies: Value| {
        let body = json!({"properties": {"policies": policies}});
        good(me.arm_at("2026-09-01-preview", Method::PATCH, &registry_path("reg01"), body).await).await;
    };
    policy(json!({"retentionPolicy": {"status": "enabled", "days": 1}})).await;
    docker.push_image("v1", b"next").await.unwrap();
    world.advance(60).await;
    docker.push_image("v1", b"last").await.unwrap();
    world.advance(86_500).await;
    policy(json!({"retentionPolicy": {"status": "disabled"}, "softDeletePolicy": {"status": "enabled", "retentionDays": 1}}))
        .await;
    assert_eq!(docker.acr(Method::DELETE, "_tags/v1").send().await.unwrap().status(), 202);
    world.advance(86_500).await;
    let records = logged(&world).await;
    let purged: Vec<(&str, &Value)> = records
        .iter()
        .filter(|r| r["operationName"].as_str().unwrap().starts_with("Purge"))
        .map(|r| (r["operationName"].as_str().unwrap(), &r["properties"]["digest"]))
        .collect();
    let names: Vec<&str> = purged.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["PurgeManifest", "PurgeManifest", "PurgeTag"]);
    assert!(purged[..2].iter().any(|(_, digest)| **digest == json!(crate::harness::digest(&manifest))), "{purged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostic_settings_decide_what_is_written_where() {
    let home = TempDir::new().unwrap();
    let (data, logs) = (home.path().join("data"), home.path().join("logs"));
    let options = ["--clock", "2026-03-01T09:30:00Z,frozen", "--diagnostics", logs.to_str().unwrap()];
    let world = World::on(&data, &options);
    let me = world.developer().await;
    let (_, docker, _) = stage::image(&me, false, "app", b"layer").await;
    let vault = crate::harness::vault_path("vault1");
    let setting = |of: &str| format!("{of}/providers/Microsoft.Insights/diagnosticSettings/all");
    let account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/account1";
    let workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/space1";
    let some = json!({"properties": {"workspaceId": workspace, "logs": [
        {"category": "ContainerRegistryRepositoryEvents", "enabled": true},
        {"category": "ContainerRegistryLoginEvents", "enabled": false},
    ]}});
    let all =
        json!({"properties": {"storageAccountId": account, "logs": [{"categoryGroup": "allLogs", "enabled": true}]}});
    good(me.arm(Method::PUT, &setting(&registry_path("reg01")), some).await).await;
    good(me.arm(Method::PUT, &setting(&vault), all).await).await;
    let lines = async |world: &World, file: &str| -> Vec<String> {
        // What is told so far is in the files when this is answered.
        logged(world).await;
        let text = std::fs::read_to_string(logs.join(file)).unwrap_or_default();
        let record =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["operationName"].as_str().unwrap().to_owned();
        text.lines().map(record).collect()
    };
    let pulls = "space1/ContainerRegistryRepositoryEvents.json";
    let hour = format!(
        "account1/insights-logs-auditevent/resourceId={}/y=2026/m=03/d=01/h=09/m=00/PT1H.json",
        vault.to_uppercase()
    );
    assert!(lines(&world, pulls).await.is_empty(), "what was before the setting is not written");
    docker.pull_image("v1").await.unwrap();
    docker.push_image("v2", b"another").await.unwrap();
    me.sign_in("reg01", "app").await;
    me.make_key("vault1", "other").await;
    assert_eq!(lines(&world, pulls).await, ["Pull", "Push"]);
    assert_eq!(lines(&world, &hour).await, ["KeyCreate"]);
    assert!(!logs.join("space1/ContainerRegistryLoginEvents.json").exists(), "it is not enabled");
    world.stop();

    let world = World::on(&data, &options);
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "app").await;
    docker.pull_image("v2").await.unwrap();
    assert_eq!(lines(&world, pulls).await, ["Pull", "Push", "Pull"], "settings outlive the process");
    assert!(me.arm(Method::DELETE, &setting(&registry_path("reg01")), Value::Null).await.status().is_success());
    docker.pull_image("v2").await.unwrap();
    assert_eq!(lines(&world, pulls).await.len(), 3, "the setting is gone");
}
