//! Secrets, which live as keys do.
//! Must not know: how any of it is kept.

use axum::http::Method;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn secrets_live_as_keys_do() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let set = |value: &str| json!({"value": value, "contentType": "text/plain", "tags": {"a": "b"}});
    let first = at.ask(Method::PUT, "/secrets/s", set("one")).await.body;
    let version = version_of(&first["id"]);
    assert_eq!(
        (&first["value"], &first["contentType"], &first["tags"]["a"]),
        (&json!("one"), &json!("text/plain"), &json!("b"))
    );
    let second = at.ask(Method::PUT, "/secrets/s", set("two")).await.body;
    assert_eq!(second["value"], "two", "not the old value");
    assert_eq!(at.get("/secrets/s/").await.body["value"], "two");
    assert_eq!(at.get(&format!("/secrets/s/{version}")).await.body["value"], "one");
    assert_eq!(at.get("/secrets").await.body["value"][0]["id"], "https://v-one.vault.azure.net/secrets/s");
    assert!(at.get("/secrets").await.body["value"][0].get("value").is_none());
    assert_eq!(at.get("/secrets/s/versions").await.body["value"].as_array().unwrap().len(), 2);
    at.patch(&format!("/secrets/s/{version}"), json!({"attributes": {"enabled": false}})).await;
    let text = "Operation get is not allowed on a disabled secret.";
    let refused = at.get(&format!("/secrets/s/{version}")).await;
    assert_eq!(refused.error(), (403, "Forbidden", "SecretDisabled", text));
    assert_eq!(at.get("/secrets/none").await.error().1, "SecretNotFound");

    let backup = at.post("/secrets/s/backup", Value::Null).await.body["value"].clone();
    let deleted = at.delete("/secrets/s").await.body;
    assert_eq!(deleted["recoveryId"], "https://v-one.vault.azure.net/deletedsecrets/s");
    assert!(deleted.get("value").is_none());
    assert_eq!(at.ask(Method::PUT, "/secrets/s", set("x")).await.error().2, "ObjectIsDeletedButRecoverable");
    assert_eq!(at.get("/deletedsecrets").await.body["value"].as_array().unwrap().len(), 1);
    assert_eq!(at.post("/deletedsecrets/s/recover", Value::Null).await.status, 200);
    assert_eq!(at.get("/secrets/s").await.body["value"], "two");
    at.delete("/secrets/s").await;
    assert_eq!(at.delete("/deletedsecrets/s").await.status, 204);
    assert_eq!(at.post("/secrets/restore", json!({"value": backup})).await.status, 200);
    assert_eq!(at.get("/secrets/s").await.body["value"], "two");
    at.delete("/secrets/s").await;
    bed.pass(7).await;
    assert_eq!(at.get("/deletedsecrets/s").await.status, 404);
    let stranger = bed.person(json!({})).await;
    let stranger = At { bed: &bed, person: &stranger, vault: "v-one" };
    let refused = stranger.get("/secrets/s").await;
    assert!(refused.error().3.contains("does not have secrets get permission"));
    assert_eq!(at.get("/certificates/c").await.error().1, "CertificateNotFound");
}
