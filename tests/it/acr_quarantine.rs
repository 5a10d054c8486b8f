//! Quarantine: what is pushed waits until a scanner says what it is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::acr_control::{events, listen};
use crate::harness::{Docker, Person, World, digest, good, registry_path};
use crate::registry::{expect, refused};
use crate::upstream::{Demand, Upstream};

const PUSH: &str = "8311e382-0749-4cb8-b61a-304f252e45ec";
const READER: &str = "cdda3590-29a3-44f6-95f2-9f980659eb04";
const WRITER: &str = "c8d4ff99-41c3-41a8-9f60-21dfdad59608";

async fn policy(me: &Person<'_>, status: &str) {
    let body = json!({"properties": {"policies": {"quarantinePolicy": {"status": status}}}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
}

async fn get(docker: &Docker<'_>, reference: &str) -> reqwest::Response {
    docker.call(Method::GET, &format!("manifests/{reference}")).send().await.unwrap()
}

async fn judge(docker: &Docker<'_>, digest: &str, body: Value) -> reqwest::Response {
    let url = format!("https://reg01.azurecr.io/acr/v1/app/_manifests/{digest}");
    docker.absolute(Method::PATCH, &url).json(&body).send().await.unwrap()
}

/// What a webhook was told, oldest first: action and tag.
async fn told(me: &Person<'_>, count: usize) -> Vec<String> {
    let mut events: Vec<String> = events(me, "hook01", count)
        .await
        .iter()
        .map(|e| &e["eventRequestMessage"]["content"])
        .map(|c| format!("{} {}", c["action"].as_str().unwrap(), c["target"]["tag"].as_str().unwrap_or("-")))
        .collect();
    // Events of one moment are sent side by side.
    events.sort();
    events
}

/// A webhook that is told of pushes and of what comes into quarantine.
async fn hook(me: &Person<'_>) {
    let (uri, _) = listen(0).await;
    let hook = json!({"location": "eastus", "properties": {"serviceUri": uri, "actions": ["push", "quarantine"]}});
    good(me.arm(Method::PUT, &format!("{}/webhooks/hook01", registry_path("reg01")), hook).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_waits_for_its_scanner() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    hook(&me).await;
    let scanner = world.somebody("scanner").await;
    let viewer = world.somebody("viewer").await;
    for (who, role) in [(&scanner, PUSH), (&scanner, WRITER), (&viewer, PUSH), (&viewer, READER)] {
        me.assign(&registry_path("reg01"), role, &who.object_id).await;
    }

    // Without the policy scanners are told, and nothing waits.
    let docker = me.sign_in("reg01", "app").await;
    docker.push_image("early", b"early").await.unwrap();
    assert_eq!(told(&me, 2).await, ["push early", "quarantine early"]);

    policy(&me, "enabled").await;
    let image = docker.push_image("v1", b"layer").await.unwrap();
    let name = digest(&image);
    assert_eq!(told(&me, 3).await, ["push early", "quarantine early", "quarantine v1"]);
    assert_eq!(get(&docker, "early").await.status(), 200, "what was there before");
    let quarantine = &events(&me, "hook01", 3).await[0]["eventRequestMessage"]["content"]["target"];
    let wanted = json!({"size": image.len(), "digest": name, "length": image.len(), "repository": "app", "tag": "v1"});
    assert_eq!(*quarantine, wanted);

    // To everybody else it is not there by tag, and refused by digest; an owner is somebody else.
    let (status, code, message) = refused(get(&docker, "v1").await).await;
    assert_eq!((status, code.as_str()), (404, "MANIFEST_UNKNOWN"));
    assert_eq!(message, "manifest tagged by \"v1\" is not found");
    let (status, code, message) = refused(get(&docker, &name).await).await;
    assert_eq!((status, code.as_str(), message.as_str()), (405, "IMAGE_QUARANTINED", "The image is quarantined."));
    let reads = viewer.sign_in("reg01", "app").await;
    let writes = scanner.sign_in("reg01", "app").await;
    for seeing in [&reads, &writes] {
        assert_eq!(seeing.pull_image("v1").await.unwrap().0, image);
        assert_eq!(seeing.pull_image(&name).await.unwrap().0, image);
    }
    let shown = async || {
        let url = format!("https://reg01.azurecr.io/acr/v1/app/_manifests/{name}");
        let shown = good(docker.absolute(Method::GET, &url).send().await.unwrap()).await;
        shown["manifest"]["changeableAttributes"].clone()
    };
    assert_eq!(shown().await["quarantineState"], "Quarantined");

    // Neither who pushed it nor who sees it may say what it is; locks are no verdict.
    let passed = json!({"quarantineState": "Passed", "quarantineDetails": "{\"state\":\"scan passed\"}"});
    expect(judge(&docker, &name, passed.clone()).await, 403, "DENIED").await;
    expect(judge(&reads, &name, passed.clone()).await, 403, "DENIED").await;
    good(judge(&docker, &name, json!({"deleteEnabled": true})).await).await;
    expect(judge(&writes, &name, json!({"quarantineState": "Perfect"})).await, 400, "BAD_REQUEST").await;
    good(judge(&writes, &name, json!({"quarantineState": "Failed"})).await).await;
    assert_eq!(shown().await["quarantineState"], "Failed");
    assert_eq!(get(&docker, "v1").await.status(), 404);

    // Found good: pushed now, as far as others know.
    good(judge(&writes, &name, passed).await).await;
    assert_eq!(told(&me, 4).await, ["push early", "push v1", "quarantine early", "quarantine v1"]);
    assert_eq!(shown().await["quarantineState"], "Passed");
    assert_eq!(shown().await["quarantineDetails"], "{\"state\":\"scan passed\"}");
    assert_eq!(docker.pull_image("v1").await.unwrap().0, image);
    assert_eq!(crate::at_rest::found(&world.dir, b"scan passed"), None);
    // The same again is known to be good; another tag of it is told.
    docker.push_image("v2", b"layer").await.unwrap();
    assert_eq!(docker.pull_image("v2").await.unwrap().0, image);
    assert!(told(&me, 6).await.contains(&"push v2".to_owned()));

    // The bin is no way out.
    let bin = json!({"properties": {"policies": {"softDeletePolicy": {"status": "enabled", "retentionDays": 7}}}});
    good(me.arm_at("2026-09-01-preview", Method::PATCH, &registry_path("reg01"), bin).await).await;
    let waiting = digest(&docker.push_image("v3", b"three").await.unwrap());
    docker.call(Method::DELETE, &format!("manifests/{waiting}")).send().await.unwrap();
    let restore = format!("https://reg01.azurecr.io/acr/v1/_deleted/app/_manifests/{waiting}");
    assert!(restored(&me, &restore, "v3").await.is_success());
    assert_eq!(get(&docker, "v3").await.status(), 404);
    expect(get(&docker, &waiting).await, 405, "IMAGE_QUARANTINED").await;

    // Without the policy nothing waits any more.
    policy(&me, "disabled").await;
    assert_eq!(get(&docker, "v3").await.status(), 200);
}

/// Restores with the admin user's password: tokens of the harness do not ask for the bin.
async fn restored(me: &Person<'_>, url: &str, tag: &str) -> reqwest::StatusCode {
    let admin = json!({"properties": {"adminUserEnabled": true}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), admin).await).await;
    let listed = good(me.arm(Method::POST, &registry_path("reg01/listCredentials"), Value::Null).await).await;
    let request = me.world.client().post(url).basic_auth("reg01", listed["passwords"][0]["value"].as_str());
    request.json(&json!({"tag": tag})).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pulled_through_waits_once() {
    let upstream = Upstream::new(Demand::Nothing).await;
    let image = upstream.put_image("app", "v1", "amd64", b"layer");
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    hook(&me).await;
    let scanner = world.somebody("scanner").await;
    for role in [PUSH, WRITER] {
        me.assign(&registry_path("reg01"), role, &scanner.object_id).await;
    }
    policy(&me, "enabled").await;
    let rule = json!({"properties": {"sourceRepository": format!("{}/app", upstream.host), "targetRepository": "app"}});
    let path = format!("{}/cacheRules/rule01", registry_path("reg01"));
    good(me.arm_at("2026-09-01-preview", Method::PUT, &path, rule).await).await;
    let docker = me.sign_in("reg01", "app").await;
    for _ in 0..3 {
        let (status, code, _) = refused(get(&docker, "v1").await).await;
        assert_eq!((status, code.as_str()), (404, "MANIFEST_UNKNOWN"));
    }
    let asked = upstream.asked();
    assert_eq!(asked.len(), 3, "a manifest, its config, and what the tag is now: {asked:?}");
    assert_eq!(told(&me, 1).await, ["quarantine v1"]);
    // Without its source it is no more here than with it.
    upstream.stop().await;
    assert_eq!(get(&docker, "v1").await.status(), 404);
    upstream.start().await;
    let writes = scanner.sign_in("reg01", "app").await;
    assert_eq!(get(&writes, "v1").await.bytes().await.unwrap(), image);
    let passed = judge(&writes, &digest(&image), json!({"quarantineState": "Passed"})).await;
    assert!(passed.status().is_success());
    assert_eq!(docker.pull_image("v1").await.unwrap().0, image);
    assert_eq!(told(&me, 2).await, ["push v1", "quarantine v1"]);
}
