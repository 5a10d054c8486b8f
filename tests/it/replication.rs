//! Regions of one registry: what is pushed in one arrives in the others when its time has come, and one may be down.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::acr_control::{events, listen};
use crate::faults::control;
use crate::harness::{ACCEPTED, Docker, MANIFEST, Person, World, digest, good, registry_path};

/// A registry in two regions, each with an endpoint of its own.
async fn in_two_regions(me: &Person<'_>) {
    me.make_group().await;
    me.make_registry("reg01").await;
    let replica = format!("{}/replications/westus", registry_path("reg01"));
    good(me.arm(Method::PUT, &replica, json!({"location": "westus"})).await).await;
    let body = json!({"properties": {"regionalEndpoints": "Enabled"}});
    good(me.arm_at("2026-09-01-preview", Method::PATCH, &registry_path("reg01"), body).await).await;
}

/// The digest that a region has of a reference; `None`: it does not know it.
async fn seen(docker: &Docker<'_>, host: &str, reference: &str) -> Option<String> {
    let url = format!("https://{host}/v2/app/manifests/{reference}");
    let got = docker.absolute(Method::GET, &url).header("accept", ACCEPTED).send().await.unwrap();
    if got.status() == StatusCode::NOT_FOUND {
        let body: Value = got.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], "MANIFEST_UNKNOWN");
        return None;
    }
    assert_eq!(got.status(), StatusCode::OK);
    Some(got.headers()["docker-content-digest"].to_str().unwrap().to_owned())
}

const EAST: &str = "reg01.eastus.geo.azurecr.io";
const WEST: &str = "reg01.westus.geo.azurecr.io";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_arrives_in_other_regions_when_its_time_has_come() {
    let world = World::with(&["--clock", "frozen", "--replication-delay", "30s"]);
    let me = world.developer().await;
    in_two_regions(&me).await;
    for (name, region) in [("hookeast", "eastus"), ("hookwest", "westus")] {
        let (target, _) = listen(0).await;
        let hook = json!({"location": region, "properties": {"serviceUri": target, "actions": ["push"]}});
        good(me.arm(Method::PUT, &format!("{}/webhooks/{name}", registry_path("reg01")), hook).await).await;
    }
    let docker = me.sign_in("reg01", "app").await;
    let first = digest(&docker.push_image("v1", b"one").await.unwrap());
    for reference in ["v1", &first] {
        assert_eq!(seen(&docker, EAST, reference).await.as_ref(), Some(&first));
        assert_eq!(seen(&docker, WEST, reference).await, None, "{reference} is on its way");
    }
    assert_eq!(events(&me, "hookeast", 1).await.len(), 1);
    world.advance(29).await;
    assert_eq!(seen(&docker, WEST, "v1").await, None);
    assert!(events(&me, "hookwest", 0).await.is_empty(), "nobody there has learned of it");
    world.advance(1).await;
    assert_eq!(seen(&docker, WEST, "v1").await.as_ref(), Some(&first));
    let told = events(&me, "hookwest", 1).await;
    assert_eq!(told[0]["eventRequestMessage"]["content"]["target"]["digest"], first);

    // A tag that moves names there what it named before, until then; a second push puts that off.
    docker.push_image("v1", b"two").await.unwrap();
    world.advance(20).await;
    let third = digest(&docker.push_image("v1", b"three").await.unwrap());
    world.advance(20).await;
    assert_eq!(seen(&docker, EAST, "v1").await.as_ref(), Some(&third));
    assert_eq!(seen(&docker, WEST, "v1").await.as_ref(), Some(&first));
    world.advance(10).await;
    assert_eq!(seen(&docker, WEST, "v1").await.as_ref(), Some(&third));

    // Where it was pushed it is there at once, and that is the region that was called.
    let url = format!("https://{WEST}/v2/app/manifests/west");
    let bytes = docker.call(Method::GET, "manifests/v1").send().await.unwrap().bytes().await.unwrap();
    let put = docker.absolute(Method::PUT, &url).header("content-type", MANIFEST).body(bytes);
    assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(seen(&docker, WEST, "west").await.as_ref(), Some(&third));
    assert_eq!(seen(&docker, EAST, "west").await, None);
    assert_eq!(seen(&docker, "reg01.azurecr.io", "west").await, None, "the home region is the nearest");
    world.advance(30).await;
    assert_eq!(seen(&docker, EAST, "west").await.as_ref(), Some(&third));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_region_is_down_another_serves_what_it_has() {
    let world = World::with(&["--clock", "frozen", "--replication-delay", "30s"]);
    let me = world.developer().await;
    in_two_regions(&me).await;
    let docker = me.sign_in("reg01", "app").await;
    let pushed = digest(&docker.push_image("v1", b"one").await.unwrap());
    let down = json!({"service": "registry", "region": "eastus", "status": 503});
    assert_eq!(control(&world, Method::POST, "faults", down).await.0, StatusCode::OK);
    let url = format!("https://{EAST}/v2/app/manifests/v1");
    assert_eq!(docker.absolute(Method::GET, &url).send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(seen(&docker, "reg01.azurecr.io", "v1").await, None, "it is on its way to the region that serves");
    world.advance(30).await;
    assert_eq!(seen(&docker, "reg01.azurecr.io", "v1").await.as_ref(), Some(&pushed));
    assert_eq!(seen(&docker, WEST, "v1").await.as_ref(), Some(&pushed));
    assert_eq!(control(&world, Method::DELETE, "faults", Value::Null).await.1["faults"][0]["hit"], 1);
    assert_eq!(seen(&docker, EAST, "v1").await.as_ref(), Some(&pushed));
}
