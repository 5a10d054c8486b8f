//! Imports and pulling through ask again before they keep anything: what was taken away, deleted or pushed while the
//! source was waited for counts.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{MANIFEST, Person, World, digest, good, refused, registry_path};
use crate::upstream::{Demand, Upstream};

const AT: &str = "2026-09-01-preview";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

/// An import of `app:v1` whose second layer the source holds back until `meanwhile` is done. What became of it.
async fn import(
    upstream: &Upstream,
    me: &Person<'_>,
    by: &Person<'_>,
    mode: &str,
    meanwhile: impl AsyncFnOnce(),
) -> reqwest::Response {
    upstream.hold_one(&digest(b"two"));
    let body = json!({
        "source": {"registryUri": upstream.host, "sourceImage": "app:v1"}, "targetTags": ["app:v1"], "mode": mode,
    });
    let path = format!("{}/importImage", registry_path("reg01"));
    let interfering = async {
        upstream.waits_for(&digest(b"two")).await;
        meanwhile().await;
        upstream.hold(false);
    };
    let (begun, ()) = tokio::join!(by.arm_at(AT, Method::POST, &path, body), interfering);
    assert_eq!(begun.status(), 202, "{}", begun.text().await.unwrap());
    let poll = begun.headers()["location"].to_str().unwrap().trim_start_matches("https://management.azure.com");
    let poll = poll.split_once('?').unwrap().0.to_owned();
    loop {
        // Whoever began it may be gone.
        let answer = me.arm(Method::GET, &poll, Value::Null).await;
        if answer.status() != StatusCode::ACCEPTED {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// The tags of the repository; `null` where there is none.
async fn tags(me: &Person<'_>) -> Value {
    let docker = me.sign_in("reg01", "app").await;
    let listed = docker.call(Method::GET, "tags/list").send().await.unwrap();
    listed.json::<Value>().await.unwrap()["tags"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_ends_where_its_callers_right_ends() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_layers("app", "v1", "amd64", &[b"one", b"two", b"three"]);
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    for route in ["role removed", "principal disabled", "principal deleted", "registry deleted", "another registry"] {
        let somebody = world.somebody(route).await;
        let role = me.assign(&registry_path("reg01"), OWNER, &somebody.object_id).await;
        let principal = format!("servicePrincipals/{}", somebody.object_id);
        let done = import(&upstream, &me, &somebody, "NoForce", async || {
            match route {
                "role removed" => drop(good(me.arm(Method::DELETE, &role, Value::Null).await).await),
                "principal disabled" => {
                    drop(good(me.graph(Method::PATCH, &principal, json!({"accountEnabled": false})).await).await)
                }
                "principal deleted" => drop(good(me.graph(Method::DELETE, &principal, Value::Null).await).await),
                _ => drop(good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await),
            }
            if route == "another registry" {
                me.make_registry("reg01").await;
            }
        });
        let (status, _, message) = refused(done.await).await;
        assert!([401, 403, 404].contains(&status), "{route}: {status} {message}");
        if route == "registry deleted" {
            me.make_registry("reg01").await;
        }
        let tags = tags(&me).await;
        assert!(tags.is_null() || tags == json!([]), "{route}: {tags}");
        assert_eq!(std::fs::read_dir(world.dir.join("uploads")).unwrap().count(), 0, "{route}");
    }
    // Undisturbed it is done.
    let done = import(&upstream, &me, &me, "NoForce", async || {}).await;
    assert_eq!(good(done).await, json!({"status": "Succeeded"}));
    assert_eq!(tags(&me).await, json!(["v1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_takes_no_tag_that_was_pushed_meanwhile() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_layers("app", "v1", "amd64", &[b"one", b"two", b"three"]);
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "app").await;
    let now = async || {
        let got = docker.call(Method::GET, "manifests/v1").header("accept", MANIFEST).send().await.unwrap();
        got.bytes().await.unwrap()
    };
    let pushed = std::cell::OnceCell::new();
    let done = import(&upstream, &me, &me, "NoForce", async || {
        pushed.set(docker.push_image("v1", b"pushed meanwhile").await.unwrap()).unwrap();
    });
    let (status, code, message) = refused(done.await).await;
    assert_eq!((status, code.as_str()), (409, "Conflict"), "{message}");
    assert_eq!(now().await, *pushed.get().unwrap());
    // What is to be forced is.
    upstream.put_layers("app", "v1", "amd64", &[b"another", b"two", b"three"]);
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "app").await;
    let done = import(&upstream, &me, &me, "Force", async || {
        docker.push_image("v1", b"pushed meanwhile").await.unwrap();
    });
    assert_eq!(good(done.await).await, json!({"status": "Succeeded"}));
    assert_ne!(now().await, *pushed.get().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pulled_through_a_rule_that_went_meanwhile() {
    let upstream = Upstream::new(Demand::Nothing).await;
    upstream.put_layers("app", "v1", "amd64", &[b"one", b"two"]);
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let path = format!("{}/cacheRules/rule01", registry_path("reg01"));
    let rule = json!({"properties": {"sourceRepository": format!("{}/app", upstream.host), "targetRepository": "app"}});
    good(me.arm_at(AT, Method::PUT, &path, rule).await).await;
    let docker = me.sign_in("reg01", "app").await;
    let manifest = docker.call(Method::GET, "manifests/v1").header("accept", MANIFEST).send().await.unwrap();
    assert_eq!(manifest.status(), 200);
    let blob = format!("blobs/{}", digest(b"two"));
    upstream.hold_one(&digest(b"two"));
    let deleting = async {
        upstream.waits_for(&digest(b"two")).await;
        good(me.arm_at(AT, Method::DELETE, &path, Value::Null).await).await;
        upstream.hold(false);
    };
    let (pulled, ()) = tokio::join!(docker.call(Method::GET, &blob).send(), deleting);
    assert_eq!(pulled.unwrap().status(), 404);
    assert_eq!(docker.call(Method::GET, &blob).send().await.unwrap().status(), 404, "it was not kept");
}
