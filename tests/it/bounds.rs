//! What one request may ask for: more than that is refused, in each protocol's own words, and the emulator goes on.

use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::{Person, World, good, group_path, refused};

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
async fn a_dense_document_is_too_large_though_its_text_is_not() {
    let world = World::new();
    let me = world.developer().await;
    let dense = format!("{{\"location\":\"eastus\",\"tags\":{{\"a\":[{}0]}}}}", "[],".repeat(400_000));
    let (status, code, message) = refused(arm_text(&me, Method::PUT, &group_path(""), "2022-09-01", dense).await).await;
    assert_eq!((status, code.as_str()), (413, "RequestContentTooLarge"));
    assert_eq!(message, "The request content size exceeds the maximum size of 4 MB.");
    me.make_group().await;
}
