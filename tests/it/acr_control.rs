//! The registry's control plane: credentials, scope maps, tokens, webhooks, replications, caches, imports.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Person, World, digest, good, refused, registry_path, vault_path};

const AT: &str = "2026-09-01-preview";

async fn start(world: &World) -> Person<'_> {
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me
}

fn below(rest: &str) -> String {
    format!("{}/{rest}", registry_path("reg01"))
}

/// A write that is long: 201 with the state, and a poll that says it is done.
async fn long(me: &Person<'_>, method: Method, path: &str, body: Value, state: &str) -> Value {
    let answer = me.arm_at(AT, method, path, body).await;
    assert_eq!(answer.status(), 201, "{path}");
    let poll = answer.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["properties"]["provisioningState"], state, "{path}");
    let (path, query) = poll.trim_start_matches("https://management.azure.com").split_once('?').unwrap();
    assert!(query.contains("api-version"), "{poll}");
    assert_eq!(good(me.arm(Method::GET, path, Value::Null).await).await, json!({"status": "Succeeded"}));
    body
}

/// A write that is answered with 202: what its result says.
pub async fn accepted(me: &Person<'_>, method: Method, path: &str, body: Value) -> reqwest::Response {
    let answer = me.arm_at(AT, method, path, body).await;
    let status = answer.status();
    assert_eq!(status, 202, "{path}: {:?}", answer.text().await);
    let poll = answer.headers()["location"].to_str().unwrap().to_owned();
    let path = poll.trim_start_matches("https://management.azure.com").split_once('?').unwrap().0.to_owned();
    assert!(path.contains("/operationResults/"), "{path}");
    me.arm(Method::GET, &path, Value::Null).await
}

async fn get(me: &Person<'_>, rest: &str) -> Value {
    good(me.arm_at(AT, Method::GET, &below(rest), Value::Null).await).await
}

async fn gone(me: &Person<'_>, rest: &str) {
    let (status, code, message) = refused(me.arm_at(AT, Method::GET, &below(rest), Value::Null).await).await;
    let name = rest.rsplit('/').next().unwrap();
    assert_eq!((status, code.as_str()), (404, "ResourceNotFound"));
    assert_eq!(message, format!("The resource {name} could not be found."));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_users_passwords_are_listed_and_made_anew() {
    let world = World::new();
    let me = start(&world).await;
    let list_path = registry_path("reg01/listCredentials");
    let list = || me.arm(Method::POST, &list_path, Value::Null);
    let (status, code, message) = refused(list().await).await;
    assert_eq!((status, code.as_str()), (400, "UnAuthorizedForCredentialOperations"));
    assert!(message.contains("as admin user is disabled"), "{message}");

    let enable = json!({"properties": {"adminUserEnabled": true}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), enable).await).await;
    let first = good(list().await).await;
    assert_eq!(first["username"], "reg01");
    assert_eq!(first["passwords"][0]["name"], "password");
    assert_eq!(first["passwords"][1]["name"], "password2");
    assert_eq!(first["passwords"][0]["value"].as_str().unwrap().len(), 52);
    assert_eq!(good(list().await).await, first, "they stay");

    let renew = json!({"name": "password2"});
    let renewed = good(me.arm(Method::POST, &registry_path("reg01/regenerateCredential"), renew).await).await;
    assert_eq!(renewed["passwords"][0], first["passwords"][0]);
    assert_ne!(renewed["passwords"][1], first["passwords"][1]);
    let sign_in = |password: &Value| {
        let call = world.http().get("https://reg01.azurecr.io/v2/");
        call.basic_auth("reg01", password.as_str()).send()
    };
    assert_eq!(sign_in(&renewed["passwords"][1]["value"]).await.unwrap().status(), 200);
    assert_eq!(sign_in(&first["passwords"][1]["value"]).await.unwrap().status(), 401);
    let wrong = json!({"name": "password3"});
    let wrong = me.arm(Method::POST, &registry_path("reg01/regenerateCredential"), wrong).await;
    assert_eq!(refused(wrong).await.0, 400);

    let stranger = world.somebody("stranger").await;
    let listed = stranger.arm(Method::POST, &registry_path("reg01/listCredentials"), Value::Null).await;
    assert_eq!(refused(listed).await.1, "AuthorizationFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_a_wrong_type_is_refused_by_its_name() {
    let world = World::new();
    let me = start(&world).await;
    let sets = json!([{"name": "Credential1", "usernameSecretIdentifier": 1}]);
    for (child, properties, named) in [
        ("scopeMaps/wrong-map", json!({"actions": "repositories/a/content/read"}), "actions"),
        ("scopeMaps/wrong-map", json!({"actions": [], "description": 1}), "description"),
        ("tokens/wrong-token", json!({"scopeMapId": ["_repositories_pull"]}), "scopeMapId"),
        (
            "tokens/wrong-token",
            json!({"scopeMapId": below("scopeMaps/_repositories_pull"), "credentials": []}),
            "credentials",
        ),
        ("webhooks/wronghook", json!({"serviceUri": "http://localhost/", "actions": [1]}), "actions"),
        ("webhooks/wronghook", json!({"serviceUri": true, "actions": ["push"]}), "serviceUri"),
        ("replications/westus", json!({"regionEndpointEnabled": "true"}), "regionEndpointEnabled"),
        ("cacheRules/wrong-rule", json!({"credentialSetResourceId": 1}), "credentialSetResourceId"),
        (
            "credentialSets/wrong-set",
            json!({"loginServer": "docker.io", "authCredentials": sets}),
            "usernameSecretIdentifier",
        ),
        ("agentPools/pool", json!({"count": "2"}), "count"),
    ] {
        let body = json!({"location": "westus", "properties": properties});
        let (status, _, message) = refused(me.arm_at(AT, Method::PUT, &below(child), body).await).await;
        assert!(status == 400 && message.contains(named), "{child}: {status} {message}");
        assert_eq!(refused(me.arm_at(AT, Method::GET, &below(child), Value::Null).await).await.0, 404, "{child}");
    }
    let import = json!({"source": {"registryUri": "docker.io", "sourceImage": 1}});
    let (status, _, message) = refused(me.arm_at(AT, Method::POST, &below("importImage"), import).await).await;
    assert!(status == 400 && message.contains("sourceImage"), "{status} {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_maps_and_tokens() {
    let world = World::new();
    let me = start(&world).await;
    let maps = get(&me, "scopeMaps").await;
    let names: Vec<&str> = maps["value"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"_repositories_pull") && names.contains(&"_repositories_admin"), "{names:?}");
    assert_eq!(maps["value"][0]["properties"]["type"], "SystemDefined");

    gone(&me, "scopeMaps/acr-token-scope-map").await;
    let map = json!({"properties": {"actions": ["repositories/foo/content/read"]}});
    let made = me.arm_at(AT, Method::PUT, &below("scopeMaps/acr-token-scope-map"), map).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["type"], "Microsoft.ContainerRegistry/registries/scopeMaps");
    let fields: Vec<&String> = made["properties"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["type", "creationDate", "provisioningState", "actions"]);
    let more = json!({"properties": {"description": "more", "actions": ["repositories/foo/*/content/write"]}});
    good(me.arm_at(AT, Method::PATCH, &below("scopeMaps/acr-token-scope-map"), more).await).await;
    let shown = get(&me, "scopeMaps/acr-token-scope-map").await;
    assert_eq!(shown["properties"]["actions"], json!(["repositories/foo/*/content/write"]));
    assert_eq!(shown["properties"]["description"], "more");
    for (name, body) in [
        ("scopeMaps/_repositories_pull", json!({"properties": {"actions": []}})),
        ("scopeMaps/bad-actions", json!({"properties": {"actions": ["repositories/foo/content/fly"]}})),
        ("scopeMaps/x", json!({"properties": {"actions": []}})),
    ] {
        assert_eq!(refused(me.arm_at(AT, Method::PUT, &below(name), body).await).await.0, 400, "{name}");
    }

    let token = json!({"properties": {"scopeMapId": below("scopeMaps/acr-token-scope-map"), "status": "enabled"}});
    let made = long(&me, Method::PUT, &below("tokens/acr-token"), token, "Creating").await;
    let fields: Vec<&String> = made["properties"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["creationDate", "provisioningState", "scopeMapId", "credentials", "status"]);
    assert_eq!(made["properties"]["credentials"], json!({"passwords": []}));
    let unknown = json!({"properties": {"scopeMapId": below("scopeMaps/nowhere")}});
    let unknown = me.arm_at(AT, Method::PUT, &below("tokens/other-token"), unknown).await;
    assert_eq!(refused(unknown).await.0, 404);

    let ask = json!({"tokenId": below("tokens/acr-token"), "expiry": "2100-12-31T12:59:59.000Z"});
    let both = good(me.arm_at(AT, Method::POST, &below("generateCredentials"), ask).await).await;
    assert_eq!(both["username"], "acr-token");
    let fields: Vec<&String> = both["passwords"][0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["creationTime", "expiry", "name", "value"]);
    assert_eq!(both["passwords"][1]["value"].as_str().unwrap().len(), 52);
    let one = json!({"tokenId": below("tokens/acr-token"), "name": "password1"});
    let one = good(me.arm_at(AT, Method::POST, &below("generateCredentials"), one).await).await;
    assert_eq!(one["passwords"].as_array().unwrap().len(), 1);
    let shown = get(&me, "tokens/acr-token").await;
    let passwords = shown["properties"]["credentials"]["passwords"].as_array().unwrap();
    assert_eq!(passwords.len(), 2);
    assert!(passwords.iter().all(|p| p.get("value").is_none()), "{shown}");

    let keep = json!({"properties": {"credentials": {"passwords": [{"name": "password2"}]}}});
    long(&me, Method::PATCH, &below("tokens/acr-token"), keep, "Updating").await;
    let shown = get(&me, "tokens/acr-token").await;
    assert_eq!(shown["properties"]["credentials"]["passwords"].as_array().unwrap().len(), 1);
    let disable = json!({"properties": {"status": "disabled"}});
    long(&me, Method::PATCH, &below("tokens/acr-token"), disable, "Updating").await;
    assert_eq!(get(&me, "tokens/acr-token").await["properties"]["status"], "disabled");
    // A PUT of what GET gave changes nothing.
    let before = get(&me, "tokens/acr-token").await;
    long(&me, Method::PUT, &below("tokens/acr-token"), before.clone(), "Updating").await;
    assert_eq!(get(&me, "tokens/acr-token").await["properties"], before["properties"]);

    let usages = get(&me, "listUsages").await;
    let used = |name: &str| {
        usages["value"].as_array().unwrap().iter().find(|u| u["name"] == name).unwrap()["currentValue"].clone()
    };
    assert_eq!((used("ScopeMaps"), used("Tokens")), (json!(1), json!(1)));
    assert_eq!(me.arm_at(AT, Method::DELETE, &below("tokens/acr-token"), Value::Null).await.status(), 200);
    assert_eq!(me.arm_at(AT, Method::DELETE, &below("tokens/acr-token"), Value::Null).await.status(), 204);
    gone(&me, "tokens/acr-token").await;
}

/// Somebody who is told: keeps the requests, and refuses the first `refusals`.
pub async fn listen(refusals: usize) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = heard.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let length = text
                    .lines()
                    .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                let body = text.split_once("\r\n\r\n").map_or(0, |(_, b)| b.len());
                if read == 0 || length.is_some_and(|l| l.trim().parse::<usize>().unwrap() == body) {
                    break;
                }
            }
            let nth = {
                let mut kept = kept.lock().unwrap();
                kept.push(String::from_utf8(request).unwrap());
                kept.len()
            };
            let answer = if nth <= refusals { "503 Service Unavailable" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {answer}\r\ncontent-length: 5\r\nx-own: yes\r\nconnection: close\r\n\r\nheard");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (uri, heard)
}

pub async fn events(me: &Person<'_>, webhook: &str, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let path = below(&format!("webhooks/{webhook}/listEvents"));
        let events = good(me.arm_at(AT, Method::POST, &path, Value::Null).await).await;
        let events = events["value"].as_array().unwrap().clone();
        if events.len() >= count {
            return events;
        }
        // The queue sends after the answer; there is nothing to wait on from outside but asking again.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the events of {webhook} did not come");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_tell_of_pushes_and_deletions() {
    let world = World::new();
    let me = start(&world).await;
    let (uri, heard) = listen(1).await;
    let body = json!({"location": "eastus", "properties": {
        "serviceUri": uri, "customHeaders": {"Authorization": "Basic c2VjcmV0"}, "actions": ["push", "delete"], "scope": "app:*",
    }});
    let made = me.arm_at(AT, Method::PUT, &below("webhooks/hook01"), body).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    let shown =
        json!({"status": "enabled", "scope": "app:*", "actions": ["push", "delete"], "provisioningState": "Succeeded"});
    assert_eq!(made["properties"], shown, "the address and the headers do not come back");
    let config =
        good(me.arm_at(AT, Method::POST, &below("webhooks/hook01/getCallbackConfig"), Value::Null).await).await;
    assert_eq!(config, json!({"serviceUri": uri, "customHeaders": {"Authorization": "Basic c2VjcmV0"}}));

    let ping = good(me.arm_at(AT, Method::POST, &below("webhooks/hook01/ping"), Value::Null).await).await;
    let pinged = events(&me, "hook01", 1).await;
    assert_eq!(pinged[0]["eventRequestMessage"]["content"]["id"], ping["id"]);
    assert_eq!(pinged[0]["eventRequestMessage"]["content"]["action"], "ping");
    assert_eq!(pinged[0]["eventResponseMessage"]["statusCode"], "200");
    assert_eq!(pinged[0]["eventResponseMessage"]["content"], "heard");
    assert_eq!(heard.lock().unwrap().len(), 2, "the refused one was sent again");

    let docker = me.sign_in("reg01", "app").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let other = me.sign_in("reg01", "other").await;
    other.push_image("v1", b"layer").await.unwrap();
    let pushed = events(&me, "hook01", 2).await;
    let content = &pushed[0]["eventRequestMessage"]["content"];
    assert_eq!(content["action"], "push");
    let target = json!({
        "mediaType": crate::harness::MANIFEST, "size": manifest.len(), "digest": digest(&manifest),
        "length": manifest.len(), "repository": "app", "tag": "v1",
    });
    assert_eq!(content["target"], target);
    assert_eq!(content["request"]["host"], "reg01.azurecr.io");
    assert_eq!(content["request"]["method"], "PUT");
    let request = heard.lock().unwrap()[2].clone();
    let lower = request.to_ascii_lowercase();
    assert!(
        lower.starts_with("post /hook http/1.1\r\n") && lower.contains("authorization: basic c2vjcmv0\r\n"),
        "{request}"
    );
    assert!(lower.contains("user-agent: azurecontainerregistry/1.0\r\n"), "{request}");
    assert_eq!(serde_json::from_str::<Value>(request.split_once("\r\n\r\n").unwrap().1).unwrap(), *content);

    let deleted = docker.call(Method::DELETE, &format!("manifests/{}", digest(&manifest))).send().await.unwrap();
    assert_eq!(deleted.status(), 202);
    let told = events(&me, "hook01", 3).await;
    assert_eq!(told[0]["eventRequestMessage"]["content"]["action"], "delete");
    assert_eq!(told[0]["eventRequestMessage"]["content"]["target"]["digest"], json!(digest(&manifest)));

    // A push that is refused is no event; neither is one while the webhook is disabled.
    let bad = docker.call(Method::PUT, "manifests/v2").body("no manifest").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    let disable = json!({"properties": {"status": "disabled"}});
    good(me.arm_at(AT, Method::PATCH, &below("webhooks/hook01"), disable).await).await;
    docker.push_image("v3", b"layer").await.unwrap();
    good(me.arm_at(AT, Method::POST, &below("webhooks/hook01/ping"), Value::Null).await).await;
    let told = events(&me, "hook01", 4).await;
    assert_eq!(told.len(), 4);
    assert_eq!(told[0]["eventRequestMessage"]["content"]["action"], "ping");

    // Nobody there: bounded attempts, and the event says so.
    let nobody =
        json!({"location": "eastus", "properties": {"serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}});
    good(me.arm_at(AT, Method::PUT, &below("webhooks/hook02"), nobody).await).await;
    good(me.arm_at(AT, Method::POST, &below("webhooks/hook02/ping"), Value::Null).await).await;
    assert_eq!(events(&me, "hook02", 1).await[0]["eventResponseMessage"]["statusCode"], "502");
    for bad in [
        json!({"actions": ["push"]}),
        json!({"serviceUri": "ftp://x", "actions": ["push"]}),
        json!({"serviceUri": "http://x", "actions": ["fly"]}),
    ] {
        let body = json!({"location": "eastus", "properties": bad});
        assert_eq!(refused(me.arm_at(AT, Method::PUT, &below("webhooks/hook03"), body).await).await.0, 400);
    }
    assert_eq!(me.arm_at(AT, Method::DELETE, &below("webhooks/hook01"), Value::Null).await.status(), 200);
    gone(&me, "webhooks/hook01").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replications_are_places_of_their_own() {
    let world = World::new();
    let me = start(&world).await;
    let home = me.arm_at(AT, Method::PUT, &below("replications/eastus"), json!({"location": "eastus"})).await;
    assert_eq!(refused(home).await.0, 400);
    let place = json!({"location": "centralus"});
    let made = long(&me, Method::PUT, &below("replications/centralus"), place, "Creating").await;
    assert_eq!(made["properties"]["regionEndpointEnabled"], true);
    assert!(made["properties"]["status"].get("displayStatus").is_none());
    assert_eq!(get(&me, "replications/centralus").await["properties"]["status"]["displayStatus"], "Ready");
    let listed = get(&me, "replications").await;
    let places: Vec<&str> = listed["value"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(places, ["centralus", "eastus"], "the home region is listed");
    let tagged = json!({"tags": {"a": "b"}, "properties": {"regionEndpointEnabled": false}});
    let changed = long(&me, Method::PATCH, &below("replications/centralus"), tagged, "Updating").await;
    assert_eq!((&changed["tags"]["a"], &changed["properties"]["regionEndpointEnabled"]), (&json!("b"), &json!(false)));
    let closed = json!({"properties": {"regionEndpointEnabled": false}});
    long(&me, Method::PATCH, &below("replications/eastus"), closed, "Updating").await;
    assert_eq!(get(&me, "replications/eastus").await["properties"]["regionEndpointEnabled"], false);
    let home = me.arm_at(AT, Method::DELETE, &below("replications/eastus"), Value::Null).await;
    assert_eq!(refused(home).await.0, 400);

    let usages = get(&me, "listUsages").await;
    assert_eq!(
        usages["value"][2],
        json!({"name": "Geo-replications", "limit": -1, "currentValue": 1, "unit": "Count"})
    );
    let removed = accepted(&me, Method::DELETE, &below("replications/centralus"), Value::Null).await;
    assert_eq!(removed.status(), 200);
    gone(&me, "replications/centralus").await;

    // A registry with replications takes longer to go.
    long(&me, Method::PUT, &below("replications/westus"), json!({"location": "westus"}), "Creating").await;
    assert_eq!(accepted(&me, Method::DELETE, &registry_path("reg01"), Value::Null).await.status(), 200);
    let basic = json!({"location": "eastus", "sku": {"name": "Basic"}, "properties": {}});
    good(me.arm(Method::PUT, &registry_path("basic01"), basic).await).await;
    let path = format!("{}/replications/westus", registry_path("basic01"));
    let (status, code, message) = refused(me.arm_at(AT, Method::PUT, &path, json!({"location": "westus"})).await).await;
    assert_eq!((status, code.as_str(), message.as_str()), (400, "SkuNotSupported", "The SKU Basic is not supported."));
    assert_eq!(me.arm(Method::DELETE, &registry_path("basic01"), Value::Null).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_rules_and_credential_sets() {
    let world = World::new();
    let me = start(&world).await;
    me.make_vault("cachevault", false).await;
    for secret in ["user", "password"] {
        good(me.vault(Method::PUT, "cachevault", &format!("secrets/{secret}"), json!({"value": "x"})).await).await;
    }
    let id = |name: &str| format!("https://cachevault.vault.azure.net/secrets/{name}");
    let credential = json!({"name": "Credential1", "usernameSecretIdentifier": id("user"), "passwordSecretIdentifier": id("password")});
    let set = json!({"identity": {"type": "SystemAssigned"}, "properties": {"loginServer": "docker.io", "authCredentials": [credential]}});
    let made = long(&me, Method::PUT, &below("credentialSets/test1"), set, "Creating").await;
    assert_eq!(made["identity"]["type"], "systemAssigned");
    let principal = made["identity"]["principalId"].as_str().unwrap();
    let health = made["properties"]["authCredentials"][0]["credentialHealth"].clone();
    assert_eq!((&health["status"], &health["errorCode"]), (&json!("Unhealthy"), &json!("Forbidden")));
    let text = health["errorMessage"].as_str().unwrap();
    assert!(
        text.starts_with("The user, group or application 'name=Microsoft.ContainerRegistry/registries;appid="),
        "{text}"
    );
    assert!(text.contains(&format!(";oid={principal};iss=https://sts.windows.net/")), "{text}");
    assert!(text.contains("does not have secrets get permission on key vault 'cachevault;location=eastus'."), "{text}");

    let entry = json!({"tenantId": crate::harness::TENANT, "objectId": principal, "permissions": {"secrets": ["get"]}});
    let path = format!("{}/accessPolicies/add", vault_path("cachevault"));
    good(me.arm(Method::PUT, &path, json!({"properties": {"accessPolicies": [entry]}})).await).await;
    let health = |set: &Value| set["properties"]["authCredentials"][0]["credentialHealth"].clone();
    assert_eq!(health(&get(&me, "credentialSets/test1").await), json!({"status": "Healthy"}));
    let disabled = format!("servicePrincipals/{principal}");
    good(me.graph(Method::PATCH, &disabled, json!({"accountEnabled": false})).await).await;
    let refused_health = health(&get(&me, "credentialSets/test1").await);
    assert_eq!(refused_health["status"], "Unhealthy", "a disabled identity reads no secret");
    assert!(refused_health["errorMessage"].as_str().unwrap().starts_with("AADSTS7000112: "), "{refused_health}");
    good(me.graph(Method::PATCH, &disabled, json!({"accountEnabled": true})).await).await;
    assert_eq!(health(&get(&me, "credentialSets/test1").await), json!({"status": "Healthy"}));
    good(me.vault(Method::DELETE, "cachevault", "secrets/user", Value::Null).await).await;
    assert_eq!(health(&get(&me, "credentialSets/test1").await)["errorCode"], "SecretNotFound");

    let rule = json!({"properties": {"credentialSetResourceId": below("credentialSets/test1"), "sourceRepository": "docker.io/library/ubuntu", "targetRepository": "ubuntu"}});
    let made = long(&me, Method::PUT, &below("cacheRules/test1"), rule.clone(), "Creating").await;
    let fields: Vec<&String> = made["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["credentialSetResourceId", "sourceRepository", "targetRepository", "creationDate", "provisioningState"]
    );
    let again = me.arm_at(AT, Method::PUT, &below("cacheRules/test2"), rule).await;
    assert_eq!(refused(again).await.0, 400, "one rule for a target");
    let none = json!({"properties": {"credentialSetResourceId": null}});
    let changed = long(&me, Method::PATCH, &below("cacheRules/test1"), none, "Updating").await;
    assert!(changed["properties"].get("credentialSetResourceId").is_none());
    assert_eq!(accepted(&me, Method::DELETE, &below("cacheRules/test1"), Value::Null).await.status(), 200);
    assert_eq!(accepted(&me, Method::DELETE, &below("credentialSets/test1"), Value::Null).await.status(), 200);
    gone(&me, "credentialSets/test1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_counterpart_here_says_so() {
    let world = World::new();
    let me = start(&world).await;
    assert_eq!(get(&me, "privateEndpointConnections").await, json!({"value": []}));
    gone(&me, "privateEndpointConnections/mine").await;
    let resource = get(&me, "privateLinkResources").await;
    assert_eq!(resource["value"][0]["properties"]["groupId"], "registry");
    assert_eq!(resource["value"][0]["properties"]["requiredMembers"], json!(["registry", "registry_data_eastus"]));
    for kind in ["exportPipelines", "importPipelines", "pipelineRuns", "connectedRegistries"] {
        let (status, code, _) = refused(me.arm_at(AT, Method::GET, &below(kind), Value::Null).await).await;
        assert_eq!((status, code.as_str()), (404, "InvalidResourceType"), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_endpoint_connections_come_and_go_and_survive_a_put_of_the_registry() {
    let world = World::new();
    let me = start(&world).await;
    let body = json!({"properties": {"privateEndpoint": {"id": "/subscriptions/s/pe"},
        "privateLinkServiceConnectionState": {"status": "Pending", "description": "please"}}});
    let one = "privateEndpointConnections/mine";
    long(&me, Method::PUT, &below(one), body, "Creating").await;
    let made = get(&me, one).await;
    let state = json!({"status": "Pending", "description": "please", "actionsRequired": "None"});
    assert_eq!(made["properties"]["privateLinkServiceConnectionState"], state);
    assert_eq!(made["type"], "Microsoft.ContainerRegistry/registries/privateEndpointConnections");
    assert_eq!(get(&me, "privateEndpointConnections").await, json!({"value": [made]}));
    // The registry shows it, and a PUT of what it shows changes nothing.
    let registry = good(me.arm_at(AT, Method::GET, &below(""), Value::Null).await).await;
    assert_eq!(registry["properties"]["privateEndpointConnections"], json!([made]));
    good(me.arm_at(AT, Method::PUT, &below(""), registry).await).await;
    assert_eq!(get(&me, one).await, made);
    // What is said of its state leaves the rest; it counts in the usages.
    let body = json!({"properties": {"privateLinkServiceConnectionState": {"status": "Rejected"}}});
    let changed = long(&me, Method::PUT, &below(one), body, "Updating").await;
    assert_eq!(changed["properties"]["privateEndpoint"]["id"], "/subscriptions/s/pe");
    assert_eq!(changed["properties"]["privateLinkServiceConnectionState"]["status"], "Rejected");
    let usages = get(&me, "listUsages").await;
    let usage = usages["value"].as_array().unwrap().iter().find(|u| u["name"] == "PrivateEndpointConnections").unwrap();
    assert_eq!((&usage["currentValue"], &usage["limit"]), (&json!(1), &json!(200)));
    assert_eq!(accepted(&me, Method::DELETE, &below(one), Value::Null).await.status(), 200);
    gone(&me, one).await;
    assert_eq!(me.arm_at(AT, Method::DELETE, &below(one), Value::Null).await.status(), 204);
    // Only Premium has them.
    let basic = json!({"location": "eastus", "sku": {"name": "Basic"}});
    good(me.arm_at(AT, Method::PUT, &registry_path("basic1"), basic).await).await;
    let path = format!("{}/{one}", registry_path("basic1"));
    let (status, code, _) = refused(me.arm_at(AT, Method::PUT, &path, json!({"properties": {}})).await).await;
    assert_eq!((status, code.as_str()), (400, "SkuNotSupported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_imported_from_registry_to_registry() {
    let world = World::new();
    let me = start(&world).await;
    me.make_vault("keys01", false).await;
    let key = me.make_key("keys01", "kek").await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("keys01", &principal).await;
    good(me.arm(Method::PUT, &registry_path("target01"), Person::cmk_body(&key, "id1", &client)).await).await;
    let layer: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let docker = me.sign_in("reg01", "src/app").await;
    let manifest = docker.push_image("v1", &layer).await.unwrap();
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": crate::harness::MANIFEST, "digest": digest(&manifest), "size": manifest.len(), "platform": {"os": "linux", "architecture": "amd64"}}]});
    let pushed =
        docker.call(Method::PUT, "manifests/multi").header("content-type", "application/vnd.oci.image.index.v1+json");
    assert_eq!(pushed.body(index.to_string()).send().await.unwrap().status(), 201);

    let import = format!("{}/importImage", registry_path("target01"));
    let from = |image: &str, tags: Value, mode: &str| json!({"source": {"resourceId": registry_path("reg01"), "sourceImage": image}, "targetTags": tags, "mode": mode});
    let done = accepted(&me, Method::POST, &import, from("src/app:v1", json!(["app:v1", "copy:v1"]), "NoForce")).await;
    assert_eq!(good(done).await, json!({"status": "Succeeded"}));
    let target = me.sign_in("target01", "app").await;
    assert_eq!(target.pull_image("v1").await.unwrap(), (manifest.clone(), layer.clone()));
    assert_eq!(me.sign_in("target01", "copy").await.pull_image("v1").await.unwrap().0, manifest);

    let again = accepted(&me, Method::POST, &import, from("src/app:v1", json!(["app:v1"]), "NoForce")).await;
    let (status, code, message) = refused(again).await;
    assert_eq!((status, code.as_str()), (409, "Conflict"));
    assert!(message.starts_with("Operation registries-"), "{message}");
    let end = format!(" failed. Resource {} Tag app:v1 already exists in target registry.", registry_path("target01"));
    assert!(message.ends_with(&end), "{message}");
    let forced = accepted(&me, Method::POST, &import, from("src/app:multi", json!(["app:v1"]), "Force")).await;
    assert_eq!(forced.status(), 200);
    let got = target.call(Method::GET, "manifests/v1").send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), index.to_string());

    let untagged = json!({
        "source": {"resourceId": registry_path("reg01"), "sourceImage": format!("src/app@{}", digest(&manifest))},
        "untaggedTargetRepositories": ["plain"], "mode": "NoForce",
    });
    assert_eq!(accepted(&me, Method::POST, &import, untagged).await.status(), 200);
    let plain = me.sign_in("target01", "plain").await;
    assert_eq!(
        plain.call(Method::GET, &format!("manifests/{}", digest(&manifest))).send().await.unwrap().status(),
        200
    );
    let missing = accepted(&me, Method::POST, &import, from("src/app:nowhere", json!(["x:y"]), "NoForce")).await;
    assert_eq!(refused(missing).await.0, 404);

    // Fifty manifests at most, beside the index that names them; one named again counts once.
    let mut children = Vec::new();
    for number in 0..51 {
        let mut child: Value = serde_json::from_slice(&manifest).unwrap();
        child["annotations"] = json!({"number": number.to_string()});
        let child = child.to_string();
        let name = digest(child.as_bytes());
        let size = child.len();
        let put =
            docker.call(Method::PUT, &format!("manifests/{name}")).header("content-type", crate::harness::MANIFEST);
        assert_eq!(put.body(child).send().await.unwrap().status(), 201);
        children.push(json!({"mediaType": crate::harness::MANIFEST, "digest": name, "size": size}));
    }
    for (count, status) in [(50, 200), (51, 400)] {
        let mut named = children[..count].to_vec();
        named.push(children[0].clone());
        let many =
            json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": named});
        let put = docker.call(Method::PUT, "manifests/many");
        let put = put.header("content-type", "application/vnd.oci.image.index.v1+json").body(many.to_string());
        assert_eq!(put.send().await.unwrap().status(), 201);
        let tags = json!([format!("many:v{count}")]);
        let done = accepted(&me, Method::POST, &import, from("src/app:many", tags, "NoForce")).await;
        assert_eq!(done.status(), status, "{count}");
    }

    // By login server, with the admin user's password; a wrong one is refused.
    good(me.arm(Method::PATCH, &registry_path("reg01"), json!({"properties": {"adminUserEnabled": true}})).await).await;
    let admin = good(me.arm(Method::POST, &registry_path("reg01/listCredentials"), Value::Null).await).await;
    let by = |password: &Value| json!({"source": {"registryUri": "reg01.azurecr.io", "sourceImage": "src/app:v1", "credentials": {"username": "reg01", "password": password}}, "targetTags": ["byserver:v1"], "mode": "NoForce"});
    assert_eq!(accepted(&me, Method::POST, &import, by(&json!("wrong"))).await.status(), 401);
    let token = me.token("https://management.azure.com").await;
    assert_eq!(accepted(&me, Method::POST, &import, by(&admin["passwords"][0]["value"])).await.status(), 200);
    let by_token = json!({"source": {"registryUri": "reg01.azurecr.io", "sourceImage": "src/app:v1", "credentials": {"password": token}}, "targetTags": ["bytoken:v1"], "mode": "NoForce"});
    assert_eq!(accepted(&me, Method::POST, &import, by_token).await.status(), 200);

    // The target's key is withdrawn: nothing comes in, and nothing goes out of it.
    me.policy("keys01", "remove", &principal, &["get", "wrapKey", "unwrapKey"]).await;
    let blocked = accepted(&me, Method::POST, &import, from("src/app:v1", json!(["late:v1"]), "NoForce")).await;
    let (status, _, message) = refused(blocked).await;
    assert_eq!(status, 403);
    assert!(message.starts_with("Access to Key Encryption Key is forbidden"), "{message}");
    let out = json!({"source": {"resourceId": registry_path("target01"), "sourceImage": "app:v1"}, "targetTags": ["out:v1"], "mode": "NoForce"});
    assert_eq!(accepted(&me, Method::POST, &below("importImage"), out).await.status(), 403);
    me.allow("keys01", &principal).await;
    assert_eq!(
        accepted(&me, Method::POST, &import, from("src/app:v1", json!(["late:v1"]), "NoForce")).await.status(),
        200
    );

    // Nothing is imported from a registry whose exports are disabled.
    let closed = |access: &str, exports: &str| json!({"properties": {"publicNetworkAccess": access, "policies": {"exportPolicy": {"status": exports}}}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), closed("Disabled", "disabled")).await).await;
    let kept = accepted(&me, Method::POST, &import, from("src/app:v1", json!(["kept:v1"]), "NoForce")).await;
    let (status, _, message) = refused(kept).await;
    assert_eq!(status, 400);
    assert!(message.contains("exports disabled"), "{message}");
    good(me.arm(Method::PATCH, &registry_path("reg01"), closed("Enabled", "enabled")).await).await;

    // Who may import into one registry may not read another.
    let stranger = world.somebody("importer").await;
    me.assign(&registry_path("target01"), "b24988ac-6180-42a0-ab88-20f7382dd24c", &stranger.object_id).await;
    let denied = accepted(&stranger, Method::POST, &import, from("src/app:v1", json!(["no:v1"]), "NoForce"));
    let (status, code, message) = refused(denied.await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    assert!(message.contains("'Microsoft.ContainerRegistry/registries/pull/read'"), "{message}");
    // Each role that pulls may.
    for (role, name) in [
        ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader"),
        ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull"),
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ] {
        let person = world.somebody(name).await;
        me.assign(&registry_path("target01"), "b24988ac-6180-42a0-ab88-20f7382dd24c", &person.object_id).await;
        me.assign(&registry_path("reg01"), role, &person.object_id).await;
        let tags = json!([format!("{}:v1", name.to_lowercase())]);
        let done = accepted(&person, Method::POST, &import, from("src/app:v1", tags, "NoForce")).await;
        assert_eq!(done.status(), 200, "{name}");
    }
}
