//! Jumps of the clock over encrypted registries, the front ends whole: how much work they are, counted.

#![allow(clippy::unwrap_used)]

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::testbed::Bed;
use crate::domain::world::time::{DAY, HOUR, MINUTE, SECOND};
use crate::domain::world::well_known::{DEVELOPER_OBJECT_ID, SUBSCRIPTION_ID, TENANT_ID};

const ARM: &str = "https://management.azure.com";
const VAULT: &str = "https://vault.azure.net";

/// Status and body of what a front end answers.
async fn send(bed: &Bed, request: Request<Body>) -> (u16, Value) {
    let host = request.uri().host().unwrap().to_owned();
    let answer = crate::http::service_for(&host, &bed.app).unwrap().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (parts.status.as_u16(), body)
}

/// A call as the developer. The answer must be a success.
async fn ask(bed: &Bed, resource: &str, method: &str, url: &str, body: Value) -> Value {
    let token = bed.token(DEVELOPER_OBJECT_ID, resource).await;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(url).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
    let (status, body) = send(bed, request).await;
    assert!((200..300).contains(&status), "{method} {url}: {status} {body}");
    body
}

async fn arm(bed: &Bed, method: &str, path: &str, body: Value) -> Value {
    let group = format!("{ARM}/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg");
    ask(bed, ARM, method, &format!("{group}{path}?api-version=2025-11-01"), body).await
}

async fn vault(bed: &Bed, method: &str, path: &str, body: Value) -> Value {
    ask(bed, VAULT, method, &format!("https://v-one.vault.azure.net/{path}?api-version=7.4"), body).await
}

fn policies(identity: &str, keys: &[&str]) -> Value {
    let entry =
        |who: &str, keys: &[&str]| json!({"tenantId": TENANT_ID, "objectId": who, "permissions": {"keys": keys}});
    json!([entry(DEVELOPER_OBJECT_ID, &["all", "rotate"]), entry(identity, keys)])
}

async fn set_policies(bed: &Bed, identity: &str, keys: &[&str]) {
    let sku = json!({"family": "A", "name": "standard"});
    let properties = json!({"tenantId": TENANT_ID, "sku": sku, "accessPolicies": policies(identity, keys)});
    let body = json!({"location": "eastus", "properties": properties});
    arm(bed, "PUT", "/providers/Microsoft.KeyVault/vaults/v-one", body).await;
}

/// A world with `count` registries, each after a key of its own, a minute apart. The principal id of their identity.
async fn world(count: usize) -> (Bed, String) {
    let bed = Bed::new().await;
    arm(&bed, "PUT", "", json!({"location": "eastus"})).await;
    let id = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1";
    let identity = arm(&bed, "PUT", id, json!({"location": "eastus"})).await;
    let principal = identity["properties"]["principalId"].as_str().unwrap().to_owned();
    set_policies(&bed, &principal, &["get", "wrapKey", "unwrapKey"]).await;
    for number in 0..count {
        vault(&bed, "POST", &format!("keys/key{number}/create"), json!({"kty": "RSA"})).await;
        let key = format!("https://v-one.vault.azure.net/keys/key{number}");
        let properties = json!({"keyIdentifier": key, "identity": identity["properties"]["clientId"]});
        let body = json!({
            "location": "eastus", "sku": {"name": "Premium"},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity["id"].as_str().unwrap(): {}}},
            "properties": {"encryption": {"status": "enabled", "keyVaultProperties": properties}},
        });
        let path = format!("/providers/Microsoft.ContainerRegistry/registries/registry{number}");
        arm(&bed, "PUT", &path, body).await;
        bed.advance(MINUTE).await;
    }
    (bed, principal)
}

/// The commits and the looks that letting time pass takes.
async fn cost(bed: &Bed, by: i64) -> (u64, u64) {
    let before = (bed.commits(), bed.looks_made().await);
    bed.advance(by).await;
    (bed.commits() - before.0, bed.looks_made().await - before.1)
}

async fn versions_in_use(bed: &Bed) -> Vec<Value> {
    let shown = arm(bed, "GET", "/providers/Microsoft.ContainerRegistry/registries", Value::Null).await;
    let registries = shown["value"].as_array().unwrap();
    registries.iter().map(|r| r["properties"]["encryption"]["keyVaultProperties"].clone()).collect()
}

#[tokio::test]
async fn a_jump_over_ten_years_in_which_nothing_happens_is_one_commit() {
    let (bed, _) = world(3).await;
    assert_eq!(cost(&bed, 3650 * DAY).await, (1, 3), "one look tells what comes of all that follow");
    assert_eq!(cost(&bed, 3650 * DAY).await, (1, 0), "and of those after that, for nothing was written");
    // Something was written: it has to be seen whether it changes anything.
    vault(&bed, "POST", "keys/other/create", json!({"kty": "RSA"})).await;
    assert_eq!(cost(&bed, 3650 * DAY).await, (1, 3));
    let next = bed.status().await;
    for registry in next.iter().map(|r| r.next_look.unwrap()) {
        assert!(registry > bed.app.now() && registry.0 - bed.app.now().0 <= HOUR, "the next look is within the hour");
    }
}

#[tokio::test]
async fn only_the_instants_count_at_which_something_differs() {
    let (bed, principal) = world(3).await;
    let now = bed.app.now();
    // An end that is near and told: one instant.
    let exp = json!({"attributes": {"exp": now.plus(100 * DAY).seconds()}});
    vault(&bed, "PATCH", "keys/key0", exp).await;
    let (commits, _) = cost(&bed, 365 * DAY).await;
    assert_eq!(commits, 2);

    // A version that is not valid yet is refused, hour by hour, until it is.
    let activation = bed.app.now().plus(2 * DAY + 30 * MINUTE);
    let later = json!({"kty": "RSA", "attributes": {"nbf": activation.seconds()}});
    let made = vault(&bed, "POST", "keys/key1/create", later).await;
    let (commits, looks) = cost(&bed, 365 * DAY).await;
    assert_eq!(commits, 2, "the move, and the end of the jump");
    assert!((48..=56).contains(&looks), "two days of hours, and a look or two of each registry: {looks}");
    let used = &versions_in_use(&bed).await[1];
    assert_eq!(used["versionedKeyIdentifier"], made["key"]["kid"]);
    let rotated = used["lastKeyRotationTimestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let after = rotated.as_microsecond() - activation.0;
    assert!((0..HOUR).contains(&after), "at the first look from then on");

    // A policy that makes a version each month: each is a version, and a move.
    let actions = json!([{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}]);
    vault(&bed, "PUT", "keys/key2/rotationpolicy", json!({"lifetimeActions": actions})).await;
    let (commits, looks) = cost(&bed, 91 * DAY).await;
    // It is due at once, for the key is old.
    assert_eq!(commits, 2 * 4 + 1);
    assert!(looks <= 3 + 2 * 4, "{looks}");

    // Who sees the new version no more is refused in silence, until somebody writes.
    set_policies(&bed, &principal, &["wrapKey", "unwrapKey"]).await;
    vault(&bed, "POST", "keys/key0/create", json!({"kty": "RSA"})).await;
    vault(&bed, "PUT", "keys/key2/rotationpolicy", json!({"lifetimeActions": []})).await;
    assert_eq!(cost(&bed, 365 * DAY).await, (1, 3));
    let before = versions_in_use(&bed).await;
    set_policies(&bed, &principal, &["get", "wrapKey", "unwrapKey"]).await;
    bed.advance(HOUR).await;
    assert_ne!(versions_in_use(&bed).await[0], before[0]);
}

/// Whoever asks while a jump is under way is answered, as of an instant that was reached; time does not go back.
#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_while_a_jump_is_under_way() {
    let (bed, _) = world(2).await;
    for number in 0..2 {
        let actions = json!([{"trigger": {"timeAfterCreate": "P7D"}, "action": {"type": "Rotate"}}]);
        let path = format!("keys/key{number}/rotationpolicy");
        vault(&bed, "PUT", &path, json!({"lifetimeActions": actions})).await;
    }
    let (start, by) = (bed.app.now(), 70 * DAY);
    let jump = {
        let app = bed.app.clone();
        tokio::spawn(async move { Bed::advance_app(&app, by).await })
    };
    let (mut last, mut between) = (start, 0);
    while !jump.is_finished() {
        let before = bed.app.now();
        let shown = vault(&bed, "GET", "keys/key0/versions", Value::Null).await;
        let after = bed.app.now();
        assert!(last <= before && before <= after && after <= start.plus(by), "time does not go back");
        // All that was due by the instant that was reached is done: there is a version a week.
        let versions = shown["value"].as_array().unwrap().iter();
        let newest = versions.map(|v| v["attributes"]["created"].as_i64().unwrap()).max().unwrap();
        assert!((before.seconds() - newest) * SECOND <= 7 * DAY && newest <= after.seconds());
        between += usize::from(start < before && before < start.plus(by));
        last = after;
    }
    jump.await.unwrap();
    assert_eq!(bed.app.now(), start.plus(by));
    assert!(between > 0, "nobody was answered on the way");
    let shown = vault(&bed, "GET", "keys/key0/versions", Value::Null).await;
    assert_eq!(shown["value"].as_array().unwrap().len(), 11);

    // Two who move the clock at the same time both move it.
    let now = bed.app.now();
    tokio::join!(bed.advance(HOUR), bed.advance(HOUR));
    assert_eq!(bed.app.now(), now.plus(2 * HOUR));
}

#[tokio::test]
async fn what_became_due_in_a_deleted_vault_is_due_when_it_is_recovered() {
    let (bed, _) = world(1).await;
    let actions = json!([{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}]);
    vault(&bed, "PUT", "keys/key0/rotationpolicy", json!({"lifetimeActions": actions})).await;
    bed.advance(28 * DAY).await;
    let path = "/providers/Microsoft.KeyVault/vaults/v-one";
    arm(&bed, "DELETE", path, Value::Null).await;
    bed.advance(5 * DAY).await;
    let recovered = bed.app.now().seconds();
    let properties =
        json!({"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "createMode": "recover"});
    arm(&bed, "PUT", path, json!({"location": "eastus", "properties": properties})).await;
    let shown = vault(&bed, "GET", "keys/key0/versions", Value::Null).await;
    let versions = shown["value"].as_array().unwrap().iter();
    let mut made: Vec<i64> = versions.map(|v| v["attributes"]["created"].as_i64().unwrap()).collect();
    made.sort_unstable();
    assert_eq!((made.len(), made[1]), (2, recovered), "nothing reaches into the past");
}

/// What lets a client into a registry is remembered; where time ends the registry's right to its key, not beyond it.
#[tokio::test]
async fn who_was_let_in_is_put_out_when_time_takes_the_key_away() {
    let (bed, principal) = world(1).await;
    let form = |pairs: &[(&str, &str)]| {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Body::from(pairs.join("&"))
    };
    let post = |path: &str, body: Body| {
        let request = Request::builder().method("POST").uri(format!("https://registry0.azurecr.io/oauth2/{path}"));
        request.header("content-type", "application/x-www-form-urlencoded").body(body).unwrap()
    };
    let access = bed.token(DEVELOPER_OBJECT_ID, ARM).await;
    let service = ("service", "registry0.azurecr.io");
    let body = form(&[("grant_type", "access_token"), service, ("access_token", &access)]);
    let (_, exchanged) = send(&bed, post("exchange", body)).await;
    let scope = ("scope", "repository:app:pull,metadata_read");
    let refresh = ("refresh_token", exchanged["refresh_token"].as_str().unwrap());
    let (_, given) = send(&bed, post("token", form(&[("grant_type", "refresh_token"), service, scope, refresh]))).await;
    let bearer = format!("Bearer {}", given["access_token"].as_str().unwrap());
    let list = async || {
        let request = Request::builder().uri("https://registry0.azurecr.io/v2/app/tags/list");
        send(&bed, request.header("authorization", &bearer).body(Body::empty()).unwrap()).await.0
    };
    // The vault goes over to roles, and the registry's is for half an hour: before its next look, which would write.
    let properties =
        json!({"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": true});
    let body = json!({"location": "eastus", "properties": properties});
    arm(&bed, "PUT", "/providers/Microsoft.KeyVault/vaults/v-one", body).await;
    assert_eq!(list().await, 403);
    let until = bed.app.now().plus(30 * MINUTE).zulu7();
    let condition =
        json!({"condition": format!("@Environment[UtcNow] DateTimeLessThan '{until}'"), "conditionVersion": "2.0"});
    let crypto_user = "e147488a-f6f5-4113-8e2d-b22465e65bf6";
    let vault_id = crate::domain::world::name::vault_id("rg", "v-one");
    bed.role_if(&principal, crypto_user, &vault_id, condition).await;
    for (minutes, status) in [(0, 404), (29, 404), (2, 403)] {
        bed.run(minutes * MINUTE);
        for time in ["first", "remembered"] {
            assert_eq!(list().await, status, "{minutes} minutes on, {time}");
        }
    }
}
