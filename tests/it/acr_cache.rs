//! Cache rules that pull through, and imports from registries elsewhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::at_rest::found;
use crate::harness::{Docker, MANIFEST, Person, World, digest, good, refused, registry_path, vault_path};
use crate::upstream::{Demand, Upstream};

const AT: &str = "2026-09-01-preview";

async fn rule(me: &Person<'_>, registry: &str, name: &str, source: &str, target: &str, credentials: Option<&str>) {
    let path = format!("{}/cacheRules/{name}", registry_path(registry));
    let mut body = json!({"properties": {"sourceRepository": source, "targetRepository": target}});
    if let Some(set) = credentials {
        let id = format!("{}/credentialSets/{set}", registry_path(registry));
        body["properties"]["credentialSetResourceId"] = json!(id);
    }
    assert_eq!(me.arm_at(AT, Method::PUT, &path, body).await.status(), 201);
}

async fn start(world: &World) -> Person<'_> {
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me
}

/// Status, first error's code and message.
async fn said(answer: reqwest::Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let word = |name: &str| body["errors"][0][name].as_str().unwrap_or_default().to_owned();
    (status, word("code"), word("message"))
}

async fn manifest(docker: &Docker<'_>, reference: &str) -> reqwest::Response {
    docker.call(Method::GET, &format!("manifests/{reference}")).send().await.unwrap()
}

fn bytes(count: usize, of: u8) -> Vec<u8> {
    (0..count).map(|i| (i % 251) as u8 ^ of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pulled_through_stays() {
    let upstream = Upstream::new(Demand::AnyToken).await;
    let layer = bytes(300_000, 0);
    let first = upstream.put_image("team/app", "v1", "amd64", &layer);
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "rule01", &format!("{}/team/app", upstream.host), "cached/app", None).await;
    let docker = me.sign_in("reg01", "cached/app").await;
    let tags = async || good(docker.call(Method::GET, "tags/list").send().await.unwrap()).await["tags"].clone();

    // By tag: the manifest and the config; the layer when it is asked for.
    let got = manifest(&docker, "v1").await;
    assert_eq!(got.status(), 200);
    assert_eq!(got.headers()["x-azure-origin"], "upstream");
    assert_eq!(got.headers()["docker-content-digest"], digest(&first).as_str());
    assert_eq!(got.bytes().await.unwrap(), first);
    let asked = upstream.asked();
    assert!(!asked.iter().any(|a| a.ends_with(&digest(&layer))), "{asked:?}");
    assert_eq!(docker.pull_image("v1").await.unwrap(), (first.clone(), layer.clone()));
    assert_eq!(tags().await, json!(["v1"]));
    let shown = world.http().get("https://reg01.azurecr.io/acr/v1/cached/app/_manifests").bearer_auth(&docker.token);
    assert_eq!(good(shown.send().await.unwrap()).await["manifests"][0]["architecture"], "amd64");

    // Again: only what the tag is now is asked.
    upstream.asked();
    let got = manifest(&docker, "v1").await;
    assert!(!got.headers().contains_key("x-azure-origin"));
    assert_eq!(docker.pull_image("v1").await.unwrap(), (first.clone(), layer.clone()));
    assert_eq!(upstream.asked(), ["HEAD /v2/team/app/manifests/v1"]);

    // By digest nothing is asked; of what is not here, once.
    assert_eq!(docker.pull_image(&digest(&first)).await.unwrap().1, layer);
    assert_eq!(upstream.asked(), Vec::<String>::new());
    let other = upstream.put_image("team/app", "other", "arm64", b"other");
    assert_eq!(docker.pull_image(&digest(&other)).await.unwrap(), (other.clone(), b"other".to_vec()));
    assert_eq!(tags().await, json!(["v1"]), "only what was pulled by tag has one");
    assert_eq!(docker.call(Method::HEAD, "manifests/other").send().await.unwrap().status(), 200);
    assert_eq!(tags().await, json!(["other", "v1"]));

    // The tag moves.
    let second = upstream.put_image("team/app", "v1", "amd64", b"second");
    assert_eq!(docker.pull_image("v1").await.unwrap(), (second.clone(), b"second".to_vec()));
    assert_eq!(docker.pull_image(&digest(&first)).await.unwrap().1, layer);

    // An index, whose manifests come when they are asked for.
    let index = upstream.put_index("team/app", "multi", &[("amd64", &first), ("arm64", &other)]);
    assert_eq!(manifest(&docker, "multi").await.bytes().await.unwrap(), index);
    assert_eq!(manifest(&docker, &digest(&other)).await.bytes().await.unwrap(), other);

    // What the source does not have is not here either.
    let (status, code, _) = said(manifest(&docker, "nowhere").await).await;
    assert_eq!((status, code.as_str()), (404, "MANIFEST_UNKNOWN"));
    let nowhere = docker.call(Method::GET, &format!("blobs/{}", digest(b"nowhere"))).send().await.unwrap();
    let (status, code, _) = said(nowhere).await;
    assert_eq!((status, code.as_str()), (404, "BLOB_UNKNOWN"));

    // What is deleted here comes again.
    docker.call(Method::DELETE, &format!("manifests/{}", digest(&second))).send().await.unwrap();
    assert_eq!(docker.pull_image("v1").await.unwrap(), (second.clone(), b"second".to_vec()));

    // The source gone, or in a temper: what is here is served, and what is not has a reason.
    upstream.stop().await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (second.clone(), b"second".to_vec()));
    let (status, code, message) = said(manifest(&docker, "v2").await).await;
    assert_eq!((status, code.as_str()), (424, "UNKNOWN"));
    let source = format!("{}/team/app", upstream.host);
    let wanted = format!("request to pull from source '{source}' for cache rule 'rule01' has failed");
    assert!(message.starts_with(&wanted), "{message}");
    upstream.start().await;
    for (refusal, status, code, text) in [
        (401, 401, "UNAUTHORIZED", "authentication required with source registry for cache rule 'rule01'".to_owned()),
        (
            403,
            403,
            "DENIED",
            format!("requested access to pull from source '{source}' for cache rule 'rule01' has been denied"),
        ),
        (429, 429, "TOOMANYREQUESTS", "too many requests to source registry for cache rule 'rule01'".to_owned()),
        (
            500,
            424,
            "UNKNOWN",
            format!("request to pull from source '{source}' for cache rule 'rule01' returned status code 500"),
        ),
    ] {
        upstream.refuse(Some(refusal));
        assert_eq!(docker.pull_image("v1").await.unwrap().0, second);
        let got = said(manifest(&docker, "v2").await).await;
        assert_eq!((got.0, got.1.as_str()), (status, code));
        assert!(got.2.starts_with(&text), "{}", got.2);
    }
    upstream.refuse(None);

    // Days pass: what came layer by layer is as safe as what was pushed.
    world.advance(3 * 86_400).await;
    upstream.stop().await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"second");
    assert_eq!(docker.pull_image(&digest(&first)).await.unwrap().1, layer);

    // Without the rule it is a repository as any other.
    let path = format!("{}/cacheRules/rule01", registry_path("reg01"));
    assert_eq!(me.arm_at(AT, Method::DELETE, &path, Value::Null).await.status(), 202);
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"second");
    assert_eq!(said(manifest(&docker, "v2").await).await.0, 404);
    docker.push_image("own", b"own").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_want_the_same_layer_wait_for_one_fetch() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let layer = bytes(5_000_000, 1);
    upstream.put_image("app", "v1", "amd64", &layer);
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    assert_eq!(manifest(&docker, "v1").await.status(), 200);
    upstream.asked();
    let name = digest(&layer);
    let pull = || async {
        let got = docker.call(Method::GET, &format!("blobs/{name}")).send().await.unwrap();
        got.bytes().await.unwrap() == layer
    };
    let (one, two, three) = tokio::join!(pull(), pull(), pull());
    assert!(one && two && three);
    assert_eq!(upstream.asked(), [format!("GET /v2/app/blobs/{name}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_lead_to_the_repository_of_the_same_name() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let below = upstream.put_image("library/a/b", "v1", "amd64", b"below");
    let special = upstream.put_image("special", "v1", "amd64", b"special");
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "below", &format!("{}/library/*", upstream.host), "hub/*", None).await;
    rule(&me, "reg01", "exact", &format!("{}/special", upstream.host), "hub/special", None).await;
    assert_eq!(me.sign_in("reg01", "hub/a/b").await.pull_image("v1").await.unwrap().0, below);
    assert_eq!(me.sign_in("reg01", "hub/special").await.pull_image("v1").await.unwrap().0, special);
    // Outside of the rules nothing is asked.
    upstream.asked();
    let outside = me.sign_in("reg01", "outside").await;
    assert_eq!(said(manifest(&outside, "v1").await).await.0, 404);
    assert_eq!(upstream.asked(), Vec::<String>::new());
    // A token for another repository is none for this.
    let stranger = outside.absolute(Method::GET, "https://reg01.azurecr.io/v2/hub/special/manifests/v1");
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    assert_eq!(upstream.asked(), Vec::<String>::new());
    // Rules that are not taken: one that pretends nothing, and what Azure refuses.
    let path = format!("{}/cacheRules/identity", registry_path("reg01"));
    let body = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {}}, "properties": {"sourceRepository": "quay.io/x", "targetRepository": "x"}});
    assert_eq!(refused(me.arm_at(AT, Method::PUT, &path, body).await).await.0, 501);
    outside.push_image("v1", b"mine").await.unwrap();
    let path = format!("{}/cacheRules/wrong", registry_path("reg01"));
    for (source, target, code) in [
        ("quay.io/library/*", "x", "InvalidRequestContent"),
        ("ubuntu", "x", "InvalidRequestContent"),
        ("quay.io/library/ubuntu:22.04", "x", "InvalidRequestContent"),
        ("docker.io/library/ubuntu", "x", "EnforceDockerAuthentication"),
        ("Docker.io:443/library/ubuntu", "x", "EnforceDockerAuthentication"),
        ("quay.io/x", "outside", "BadRequest"),
        ("quay.io/*", "*", "BadRequest"),
    ] {
        let body = json!({"properties": {"sourceRepository": source, "targetRepository": target}});
        let (status, said, _) = refused(me.arm_at(AT, Method::PUT, &path, body).await).await;
        assert_eq!((status, said.as_str()), (400, code), "{source}");
    }
}

/// A credential set for a source, with the right to read its secrets.
async fn credentials(me: &Person<'_>, registry: &str, server: &str, user: &str, password: &str) {
    me.make_vault("cachevault", false).await;
    for (secret, value) in [("user", user), ("password", password)] {
        good(me.vault(Method::PUT, "cachevault", &format!("secrets/{secret}"), json!({"value": value})).await).await;
    }
    let id = |name: &str| format!("https://cachevault.vault.azure.net/secrets/{name}");
    let credential = json!({"name": "Credential1", "usernameSecretIdentifier": id("user"), "passwordSecretIdentifier": id("password")});
    let set = json!({"identity": {"type": "SystemAssigned"}, "properties": {"loginServer": server, "authCredentials": [credential]}});
    let path = format!("{}/credentialSets/set01", registry_path(registry));
    let made = me.arm_at(AT, Method::PUT, &path, set).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    secrets(me, "add", made["identity"]["principalId"].as_str().unwrap()).await;
}

async fn secrets(me: &Person<'_>, how: &str, principal: &str) {
    let entry = json!({"tenantId": crate::harness::TENANT, "objectId": principal, "permissions": {"secrets": ["get"]}});
    let path = format!("{}/accessPolicies/{how}", vault_path("cachevault"));
    good(me.arm(Method::PUT, &path, json!({"properties": {"accessPolicies": [entry]}})).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_set_signs_in_at_the_source() {
    for demand in [Demand::Token("robot", "right"), Demand::Basic("robot", "right")] {
        let upstream = Upstream::new(demand).await;
        let image = upstream.put_image("app", "v1", "amd64", b"layer");
        let world = World::new();
        let me = start(&world).await;
        credentials(&me, "reg01", &upstream.host, "robot", "right").await;
        rule(&me, "reg01", "open1", &format!("{}/app", upstream.host), "open", None).await;
        rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", Some("set01")).await;
        let docker = me.sign_in("reg01", "app").await;
        assert_eq!(docker.pull_image("v1").await.unwrap(), (image.clone(), b"layer".to_vec()));
        let open = me.sign_in("reg01", "open").await;
        let (status, code, message) = said(manifest(&open, "v1").await).await;
        assert_eq!((status, code.as_str()), (401, "UNAUTHORIZED"));
        assert!(message.contains("for cache rule 'open1'"), "{message}");

        // The wrong password: what is here is served, the rest is not to be had.
        good(me.vault(Method::PUT, "cachevault", "secrets/password", json!({"value": "wrong"})).await).await;
        upstream.put_image("app", "v2", "amd64", b"two");
        assert_eq!(docker.pull_image("v1").await.unwrap().0, image);
        assert_eq!(said(manifest(&docker, "v2").await).await.1, "UNAUTHORIZED");
        good(me.vault(Method::PUT, "cachevault", "secrets/password", json!({"value": "right"})).await).await;
        assert_eq!(docker.pull_image("v2").await.unwrap().1, b"two");

        // The right to read the secrets withdrawn: the source is not even asked.
        upstream.put_image("app", "v3", "amd64", b"three");
        let set = good(
            me.arm_at(AT, Method::GET, &format!("{}/credentialSets/set01", registry_path("reg01")), Value::Null).await,
        )
        .await;
        let principal = set["identity"]["principalId"].as_str().unwrap().to_owned();
        secrets(&me, "remove", &principal).await;
        upstream.asked();
        assert_eq!(said(manifest(&docker, "v3").await).await.1, "UNAUTHORIZED");
        assert_eq!(upstream.asked(), Vec::<String>::new());
        let audit = reqwest::Client::builder().no_proxy().build().unwrap();
        let audit = good(audit.get(format!("{}/acrite/v1/audit", world.url)).send().await.unwrap()).await;
        let reads = audit["entries"].as_array().unwrap().iter().map(|e| &e["audit"]);
        let reads: Vec<&Value> = reads
            .filter(|r| r["operationName"] == "SecretGet" && r["identity"]["claim"]["oid"] == principal.as_str())
            .collect();
        assert!(reads.len() > 2 && reads[0]["resultSignature"] == "OK", "{reads:?}");
        assert_eq!(reads.last().unwrap()["resultSignature"], "Forbidden");
        assert_eq!(docker.pull_image("v1").await.unwrap().0, image);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_set_is_shown_to_no_other_login_server() {
    let upstream = Upstream::new(Demand::Basic("robot", "right")).await;
    upstream.put_image("app", "v1", "amd64", b"layer");
    let world = World::new();
    let me = start(&world).await;
    let set = format!("{}/credentialSets/set01", registry_path("reg01"));
    let path = format!("{}/cacheRules/rule01", registry_path("reg01"));
    let source = format!("{}/app", upstream.host);
    let body =
        json!({"properties": {"sourceRepository": source, "targetRepository": "app", "credentialSetResourceId": set}});
    credentials(&me, "reg01", "quay.io", "robot", "right").await;
    let (status, code, message) = refused(me.arm_at(AT, Method::PUT, &path, body.clone()).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidRequestContent"));
    assert!(message.contains("is for the login server 'quay.io'"), "{message}");
    rule(&me, "reg01", "rule01", &source, "app", None).await;
    for method in [Method::PATCH, Method::PUT] {
        assert_eq!(refused(me.arm_at(AT, method, &path, body.clone()).await).await.0, 400);
    }

    // Case aside, and Docker Hub by each of its names.
    assert_eq!(me.arm_at(AT, Method::DELETE, &set, Value::Null).await.status(), 202);
    credentials(&me, "reg01", "Index.Docker.io", "robot", "right").await;
    rule(&me, "reg01", "hub01", "docker.io/library/*", "hub/*", Some("set01")).await;
    assert_eq!(me.arm_at(AT, Method::DELETE, &set, Value::Null).await.status(), 202);
    credentials(&me, "reg01", &upstream.host, "robot", "right").await;
    good(me.arm_at(AT, Method::PATCH, &path, body).await).await;
    let docker = me.sign_in("reg01", "app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");

    // A set made anew for another: the rule that names it goes without.
    upstream.put_image("app", "v2", "amd64", b"two");
    assert_eq!(me.arm_at(AT, Method::DELETE, &set, Value::Null).await.status(), 202);
    credentials(&me, "reg01", "quay.io", "robot", "right").await;
    upstream.asked();
    assert_eq!(said(manifest(&docker, "v2").await).await.1, "UNAUTHORIZED");
    assert_eq!(upstream.asked(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_registry_asks_no_source() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let marker = b"only-under-the-registrys-key".repeat(5000);
    upstream.put_image("app", "v1", "amd64", &marker);
    upstream.put_image("app", "v2", "amd64", b"two");
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("keys01", false).await;
    let key = me.make_key("keys01", "kek").await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("keys01", &principal).await;
    good(me.arm(Method::PUT, &registry_path("reg01"), Person::cmk_body(&key, "id1", &client)).await).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    let (image, layer) = docker.pull_image("v1").await.unwrap();
    assert_eq!(layer, marker);
    assert_eq!(found(&world.dir, b"only-under-the-registrys-key"), None);
    assert_eq!(found(&world.dir, &image), None);

    upstream.asked();
    me.policy("keys01", "remove", &principal, &["get", "wrapKey", "unwrapKey"]).await;
    for path in ["manifests/v1".to_owned(), "manifests/v2".to_owned(), format!("blobs/{}", digest(&marker))] {
        let (status, code, _) = said(docker.call(Method::GET, &path).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (403, "DENIED"), "{path}");
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
    me.allow("keys01", &principal).await;
    assert_eq!(docker.pull_image("v2").await.unwrap().1, b"two");
    assert_eq!(docker.pull_image("v1").await.unwrap(), (image, marker));

    // Nor does one that goes while the source is being waited for.
    upstream.put_image("app", "v3", "amd64", b"three");
    assert_eq!(manifest(&docker, "v3").await.status(), 200);
    upstream.hold(true);
    upstream.asked();
    let waiting = docker.call(Method::GET, &format!("blobs/{}", digest(b"three"))).send();
    let revoking = async {
        while upstream.asked().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        me.policy("keys01", "remove", &principal, &["get", "wrapKey", "unwrapKey"]).await;
        upstream.hold(false);
    };
    let (waited, ()) = tokio::join!(waiting, revoking);
    assert_eq!(said(waited.unwrap()).await.0, 403);

    // Nor one whose firewall is closed to the caller meanwhile.
    me.allow("keys01", &principal).await;
    upstream.put_image("app", "v4", "amd64", b"four");
    assert_eq!(manifest(&docker, "v4").await.status(), 200);
    upstream.hold(true);
    upstream.asked();
    let waiting = docker.call(Method::GET, &format!("blobs/{}", digest(b"four"))).send();
    let closing = async {
        upstream.waits_for(&digest(b"four")).await;
        let closed = json!({"properties": {"publicNetworkAccess": "Disabled"}});
        good(me.arm(Method::PATCH, &registry_path("reg01"), closed).await).await;
        upstream.hold(false);
    };
    let (waited, ()) = tokio::join!(waiting, closing);
    assert_eq!(said(waited.unwrap()).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_ends_where_the_targets_key_is_taken_away() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_layers("app", "v1", "amd64", &[b"one", b"two", b"three"]);
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("keys01", false).await;
    let key = me.make_key("keys01", "kek").await;
    let other = me.make_key("keys01", "other").await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("keys01", &principal).await;
    good(me.arm(Method::PUT, &registry_path("reg01"), Person::cmk_body(&key, "id1", &client)).await).await;
    let docker = me.sign_in("reg01", "app").await;
    let enabled = async |key: &str, enabled: bool| {
        let body = json!({"attributes": {"enabled": enabled}});
        good(me.vault(Method::PATCH, "keys01", &format!("keys/{key}"), body).await).await;
    };
    let blob = async |bytes: &[u8]| {
        let got = docker.call(Method::GET, &format!("blobs/{}", digest(bytes))).send().await.unwrap();
        got.status().as_u16()
    };
    let import = json!({"source": {"registryUri": upstream.host, "sourceImage": "app:v1"}, "targetTags": ["app:v1"]});

    upstream.hold_one(&digest(b"two"));
    let revoking = async {
        upstream.waits_for(&digest(b"two")).await;
        enabled("kek", false).await;
        upstream.hold(false);
    };
    let (done, ()) = tokio::join!(imported(&me, "reg01", import.clone()), revoking);
    let (status, _, message) = refused(done).await;
    assert_eq!(status, 403);
    assert!(message.starts_with("Access to Key Encryption Key is forbidden"), "{message}");
    assert!(!upstream.asked().iter().any(|a| a.ends_with(&digest(b"three"))));
    enabled("kek", true).await;
    assert_eq!((blob(b"one").await, blob(b"two").await, blob(b"three").await), (200, 404, 404));
    assert_eq!(manifest(&docker, "v1").await.status(), 404);
    assert_eq!(std::fs::read_dir(world.dir.join("uploads")).unwrap().count(), 0);

    // Another key, with which the registry goes on while the one that the import began under is disabled.
    upstream.hold_one(&digest(b"two"));
    let rotating = async {
        upstream.waits_for(&digest(b"two")).await;
        good(me.arm(Method::PATCH, &registry_path("reg01"), Person::cmk_body(&other, "id1", &client)).await).await;
        enabled("kek", false).await;
        upstream.hold(false);
    };
    let (done, ()) = tokio::join!(imported(&me, "reg01", import), rotating);
    assert_eq!(good(done).await, json!({"status": "Succeeded"}));
    assert_eq!((blob(b"one").await, blob(b"two").await, blob(b"three").await), (200, 200, 200));
    assert_eq!(manifest(&docker, "v1").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registry_itself_refuses_is_not_its_sources_fault() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let first = upstream.put_image("app", "v1", "amd64", b"layer");
    let world = World::new();
    let me = start(&world).await;
    let soft = json!({"properties": {"policies": {"softDeletePolicy": {"status": "enabled", "retentionDays": 7}}}});
    good(me.arm_at(AT, Method::PATCH, &registry_path("reg01"), soft).await).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap().0, first);
    let lock = async |what: &str, write: bool| {
        let url = format!("https://reg01.azurecr.io/acr/v1/app{what}");
        good(docker.absolute(Method::PATCH, &url).json(&json!({"writeEnabled": write})).send().await.unwrap()).await;
    };
    // A tag that is locked stays what it is.
    lock("/_tags/v1", false).await;
    upstream.put_image("app", "v1", "amd64", b"moved");
    assert_eq!(manifest(&docker, "v1").await.bytes().await.unwrap(), first);
    lock("/_tags/v1", true).await;
    // A repository that is locked takes nothing in.
    let second = upstream.put_image("app", "v2", "amd64", b"second");
    lock("", false).await;
    assert_eq!(said(manifest(&docker, "v2").await).await.0, 405);
    assert_eq!(
        said(docker.call(Method::GET, &format!("manifests/{}", digest(&second))).send().await.unwrap()).await.0,
        405
    );
    lock("", true).await;
    assert_eq!(docker.pull_image("v2").await.unwrap().0, second);
    // What lies in the bin is restored first.
    let gone = docker.call(Method::DELETE, &format!("manifests/{}", digest(&second))).send().await.unwrap();
    assert_eq!(gone.status(), 202);
    assert_eq!(said(manifest(&docker, "v2").await).await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_want_the_same_manifest_wait_for_one_fetch() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let image = upstream.put_image("app", "v1", "amd64", b"layer");
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    upstream.hold(true);
    let config: Value = serde_json::from_slice(&image).unwrap();
    let config = config["config"]["digest"].as_str().unwrap();
    let free = async {
        let asked = upstream.waits_for(config).await;
        // Nothing tells that the others wait by now; those that come later find what is here, and prove less.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        upstream.hold(false);
        asked
    };
    let (one, two, three, asked) =
        tokio::join!(manifest(&docker, "v1"), manifest(&docker, "v1"), manifest(&docker, "v1"), free);
    for got in [one, two, three] {
        assert_eq!(got.bytes().await.unwrap(), image);
    }
    assert_eq!(asked, ["GET /v2/app/manifests/v1".to_owned(), format!("GET /v2/app/blobs/{config}")]);
    assert_eq!(upstream.all_asked(), Vec::<String>::new());

    // A client that goes away does not end it.
    let image = upstream.put_image("app", "v2", "arm64", b"two");
    let config: Value = serde_json::from_slice(&image).unwrap();
    let config = config["config"]["digest"].as_str().unwrap();
    upstream.hold(true);
    let leaving = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        tokio::select! {
            _ = manifest(&docker, "v2") => panic!("it came"),
            asked = upstream.waits_for(config) => asked,
        }
    });
    assert_eq!(leaving.await.unwrap().len(), 2);
    // Nothing tells that the server has noticed; if it has not, this proves less.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    upstream.hold(false);
    let listed = async || good(docker.call(Method::GET, "tags/list").send().await.unwrap()).await["tags"].clone();
    for _ in 0..200 {
        if listed().await == json!(["v1", "v2"]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(manifest(&docker, "v2").await.bytes().await.unwrap(), image);
    assert_eq!(upstream.asked(), ["HEAD /v2/app/manifests/v2"]);
    assert_eq!(std::fs::read_dir(world.dir.join("uploads")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pushes_where_a_rule_fills() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_image("app", "v1", "amd64", b"layer");
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    let (pulled, _) = docker.pull_image("v1").await.unwrap();
    let denied = docker.push_image("mine", b"mine").await.unwrap_err();
    assert_eq!(said(denied).await, (405, "REGISTRY_DISALLOWED_OPERATION".into(), "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation".into()));
    let put = docker.call(Method::PUT, "manifests/mine").header("content-type", MANIFEST).body(pulled.clone());
    assert_eq!(put.send().await.unwrap().status(), 405);
    let other = me.sign_in("reg01", "other").await;
    other.push_image("v1", b"layer").await.unwrap();
    let mounted = docker.call(Method::POST, &format!("blobs/uploads/?mount={}&from=other", digest(b"layer")));
    assert!(!mounted.send().await.unwrap().status().is_success());
    let import = json!({"source": {"resourceId": registry_path("reg01"), "sourceImage": "other:v1"}, "targetTags": ["app:mine"], "mode": "NoForce"});
    let (status, _, message) = refused(imported(&me, "reg01", import).await).await;
    assert!(status == 400 && message.contains("filled by a cache rule"), "{message}");
    // Unless the registry allows it.
    let allow = json!({"properties": {"writableCacheRepos": "Enabled"}});
    good(me.arm_at(AT, Method::PATCH, &registry_path("reg01"), allow).await).await;
    docker.push_image("mine", b"mine").await.unwrap();
    assert_eq!(docker.pull_image("mine").await.unwrap().1, b"mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_of_this_emulator_are_sources_too() {
    let world = World::new();
    let me = start(&world).await;
    me.make_registry("source01").await;
    let origin = me.sign_in("source01", "app").await;
    let image = origin.push_image("v1", b"layer").await.unwrap();
    rule(&me, "reg01", "open1", "source01.azurecr.io/app", "open", None).await;
    let open = me.sign_in("reg01", "open").await;
    assert_eq!(said(manifest(&open, "v1").await).await.1, "UNAUTHORIZED");
    good(
        me.arm(Method::PATCH, &registry_path("source01"), json!({"properties": {"anonymousPullEnabled": true}})).await,
    )
    .await;
    assert_eq!(open.pull_image("v1").await.unwrap(), (image.clone(), b"layer".to_vec()));
    let off = json!({"properties": {"anonymousPullEnabled": false, "adminUserEnabled": true}});
    good(me.arm(Method::PATCH, &registry_path("source01"), off).await).await;
    assert_eq!(open.pull_image("v1").await.unwrap().0, image, "as kept");

    let admin = good(me.arm(Method::POST, &registry_path("source01/listCredentials"), Value::Null).await).await;
    let password = admin["passwords"][0]["value"].as_str().unwrap();
    credentials(&me, "reg01", "source01.azurecr.io", "source01", password).await;
    rule(&me, "reg01", "signed", "source01.azurecr.io/*", "signed/*", Some("set01")).await;
    let signed = me.sign_in("reg01", "signed/app").await;
    assert_eq!(signed.pull_image("v1").await.unwrap(), (image, b"layer".to_vec()));
    let moved = origin.push_image("v1", b"moved").await.unwrap();
    assert_eq!(signed.pull_image("v1").await.unwrap(), (moved.clone(), b"moved".to_vec()));
    // However its name is written, and by one region's login server.
    let regional = json!({"properties": {"regionalEndpoints": "Enabled"}});
    good(me.arm_at(AT, Method::PATCH, &registry_path("source01"), regional).await).await;
    for (number, host) in
        ["Source01.AzureCR.io", "source01.azurecr.io:443", "SOURCE01.eastus.geo.azurecr.io"].iter().enumerate()
    {
        let (name, target) = (format!("written{number}"), format!("written/{number}"));
        rule(&me, "reg01", &name, &format!("{host}/app"), &target, None).await;
        let written = me.sign_in("reg01", &target).await;
        assert_eq!(said(manifest(&written, "v1").await).await.1, "UNAUTHORIZED", "{host}");
        let by_uri = json!({"source": {"registryUri": host, "sourceImage": "app:v1", "credentials": {"username": "source01", "password": password}}, "targetTags": [format!("imported{number}:v1")]});
        assert_eq!(imported(&me, "reg01", by_uri).await.status(), 200, "{host}");
    }
    let kept =
        good(me.arm_at(AT, Method::GET, &format!("{}/cacheRules/written0", registry_path("reg01")), Value::Null).await);
    assert_eq!(kept.await["properties"]["sourceRepository"], "source01.azurecr.io/app");
    for host in ["source01.westus.geo.azurecr.io", "source01.azurecr.io:8443", "azurecr.io"] {
        let nowhere = json!({"source": {"registryUri": host, "sourceImage": "app:v1"}, "targetTags": ["no:v1"]});
        let (_, _, message) = refused(imported(&me, "reg01", nowhere).await).await;
        assert!(!message.contains("--offline"), "nobody is asked: {message}");
    }
    rule(&me, "reg01", "gone1", "nowhere01.azurecr.io/app", "gone", None).await;
    let (status, code, _) = said(manifest(&me.sign_in("reg01", "gone").await, "v1").await).await;
    assert_eq!((status, code.as_str()), (424, "UNKNOWN"));
    // The source's key does not matter to what is kept here, the source's end does not either.
    assert_eq!(me.arm(Method::DELETE, &registry_path("source01"), Value::Null).await.status(), 200);
    assert_eq!(signed.pull_image("v1").await.unwrap().0, moved);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_sends_wrong_is_not_kept() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let image = upstream.put_image("app", "v1", "amd64", b"layer");
    upstream.spoil(&digest(b"layer"));
    let world = World::new();
    let me = start(&world).await;
    rule(&me, "reg01", "rule01", &format!("{}/app", upstream.host), "app", None).await;
    let docker = me.sign_in("reg01", "app").await;
    assert_eq!(manifest(&docker, "v1").await.status(), 200);
    let blob = async || docker.call(Method::GET, &format!("blobs/{}", digest(b"layer"))).send().await.unwrap();
    let (status, code, message) = said(blob().await).await;
    assert_eq!((status, code.as_str()), (424, "UNKNOWN"), "{message}");
    let import = json!({"source": {"registryUri": upstream.host, "sourceImage": "app:v1"}, "targetTags": ["taken:v1"]});
    let (status, code, message) = refused(imported(&me, "reg01", import).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidParameters"));
    assert!(message.contains("Error copying blobs") && message.contains("has another digest"), "{message}");
    assert_eq!(said(manifest(&me.sign_in("reg01", "taken").await, "v1").await).await.0, 404);
    upstream.put_blob(b"layer");
    assert_eq!(docker.pull_image("v1").await.unwrap(), (image.clone(), b"layer".to_vec()));
    assert_eq!(blob().await.bytes().await.unwrap(), &b"layer"[..]);
    // What breaks off is not kept either, nor is any of it left lying about.
    let large = bytes(400_000, 3);
    upstream.put_image("app", "v2", "amd64", &large);
    assert_eq!(manifest(&docker, "v2").await.status(), 200);
    upstream.break_off(true);
    let cut = docker.call(Method::GET, &format!("blobs/{}", digest(&large))).send().await.unwrap();
    assert_eq!(said(cut).await.0, 424);
    assert_eq!(std::fs::read_dir(world.dir.join("uploads")).unwrap().count(), 0);
    upstream.break_off(false);
    assert_eq!(docker.pull_image("v2").await.unwrap().1, large);
    // A manifest with other bytes than its digest says.
    let name = digest(b"not this");
    upstream.put_manifest("app", &name, MANIFEST, &image);
    assert_eq!(said(manifest(&docker, &name).await).await.0, 424);
}

/// What became of an import.
async fn imported(me: &Person<'_>, registry: &str, body: Value) -> reqwest::Response {
    let path = format!("{}/importImage", registry_path(registry));
    let answer = me.arm_at(AT, Method::POST, &path, body).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let poll = answer.headers()["location"].to_str().unwrap().to_owned();
    let path = poll.trim_start_matches("https://management.azure.com").split_once('?').unwrap().0.to_owned();
    loop {
        let answer = me.arm(Method::GET, &path, Value::Null).await;
        if answer.status() != StatusCode::ACCEPTED {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_imported_from_registries_elsewhere() {
    let upstream = Upstream::new(Demand::Token("robot", "right")).await;
    let mut layer = bytes(3_000_000, 2);
    layer[1_000_000..1_000_017].copy_from_slice(b"a-readable-marker");
    let amd = upstream.put_image("team/app", "amd", "amd64", &layer);
    let arm = upstream.put_image("team/app", "arm", "arm64", b"arm");
    let index = upstream.put_index("team/app", "v1", &[("amd64", &amd), ("arm64", &arm)]);
    let world = World::new();
    let me = start(&world).await;
    let from = |image: &str, password: Option<&str>, tags: Value, mode: &str| {
        let mut body =
            json!({"source": {"registryUri": upstream.host, "sourceImage": image}, "targetTags": tags, "mode": mode});
        if let Some(password) = password {
            body["source"]["credentials"] = json!({"username": "robot", "password": password});
        }
        body
    };
    let right = Some("right");
    let done = imported(&me, "reg01", from("team/app:v1", right, json!(["app:v1"]), "NoForce")).await;
    assert_eq!(good(done).await, json!({"status": "Succeeded"}));
    let docker = me.sign_in("reg01", "app").await;
    assert_eq!(manifest(&docker, "v1").await.bytes().await.unwrap(), index);
    assert_eq!(docker.pull_image(&digest(&amd)).await.unwrap(), (amd.clone(), layer));
    assert_eq!(docker.pull_image(&digest(&arm)).await.unwrap().1, b"arm");
    assert_eq!(found(&world.dir, b"a-readable-marker"), None);

    // By digest, without a tag; the source need not be there any more for a pull.
    let mut untagged = from(&format!("team/app@{}", digest(&arm)), right, json!([]), "NoForce");
    untagged["untaggedTargetRepositories"] = json!(["plain"]);
    assert_eq!(imported(&me, "reg01", untagged).await.status(), 200);
    let plain = me.sign_in("reg01", "plain").await;
    assert_eq!(plain.pull_image(&digest(&arm)).await.unwrap().1, b"arm");
    let again = imported(&me, "reg01", from("team/app:arm", right, json!(["app:v1"]), "NoForce")).await;
    assert_eq!(refused(again).await.1, "Conflict");
    assert_eq!(imported(&me, "reg01", from("team/app:arm", right, json!(["app:v1"]), "Force")).await.status(), 200);
    assert_eq!(manifest(&docker, "v1").await.bytes().await.unwrap(), arm);

    // Refusals, as users of Azure report them.
    for password in [Some("wrong"), None] {
        let tried = imported(&me, "reg01", from("team/app:v1", password, json!(["no:v1"]), "NoForce")).await;
        if password.is_some() {
            let (status, code, message) = refused(tried).await;
            assert_eq!((status, code.as_str()), (400, "InvalidParameters"));
            let middle =
                format!(" failed. Resource {} Invalid message Unauthorized Unauthorized ", registry_path("reg01"));
            assert!(message.starts_with("Operation registries-") && message.contains(&middle), "{message}");
        } else {
            assert_eq!(refused(tried).await.0, 400);
        }
    }
    let missing = imported(&me, "reg01", from("team/app:nowhere", right, json!(["no:v1"]), "NoForce")).await;
    let (_, _, message) = refused(missing).await;
    assert!(message.contains("Invalid message NotFound Not Found"), "{message}");
    upstream.stop().await;
    let (_, _, message) =
        refused(imported(&me, "reg01", from("team/app:v1", right, json!(["no:v1"]), "NoForce")).await).await;
    assert!(message.contains("could not be reached"), "{message}");
    // This world runs with --offline.
    let hub =
        json!({"source": {"registryUri": "docker.io", "sourceImage": "library/busybox:latest"}, "targetTags": ["b:1"]});
    let (_, _, message) = refused(imported(&me, "reg01", hub).await).await;
    assert!(message.contains("this acrite runs with --offline"), "{message}");
    rule(&me, "reg01", "hub01", "mcr.microsoft.com/hello-world", "hello", None).await;
    let hello = manifest(&me.sign_in("reg01", "hello").await, "v1").await;
    assert_eq!(hello.status(), 424);
    assert!(hello.text().await.unwrap().contains("this acrite runs with --offline"));
    let nonsense = json!({"source": {"registryUri": "no host", "sourceImage": "a:b"}, "targetTags": ["b:1"]});
    let path = format!("{}/importImage", registry_path("reg01"));
    assert_eq!(refused(me.arm_at(AT, Method::POST, &path, nonsense).await).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_import_goes_on_beside() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_image("app", "v1", "amd64", b"layer");
    upstream.hold(true);
    let world = World::new();
    let me = start(&world).await;
    let path = format!("{}/importImage", registry_path("reg01"));
    let body = json!({"source": {"registryUri": upstream.host, "sourceImage": "app:v1"}, "targetTags": ["app:v1"]});
    let answer = me.arm_at(AT, Method::POST, &path, body).await;
    assert_eq!(answer.status(), 202);
    let poll = answer.headers()["location"].to_str().unwrap().trim_start_matches("https://management.azure.com");
    let poll = poll.split_once('?').unwrap().0.to_owned();
    let still = me.arm(Method::GET, &poll, Value::Null).await;
    assert_eq!((still.status().as_u16(), &still.headers()["retry-after"]), (202, &"1".parse().unwrap()));
    assert!(still.headers()["location"].to_str().unwrap().contains(&poll));
    upstream.hold(false);
    loop {
        let answer = me.arm(Method::GET, &poll, Value::Null).await;
        if answer.status() != 202 {
            assert_eq!(good(answer).await, json!({"status": "Succeeded"}));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(me.sign_in("reg01", "app").await.pull_image("v1").await.unwrap().1, b"layer");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_reached_by_tls_and_the_users_proxy() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let image = upstream.put_image("app", "v1", "amd64", b"layer");
    let (proxy, certificate, asked) = upstream.behind_a_proxy().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let body =
        json!({"source": {"registryUri": "registry.example", "sourceImage": "app:v1"}, "targetTags": ["app:v1"]});

    let trusting =
        World::online(&[("HTTPS_PROXY", &proxy), ("NO_PROXY", ""), ("SSL_CERT_FILE", file.to_str().unwrap())]);
    let me = start(&trusting).await;
    assert_eq!(imported(&me, "reg01", body.clone()).await.status(), 200);
    assert_eq!(me.sign_in("reg01", "app").await.pull_image("v1").await.unwrap(), (image, b"layer".to_vec()));
    let connects = asked.lock().unwrap().clone();
    assert!(
        !connects.is_empty() && connects.iter().all(|c| c == "CONNECT registry.example:443 HTTP/1.1"),
        "{connects:?}"
    );
    assert_eq!(connects.len(), 5, "a manifest, and two blobs, each of which is elsewhere");

    std::fs::write(&file, std::fs::read(trusting.dir.join("ca.pem")).unwrap()).unwrap();
    let wary = World::online(&[("HTTPS_PROXY", &proxy), ("NO_PROXY", ""), ("SSL_CERT_FILE", file.to_str().unwrap())]);
    let me = start(&wary).await;
    let (_, _, message) = refused(imported(&me, "reg01", body).await).await;
    assert!(message.contains("could not be reached: registry.example: invalid peer certificate"), "{message}");
}
