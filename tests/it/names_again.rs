//! Nothing that was given for one registry, repository or token holds for another one that has its name or its place
//! later.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ACCEPTED, World, digest, good, registry_path};
use crate::publishing::{
    ACR_PUSH, Halves, LAYER, Pusher, REPOSITORY, access_token, basic, bearer, make_robot, patch_registry,
};

#[tokio::test]
async fn a_slow_request_reaches_no_registry_but_its_own() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    for another in ["reg01", "others01"] {
        me.make_registry("reg01").await;
        me.sign_in("reg01", REPOSITORY).await.push_image("v1", LAYER).await.unwrap();
        let pusher = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
        let halves = Halves::of(&world, &pusher).await;
        good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
        // The newest registry is gone: the next one must not take its place.
        me.make_registry(another).await;
        let theirs = me.sign_in(another, REPOSITORY).await;
        let manifest = theirs.push_image("v1", LAYER).await.unwrap();
        let session = halves.are_refused(another, StatusCode::NOT_FOUND).await;
        assert_eq!(theirs.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()), "{another}");
        let tags: Value = theirs.call(Method::GET, "tags/list").send().await.unwrap().json().await.unwrap();
        assert_eq!(tags["tags"], json!(["v1"]), "{another}");
        let shown = theirs.acr(Method::GET, "_tags/v1").send().await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(shown["tag"]["changeableAttributes"]["writeEnabled"], true, "{another}");
        let gone = theirs.absolute(Method::GET, &format!("https://{}{session}", theirs.server)).send().await.unwrap();
        assert_eq!(gone.status(), StatusCode::NOT_FOUND, "{another}");
        good(me.arm(Method::DELETE, &registry_path(another), Value::Null).await).await;
    }
}

#[tokio::test]
async fn a_link_opens_no_other_registry_or_repository() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let endpoint = json!({"dataEndpointEnabled": true});
    patch_registry(&me, endpoint.clone()).await;
    let docker = me.sign_in("reg01", REPOSITORY).await;
    docker.push_image("v1", LAYER).await.unwrap();
    let blob = format!("blobs/{}", digest(LAYER));
    let told = docker.call(Method::GET, &blob).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::TEMPORARY_REDIRECT);
    let link = told.headers()["location"].to_str().unwrap().to_owned();
    let follow = async || world.http().get(&link).send().await.unwrap().status();
    assert_eq!(follow().await, StatusCode::OK);
    // Another repository of its name.
    let delete = docker.world_http().delete(format!("https://reg01.azurecr.io/acr/v1/{REPOSITORY}"));
    assert_eq!(delete.bearer_auth(&docker.token).send().await.unwrap().status(), StatusCode::ACCEPTED);
    docker.push_image("v1", LAYER).await.unwrap();
    assert_eq!(follow().await, StatusCode::FORBIDDEN, "another repository");
    // Another registry of its name, with the same blob in the same repository.
    let told = docker.call(Method::GET, &blob).send().await.unwrap();
    let link = told.headers()["location"].to_str().unwrap().to_owned();
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    me.make_registry("reg01").await;
    patch_registry(&me, endpoint).await;
    me.sign_in("reg01", REPOSITORY).await.push_image("v1", LAYER).await.unwrap();
    let followed = world.http().get(&link).send().await.unwrap();
    assert_eq!(followed.status(), StatusCode::FORBIDDEN, "another registry");
}

#[tokio::test]
async fn tokens_are_of_one_registry_and_not_of_a_name() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    patch_registry(&me, json!({"adminUserEnabled": true})).await;
    let docker = me.sign_in("reg01", REPOSITORY).await;
    docker.push_image("v1", LAYER).await.unwrap();
    let arm = me.token("https://management.azure.com").await;
    let form = [("grant_type", "access_token"), ("service", "reg01.azurecr.io"), ("access_token", arm.as_str())];
    let exchange = world.http().post("https://reg01.azurecr.io/oauth2/exchange").form(&form).send().await.unwrap();
    let refresh = good(exchange).await["refresh_token"].as_str().unwrap().to_owned();
    let password = make_robot(&me).await;
    let listed = me.arm(Method::POST, &format!("{}/listCredentials", registry_path("reg01")), Value::Null).await;
    let admin = good(listed).await["passwords"][0]["value"].as_str().unwrap().to_owned();
    let tokens = [
        format!("Bearer {}", docker.token),
        bearer(&world, &basic("robot", &password)).await,
        bearer(&world, &basic("reg01", &admin)).await,
    ];
    let shows = async |authorization: &str| {
        let url = format!("https://reg01.azurecr.io/v2/{REPOSITORY}/manifests/v1");
        let call = world.http().get(url).header("authorization", authorization).header("accept", ACCEPTED);
        call.send().await.unwrap().status()
    };
    let renews = async || {
        let form = [("grant_type", "refresh_token"), ("service", "reg01.azurecr.io"), ("refresh_token", &refresh)];
        world.http().post("https://reg01.azurecr.io/oauth2/token").form(&form).send().await.unwrap().status()
    };
    for token in &tokens {
        assert_eq!(shows(token).await, StatusCode::OK);
    }
    assert_eq!(renews().await, StatusCode::OK);
    // Another token of its name in the same registry.
    good(me.arm(Method::DELETE, &format!("{}/tokens/robot", registry_path("reg01")), Value::Null).await).await;
    make_robot(&me).await;
    assert_eq!(shows(&tokens[1]).await, StatusCode::UNAUTHORIZED, "another token of the name");
    // Another registry of its name, with all of the same names in it.
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    me.make_registry("reg01").await;
    patch_registry(&me, json!({"adminUserEnabled": true})).await;
    make_robot(&me).await;
    let again = me.sign_in("reg01", REPOSITORY).await;
    again.push_image("v1", LAYER).await.unwrap();
    for token in &tokens {
        assert_eq!(shows(token).await, StatusCode::UNAUTHORIZED);
        let login = world.http().get("https://reg01.azurecr.io/v2/").header("authorization", token);
        assert_eq!(login.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(renews().await, StatusCode::UNAUTHORIZED);
    for (user, password) in
        [("robot", &password), ("reg01", &admin), ("00000000-0000-0000-0000-000000000000", &refresh)]
    {
        let asked = access_token(&world, &basic(user, password)).await;
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED, "{user}");
    }
    assert_eq!(shows(&format!("Bearer {}", again.token)).await, StatusCode::OK);
}

#[tokio::test]
async fn an_upload_belongs_to_whoever_began_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let mine = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
    let other = world.somebody("other").await;
    me.assign(&registry_path("reg01"), ACR_PUSH, &other.object_id).await;
    let theirs = Pusher::with_token(other.sign_in("reg01", REPOSITORY).await);
    let session = mine.session().await;
    assert_eq!(mine.call(Method::PATCH, &session, b"mine").await.status(), StatusCode::ACCEPTED);
    let put = format!("{session}?digest={}", digest(b"mine"));
    for (method, path) in
        [(Method::GET, &session), (Method::PATCH, &session), (Method::PUT, &put), (Method::DELETE, &session)]
    {
        let refused = theirs.call(method.clone(), path, b"").await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{method}");
    }
    // With another token of the same person it goes on, in its repository.
    let elsewhere = session.replace(REPOSITORY, "other/app");
    let elsewhere = Pusher::with_token(me.sign_in("reg01", "other/app").await).call(Method::GET, &elsewhere, b"").await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    let again = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
    assert_eq!(again.call(Method::PUT, &put, b"").await.status(), StatusCode::CREATED);
}
