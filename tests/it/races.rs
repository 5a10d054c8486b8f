//! Two changes of one thing at the same time: both are made.

use std::future::Future;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Docker, Person, TENANT, World, good, identity_path, registry_path, vault_path};
use crate::stage;

/// Rounds of each race. Where a change loses another, about half of the rounds show it.
const ROUNDS: usize = 8;

/// Sends both at once; both must be taken.
async fn both(one: impl Future<Output = Response>, other: impl Future<Output = Response>) {
    let (one, other) = tokio::join!(one, other);
    good(one).await;
    good(other).await;
}

async fn shown(me: &Person<'_>, path: &str) -> Value {
    good(me.arm(Method::GET, path, Value::Null).await).await
}

/// A registry `reg01` with a customer-managed key; an identity `id2` and a key `k2` are ready.
async fn stage(me: &Person<'_>) -> String {
    let client = stage::registry(me, false).await.client;
    me.make_identity("id2").await;
    me.make_key("vault1", "k2").await;
    client
}

fn with_key(key: &str, client: &str) -> Value {
    let key = format!("https://vault1.vault.azure.net/keys/{key}");
    json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client}}}})
}

#[tokio::test]
async fn changes_of_a_registry_are_all_made() {
    let world = World::new();
    let me = world.developer().await;
    let client = stage(&me).await;
    let path = registry_path("reg01");
    let patch = |body: Value| me.arm_at("2025-03-01-preview", Method::PATCH, &path, body);
    let docker = me.sign_in("reg01", "app").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let identities = |names: &[&str]| {
        let users: serde_json::Map<String, Value> = names.iter().map(|n| (identity_path(n), json!({}))).collect();
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": users}})
    };
    for round in 0..ROUNDS {
        let (key, other) = if round % 2 == 0 { ("k2", "key") } else { ("key", "k2") };
        let deny = json!({"properties": {"networkRuleSet": {"defaultAction": "Deny"}}});
        both(patch(deny), patch(json!({"properties": {"anonymousPullEnabled": true}}))).await;
        let rules = json!({"properties": {"networkRuleSet": {"ipRules": [{"value": "127.0.0.1"}]}}});
        both(patch(rules), patch(with_key(key, &client))).await;
        both(patch(identities(&["id1", "id2"])), patch(json!({"tags": {"round": round.to_string()}}))).await;
        let retention = json!({"properties": {"policies": {"retentionPolicy": {"status": "enabled", "days": 3}}}});
        let bin = json!({"properties": {"policies": {"softDeletePolicy": {"retentionDays": 9}}}});
        both(patch(retention), patch(bin)).await;

        let now = shown(&me, &path).await;
        let properties = &now["properties"];
        assert_eq!(properties["networkRuleSet"]["defaultAction"], "Deny", "round {round}");
        assert_eq!(properties["anonymousPullEnabled"], true, "round {round}");
        assert_eq!(properties["networkRuleSet"]["ipRules"][0]["value"], "127.0.0.1", "round {round}");
        let encryption = properties["encryption"]["keyVaultProperties"]["keyIdentifier"].as_str().unwrap();
        assert!(encryption.ends_with(key), "round {round}: {encryption}");
        assert_eq!(now["tags"]["round"], round.to_string());
        assert_eq!(now["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 2, "round {round}");
        assert_eq!(properties["policies"]["retentionPolicy"]["days"], 3, "round {round}");
        let preview = me.arm_at("2025-03-01-preview", Method::GET, &path, Value::Null).await;
        assert_eq!(
            good(preview).await["properties"]["policies"]["softDeletePolicy"]["retentionDays"],
            9,
            "round {round}"
        );

        // Two moves of the key: the data is under one of them, and open.
        both(patch(with_key(key, &client)), patch(with_key(other, &client))).await;
        assert!(docker.pull_image("v1").await.is_ok(), "round {round}");
        good(patch(with_key(other, &client)).await).await;
        let back = json!({
            "tags": {}, "identity": identities(&["id1"])["identity"],
            "properties": {
                "networkRuleSet": {"defaultAction": "Allow", "ipRules": []}, "anonymousPullEnabled": false,
                "policies": {
                    "retentionPolicy": {"status": "disabled", "days": 7}, "softDeletePolicy": {"retentionDays": 7},
                },
            },
        });
        good(patch(back).await).await;
    }
}

#[tokio::test]
async fn changes_of_what_hangs_below_a_registry_are_all_made() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let path = |rest: &str| format!("{}/{rest}", registry_path("reg01"));
    let call = async |method: Method, rest: &str, body: Value| me.arm(method, &path(rest), body).await;
    for name in ["first", "second"] {
        let body = json!({"properties": {"actions": ["repositories/a/content/read"]}});
        good(call(Method::PUT, &format!("scopeMaps/{name}"), body).await).await;
    }
    for round in 0..ROUNDS {
        let map = json!({"properties": {"scopeMapId": path("scopeMaps/first")}});
        good(call(Method::PUT, "tokens/token1", map).await).await;
        let moved = json!({"properties": {"scopeMapId": path("scopeMaps/second")}});
        let off = json!({"properties": {"status": "disabled"}});
        both(call(Method::PATCH, "tokens/token1", moved), call(Method::PATCH, "tokens/token1", off)).await;
        let password = |name: &str| json!({"tokenId": path("tokens/token1"), "name": name});
        both(
            call(Method::POST, "generateCredentials", password("password1")),
            call(Method::POST, "generateCredentials", password("password2")),
        )
        .await;
        let token = shown(&me, &path("tokens/token1")).await;
        assert_eq!(token["properties"]["status"], "disabled", "round {round}");
        assert!(token["properties"]["scopeMapId"].as_str().unwrap().ends_with("second"), "round {round}");
        assert_eq!(token["properties"]["credentials"]["passwords"].as_array().unwrap().len(), 2, "round {round}");
        assert!(call(Method::DELETE, "tokens/token1", Value::Null).await.status().is_success());

        let described = json!({"properties": {"description": format!("round {round}")}});
        let action = format!("repositories/b{round}/content/read");
        let actions = json!({"properties": {"actions": [action]}});
        both(call(Method::PATCH, "scopeMaps/first", described), call(Method::PATCH, "scopeMaps/first", actions)).await;
        let map = shown(&me, &path("scopeMaps/first")).await;
        assert_eq!(map["properties"]["description"], format!("round {round}"));
        assert_eq!(map["properties"]["actions"], json!([action]));

        let hook =
            json!({"location": "eastus", "properties": {"serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}});
        good(call(Method::PUT, "webhooks/hook1", hook).await).await;
        let scope = json!({"properties": {"scope": format!("r{round}:*")}});
        let deletes = json!({"properties": {"actions": ["delete"], "status": "disabled"}});
        both(call(Method::PATCH, "webhooks/hook1", scope), call(Method::PATCH, "webhooks/hook1", deletes)).await;
        let hook = shown(&me, &path("webhooks/hook1")).await;
        assert_eq!(hook["properties"]["scope"], format!("r{round}:*"));
        assert_eq!(
            (&hook["properties"]["actions"], &hook["properties"]["status"]),
            (&json!(["delete"]), &json!("disabled"))
        );

        let replica = "replications/westus";
        good(call(Method::PUT, replica, json!({"location": "westus", "properties": {}})).await).await;
        let tagged = json!({"tags": {"round": round.to_string()}});
        let off = json!({"properties": {"regionEndpointEnabled": false}});
        both(call(Method::PATCH, replica, tagged), call(Method::PATCH, replica, off)).await;
        let now = shown(&me, &path(replica)).await;
        assert_eq!(
            (&now["tags"]["round"], &now["properties"]["regionEndpointEnabled"]),
            (&json!(round.to_string()), &json!(false))
        );
        good(call(Method::DELETE, replica, Value::Null).await).await;
    }
}

#[tokio::test]
async fn changes_of_vaults_keys_and_secrets_are_all_made() {
    let world = World::new();
    let me = &world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let path = vault_path("vault1");
    let patch = |body: Value| me.arm_at("2024-11-01", Method::PATCH, &path, body);
    let vault =
        |method: Method, rest: String, body: Value| async move { me.vault(method, "vault1", &rest, body).await };
    for round in 0..ROUNDS {
        let policy = |who: String| {
            let entry = json!({"tenantId": TENANT, "objectId": who, "permissions": {"keys": ["get"]}});
            let body = json!({"properties": {"accessPolicies": [entry]}});
            let add = format!("{path}/accessPolicies/add");
            async move { me.arm_at("2024-11-01", Method::PUT, &add, body).await }
        };
        let before = shown(me, &path).await["properties"]["accessPolicies"].as_array().unwrap().len();
        both(policy(uuid::Uuid::new_v4().to_string()), policy(uuid::Uuid::new_v4().to_string())).await;
        let after = shown(me, &path).await["properties"]["accessPolicies"].as_array().unwrap().len();
        assert_eq!(after, before + 2, "round {round}");
        let tags = json!({"tags": {"round": round.to_string()}});
        let disk = round % 2 == 0;
        both(patch(tags), patch(json!({"properties": {"enabledForDeployment": disk}}))).await;
        let now = shown(me, &path).await;
        assert_eq!(
            (&now["tags"]["round"], &now["properties"]["enabledForDeployment"]),
            (&json!(round.to_string()), &json!(disk))
        );

        me.make_key("vault1", "k").await;
        good(vault(Method::PUT, "secrets/s".into(), json!({"value": "x"})).await).await;
        for thing in ["keys/k", "secrets/s"] {
            let version = me.vault(Method::GET, "vault1", thing, Value::Null).await;
            let version = good(version).await;
            let id = version["key"]["kid"].as_str().or(version["id"].as_str()).unwrap().to_owned();
            let at = format!("{thing}/{}", id.rsplit('/').next().unwrap());
            let (off, tagged) = (json!({"attributes": {"enabled": false}}), json!({"tags": {"a": "b"}}));
            both(vault(Method::PATCH, at.clone(), off), vault(Method::PATCH, at.clone(), tagged)).await;
            let all = good(vault(Method::GET, format!("{thing}/versions"), Value::Null).await).await;
            let ends = |v: &&Value| v["kid"].as_str().or(v["id"].as_str()).unwrap() == id;
            let now = all["value"].as_array().unwrap().iter().find(ends).unwrap();
            assert_eq!(
                (&now["attributes"]["enabled"], &now["tags"]["a"]),
                (&json!(false), &json!("b")),
                "round {round}: {thing}"
            );
        }
        me.make_key("vault1", "k").await;
        let count = async || {
            let all = good(vault(Method::GET, "keys/k/versions".into(), Value::Null).await).await;
            all["value"].as_array().unwrap().len()
        };
        let before = count().await;
        both(
            vault(Method::POST, "keys/k/rotate".into(), Value::Null),
            vault(Method::POST, "keys/k/rotate".into(), Value::Null),
        )
        .await;
        assert_eq!(count().await, before + 2, "round {round}");
        good(vault(Method::DELETE, "keys/k".into(), Value::Null).await).await;
        assert!(vault(Method::DELETE, "deletedkeys/k".into(), Value::Null).await.status().is_success());
    }
}

#[tokio::test]
async fn changes_of_the_directory_are_all_made() {
    let world = World::new();
    let me = &world.developer().await;
    let graph = |method: Method, path: String, body: Value| async move { me.graph(method, &path, body).await };
    let get = async |path: &str| good(me.graph(Method::GET, path, Value::Null).await).await;
    let (one, other) = (world.somebody("one").await, world.somebody("other").await);
    for round in 0..ROUNDS {
        let app = good(graph(Method::POST, "applications".into(), json!({"displayName": "a"})).await).await;
        let app = format!("applications/{}", app["id"].as_str().unwrap());
        let named = json!({"displayName": format!("a{round}")});
        let noted = json!({"notes": "n"});
        both(graph(Method::PATCH, app.clone(), named), graph(Method::PATCH, app.clone(), noted)).await;
        let secret = || json!({"passwordCredential": {"displayName": "s"}});
        let add = format!("{app}/addPassword");
        both(graph(Method::POST, add.clone(), secret()), graph(Method::POST, add, secret())).await;
        let now = get(&app).await;
        assert_eq!((&now["displayName"], &now["notes"]), (&json!(format!("a{round}")), &json!("n")));
        assert_eq!(now["passwordCredentials"].as_array().unwrap().len(), 2, "round {round}");

        let credential = json!({
            "name": "f", "issuer": "https://i", "subject": "s", "audiences": ["api://AzureADTokenExchange"],
        });
        good(graph(Method::POST, format!("{app}/federatedIdentityCredentials"), credential).await).await;
        let credential = format!("{app}/federatedIdentityCredentials/f");
        let subject = json!({"subject": format!("s{round}")});
        let described = json!({"description": format!("d{round}")});
        both(graph(Method::PATCH, credential.clone(), subject), graph(Method::PATCH, credential.clone(), described))
            .await;
        let now = get(&credential).await;
        assert_eq!((&now["subject"], &now["description"]), (&json!(format!("s{round}")), &json!(format!("d{round}"))));

        let body = json!({"displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true});
        let group = good(graph(Method::POST, "groups".into(), body).await).await;
        let group = format!("groups/{}", group["id"].as_str().unwrap());
        let (named, described) = (json!({"displayName": "h"}), json!({"description": "d"}));
        both(graph(Method::PATCH, group.clone(), named), graph(Method::PATCH, group.clone(), described)).await;
        let reference = |person: &Person<'_>| json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", person.object_id)});
        let add = format!("{group}/members/$ref");
        both(graph(Method::POST, add.clone(), reference(&one)), graph(Method::POST, add, reference(&other))).await;
        let now = get(&group).await;
        assert_eq!((&now["displayName"], &now["description"]), (&json!("h"), &json!("d")), "round {round}");
        let members = get(&format!("{group}/members")).await;
        assert_eq!(members["value"].as_array().unwrap().len(), 2, "round {round}");
    }
}

#[tokio::test]
async fn changes_of_attributes_are_all_made() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "app").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let digest = crate::harness::digest(&manifest);
    for round in 0..ROUNDS {
        for thing in ["app".to_owned(), "app/_tags/v1".to_owned(), format!("app/_manifests/{digest}")] {
            let change = |body: Value| patch_attributes(&docker, &thing, body);
            both(change(json!({"writeEnabled": false})), change(json!({"deleteEnabled": false}))).await;
            let url = format!("https://{}/acr/v1/{thing}", docker.server);
            let now = good(docker.absolute(Method::GET, &url).send().await.unwrap()).await;
            let now =
                ["tag", "manifest"].iter().find_map(|n| now.get(n)).unwrap_or(&now)["changeableAttributes"].clone();
            assert_eq!(
                (&now["writeEnabled"], &now["deleteEnabled"]),
                (&json!(false), &json!(false)),
                "round {round}: {thing}"
            );
            good(change(json!({"writeEnabled": true, "deleteEnabled": true})).await).await;
        }
    }
}

async fn patch_attributes(docker: &Docker<'_>, thing: &str, body: Value) -> Response {
    let url = format!("https://{}/acr/v1/{thing}", docker.server);
    docker.absolute(Method::PATCH, &url).json(&body).send().await.unwrap()
}

#[tokio::test]
async fn the_clock_takes_every_advance() {
    let world = World::with(&["--clock", "2030-01-01T00:00:00Z,frozen"]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/acrite/v1/clock", world.url);
    let advance = || async { client.post(&url).json(&json!({"advance": 3600})).send().await.unwrap() };
    for _ in 0..ROUNDS {
        both(advance(), advance()).await;
    }
    let now: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    let wanted = format!("2030-01-01T{:02}:00:00.000Z", 2 * ROUNDS);
    assert_eq!(now["now"], wanted);
}
