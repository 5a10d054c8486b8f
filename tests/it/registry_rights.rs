//! What a credential gives at the login server, where users and recordings say so.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Docker, Person, World, good, registry_path};
use crate::registry::{SERVER, expect, header, start};

/// The access token that a repository token gets with a scope map, which may be one of the system's.
async fn mapped(me: &Person<'_>, world: &World, map: &str, scope: &str) -> String {
    let below = |rest: &str| format!("{}/{rest}", registry_path("reg01"));
    let token = json!({"properties": {"scopeMapId": below(&format!("scopeMaps/{map}"))}});
    let name = format!("token{}", map.replace('_', ""));
    good(me.arm(Method::PUT, &below(&format!("tokens/{name}")), token).await).await;
    let ask = json!({"tokenId": below(&format!("tokens/{name}")), "name": "password1"});
    let made = good(me.arm(Method::POST, &below("generateCredentials"), ask).await).await;
    let password = made["passwords"][0]["value"].as_str().unwrap();
    let url = format!("{SERVER}/oauth2/token?service=reg01.azurecr.io&scope={scope}");
    let answer = good(world.http().get(url).basic_auth(name, Some(password)).send().await.unwrap()).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

/// [issue] a token of `_repositories_admin` lists the catalog; [docs] one of single repositories does not.
#[tokio::test(flavor = "multi_thread")]
async fn maps_of_all_repositories_list_the_catalog() {
    let world = World::new();
    let me = start(&world).await;
    let single =
        json!({"properties": {"actions": ["repositories/m/metadata/read", "repositories/team/*/metadata/read"]}});
    good(me.arm(Method::PUT, &format!("{}/scopeMaps/single", registry_path("reg01")), single).await).await;
    for (map, wanted) in [
        ("_repositories_admin", 200),
        ("_repositories_pull_metadata_read", 200),
        ("_repositories_push_metadata_write", 200),
        ("_repositories_pull", 401),
        ("_repositories_push", 401),
        ("single", 401),
    ] {
        let token = mapped(&me, &world, map, "registry:catalog:*").await;
        for path in ["/v2/_catalog", "/acr/v1/_catalog"] {
            let listed = world.http().get(format!("{SERVER}{path}")).bearer_auth(&token).send().await.unwrap();
            assert_eq!(listed.status(), wanted, "{map} {path}");
        }
    }
}

/// [issue] what lists tags is `metadata_read`: a token for pulling alone does not. Its refusal says what it lacks, as
/// Docker's registry does, so that clients ask for more.
#[tokio::test(flavor = "multi_thread")]
async fn tags_are_listed_by_metadata_read_and_not_by_pull() {
    let world = World::new();
    let me = start(&world).await;
    me.sign_in("reg01", "m").await.push_image("v1", b"layer").await.unwrap();
    for (scope, wanted) in
        [("repository:m:pull", 401), ("repository:m:metadata_read", 200), ("repository:m:pull,push,delete", 401)]
    {
        let token = mapped(&me, &world, "_repositories_admin", scope).await;
        let docker = Docker::new(&world, "reg01", "m", &token);
        let lists = [
            docker.call(Method::GET, "tags/list"),
            docker.acr(Method::GET, "_tags"),
            docker.acr(Method::GET, "_tags/v1"),
            docker.acr(Method::GET, "_manifests"),
        ];
        for list in lists {
            let answer = list.send().await.unwrap();
            assert_eq!(answer.status(), wanted, "{scope} {}", answer.url());
            if wanted == 401 {
                let challenge = header(&answer, "www-authenticate");
                assert!(
                    challenge.ends_with(r#"scope="repository:m:metadata_read",error="insufficient_scope""#),
                    "{challenge}"
                );
            }
        }
    }
}

/// [recorded 2022, 2023] anybody lists the catalog where anonymous pull is on, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn anonymous_pull_lists_the_catalog() {
    let world = World::new();
    let me = start(&world).await;
    me.sign_in("reg01", "m").await.push_image("v1", b"layer").await.unwrap();
    let ask = || async {
        let form = [("grant_type", "password"), ("service", "reg01.azurecr.io"), ("scope", "registry:catalog:*")];
        world.http().post(format!("{SERVER}/oauth2/token")).form(&form).send().await.unwrap()
    };
    expect(ask().await, 401, "UNAUTHORIZED").await;
    let body = json!({"properties": {"anonymousPullEnabled": true}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    let token = good(ask().await).await["access_token"].as_str().unwrap().to_owned();
    for path in ["/acr/v1/_catalog", "/v2/_catalog"] {
        let listed = world.http().get(format!("{SERVER}{path}")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(listed.status(), StatusCode::OK);
        assert_eq!(listed.json::<Value>().await.unwrap()["repositories"], json!(["m"]));
    }
    let deleted = world.http().delete(format!("{SERVER}/acr/v1/m")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(deleted.status(), 401);
}
