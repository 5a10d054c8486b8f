//! A damaged database: whatever a column holds, each request gets an answer, and what the damage does not touch goes on.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::harness::{
    Docker, MANIFEST, Person, SUBSCRIPTION, World, digest, good, group_path, identity_path, registry_path, vault_path,
    vault_url,
};
use crate::stage;

/// No answer takes so long, but one that never comes.
const PATIENCE: Duration = Duration::from_secs(60);
const LAYER: &[u8] = b"a layer";
const ROLE: &str = "5a5e0b9e-7a55-4a6e-9f7c-0d4c2ac4d0a1";

/// A world with something in every table.
async fn everything(me: &Person<'_>) {
    stage::registry(me, false).await;
    let registry = registry_path("reg01");
    let put = async |path: &str, body: Value| good(me.arm(Method::PUT, path, body).await).await;
    good(me.vault(Method::PUT, "vault1", "secrets/s", json!({"value": "v"})).await).await;
    let policy = json!({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}], "attributes": {"expiryTime": "P1Y"}});
    good(me.vault(Method::PUT, "vault1", "keys/key/rotationpolicy", policy).await).await;
    for gone in ["old", "older"] {
        me.make_key("vault1", gone).await;
        good(me.vault(Method::DELETE, "vault1", &format!("keys/{gone}"), Value::Null).await).await;
    }
    let soft = json!({"properties": {"adminUserEnabled": true, "policies": {"softDeletePolicy": {"status": "enabled", "retentionDays": 7}}}});
    good(me.arm(Method::PATCH, &registry, soft).await).await;
    good(me.arm(Method::POST, &format!("{registry}/listCredentials"), Value::Null).await).await;
    let actions = json!({"properties": {"actions": ["repositories/r/content/read", "repositories/r/content/write"]}});
    put(&format!("{registry}/scopeMaps/robots"), actions).await;
    put(
        &format!("{registry}/tokens/robot"),
        json!({"properties": {"scopeMapId": format!("{registry}/scopeMaps/robots")}}),
    )
    .await;
    let asked = json!({"tokenId": format!("{registry}/tokens/robot")});
    good(me.arm(Method::POST, &format!("{registry}/generateCredentials"), asked).await).await;
    let hook = json!({"location": "eastus", "properties": {"serviceUri": "http://127.0.0.1:1/", "actions": ["push"]}});
    put(&format!("{registry}/webhooks/hook1"), hook).await;
    let rule = json!({"properties": {"sourceRepository": "mcr.microsoft.com/a/b", "targetRepository": "cached"}});
    put(&format!("{registry}/cacheRules/rule1"), rule).await;
    let docker = me.sign_in("reg01", "r").await;
    for tag in ["v1", "v2"] {
        docker.push_image(tag, LAYER).await.unwrap();
    }
    docker.push_image("gone", b"another layer").await.unwrap();
    assert_eq!(docker.acr(Method::DELETE, "_tags/gone").send().await.unwrap().status(), 202);
    docker.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.unwrap();
    let somebody = me.world.somebody("somebody").await;
    me.assign(&registry, "7f951dda-4ed3-4680-a7ca-43fe172d538d", &somebody.object_id).await;
    let group = json!({"displayName": "g", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true});
    let group = good(me.graph(Method::POST, "groups", group).await).await["id"].as_str().unwrap().to_owned();
    let member =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", somebody.object_id)});
    good(me.graph(Method::POST, &format!("groups/{group}/members/$ref"), member).await).await;
    let credential =
        json!({"properties": {"issuer": "https://i", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}});
    put(&format!("{}/federatedIdentityCredentials/f", identity_path("id1")), credential).await;
    let definition = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}");
    let role = json!({"properties": {"roleName": "own", "type": "CustomRole", "permissions": [{"actions": ["*/read"]}],
        "assignableScopes": [format!("/subscriptions/{SUBSCRIPTION}")]}});
    put(&definition, role).await;
    me.assign(&group_path(""), ROLE, &somebody.object_id).await;
    let template = json!({"properties": {"mode": "Incremental", "template": {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": []}}});
    put(&group_path("/providers/Microsoft.Resources/deployments/d"), template).await;
}

/// Requests that together read every table.
fn requests(me: &Person<'_>, docker: &Docker<'_>, arm: &str, graph: &str, vault: &str) -> Vec<RequestBuilder> {
    let http = me.world.http();
    let mut all = Vec::new();
    let registry = registry_path("reg01");
    let below = |rest: &str| format!("{registry}/{rest}");
    let resources = format!("/subscriptions/{SUBSCRIPTION}/resources");
    let roles = "/providers/Microsoft.Authorization/roleAssignments";
    for path in [
        group_path(""),
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups"),
        resources,
        registry.clone(),
        group_path("/providers/Microsoft.ContainerRegistry/registries"),
        below("listUsages"),
        below("tokens"),
        below("webhooks/hook1"),
        below("cacheRules"),
        vault_path("vault1"),
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedVaults"),
        identity_path("id1"),
        format!("{}/federatedIdentityCredentials", identity_path("id1")),
        group_path(roles),
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
        group_path("/providers/Microsoft.Resources/deployments"),
        group_path("/providers/Microsoft.Resources/deployments/d/operations"),
    ] {
        let url = format!("https://management.azure.com{path}?api-version=2025-11-01");
        all.push(http.get(url).bearer_auth(arm));
    }
    for (method, rest) in [(Method::POST, "listCredentials"), (Method::POST, "webhooks/hook1/listEvents")] {
        let url = format!("https://management.azure.com{}?api-version=2025-11-01", below(rest));
        all.push(http.request(method, url).bearer_auth(arm));
    }
    for path in ["applications", "servicePrincipals", "groups", "users"] {
        all.push(http.get(format!("https://graph.microsoft.com/v1.0/{path}")).bearer_auth(graph));
    }
    for path in ["keys", "keys/key", "keys/key/versions", "keys/key/rotationpolicy", "deletedkeys/old", "secrets/s"] {
        all.push(http.get(vault_url("vault1", path)).bearer_auth(vault));
    }
    let wrap = json!({"alg": "RSA-OAEP-256", "value": "AAAA"});
    all.push(http.post(vault_url("vault1", "keys/key/wrapkey")).bearer_auth(vault).json(&wrap));
    all.push(http.post(vault_url("vault1", "keys/key/backup")).bearer_auth(vault).json(&json!({})));
    for rest in ["tags/list", "manifests/v1", &format!("blobs/{}", digest(LAYER))] {
        all.push(docker.call(Method::GET, rest).header("accept", MANIFEST));
    }
    for rest in ["", "_tags/v1", "_manifests"] {
        all.push(docker.acr(Method::GET, rest.trim_end_matches('/')));
    }
    all.push(http.get("https://reg01.azurecr.io/acr/v1/_deleted/r/_tags").bearer_auth(&docker.token));
    let token = [("grant_type", "access_token"), ("service", "reg01.azurecr.io"), ("access_token", arm)];
    all.push(http.post("https://reg01.azurecr.io/oauth2/exchange").form(&token));
    let robot = http.get("https://reg01.azurecr.io/oauth2/token?service=reg01.azurecr.io&scope=repository:r:pull");
    all.push(robot.basic_auth("robot", Some("wrong")));
    all.push(docker.call(Method::POST, "blobs/uploads/").header("content-length", "0"));
    all.push(http.get(format!("{}/acrite/v1/status", me.world.url)));
    all
}

async fn database(world: &World) -> SqliteConnection {
    // What each error says depends on what was damaged.
    world.provokes(" ERROR ");
    world.is_damaged();
    let options = SqliteConnectOptions::new().filename(world.dir.join("acrite.db"));
    let options = options.foreign_keys(false).busy_timeout(Duration::from_secs(10));
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    // Restoring a table must not doom the files of its rows.
    for trigger in ["blobs_leave_files", "uploads_leave_files"] {
        run(&mut database, format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
    database
}

async fn run(database: &mut SqliteConnection, sql: String) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(database).await.map(|done| done.rows_affected())
}

/// What a column is damaged to. Not to an instant long ago: all that was due since would be done.
fn damages(name: &str, kind: &str) -> &'static [&'static str] {
    match kind {
        _ if name.ends_with("_at") || name.ends_with("_since") || name == "next_look" => &["9223372036854775807"],
        "INTEGER" => &["-1", "9223372036854775807"],
        "BLOB" => &["x'00'"],
        _ => &["'['", "CAST(x'fffe' AS TEXT)"],
    }
}

async fn tables(database: &mut SqliteConnection) -> Vec<String> {
    let all =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'
       AND name <> 'doomed_files' ORDER BY name";
    sqlx::query_scalar(all).fetch_all(database).await.unwrap()
}

/// Damages every `of`th table, from the `first` on, column by column.
async fn damage(first: usize, of: usize) {
    let world = World::new();
    let me = world.developer().await;
    everything(&me).await;
    let docker = me.sign_in("reg01", "r").await;
    let arm = me.token("https://management.azure.com").await;
    let graph = me.token("https://graph.microsoft.com").await;
    let vault = me.token("https://vault.azure.net").await;
    let mut database = database(&world).await;
    let mut tried = 0;
    for table in tables(&mut database).await.into_iter().skip(first).step_by(of) {
        let columns = format!("SELECT name, type FROM pragma_table_info('{table}')");
        let columns = sqlx::query(AssertSqlSafe(columns)).fetch_all(&mut database).await.unwrap();
        for column in columns {
            let (name, kind): (String, String) = (column.try_get("name").unwrap(), column.try_get("type").unwrap());
            for damage in damages(&name, &kind) {
                run(&mut database, format!("CREATE TEMP TABLE saved AS SELECT * FROM {table}")).await.unwrap();
                let damaged = run(&mut database, format!("UPDATE OR IGNORE {table} SET {name} = {damage}")).await;
                if damaged.is_ok_and(|rows| rows > 0) {
                    tried += 1;
                    // A write ends what is remembered.
                    let clock =
                        world.http().post(format!("{}/acrite/v1/clock", world.url)).json(&json!({"advance": 1}));
                    clock.timeout(PATIENCE).send().await.unwrap_or_else(|e| panic!("{table}.{name} = {damage}: {e}"));
                    for request in requests(&me, &docker, &arm, &graph, &vault) {
                        let answer = request.timeout(PATIENCE).send().await;
                        let answer = answer.unwrap_or_else(|e| panic!("{table}.{name} = {damage}: no answer: {e:?}"));
                        let _ = answer.bytes().await;
                    }
                }
                let restore = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved; DROP TABLE saved");
                run(&mut database, restore).await.unwrap();
            }
        }
        let clock = world.http().post(format!("{}/acrite/v1/clock", world.url)).json(&json!({"advance": 1}));
        assert_eq!(clock.send().await.unwrap().status(), 200, "{table}");
        assert!(docker.pull_image("v1").await.is_ok(), "{table} is whole again");
    }
    assert!(tried > 20, "columns were damaged: {tried}");
}

#[tokio::test]
async fn every_request_is_answered_on_damaged_rows() {
    damage(0, 3).await;
}

#[tokio::test]
async fn every_request_is_answered_on_damaged_rows_of_other_tables() {
    damage(1, 3).await;
}

#[tokio::test]
async fn every_request_is_answered_on_damaged_rows_of_the_last_tables() {
    damage(2, 3).await;
}
