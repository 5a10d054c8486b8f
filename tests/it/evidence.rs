//! What a test author proves with the command line alone: waiting for what time brings, and who used which key.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{World, good};
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
