//! Walks over every route of a login server: what is refused is refused everywhere.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{MANIFEST, Person, World, digest, good, registry_path};
use crate::registry::{SERVER, expect, header, refused, start};
use crate::stage;

/// Routes that answer without a right in the registry: the knock, and sign-in itself. May only shrink.
const OPEN: [&str; 3] = ["Base", "Exchange", "Token"];

/// Every route that wants a right: its name in `http::registry::routes`, method, path. `name` is a digest.
pub fn routes(name: &str) -> Vec<(&'static str, Method, String)> {
    let r = |route, method: Method, path: &str| (route, method, path.replace("{d}", name));
    vec![
        r("Catalog", Method::GET, "/v2/_catalog"),
        r("TagList", Method::GET, "/v2/r/tags/list"),
        r("Manifest", Method::GET, "/v2/r/manifests/v1"),
        r("Manifest", Method::HEAD, "/v2/r/manifests/v1"),
        r("Manifest", Method::PUT, "/v2/r/manifests/v1"),
        r("Manifest", Method::DELETE, "/v2/r/manifests/v1"),
        r("Manifest", Method::GET, "/v2/r/manifests/{d}"),
        r("Manifest", Method::DELETE, "/v2/r/manifests/{d}"),
        r("Blob", Method::GET, "/v2/r/blobs/{d}"),
        r("Blob", Method::HEAD, "/v2/r/blobs/{d}"),
        r("Blob", Method::DELETE, "/v2/r/blobs/{d}"),
        r("Uploads", Method::POST, "/v2/r/blobs/uploads/"),
        r("Uploads", Method::POST, "/v2/r/blobs/uploads/?digest={d}"),
        r("Uploads", Method::POST, "/v2/r/blobs/uploads/?mount={d}&from=s"),
        r("Upload", Method::PATCH, "/v2/r/blobs/uploads/x"),
        r("Upload", Method::PUT, "/v2/r/blobs/uploads/x"),
        r("Upload", Method::GET, "/v2/r/blobs/uploads/x"),
        r("Upload", Method::DELETE, "/v2/r/blobs/uploads/x"),
        r("Referrers", Method::GET, "/v2/r/referrers/{d}"),
        r("AcrCatalog", Method::GET, "/acr/v1/_catalog"),
        r("Repository", Method::GET, "/acr/v1/r"),
        r("Repository", Method::PATCH, "/acr/v1/r"),
        r("Repository", Method::DELETE, "/acr/v1/r"),
        r("AcrTags", Method::GET, "/acr/v1/r/_tags"),
        r("AcrTag", Method::GET, "/acr/v1/r/_tags/v1"),
        r("AcrTag", Method::PATCH, "/acr/v1/r/_tags/v1"),
        r("AcrTag", Method::DELETE, "/acr/v1/r/_tags/v1"),
        r("AcrManifests", Method::GET, "/acr/v1/r/_manifests"),
        r("AcrManifest", Method::GET, "/acr/v1/r/_manifests/{d}"),
        r("AcrManifest", Method::PATCH, "/acr/v1/r/_manifests/{d}"),
        r("DeletedCatalog", Method::GET, "/acr/v1/_deleted/_catalog"),
        r("DeletedTags", Method::GET, "/acr/v1/_deleted/r/_tags"),
        r("DeletedManifests", Method::GET, "/acr/v1/_deleted/r/_manifests"),
        r("DeletedManifest", Method::POST, "/acr/v1/_deleted/r/_manifests/{d}"),
    ]
}

#[test]
fn the_walks_know_every_route() {
    let source = include_str!("../../src/http/registry/routes.rs");
    let variants = |name: &str| -> BTreeSet<String> {
        let body = source.split(&format!("pub enum {name} {{")).nth(1).unwrap().split("\n}").next().unwrap();
        let lines = body.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//"));
        lines.map(|l| l.split(['(', ',']).next().unwrap().to_owned()).collect()
    };
    let mut there = variants("Route");
    assert!(there.remove("Repository"), "the others are below it");
    there.extend(variants("Of"));
    let walked = routes("d").into_iter().map(|(route, ..)| route.to_owned());
    let known: BTreeSet<String> = walked.chain(OPEN.map(str::to_owned)).collect();
    assert_eq!(there, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_too_small_right_opens_no_route() {
    let world = World::new();
    let me = start(&world).await;
    me.sign_in("reg01", "r").await.push_image("v1", b"layer").await.unwrap();
    // For each route, every right but those that are enough for it.
    let every = ["pull", "push", "delete", "metadata_read", "metadata_write", "deleted_read", "deleted_restore"];
    for (route, method, path) in routes(&digest(b"layer")) {
        let enough: &[&str] = match (route, method.as_str()) {
            ("Catalog" | "AcrCatalog" | "DeletedCatalog", _) => &[],
            ("Manifest" | "Blob", "GET" | "HEAD") => &["pull"],
            ("Manifest" | "Blob" | "Repository" | "AcrTag", "DELETE") => &["delete"],
            ("Manifest", _) | ("Uploads" | "Upload", _) => &["push"],
            ("TagList" | "Referrers", _)
            | ("Repository" | "AcrTags" | "AcrTag" | "AcrManifests" | "AcrManifest", "GET") => {
                &["pull", "metadata_read"]
            }
            ("Repository" | "AcrTag" | "AcrManifest", _) => &["metadata_write"],
            ("DeletedTags" | "DeletedManifests", _) => &["deleted_read"],
            ("DeletedManifest", _) => &["deleted_restore"],
            other => panic!("{other:?}"),
        };
        let less: Vec<&str> = every.into_iter().filter(|a| !enough.contains(a)).collect();
        let small = crate::registry::token(&me, &format!("repository:r:{}", less.join(","))).await;
        let call = world.http().request(method.clone(), format!("{SERVER}{path}")).bearer_auth(&small);
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(header(&answer, "www-authenticate").contains("scope=\""), "{method} {path}");
    }
}

/// A registry `reg01` with a customer-managed key, whose key can be taken away.
async fn with_key(world: &World) -> (Person<'_>, String) {
    let me = world.developer().await;
    let principal = stage::registry(&me, false).await.principal;
    (me, principal)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_a_registry_without_its_key_is_blocked() {
    let world = World::new();
    let (me, principal) = with_key(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    good(me.arm(Method::PATCH, &registry_path("reg01"), json!({"properties": {"dataEndpointEnabled": true}})).await)
        .await;
    let blob = format!("blobs/{}", digest(b"layer"));
    let sent_away = docker.call(Method::GET, &blob).send().await.unwrap();
    let link = header(&sent_away, "location").to_owned();
    let scopes = "repository:r:pull,push,delete,metadata_read,metadata_write,deleted_read,deleted_restore repository:s:pull registry:catalog:* registry:deleted_catalog:*";
    let all = crate::registry::token(&me, scopes).await;
    me.policy("vault1", "remove", &principal, &["get", "wrapKey", "unwrapKey"]).await;

    let text = "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk";
    for (_, method, path) in routes(&digest(b"layer")) {
        let body = if method == Method::PUT { manifest.clone() } else { Vec::new() };
        let call = world.http().request(method.clone(), format!("{SERVER}{path}")).bearer_auth(&all);
        let answer = call.header("content-type", MANIFEST).body(body).send().await.unwrap();
        if method == Method::HEAD {
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
        } else {
            let (status, code, message) = refused(answer).await;
            assert_eq!((status, code.as_str(), message.as_str()), (403, "DENIED", text), "{method} {path}");
        }
    }
    expect(world.http().get(&link).send().await.unwrap(), 403, "DENIED").await;
    // Sign-in goes on, as does ARM.
    let base = world.http().get(format!("{SERVER}/v2/")).bearer_auth(&all).send().await.unwrap();
    assert_eq!(base.status(), StatusCode::OK);
    crate::registry::token(&me, scopes).await;
    good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;

    me.allow("vault1", &principal).await;
    let back = docker.call(Method::GET, "manifests/v1").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(back, manifest, "nothing of it was changed");
    assert_eq!(world.http().get(&link).send().await.unwrap().bytes().await.unwrap(), b"layer".as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_reads_go_to_the_data_endpoint() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "a/b").await;
    let blob = crate::registry::bytes(200_000, 5);
    let name = docker.push_blob(&blob).await.unwrap();
    let set = async |on: bool| {
        let body = json!({"properties": {"dataEndpointEnabled": on}});
        good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    };
    set(true).await;
    let path = format!("blobs/{name}");
    let sent_away = docker.call(Method::GET, &path).send().await.unwrap();
    assert_eq!(sent_away.status(), StatusCode::TEMPORARY_REDIRECT);
    let link = header(&sent_away, "location").to_owned();
    assert!(link.starts_with("https://reg01.eastus.data.azurecr.io/"), "{link}");
    assert_eq!(docker.call(Method::HEAD, &path).send().await.unwrap().status(), StatusCode::OK);
    // No token is sent there: the link is enough, for this blob and for reading.
    let got = world.http().get(&link).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), blob);
    let part = world.http().get(&link).header("range", "bytes=100-70000").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), blob[100..=70_000]);
    let other = link.replace(&name, &digest(b"other"));
    expect(world.http().get(&other).send().await.unwrap(), 403, "AuthenticationFailed").await;
    let (bare, _) = link.split_once('?').unwrap();
    expect(world.http().get(bare).send().await.unwrap(), 403, "AuthenticationFailed").await;
    let with_token = world.http().get(bare).bearer_auth(&docker.token).send().await.unwrap();
    expect(with_token, 403, "AuthenticationFailed").await;
    assert_eq!(world.http().delete(&link).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = link.replace("eastus", "westus");
    expect(world.http().get(&elsewhere).send().await.unwrap(), 404, "NAME_UNKNOWN").await;
    let base = world.http().get("https://reg01.eastus.data.azurecr.io/v2/").send().await.unwrap();
    assert_eq!(base.status(), StatusCode::NOT_FOUND);

    // Each region has an endpoint of its own; where the home region is not served, the next one is.
    let below = |rest: &str| format!("{}/replications/{rest}", registry_path("reg01"));
    good(me.arm(Method::PUT, &below("westus"), json!({"location": "westus"})).await).await;
    let hosts = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    let hosts = hosts["properties"]["dataEndpointHostNames"].clone();
    assert_eq!(hosts, json!(["reg01.eastus.data.azurecr.io", "reg01.westus.data.azurecr.io"]));
    assert_eq!(world.http().get(&elsewhere).send().await.unwrap().bytes().await.unwrap(), blob);
    let closed = json!({"properties": {"regionEndpointEnabled": false}});
    good(me.arm(Method::PATCH, &below("eastus"), closed).await).await;
    let sent_away = docker.call(Method::GET, &path).send().await.unwrap();
    assert!(header(&sent_away, "location").starts_with("https://reg01.westus.data.azurecr.io/"));
    set(false).await;
    expect(world.http().get(&link).send().await.unwrap(), 404, "NAME_UNKNOWN").await;
    assert_eq!(docker.call(Method::GET, &path).send().await.unwrap().bytes().await.unwrap(), blob);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_region_has_endpoints_of_its_own() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "a/b").await;
    let name = docker.push_blob(b"a blob").await.unwrap();
    let regional = |region: &str| format!("https://reg01.{region}.geo.azurecr.io/v2/a/b/blobs/{name}");
    let at = async |region: &str| world.http().get(regional(region)).bearer_auth(&docker.token).send().await.unwrap();
    expect(at("eastus").await, 404, "NAME_UNKNOWN").await;
    let replica = format!("{}/replications/westus", registry_path("reg01"));
    good(me.arm(Method::PUT, &replica, json!({"location": "westus"})).await).await;
    let body = json!({"properties": {"dataEndpointEnabled": true, "regionalEndpoints": "Enabled"}});
    let shown = me.arm_at("2026-09-01-preview", Method::PATCH, &registry_path("reg01"), body).await;
    let shown = good(shown).await["properties"].clone();
    let hosts =
        |kind: &str| json!([format!("reg01.eastus.{kind}.azurecr.io"), format!("reg01.westus.{kind}.azurecr.io")]);
    assert_eq!(shown["dataEndpointHostNames"], hosts("data"));
    assert_eq!(shown["regionalEndpointHostNames"], hosts("geo"));
    // One token is good at each of them; each sends to the data endpoint of its own region.
    for region in ["eastus", "westus"] {
        let sent_away = at(region).await;
        assert_eq!(sent_away.status(), StatusCode::TEMPORARY_REDIRECT);
        let link = header(&sent_away, "location").to_owned();
        assert!(link.starts_with(&format!("https://reg01.{region}.data.azurecr.io/")), "{link}");
        assert_eq!(world.http().get(&link).send().await.unwrap().bytes().await.unwrap(), "a blob");
    }
    expect(at("northeurope").await, 404, "NAME_UNKNOWN").await;
    // The region's endpoints go with its replica.
    let link = header(&at("westus").await, "location").to_owned();
    let gone = me.arm(Method::DELETE, &replica, Value::Null).await;
    assert_eq!(gone.status(), StatusCode::ACCEPTED);
    expect(at("westus").await, 404, "NAME_UNKNOWN").await;
    expect(world.http().get(&link).send().await.unwrap(), 404, "NAME_UNKNOWN").await;
}

/// Azure's SDK for Python sends a chunk before it has a token, and reads the challenge afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_who_is_still_sending() {
    let world = World::new();
    start(&world).await;
    for round in 0..10 {
        let body = vec![round; 6_000_000];
        let answer = world.http().patch(format!("{SERVER}/v2/r/blobs/uploads/x")).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().contains_key("www-authenticate"));
    }
}
