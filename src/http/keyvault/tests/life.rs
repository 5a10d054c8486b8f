//! What becomes of keys: deletion, purge, lists, rotation, backup.
//! Must not know: how any of it is kept.

use axum::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::domain::world::crypto::{base64url, from_base64url};

#[tokio::test]
async fn deleted_keys_wait_and_go_when_their_time_has_come() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let version = at.key("k").await;
    let wrapped = at.wrap("k").await.body["value"].clone();
    let deleted = at.delete("/keys/k").await.body;
    assert_eq!(deleted["recoveryId"], "https://v-one.vault.azure.net/deletedkeys/k");
    let (at_time, purge) = (deleted["deletedDate"].as_i64().unwrap(), deleted["scheduledPurgeDate"].as_i64().unwrap());
    assert_eq!(purge - at_time, 7 * 86_400);
    assert_eq!(version_of(&deleted["key"]["kid"]), version);
    assert_eq!(at.get("/keys/k").await.error().1, "KeyNotFound");
    assert_eq!(at.wrap("k").await.status, 404);
    assert_eq!(at.get("/keys").await.body, json!({"value": [], "nextLink": null}), "deleted keys are not listed");
    assert_eq!(at.get("/deletedkeys").await.body["value"][0]["kid"], "https://v-one.vault.azure.net/keys/k");
    let text = "Key k is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.";
    let again = at.post("/keys/k/create", json!({"kty": "RSA"})).await;
    assert_eq!(again.error(), (409, "Conflict", "ObjectIsDeletedButRecoverable", text));
    assert_eq!(at.post("/deletedkeys/k/recover", Value::Null).await.status, 200);
    assert_eq!(at.unwrap(&format!("k/{version}"), &wrapped).await.body["value"], base64url(&[5; 32]));
    assert_eq!(at.get("/deletedkeys/k").await.error().3, "Deleted Key not found: k");

    at.delete("/keys/k").await;
    let purged = at.delete("/deletedkeys/k").await;
    assert_eq!((purged.status.as_u16(), &purged.body), (204, &Value::Null));
    assert!(!purged.headers.contains_key("content-type"));
    assert_ne!(at.key("k").await, version);

    at.delete("/keys/k").await;
    bed.pass(6).await;
    assert_eq!(at.get("/deletedkeys/k").await.status, 200);
    bed.pass(1).await;
    assert_eq!(at.get("/deletedkeys/k").await.status, 404);
}

#[tokio::test]
async fn purge_protection_protects() {
    let (bed, person) = world().await;
    let all = policy(&person, &["all", "purge"]);
    bed.vault("v-one", json!({"accessPolicies": [all], "enablePurgeProtection": true})).await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("k").await;
    at.delete("/keys/k").await;
    let text = "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed. Vault: v-one;location=eastus";
    assert_eq!(at.delete("/deletedkeys/k").await.error(), (403, "Forbidden", "", text));
    assert_eq!(at.get("/deletedkeys/k").await.body["attributes"]["recoveryLevel"], "CustomizedRecoverable");
    bed.pass(7).await;
    assert_eq!(at.get("/deletedkeys/k").await.status, 404, "time may purge it");
}

#[tokio::test]
async fn lists_come_in_pages_whose_link_leads_on() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    for name in ["b", "A", "c"] {
        let made = at.post(&format!("/keys/{name}/create"), json!({"kty": "EC"})).await;
        assert_eq!(made.body["key"]["key_ops"], json!(["sign", "verify"]));
    }
    let mut path = "/keys?maxresults=2".to_owned();
    let mut names = Vec::new();
    loop {
        let page = at.get(&path).await.body;
        for item in page["value"].as_array().unwrap() {
            names.push(item["kid"].as_str().unwrap().to_owned());
        }
        let Some(link) = page["nextLink"].as_str() else { break };
        let rest = link.strip_prefix("https://v-one.vault.azure.net:443").unwrap();
        assert!(rest.starts_with(&format!("/keys?api-version={API}&$skiptoken=")) && rest.ends_with("&maxresults=2"));
        path = rest.replace(&format!("api-version={API}&"), "");
    }
    assert_eq!(names, ["A", "b", "c"].map(|n| format!("https://v-one.vault.azure.net/keys/{n}")));
    let mut versions = Vec::new();
    for _ in 0..4 {
        let made = at.post("/keys/b/create", json!({"kty": "EC"})).await;
        versions.push(version_of(&made.body["key"]["kid"]));
    }
    let newest = at.get("/keys/b").await.body;
    assert_eq!(version_of(&newest["key"]["kid"]), versions[3], "the clock stood still, and yet the last is newest");
    let page = at.get("/keys/b/versions").await.body;
    let shown: Vec<String> = page["value"].as_array().unwrap().iter().map(|v| version_of(&v["kid"])).collect();
    assert_eq!(shown.len(), 5);
    assert!(shown.is_sorted(), "by version id");
    for bad in ["/keys?maxresults=0", "/keys?maxresults=26", "/keys?$skiptoken=x"] {
        assert_eq!(at.get(bad).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn rotation_policies_act_by_themselves() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.post("/keys/k/create", json!({"kty": "EC", "tags": {"a": "b"}})).await;
    let default = at.get("/keys/k/rotationpolicy").await.body;
    assert_eq!(default["lifetimeActions"][0]["action"]["type"], "Notify");
    let asked = json!({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P30D"}});
    let set = at.ask(Method::PUT, "/keys/k/rotationpolicy", asked).await.body;
    assert_eq!(set["id"], "https://v-one.vault.azure.net/keys/k/rotationpolicy");
    assert_eq!(set["lifetimeActions"].as_array().unwrap().len(), 2, "the service adds Notify");
    let began = bed.app.now().seconds();
    let day = 86_400;
    bed.pass(14).await;
    assert_eq!(at.get("/keys/k/versions").await.body["value"].as_array().unwrap().len(), 1);
    // Three rotations are due in one leap: each happens at its own time.
    bed.pass(32).await;
    let mut created: Vec<(i64, Value)> = at.get("/keys/k/versions").await.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["attributes"]["created"].as_i64().unwrap(), v["attributes"]["exp"].clone()))
        .collect();
    created.sort_by_key(|c| c.0);
    let expected: Vec<(i64, Value)> = [(0, Value::Null)]
        .into_iter()
        .chain([15, 30, 45].map(|d| (d * day, json!(began + (d + 30) * day))))
        .map(|(d, exp)| (began + d, exp))
        .collect();
    assert_eq!(created, expected);
    assert_eq!(at.get("/keys/k").await.body["tags"], json!({"a": "b"}));
    // On demand: the next one by itself is reckoned from it.
    let rotated = at.post("/keys/k/rotate", Value::Null).await;
    assert_eq!(rotated.body["attributes"]["exp"], json!(bed.app.now().seconds() + 30 * day));
    bed.pass(14).await;
    assert_eq!(at.get("/keys/k/versions").await.body["value"].as_array().unwrap().len(), 5);
    let wrong = json!({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P1D"}, "action": {"type": "Rotate"}}]});
    assert_eq!(at.ask(Method::PUT, "/keys/k/rotationpolicy", wrong).await.status, 400);
}

#[tokio::test]
async fn a_backup_brings_everything_back() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let first = at.key("k").await;
    let wrapped = at.wrap("k").await.body["value"].clone();
    for _ in 0..4 {
        at.key("k").await;
    }
    let newest = at.get("/keys/k").await.body;
    let before = at.get("/keys/k/versions").await.body;
    let backup = at.post("/keys/k/backup", Value::Null).await.body["value"].clone();
    let text = String::from_utf8(from_base64url(backup.as_str().unwrap()).unwrap()).unwrap();
    assert!(text.starts_with("&AzureKeyVaultKeyBackupV1.microsoft.com"));
    let conflict = at.post("/keys/restore", json!({"value": backup})).await;
    let text = format!(
        "There was a conflict restoring the key '{}'. This can happen if either: a second key with the same name was created after the first key was deleted; thus trying to restore a key whose name is already in use. To fix this, rename the second key to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the key. To avoid this error, perform operations against a key in a sequential manner.",
        newest["key"]["kid"].as_str().unwrap()
    );
    assert_eq!(conflict.error(), (409, "Conflict", "", text.as_str()), "[recorded]");
    at.delete("/keys/k").await;
    assert_eq!(at.post("/keys/restore", json!({"value": backup})).await.error().2, "ObjectIsDeletedButRecoverable");
    at.delete("/deletedkeys/k").await;
    assert_eq!(at.post("/keys/restore", json!({"value": backup})).await.status, 200);
    assert_eq!(at.get("/keys/k/versions").await.body, before);
    assert_eq!(at.get("/keys/k").await.body, newest);
    assert_eq!(at.unwrap(&format!("k/{first}"), &wrapped).await.body["value"], base64url(&[5; 32]));
    let junk = at.post("/keys/restore", json!({"value": base64url(b"junk")})).await;
    assert_eq!(junk.error().3, "Cannot decrypt backup blob.");
}
