//! What one request may ask for: more than that is refused, in each protocol's own words, and the emulator goes on.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{MANIFEST, Person, World, digest, good, group_path, refused, registry_path};

/// The base64url of so many bytes of ones.
fn number(bytes: usize) -> String {
    acrite::domain::world::crypto::base64url(&vec![0xff; bytes])
}

/// A call to ARM with a text as its body.
async fn arm_text(person: &Person<'_>, method: Method, path: &str, version: &str, text: String) -> Response {
    let token = person.token("https://management.azure.com").await;
    let url = format!("https://management.azure.com{path}?api-version={version}");
    let asked = person.world.http().request(method, url).bearer_auth(token);
    asked.header("content-type", "application/json").body(text).send().await.unwrap()
}

#[tokio::test]
async fn a_key_of_a_size_that_there_is_not_is_refused_before_any_arithmetic() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let stranger = world.somebody("stranger").await;
    for bytes in [25_000, 513, 257, 128] {
        let jwk = json!({"key": {"kty": "RSA", "n": number(bytes), "e": "AQAB", "d": number(bytes)}});
        let asked = stranger.vault(Method::PUT, "vault1", "keys/x", jwk.clone()).await;
        assert_eq!(refused(asked).await.0, 403, "{bytes}");
        let (status, code, _) = refused(me.vault(Method::PUT, "vault1", "keys/x", jwk).await).await;
        assert_eq!((status, code.as_str()), (400, "BadParameter"), "{bytes}");
    }
    me.make_key("vault1", "x").await;
}

#[tokio::test]
async fn secrets_and_tags_have_azures_lengths() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let long = |length: usize| "x".repeat(length);
    for wrong in [
        json!({"value": long(25 * 1024 + 1)}),
        json!({"value": "v", "tags": {"t": long(257)}}),
        json!({"value": "v", "tags": {long(257): "t"}}),
        json!({"value": "v", "contentType": long(256)}),
    ] {
        assert_eq!(refused(me.vault(Method::PUT, "vault1", "secrets/s", wrong).await).await.0, 400);
    }
    let most = json!({"value": long(25 * 1024), "tags": {long(256): long(256)}, "contentType": long(255)});
    good(me.vault(Method::PUT, "vault1", "secrets/s", most).await).await;
}

#[tokio::test]
async fn tags_of_resources_have_azures_limits() {
    let world = World::new();
    let me = world.developer().await;
    let long = |length: usize| "x".repeat(length);
    let put = |tags: Value| {
        let body = json!({"location": "eastus", "tags": tags});
        async { me.arm_at("2022-09-01", Method::PUT, &group_path(""), body).await }
    };
    let many = |count: usize| (0..count).map(|i| (format!("t{i}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    for wrong in [json!(many(51)), json!({long(513): "v"}), json!({"t": long(257)}), json!({"t": ["v"]})] {
        assert_eq!(refused(put(wrong).await).await.0, 400);
    }
    good(put(json!(many(50))).await).await;
    good(put(json!({long(512): long(256)})).await).await;
}

#[tokio::test]
async fn a_dense_document_is_too_large_though_its_text_is_not() {
    let world = World::new();
    let me = world.developer().await;
    let dense = format!("{{\"location\":\"eastus\",\"tags\":{{\"a\":[{}0]}}}}", "[],".repeat(400_000));
    let (status, code, message) = refused(arm_text(&me, Method::PUT, &group_path(""), "2022-09-01", dense).await).await;
    assert_eq!((status, code.as_str()), (413, "RequestContentTooLarge"));
    assert_eq!(message, "The request content size exceeds the maximum size of 4 MB.");
    me.make_group().await;
}

/// The address in a `Link` header to the next page.
fn next(answer: &Response) -> Option<String> {
    let link = answer.headers().get("link")?.to_str().unwrap();
    Some(link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned())
}

#[tokio::test]
async fn referrers_come_in_pages_that_clients_can_read() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "app").await;
    docker.push_image("v1", b"layer").await.unwrap();
    docker.push_blob(b"{}").await.unwrap();
    let subject = json!({"mediaType": MANIFEST, "digest": digest(b"subject"), "size": 1});
    for (number, kind) in [(0, "a/b"), (1, "a/b"), (2, "c/d"), (3, "a/b")] {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "subject": subject, "layers": [],
            "config": {"mediaType": "a/b", "digest": digest(b"{}"), "size": 2},
            "annotations": {"number": number.to_string(), "filler": "x".repeat(3_000_000)},
        });
        let put = docker.call(Method::PUT, &format!("manifests/r{number}")).header("content-type", MANIFEST);
        assert_eq!(put.body(manifest.to_string()).send().await.unwrap().status(), 201);
    }
    for (query, wanted) in [("", "0123"), ("?artifactType=a%2Fb", "013")] {
        let mut page = Some(format!("/v2/app/referrers/{}{query}", digest(b"subject")));
        let mut seen = String::new();
        while let Some(path) = page {
            let answer = docker.absolute(Method::GET, &format!("https://reg01.azurecr.io{path}")).send().await.unwrap();
            page = next(&answer);
            assert!(answer.content_length().unwrap() < 4 * 1024 * 1024);
            let index = good(answer).await;
            for descriptor in index["manifests"].as_array().unwrap() {
                seen += descriptor["annotations"]["number"].as_str().unwrap();
            }
        }
        assert_eq!(seen, wanted, "{query}");
    }
    let listed =
        docker.absolute(Method::GET, "https://reg01.azurecr.io/acr/v1/app/_manifests?n=2").send().await.unwrap();
    assert!(next(&listed).unwrap().contains("n=2"));
    let listed = good(listed).await;
    assert_eq!((listed["imageName"].as_str(), listed["manifests"].as_array().unwrap().len()), (Some("app"), 2));
    assert!(listed["manifests"][0]["digest"].is_string() && listed["manifests"][0]["references"].is_null());
}

#[tokio::test]
async fn a_dense_manifest_and_a_token_for_very_many_scopes_are_refused() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "app").await;
    let dense = format!(
        "{{\"schemaVersion\":2,\"config\":{{\"digest\":\"{}\",\"size\":2}},\"layers\":[],\"annotations\":{{\"a\":[{}0]}}}}",
        digest(b"{}"),
        "[],".repeat(1_000_000)
    );
    let put =
        docker.call(Method::PUT, "manifests/v1").header("content-type", MANIFEST).body(dense).send().await.unwrap();
    assert_eq!(put.status(), 413);
    assert_eq!(put.json::<Value>().await.unwrap()["errors"][0]["code"], "MANIFEST_INVALID");
    let ask = |scopes: usize| {
        let scopes = vec!["repository:app:pull"; scopes].join(" ");
        let asked = world.http().get("https://reg01.azurecr.io/oauth2/token");
        let asked = asked.query(&[("service", "reg01.azurecr.io"), ("scope", &scopes)]);
        asked.basic_auth("00000000-0000-0000-0000-000000000000", Some(docker.token.clone())).send()
    };
    assert_eq!(ask(100).await.unwrap().status(), 200);
    assert_eq!(ask(101).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_list_of_large_deployments_comes_in_pages() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let list = group_path("/providers/Microsoft.Resources/deployments");
    let template = json!({"resources": [], "parameters": {"p": {"type": "string"}}});
    for name in ["a", "b", "c"] {
        let properties =
            json!({"mode": "Incremental", "template": template, "parameters": {"p": {"value": "x".repeat(1_500_000)}}});
        let path = format!("{list}/{name}");
        good(me.arm_at("2022-09-01", Method::PUT, &path, json!({"properties": properties})).await).await;
    }
    let mut seen = Vec::new();
    let mut page = Some(list);
    while let Some(path) = page {
        let answer = good(me.arm_at("2022-09-01", Method::GET, &path, Value::Null).await).await;
        seen.extend(answer["value"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()));
        let link = answer["nextLink"].as_str().map(|link| link.split_once(".com").unwrap().1.to_owned());
        page = link.map(|link| link.replace("api-version=2022-09-01&", ""));
        assert_eq!(page.is_some(), seen.len() < 3);
    }
    assert_eq!(seen, ["c", "b", "a"], "the newest first");
}

#[tokio::test]
async fn dates_at_the_ends_of_time_are_dates() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    for (number, at) in [i64::MIN, i64::MAX, 0, -1].into_iter().enumerate() {
        let attributes = json!({"nbf": at, "exp": at});
        let secret = json!({"value": "v", "attributes": attributes});
        good(me.vault(Method::PUT, "vault1", &format!("secrets/s{number}"), secret).await).await;
        let key = format!("keys/k{number}");
        let wanted = json!({"kty": "EC", "crv": "P-256", "attributes": attributes});
        good(me.vault(Method::POST, "vault1", &format!("{key}/create"), wanted).await).await;
        let policy = json!({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}], "attributes": {}});
        good(me.vault(Method::PUT, "vault1", &format!("{key}/rotationpolicy"), policy).await).await;
        good(me.vault(Method::GET, "vault1", &key, Value::Null).await).await;
        good(me.vault(Method::DELETE, "vault1", &key, Value::Null).await).await;
    }
    for span in ["P9999999999999999999D", "PT9223372036854775807S", "-P1D", "P0D"] {
        let policy = json!({"lifetimeActions": [], "attributes": {"expiryTime": span}});
        me.make_key("vault1", "policy").await;
        assert_eq!(refused(me.vault(Method::PUT, "vault1", "keys/policy/rotationpolicy", policy).await).await.0, 400);
    }
}

#[tokio::test]
async fn documents_do_not_grow_change_by_change() {
    let world = World::new();
    let me = world.developer().await;
    let made = good(me.graph(Method::POST, "applications", json!({"displayName": "a"})).await).await;
    let path = format!("applications/{}", made["id"].as_str().unwrap());
    let texts = ["notes", "description", "samlMetadataUrl", "serviceManagementReference"];
    let change = |number: usize| json!({texts[number]: "x".repeat(300_000)});
    for number in 0..3 {
        assert_eq!(me.graph(Method::PATCH, &path, change(number)).await.status(), 204);
    }
    assert_eq!(me.graph(Method::PATCH, &path, change(3)).await.status(), 413);

    me.make_group().await;
    me.make_registry("reg01").await;
    let change = |number: usize| json!({"properties": {format!("p{number}"): "x".repeat(3_500_000)}});
    let mut last = 0;
    for number in 0..3 {
        last = me.arm(Method::PATCH, &registry_path("reg01"), change(number)).await.status().as_u16();
    }
    assert_eq!(last, 413);
}
