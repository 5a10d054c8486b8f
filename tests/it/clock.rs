//! Time that the user lets pass: one long jump leaves the same world as many short ones, and the same audit records.

use std::collections::HashMap;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Docker, MANIFEST, Person, World, good, registry_path, vault_path};
use crate::stage::CRYPTO_SERVICE_USER;

const DAY: u64 = 86_400;

async fn control(world: &World, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    good(client.post(format!("{}/acrite/v1/clock", world.url)).json(&body).send().await.unwrap()).await
}

async fn now(world: &World) -> i64 {
    let clock = world.status().await["clock"]["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    clock.as_second()
}

async fn key(me: &Person<'_>, vault: &str, name: &str, attributes: Value) -> String {
    let body = json!({"kty": "RSA", "key_size": 2048, "attributes": attributes});
    let made = good(me.vault(Method::POST, vault, &format!("keys/{name}/create"), body).await).await;
    made["key"]["kid"].as_str().unwrap().rsplit_once('/').unwrap().0.to_owned()
}

/// A registry after a key of `vault` through an identity of its own. Its hourly looks fall into minutes of their own.
async fn follower(me: &Person<'_>, name: &str, vault: &str) -> String {
    let (client, principal) = me.make_identity(name).await;
    if vault == "roles" {
        me.assign(&vault_path(vault), CRYPTO_SERVICE_USER, &principal).await;
    } else {
        me.allow(vault, &principal).await;
    }
    let key = key(me, vault, name, json!({})).await;
    good(me.arm(Method::PUT, &registry_path(name), Person::cmk_body(&key, name, &client)).await).await;
    me.world.advance(7 * 60 + 1).await;
    principal
}

/// A world in which, within a month, all happens that time does.
async fn prepare(me: &Person<'_>) {
    let world = me.world;
    control(world, json!({"freeze": true})).await;
    me.make_group().await;
    me.make_vault("policies", false).await;
    me.make_vault("roles", true).await;

    // Follows a key that its policy renews; its end is told as near.
    follower(me, "renewed", "policies").await;
    let actions = json!([
        {"trigger": {"timeAfterCreate": "P9D"}, "action": {"type": "Rotate"}},
        {"trigger": {"timeBeforeExpiry": "P20D"}, "action": {"type": "Notify"}},
    ]);
    let policy = json!({"lifetimeActions": actions, "attributes": {"expiryTime": "P28D"}});
    good(me.vault(Method::PUT, "policies", "keys/renewed/rotationpolicy", policy).await).await;
    // Has a new version that is not valid yet: refused by the hour, then taken.
    follower(me, "waiting", "policies").await;
    key(me, "policies", "waiting", json!({"nbf": now(world).await + 3 * 86_400 + 100})).await;
    // May see the new version and not wrap with it: refused by the hour, for good.
    let principal = follower(me, "refused", "policies").await;
    me.policy("policies", "replace", &principal, &["get", "unwrapKey"]).await;
    key(me, "policies", "refused", json!({})).await;
    // Sees nothing any more: refused without a record.
    let principal = follower(me, "blind", "policies").await;
    me.policy("policies", "remove", &principal, &[]).await;
    key(me, "policies", "blind", json!({})).await;
    // Its identity is disabled.
    let principal = follower(me, "disabled", "policies").await;
    let path = format!("servicePrincipals/{principal}");
    good(me.graph(Method::PATCH, &path, json!({"accountEnabled": false})).await).await;
    key(me, "policies", "disabled", json!({})).await;
    // Gets its right by a condition on the time, and loses it again.
    let principal = follower(me, "timed", "roles").await;
    let scope = vault_path("roles");
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
    let all =
        good(me.arm(Method::GET, &format!("{path}?$filter=principalId eq '{principal}'"), Value::Null).await).await;
    let mut given = all["value"][0].clone();
    let at = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();
    let (from, to) = (now(world).await + 5 * 86_400, now(world).await + 6 * 86_400);
    let condition = format!(
        "@Environment[UtcNow] DateTimeGreaterThan '{}' AND @Environment[UtcNow] DateTimeLessThan '{}'",
        at(from),
        at(to)
    );
    given["properties"]["condition"] = json!(condition);
    given["properties"]["conditionVersion"] = json!("2.0");
    let body = json!({"properties": given["properties"]});
    good(me.arm(Method::PUT, given["id"].as_str().unwrap(), body).await).await;
    key(me, "roles", "timed", json!({})).await;
    // Its newest version ends before it looks.
    follower(me, "ended", "policies").await;
    key(me, "policies", "ended", json!({"exp": now(world).await + 60})).await;

    // What is deleted goes after a week.
    key(me, "policies", "gone", json!({})).await;
    good(me.vault(Method::DELETE, "policies", "keys/gone", Value::Null).await).await;
    good(me.vault(Method::PUT, "policies", "secrets/gone", json!({"value": "x"})).await).await;
    good(me.vault(Method::DELETE, "policies", "secrets/gone", Value::Null).await).await;
    me.make_vault("passing", false).await;
    good(me.arm(Method::DELETE, &vault_path("passing"), Value::Null).await).await;
    content(&me.sign_in("renewed", "team/app").await, me).await;
}

/// Content that ages: an untagged manifest under a retention policy, an upload that nobody ends.
async fn content(docker: &Docker<'_>, me: &Person<'_>) {
    let retention = json!({"properties": {"policies": {"retentionPolicy": {"status": "enabled", "days": 10}}}});
    good(me.arm(Method::PATCH, &registry_path("renewed"), retention).await).await;
    docker.push_image("v1", b"one").await.unwrap();
    docker.push_image("v1", b"two").await.unwrap();
    docker.push_image("v2", b"three").await.unwrap();
    let begun = docker.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.unwrap();
    assert_eq!(begun.status(), 202);
    me.world.leaves_uploads();
}

/// All rows of all tables, in their order: what is random is named by the order of its coming.
async fn rows(dir: &Path) -> Vec<String> {
    use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("acrite.db")).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.unwrap();
    let mut all = Vec::new();
    for table in tables {
        // How sqlx keeps its own books, and what is not the same for other reasons: machine time.
        if table.starts_with('_') || table == "world" {
            continue;
        }
        let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"));
        for row in sqlx::query(sql).fetch_all(&pool).await.unwrap() {
            let mut text = format!("{table}:");
            for (number, column) in row.columns().iter().enumerate() {
                let value = row.try_get_raw(number).unwrap();
                let kind = if value.is_null() { "NULL".to_owned() } else { value.type_info().name().to_owned() };
                let value = match kind.as_str() {
                    "NULL" => "-".to_owned(),
                    "INTEGER" | "BOOLEAN" => row.try_get::<i64, _>(number).unwrap().to_string(),
                    "BLOB" => "bytes".to_owned(),
                    _ => row.try_get::<String, _>(number).unwrap(),
                };
                text.push_str(&format!(" {}={value}", column.name()));
            }
            all.push(text);
        }
    }
    pool.close().await;
    assert!(all.len() > 50, "the tables were read: {}", all.len());
    all
}

/// Texts with GUIDs, key versions and moduli named by the order of their coming.
fn named(lines: &[String]) -> Vec<String> {
    let mut names: HashMap<String, usize> = HashMap::new();
    let is_random = |word: &str| {
        let hex = word.chars().filter(char::is_ascii_hexdigit).count();
        let is_id = hex == 32 && [32, 36].contains(&word.len());
        is_id || word.len() > 200
    };
    let mut name = |word: &str| {
        if !is_random(word) {
            return word.to_owned();
        }
        let next = names.len();
        format!("#{}", names.entry(word.to_owned()).or_insert(next))
    };
    let split = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let mut all = Vec::new();
    for line in lines {
        let mut text = String::new();
        let mut rest = line.as_str();
        while let Some(at) = rest.find(split) {
            text.push_str(&name(&rest[..at]));
            let width = rest[at..].chars().next().unwrap().len_utf8();
            text.push_str(&rest[at..at + width]);
            rest = &rest[at + width..];
        }
        text.push_str(&name(rest));
        all.push(text);
    }
    all
}

/// The audit records. Those of one instant may be in another order: registries move on several cores.
fn records(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("audit.jsonl")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.len() > 500, "a month of refusals: {}", lines.len());
    for line in &mut lines {
        let mut record: Value = serde_json::from_str(line).unwrap();
        for random in ["correlationId", "id"] {
            record.as_object_mut().unwrap().remove(random);
        }
        *line = record.to_string();
    }
    lines
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// The registries, and when each moved last.
fn rotations(status: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let registries = status["registries"].as_array().unwrap();
    registries.iter().map(|r| (text(&r["name"]), text(&r["last_rotation"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_jump_leaves_the_same_world_as_many() {
    let begun = tempfile::tempdir().unwrap();
    let world = World::on(begun.path(), &[]);
    prepare(&world.developer().await).await;
    let before = rotations(&world.status().await);
    world.stop();
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for to in [&one, &many] {
        copy(begun.path(), to.path());
    }
    let mut shown = Vec::new();
    for (dir, hours, times) in [(&one, 720, 1), (&many, 1, 720)] {
        let world = World::on(dir.path(), &[]);
        for _ in 0..times {
            world.advance(hours * 3600).await;
        }
        let mut status = world.status().await;
        let moved: Vec<String> =
            rotations(&status).into_iter().filter(|r| !before.contains(r)).map(|(name, _)| name).collect();
        assert_eq!(moved, ["renewed", "timed", "waiting"]);
        status["clock"]["machine"] = Value::Null;
        // Versions are shown in the order of their ids, which are random.
        for vault in status["vaults"].as_array_mut().unwrap() {
            for key in vault["keys"].as_array_mut().unwrap() {
                let versions = key["versions"].as_array_mut().unwrap();
                versions.iter_mut().for_each(|version| version["version"] = Value::Null);
                versions.sort_by_key(Value::to_string);
            }
        }
        shown.push(named(&[status.to_string()]));
        world.stop();
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(before.len(), 7, "every registry is shown");
    let (one_rows, many_rows) = (named(&rows(one.path()).await), named(&rows(many.path()).await));
    for (one, many) in one_rows.iter().zip(&many_rows) {
        assert_eq!(one, many);
    }
    assert_eq!(one_rows.len(), many_rows.len());
    let (one_records, many_records) = (named(&records(one.path())), named(&records(many.path())));
    for (one, many) in one_records.iter().zip(&many_records) {
        assert_eq!(one, many);
    }
    assert_eq!(one_records.len(), many_records.len());
    // What it was about took place.
    let happened = |what: &str| one_records.iter().filter(|line| line.contains(what)).count();
    assert!(happened("KeyNearExpiry") >= 3 && happened("KeyNewVersionCreated") >= 3, "the policy acted");
    let refused = happened("KeyWrap") - 3;
    assert!(refused > 720, "{refused} refusals, one each hour");
}

/// A process that is killed in the middle of a jump comes back at an instant that was reached, with all done by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_that_is_killed_goes_on_from_where_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    control(&world, json!({"freeze": true})).await;
    me.make_group().await;
    me.make_vault("policies", false).await;
    follower(&me, "renewed", "policies").await;
    let actions = json!([{"trigger": {"timeAfterCreate": "P7D"}, "action": {"type": "Rotate"}}]);
    let policy = json!({ "lifetimeActions": actions });
    good(me.vault(Method::PUT, "policies", "keys/renewed/rotationpolicy", policy).await).await;
    let start = now(&world).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let jump = client.post(format!("{}/acrite/v1/clock", world.url)).json(&json!({"advance": 3650 * DAY})).send();
    let jump = tokio::spawn(jump);
    while now(&world).await == start {}
    world.kill();
    assert!(jump.await.unwrap().is_err(), "nobody was told that it was done");

    let world = World::on(dir.path(), &[]);
    let reached = now(&world).await;
    assert!(start < reached && reached < start + 3650 * 86_400, "on the way");
    let me = world.developer().await;
    let weeks = async || {
        let shown = good(me.vault(Method::GET, "policies", "keys/renewed/versions", Value::Null).await).await;
        let versions = shown["value"].as_array().unwrap().iter();
        let mut made: Vec<i64> = versions.map(|v| v["attributes"]["created"].as_i64().unwrap()).collect();
        made.sort_unstable();
        assert!(made.windows(2).all(|two| two[1] - two[0] == 7 * 86_400), "{made:?}");
        (made.len(), *made.last().unwrap())
    };
    let (count, newest) = weeks().await;
    assert!((reached - newest) < 7 * 86_400, "what was due by then is done");
    world.advance(14 * DAY).await;
    assert_eq!(weeks().await.0, count + 2);
    let docker = me.sign_in("renewed", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let got = docker.call(Method::GET, "manifests/v1").header("accept", MANIFEST).send().await.unwrap();
    assert_eq!(got.status(), 200);
}
