//! What time does to a registry's content: the soft-deleted bin, retention of untagged manifests, collection of
//! blobs that nothing names, abandoned uploads.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Docker, MANIFEST, Person, World, digest, good, registry_path};
use crate::registry::{SERVER, begin, bytes, expect, files, start, token};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const ALL: &str = "repository:r:pull,push,delete,metadata_read,metadata_write,deleted_read,deleted_restore registry:deleted_catalog:* registry:catalog:*";

async fn policy(me: &Person<'_>, name: &str, policy: Value) {
    let body = json!({"properties": {"policies": {name: policy}}});
    // By a version that knows both policies.
    good(me.arm_at("2026-09-01-preview", Method::PATCH, &registry_path("reg01"), body).await).await;
}

async fn acr(me: &Person<'_>, method: Method, path: &str, body: Value) -> Response {
    let token = token(me, ALL).await;
    let mut call = me.world.http().request(method, format!("{SERVER}/acr/v1/{path}")).bearer_auth(token);
    if !body.is_null() {
        call = call.json(&body);
    }
    call.send().await.unwrap()
}

async fn listed(me: &Person<'_>, path: &str, rows: &str) -> Vec<Value> {
    good(acr(me, Method::GET, path, Value::Null).await).await[rows].as_array().unwrap().clone()
}

async fn status(docker: &Docker<'_>, rest: &str) -> u16 {
    docker.call(Method::HEAD, rest).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_soft_deleted_can_be_restored_until_its_time_is_over() {
    let world = World::with(&["--clock", "frozen"]);
    let me = start(&world).await;
    policy(&me, "softDeletePolicy", json!({"status": "enabled", "retentionDays": 7})).await;
    let docker = me.sign_in("reg01", "r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let name = digest(&manifest);
    assert_eq!(
        docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap().status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(status(&docker, "manifests/v1").await, 404);
    assert_eq!(listed(&me, "_deleted/_catalog", "repositories").await, [json!("r")]);
    assert_eq!(listed(&me, "_deleted/r/_manifests", "manifests").await[0]["digest"], json!(name));
    let tag = &listed(&me, "_deleted/r/_tags", "tags").await[0];
    assert_eq!((&tag["tag"], &tag["digest"]), (&json!("v1"), &json!(name)));
    assert!(tag["deletedAt"].as_str().unwrap().contains('T'));

    // What lies in the bin is not pushed again but restored.
    let put = docker.call(Method::PUT, "manifests/v1").header("content-type", MANIFEST).body(manifest.clone());
    expect(put.send().await.unwrap(), 405, "REGISTRY_DISALLOWED_OPERATION").await;
    world.advance(6 * DAY).await;
    let restore = format!("_deleted/r/_manifests/{name}?force=False");
    good(acr(&me, Method::POST, &restore, json!({"tag": "v1"})).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest.clone(), b"layer".to_vec()));
    assert!(listed(&me, "_deleted/_catalog", "repositories").await.is_empty());
    expect(acr(&me, Method::POST, &restore.replace(&name, &digest(b"x")), json!({})).await, 404, "MANIFEST_UNKNOWN")
        .await;

    // A tag that points elsewhere by now moves only by force.
    docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap();
    let other = docker.push_image("v1", b"another layer").await.unwrap();
    let refused = acr(&me, Method::POST, &restore, json!({"tag": "v1"})).await;
    expect(refused, 405, "REGISTRY_DISALLOWED_OPERATION").await;
    good(acr(&me, Method::POST, &restore.replace("False", "True"), json!({"tag": "v1"})).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);
    assert_eq!(status(&docker, &format!("manifests/{}", digest(&other))).await, 200);

    // A whole repository.
    assert_eq!(acr(&me, Method::DELETE, "r", Value::Null).await.status(), StatusCode::ACCEPTED);
    expect(acr(&me, Method::GET, "r", Value::Null).await, 404, "NAME_UNKNOWN").await;
    assert_eq!(listed(&me, "_deleted/r/_manifests", "manifests").await.len(), 2);
    good(acr(&me, Method::POST, &restore, json!({"tag": "v1"})).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);
    assert_eq!(good(acr(&me, Method::GET, "r", Value::Null).await).await["manifestCount"], json!(1));

    // The time of the rest is over after seven days; its blobs go a day later.
    acr(&me, Method::DELETE, "r", Value::Null).await;
    world.advance(7 * DAY - 1).await;
    assert_eq!(listed(&me, "_deleted/_catalog", "repositories").await, [json!("r")]);
    world.advance(2).await;
    assert!(listed(&me, "_deleted/_catalog", "repositories").await.is_empty());
    world.advance(DAY + 1).await;
    listed(&me, "_catalog", "repositories").await;
    assert_eq!(files(&world, "blobs"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn untagged_manifests_go_when_the_retention_policy_says_so() {
    let world = World::with(&["--clock", "frozen"]);
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    // Untagged before the policy: it stays [docs].
    let before = digest(&docker.push_image("old", b"old layer").await.unwrap());
    docker.push_image("old", b"old layer 2").await.unwrap();
    world.advance(60).await;
    policy(&me, "retentionPolicy", json!({"status": "enabled", "days": 7})).await;
    world.advance(60).await;
    let gone = digest(&docker.push_image("v1", b"layer 1").await.unwrap());
    let locked = digest(&docker.push_image("v1", b"layer 2").await.unwrap());
    let child = docker.push_image("v1", b"layer 3").await.unwrap();
    let kept = digest(&docker.push_image("v1", b"layer 4").await.unwrap());
    good(acr(&me, Method::PATCH, &format!("r/_manifests/{locked}"), json!({"deleteEnabled": false})).await).await;
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": MANIFEST, "digest": digest(&child), "size": child.len()}]});
    let put = docker.call(Method::PUT, "manifests/index").header("content-type", index["mediaType"].as_str().unwrap());
    assert_eq!(put.body(index.to_string()).send().await.unwrap().status(), StatusCode::CREATED);
    let there = async |name: &str| status(&docker, &format!("manifests/{name}")).await == 200;
    world.advance(7 * DAY - 5).await;
    assert!(there(&gone).await);
    world.advance(10).await;
    assert!(!there(&gone).await, "its seven days are over");
    for (name, why) in [(&before, "older than the policy"), (&locked, "locked"), (&kept, "tagged")] {
        assert!(there(name).await, "{why}");
    }
    assert!(there(&digest(&child)).await, "an index names it");
    // Without the index, its own time counts.
    let index = docker.call(Method::GET, "manifests/index").send().await.unwrap();
    let index = index.headers()["docker-content-digest"].to_str().unwrap().to_owned();
    docker.call(Method::DELETE, &format!("manifests/{index}")).send().await.unwrap();
    world.advance(7 * DAY + 5).await;
    assert!(!there(&digest(&child)).await);
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer 4");
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_no_manifest_names_are_collected() {
    let world = World::with(&["--clock", "frozen"]);
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let loose = docker.push_blob(b"pushed and then forgotten").await.unwrap();
    assert_eq!(files(&world, "blobs"), 3);
    world.advance(20 * HOUR).await;
    // A push asks first what is there: the blob is given another day.
    assert_eq!(status(&docker, &format!("blobs/{loose}")).await, 200);
    world.advance(20 * HOUR).await;
    assert_eq!(files(&world, "blobs"), 3);
    world.advance(5 * HOUR).await;
    assert_eq!(files(&world, "blobs"), 2);
    assert_eq!(status(&docker, &format!("blobs/{loose}")).await, 404);
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);

    // What a deleted manifest named goes a day later, unless another names it.
    let second = docker.push_image("v2", b"another layer").await.unwrap();
    assert_eq!(files(&world, "blobs"), 3, "both share the config");
    docker.call(Method::DELETE, &format!("manifests/{}", digest(&second))).send().await.unwrap();
    world.advance(DAY + 1).await;
    assert_eq!(files(&world, "blobs"), 2);
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);

    // An upload that nobody goes on with.
    let url = begin(&docker).await;
    docker.absolute(Method::PATCH, &url).body("some bytes").send().await.unwrap();
    assert_eq!(files(&world, "uploads"), 1);
    world.advance(7 * DAY).await;
    expect(docker.absolute(Method::GET, &url).send().await.unwrap(), 404, "BLOB_UPLOAD_UNKNOWN").await;
    assert_eq!(files(&world, "uploads"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_leaves_concurrent_pushes_alone() {
    let world = World::with(&["--clock", "frozen"]);
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let layer = bytes(100_000, 4);
    // Over days, hour by hour, the same layer is pushed and deleted by one and pushed anew by others.
    let time = async {
        for _ in 0..60 {
            world.advance(HOUR).await;
        }
    };
    let push = async |tag: String| {
        for _ in 0..10 {
            let manifest = docker.push_image(&tag, &layer).await.unwrap();
            assert_eq!(docker.pull_image(&tag).await.unwrap().0, manifest);
        }
    };
    let delete = async {
        for n in 0..10 {
            let manifest = docker.push_image("short", &bytes(1000, n)).await.unwrap();
            let path = format!("manifests/{}", digest(&manifest));
            assert_eq!(docker.call(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::ACCEPTED);
        }
    };
    tokio::join!(time, push("a".into()), push("b".into()), delete);
    world.advance(DAY + 1).await;
    assert_eq!(docker.pull_image("a").await.unwrap().1, layer);
    assert_eq!(files(&world, "blobs"), 2, "the layer and the config");
}
