//! Faults that a test asks for: counted exactly, said in each protocol's own words, and none outside of their match.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{MANIFEST, Person, TENANT, World, good, group_path, refused, registry_path, vault_url};
use crate::stage;

/// The emulator's own API.
pub async fn control(world: &World, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("{}/acrite/v1/{path}", world.url));
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap())
}

async fn add(world: &World, rule: Value) -> Value {
    let (status, added) = control(world, Method::POST, "faults", rule).await;
    assert_eq!(status, StatusCode::OK, "{added}");
    added
}

/// How often the only rule matched and hit. It is gone afterwards.
async fn cleared(world: &World) -> (u64, u64) {
    let (_, gone) = control(world, Method::DELETE, "faults", Value::Null).await;
    let rules = gone["faults"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{gone}");
    (rules[0]["matched"].as_u64().unwrap(), rules[0]["hit"].as_u64().unwrap())
}

async fn statuses(count: usize, call: impl AsyncFn() -> StatusCode) -> Vec<u16> {
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(call().await.as_u16());
    }
    seen
}

#[tokio::test]
async fn a_thousand_faults_are_asked_for_and_a_thousand_hit() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, _) = stage::image(&me, false, "team/app", b"layer").await;
    let other = me.sign_in("reg01", "team/other").await;
    let pushed = other.push_image("v1", b"other").await.unwrap();
    let pull = async |who: &crate::harness::Docker<'_>| {
        who.call(Method::GET, "manifests/v1").header("accept", MANIFEST).send().await.unwrap().status()
    };
    add(&world, json!({"service": "registry", "operation": "PullManifest", "registry": "REG01", "repository": "team/app", "status": 503, "after": 3, "times": 1000})).await;
    assert_eq!(statuses(3, async || pull(&docker).await).await, [200; 3]);
    for _ in 0..1000 {
        assert_eq!(pull(&docker).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(pull(&docker).await, StatusCode::OK);
    // Other repositories, other operations and calls that show no token are none of its business.
    assert_eq!(pull(&other).await, StatusCode::OK);
    assert_eq!(other.pull_image("v1").await.unwrap().0, pushed);
    let listed = docker.call(Method::GET, "tags/list").send().await.unwrap();
    assert_eq!(listed.status(), StatusCode::OK);
    let nobody = world.http().get(format!("https://{}/v2/team/app/manifests/v1", docker.server)).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(cleared(&world).await, (1004, 1000));
    assert_eq!(pull(&docker).await, StatusCode::OK);
}

/// Status, `Retry-After` and body.
async fn told(answer: reqwest::Response) -> (u16, Option<String>, Value) {
    let status = answer.status().as_u16();
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (status, retry, answer.json().await.unwrap())
}

#[tokio::test]
async fn each_protocol_says_a_fault_in_its_own_words() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, _) = stage::image(&me, false, "team/app", b"layer").await;
    for service in ["arm", "keyvault", "registry", "entra", "graph", "imds"] {
        add(&world, json!({"service": service, "status": 429, "retry_after": 7, "times": 1})).await;
        let answer = match service {
            "arm" => me.arm(Method::GET, &registry_path("reg01"), Value::Null).await,
            "keyvault" => me.vault(Method::GET, "vault1", "keys/key", Value::Null).await,
            "registry" => docker.call(Method::GET, "tags/list").send().await.unwrap(),
            "graph" => me.graph(Method::GET, "applications", Value::Null).await,
            "entra" => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", &me.client_id),
                    ("client_secret", &me.secret),
                    ("scope", "https://vault.azure.net/.default"),
                ];
                let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
                world.http().post(url).form(&form).send().await.unwrap()
            }
            _ => {
                let url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
                world.http().get(url).header("metadata", "true").send().await.unwrap()
            }
        };
        let (status, retry, body) = told(answer).await;
        assert_eq!((status, retry.as_deref()), (429, Some("7")), "{service}: {body}");
        match service {
            "arm" => assert_eq!(body["error"]["code"], "TooManyRequests"),
            "keyvault" => assert_eq!(body["error"]["code"], "Throttled"),
            "registry" => assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS"),
            "graph" => {
                assert_eq!(body["error"]["code"], "TooManyRequests");
                assert!(body["error"]["innerError"]["request-id"].is_string());
            }
            "entra" => assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS90055: "), "{body}"),
            _ => assert_eq!(body["error"], "temporarily_unavailable"),
        }
        assert_eq!(cleared(&world).await, (1, 1), "{service}");
    }
}

#[tokio::test]
async fn a_rule_means_only_whom_it_names() {
    let world = World::new();
    let me = world.developer().await;
    let (_, mine, _) = stage::image(&me, false, "team/app", b"layer").await;
    let tim = world.somebody("tim").await;
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    me.assign(&group_path(""), reader, &tim.object_id).await;
    me.policy("vault1", "add", &tim.object_id, &["get"]).await;
    let his = {
        let docker = tim.sign_in("reg01", "team/app").await;
        crate::harness::Docker::new(&world, "reg01", "team/app", &docker.token)
    };
    let arm =
        async |who: &Person<'_>| who.arm(Method::GET, &registry_path("reg01"), Value::Null).await.status().as_u16();
    let key =
        async |who: &Person<'_>| who.vault(Method::GET, "vault1", "keys/key", Value::Null).await.status().as_u16();
    for caller in ["tim", &tim.client_id, &tim.object_id.to_uppercase()] {
        add(&world, json!({"service": "arm", "operation": "Microsoft.ContainerRegistry/registries/read", "caller": caller, "status": 500})).await;
        assert_eq!((arm(&me).await, arm(&tim).await), (200, 500));
        assert_eq!(cleared(&world).await, (1, 1));
        add(&world, json!({"service": "keyvault", "operation": "Key*", "key": "key", "caller": caller, "status": 500}))
            .await;
        assert_eq!((key(&me).await, key(&tim).await), (200, 500));
        assert_eq!(cleared(&world).await, (1, 1));
        add(&world, json!({"service": "registry", "operation": "List", "caller": caller, "status": 500})).await;
        let list = async |docker: &crate::harness::Docker<'_>| {
            docker.call(Method::GET, "tags/list").send().await.unwrap().status().as_u16()
        };
        assert_eq!((list(&mine).await, list(&his).await), (200, 500));
        assert_eq!(cleared(&world).await, (1, 1));
    }
}

#[tokio::test]
async fn connections_end_where_they_are_asked_to() {
    let world = World::new();
    let me = world.developer().await;
    let layer = vec![b'x'; 300_000];
    let (_, docker, _) = stage::image(&me, false, "team/app", &layer).await;
    let digest = crate::harness::digest(&layer);
    for method in [Method::GET, Method::HEAD] {
        add(&world, json!({"service": "registry", "operation": "PullManifest", "drop": true, "times": 1})).await;
        let broken = docker.call(method.clone(), "manifests/v1").send().await;
        assert!(broken.is_err(), "{method}: no answer at all");
        assert_eq!(docker.call(method, "manifests/v1").send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(cleared(&world).await, (2, 1));
    }
    add(&world, json!({"service": "registry", "operation": "PullBlob", "cut_after": 100_000, "times": 1})).await;
    let mut cut = docker.call(Method::GET, &format!("blobs/{digest}")).send().await.unwrap();
    assert_eq!((cut.status(), cut.headers()["content-length"].to_str().unwrap()), (StatusCode::OK, "300000"));
    let mut seen = 0;
    let ended = loop {
        match cut.chunk().await {
            Ok(Some(part)) => seen += part.len(),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert_eq!((seen, ended), (100_000, false));
    assert_eq!(docker.pull_image("v1").await.unwrap().1, layer);
    assert_eq!(cleared(&world).await, (2, 1));
    // A wait ends, and then all is as it was.
    add(&world, json!({"service": "keyvault", "operation": "KeyGet", "latency": 0.01})).await;
    good(me.vault(Method::GET, "vault1", "keys/key", Value::Null).await).await;
    assert_eq!(cleared(&world).await, (1, 1));
}

#[tokio::test]
async fn a_registry_asks_its_vault_again_and_then_gives_up() {
    let world = World::new();
    let me = world.developer().await;
    let (key, docker, _) = stage::image(&me, false, "team/app", b"layer").await;
    let pull = async || docker.call(Method::GET, "manifests/v1").send().await.unwrap();
    // Asked four times, it was answered at the fourth.
    add(
        &world,
        json!({"service": "keyvault", "operation": "KeyUnwrap", "registry": "reg01", "status": 429, "times": 3}),
    )
    .await;
    assert_eq!(pull().await.status(), StatusCode::OK);
    assert_eq!(cleared(&world).await, (4, 3));
    // The vault fails for as long as the registry asks.
    add(&world, json!({"service": "keyvault", "operation": "KeyUnwrap", "caller": key.principal, "drop": true})).await;
    let (status, _, body) = told(pull().await).await;
    assert_eq!((status, &body["errors"][0]["code"]), (503, &json!("UNAVAILABLE")));
    assert_eq!(cleared(&world).await, (4, 4));
    // What it forbids is not asked again.
    add(
        &world,
        json!({"service": "keyvault", "operation": "KeyUnwrap", "vault": "vault1", "key": "key", "status": 403}),
    )
    .await;
    let (status, _, body) = told(pull().await).await;
    assert_eq!((status, &body["errors"][0]["code"]), (403, &json!("DENIED")));
    assert_eq!(cleared(&world).await, (1, 1));
    assert_eq!(pull().await.status(), StatusCode::OK);
    // A rotation that fails is tried again an hour later.
    add(&world, json!({"service": "keyvault", "operation": "KeyWrap", "status": 503, "times": 4})).await;
    let new = me.make_key("vault1", "key").await;
    world.advance(3600).await;
    let now = async || me.encryption("reg01").await["versionedKeyIdentifier"].as_str().unwrap().to_owned();
    assert_eq!(now().await, key.kid);
    world.advance(3600).await;
    assert_eq!(now().await, new);
    assert_eq!(cleared(&world).await, (5, 4));
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_a_slow_one_answers_late() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, manifest) = stage::image(&me, false, "team/app", b"layer").await;
    add(&world, json!({"service": "disk", "operation": "Write", "full": true})).await;
    let (status, code, message) =
        refused(me.arm(Method::PUT, &group_path("2"), json!({"location": "eastus"})).await).await;
    assert_eq!((status, code.as_str()), (503, "ServiceUnavailable"), "{message}");
    assert!(message.contains("full"), "{message}");
    let refusal = docker.push_image("v2", b"more").await.unwrap_err();
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);
    let (matched, hit) = cleared(&world).await;
    assert_eq!((matched, hit), (2, 2));
    docker.push_image("v2", b"more").await.unwrap();
    add(&world, json!({"service": "disk", "operation": "WriteBlob", "full": true, "times": 1})).await;
    let refusal = docker.push_blob(b"another").await.unwrap_err();
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cleared(&world).await, (1, 1));
    docker.push_blob(b"another").await.unwrap();
    world.provokes("full");
    world.leaves_uploads();
}

#[tokio::test]
async fn targets_of_webhooks_and_sources_fail_as_asked() {
    let world = World::online(&[]);
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let (target, heard) = crate::acr_control::listen(0).await;
    let hook = json!({"location": "eastus", "properties": {"serviceUri": target, "actions": ["push"]}});
    good(me.arm(Method::PUT, &format!("{}/webhooks/hook01", registry_path("reg01")), hook).await).await;
    add(&world, json!({"service": "webhook", "status": 503, "times": 1})).await;
    let ping = format!("{}/webhooks/hook01/ping", registry_path("reg01"));
    good(me.arm(Method::POST, &ping, Value::Null).await).await;
    let told = crate::acr_control::events(&me, "hook01", 1).await;
    assert_eq!(told[0]["eventResponseMessage"]["statusCode"], "200");
    assert_eq!(heard.lock().unwrap().len(), 1, "the second attempt reached the target");
    assert_eq!(cleared(&world).await, (2, 1));
}

#[tokio::test]
async fn the_control_api_says_what_is_wrong_and_is_never_hit() {
    let world = World::new();
    for wrong in [
        json!({"service": "nobody", "status": 500}),
        json!({"service": "arm", "status": 200}),
        json!({"service": "arm"}),
        json!({"service": "arm", "status": 500, "tims": 1}),
        json!(null),
        json!([]),
    ] {
        let (status, said) = control(&world, Method::POST, "faults", wrong.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {said}");
        assert!(said["error"]["message"].is_string());
    }
    for service in ["arm", "keyvault", "registry", "entra", "graph", "imds", "webhook", "source"] {
        add(&world, json!({"service": service, "drop": true})).await;
    }
    for path in ["health", "clock", "status", "audit", "faults"] {
        assert_eq!(control(&world, Method::GET, path, Value::Null).await.0, StatusCode::OK, "{path}");
    }
    assert!(world.http().get(vault_url("vault1", "keys")).send().await.is_ok(), "nobody is only challenged");
    assert_eq!(control(&world, Method::DELETE, "faults/3", Value::Null).await.0, StatusCode::OK);
    assert_eq!(control(&world, Method::DELETE, "faults/3", Value::Null).await.0, StatusCode::NOT_FOUND);
    let (_, left) = control(&world, Method::DELETE, "faults", Value::Null).await;
    assert_eq!(left["faults"].as_array().unwrap().len(), 7);
}

#[test]
fn the_command_line_adds_lists_and_says_what_never_matched() {
    let home = tempfile::tempdir().unwrap();
    let script = "
        acrite fault add keyvault KeyUnwrap --vault kv --status 429 --times 3 --retry-after 5 &&
        acrite fault add registry --latency 10ms &&
        curl -sS -o /dev/null -w '%{http_code}\\n' -u a:b https://reg.azurecr.io/v2/ &&
        acrite fault list && acrite fault clear 1 && acrite fault add disk --full && acrite fault list --json
        acrite fault add arm --status 200";
    let ran = crate::process::run(home.path(), &["exec", "--", "sh", "-c", script]);
    let (said, wrong) = (crate::process::out(&ran), crate::process::err(&ran));
    assert!(
        said.contains("fault 1 added: keyvault KeyUnwrap --vault kv --status 429 --times 3 --retry-after 5\n"),
        "{said}{wrong}"
    );
    assert!(said.contains("1 cleared\n  never matched: keyvault KeyUnwrap --vault kv"), "{said}{wrong}");
    assert!(said.contains("2   1    1        registry --latency 0.01s\n"), "{said}{wrong}");
    assert!(wrong.contains("status is a refusal"), "{wrong}");
    assert!(wrong.contains("never matched a call: disk"), "{wrong}");
    assert_eq!(ran.status.code(), Some(1));
}
