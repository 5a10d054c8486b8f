//! Keys: their shape by api-version, what each is made of, and what a version may do.
//! Must not know: how any of it is kept.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::domain::world::crypto::{base64url, from_base64url};

#[tokio::test]
async fn keys_have_azures_shape_in_each_api_version() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let made = at.post("/keys/Kay/create", json!({"kty": "RSA"})).await;
    let version = version_of(&made.body["key"]["kid"]);
    let now = bed.app.now().seconds();
    assert_eq!(
        made.body,
        json!({"key": {"kid": format!("https://v-one.vault.azure.net/keys/Kay/{version}"), "kty": "RSA",
                 "key_ops": ["encrypt","decrypt","sign","verify","wrapKey","unwrapKey"],
                 "n": made.body["key"]["n"], "e": "AQAB"},
               "attributes": {"enabled": true, "created": now, "updated": now,
                 "recoveryLevel": "CustomizedRecoverable+Purgeable", "recoverableDays": 7,
                 "exportable": false, "hsmPlatform": "0"}})
    );
    let order: Vec<&str> = made.body["attributes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(order[..3], ["enabled", "created", "updated"]);
    assert_eq!(made.headers["x-ms-keyvault-region"], "eastus");
    let old = at.ask_with("7.0", Method::GET, "/keys/kay/", Value::Null).await;
    assert_eq!(old.body["key"]["kid"], made.body["key"]["kid"], "names are case-insensitive, case-preserving");
    assert!(old.body["attributes"].get("recoverableDays").is_none());
    let mid = at.ask_with("7.3", Method::GET, "/keys/Kay", Value::Null).await;
    assert_eq!(mid.body["attributes"]["recoverableDays"], 7);
    assert!(mid.body["attributes"].get("exportable").is_none());
    let missing = send(&bed, "v-one.vault.azure.net", Some(&person.token), "GET", "/keys/Kay", "").await;
    assert_eq!(missing.status, 400, "api-version has no default");
    let answer = at.get("/keys/none").await;
    assert_eq!((answer.error().0, answer.error().1), (404, "KeyNotFound"));
    assert!(answer.error().3.starts_with("A key with (name/id) none was not found in this key vault."));
    let answer = at.get(&format!("/keys/Kay/{}", "0".repeat(32))).await;
    assert!(answer.error().3.contains(&format!("(name/id) Kay/{} was not found", "0".repeat(32))));
    for (method, path, status) in
        [(Method::PUT, "/keys/Kay/create", 405), (Method::GET, "/storage/x", 404), (Method::DELETE, "/keys", 405)]
    {
        let answer = at.ask(method, path, Value::Null).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body["error"]["code"].is_string());
    }
    let authority = "v-one.vault.azure.net";
    let broken = send(&bed, authority, Some(&person.token), "POST", "/keys/x/create?api-version=7.4", "{\"kty\"").await;
    assert_eq!(broken.error(), (400, "BadParameter", "", "Property  has invalid value\r\n"));
}

#[tokio::test]
async fn wrapping_needs_no_version_and_any_case_will_do() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let first = at.key("k").await;
    for word in ["wrapkey", "wrapKey", "WRAPKEY", "/wrapkey/"] {
        let body = json!({"alg": "RSA-OAEP", "value": base64url(&[5; 32])});
        let answer = at.post(&format!("/keys/k/{word}"), body).await;
        assert_eq!(answer.status, 200, "{word}: {}", answer.body);
        assert_eq!(answer.body["kid"], format!("https://v-one.vault.azure.net/keys/k/{first}"));
    }
    let wrapped = at.wrap("k").await.body["value"].clone();
    let second = at.key("k").await;
    assert_ne!(first, second);
    assert_eq!(at.wrap("k").await.body["kid"], format!("https://v-one.vault.azure.net/keys/k/{second}"));
    let unwrapped = at.unwrap(&format!("k/{first}"), &wrapped).await;
    assert_eq!(unwrapped.body["value"], base64url(&[5; 32]));
    assert_eq!(at.unwrap("k", &wrapped).await.status, 400, "the newest version did not wrap it");
    for (alg, value) in [("RSA-OAEP-512", base64url(&[1])), ("RSA-OAEP-256", base64url(&[0; 250]))] {
        let answer = at.post("/keys/k/wrapkey", json!({"alg": alg, "value": value})).await;
        assert_eq!((answer.error().0, answer.error().1), (400, "BadParameter"));
    }
}

#[tokio::test]
async fn a_versions_state_decides_what_it_may_do() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("k").await;
    let wrapped = at.wrap("k").await.body["value"].clone();
    let forbidden = |a: &Answer, inner: &str, text: &str| {
        assert_eq!(a.error(), (403, "Forbidden", inner, text));
    };
    at.patch("/keys/k", json!({"attributes": {"enabled": false}})).await;
    forbidden(&at.wrap("k").await, "KeyDisabled", "Operation wrapKey is not allowed on a disabled key.");
    forbidden(&at.unwrap("k", &wrapped).await, "KeyDisabled", "Operation unwrapKey is not allowed on a disabled key.");
    let shown = at.get("/keys/k").await;
    assert_eq!((shown.status.as_u16(), &shown.body["attributes"]["enabled"]), (200, &json!(false)));

    let now = bed.app.now().seconds();
    at.patch("/keys/k/", json!({"attributes": {"enabled": true, "exp": now - 1}})).await;
    assert_eq!(at.wrap("k").await.error().2, "KeyExpired");
    assert_eq!(at.unwrap("k", &wrapped).await.status, 200, "an expired key still unwraps");
    at.patch("/keys/k", json!({"attributes": {"exp": now + 900, "nbf": now + 60}})).await;
    assert_eq!(at.wrap("k").await.error().2, "KeyNotYetValid");
    assert_eq!(at.unwrap("k", &wrapped).await.status, 200);

    at.patch("/keys/k", json!({"key_ops": ["wrapKey"], "tags": {"a": "b"}})).await;
    let text = "Operation unwrapKey is not permitted on this key.";
    forbidden(&at.unwrap("k", &wrapped).await, "KeyOperationForbidden", text);
    // What is not sent stays; X-HTTP-METHOD stands for PATCH.
    let path = format!("/keys/k?api-version={API}");
    let request = Request::builder().method("POST").uri(path).header("host", "v-one.vault.azure.net");
    let request = request.header("authorization", format!("Bearer {}", person.token)).header("X-HTTP-METHOD", "PATCH");
    let request = request.body(Body::from("{}")).unwrap();
    let service = crate::http::service_for("v-one.vault.azure.net", &bed.app).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    let kept = at.get("/keys/k").await.body;
    assert_eq!((&kept["key"]["key_ops"], &kept["tags"]), (&json!(["wrapKey"]), &json!({"a": "b"})));
}

#[tokio::test]
async fn imported_and_elliptic_keys_work_and_never_show_their_private_part() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        "key_ops": ["sign", "verify"]});
    let imported = at.ask(Method::PUT, "/keys/ec", json!({"key": jwk})).await;
    assert_eq!(imported.body["key"]["x"], jwk["x"]);
    assert!(imported.body["key"].get("d").is_none());
    let digest = base64url(&[3; 32]);
    let signature = at.post("/keys/ec/sign", json!({"alg": "ES256", "value": digest})).await.body["value"].clone();
    assert_eq!(from_base64url(signature.as_str().unwrap()).unwrap().len(), 64);
    let verify = |digest: String| json!({"alg": "ES256", "digest": digest, "value": signature});
    assert_eq!(at.post("/keys/ec/verify", verify(digest.clone())).await.body, json!({"value": true}));
    assert_eq!(at.post("/keys/ec/verify", verify(base64url(&[4; 32]))).await.body, json!({"value": false}));
    assert_eq!(at.post("/keys/ec/sign", json!({"alg": "ES384", "value": digest})).await.status, 400);
    assert_eq!(
        at.post("/keys/ec/wrapkey", json!({"alg": "RSA-OAEP", "value": "AA"})).await.error().2,
        "KeyOperationForbidden"
    );
    let mut wrong = jwk.clone();
    wrong["d"] = json!("AAAA");
    assert_eq!(at.ask(Method::PUT, "/keys/bad", json!({"key": wrong})).await.error().1, "BadParameter");

    assert_eq!(at.post("/keys/h/create", json!({"kty": "RSA-HSM"})).await.error().1, "BadParameter");
    bed.vault("v-two", json!({"sku": {"name": "premium"}, "accessPolicies": [policy(&person, &["all", "release"])]}))
        .await;
    let premium = At { bed: &bed, person: &person, vault: "v-two" };
    let hsm = premium.post("/keys/h/create", json!({"kty": "RSA-HSM"})).await.body;
    assert_eq!(
        (&hsm["key"]["kty"], &hsm["key"]["e"]),
        (&json!("RSA-HSM"), &json!("AQAB")),
        "[recorded 2024]; `AAEAAQ` in 2019"
    );
    assert_eq!(hsm["attributes"]["hsmPlatform"], "2");
    assert_eq!(premium.wrap("h").await.status, 200);
    assert_eq!(premium.post("/keys/h/release", json!({"target": "x"})).await.status, 400);
    let text = "AKV.SKR.1004: Exportable keys must have release policy.";
    let exportable = json!({"kty": "RSA-HSM", "attributes": {"exportable": true}});
    assert_eq!(premium.post("/keys/x/create", exportable).await.error().3, text);
    let random = premium.post("/rng", json!({"count": 16})).await.body;
    assert_eq!(from_base64url(random["value"].as_str().unwrap()).unwrap().len(), 16);
}

#[tokio::test]
async fn each_operation_of_an_rsa_key_is_undone_by_its_opposite() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("k").await;
    let value = base64url(&[7; 32]);
    for (does, undoes) in [("encrypt", "decrypt"), ("wrapKey", "unwrapKey")] {
        for alg in ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"] {
            let done = at.post(&format!("/keys/k/{does}"), json!({"alg": alg, "value": value})).await.body;
            let undone = at.post(&format!("/keys/k/{undoes}"), json!({"alg": alg, "value": done["value"]})).await;
            assert_eq!(undone.body["value"], value.as_str(), "{does} {alg}");
        }
    }
    for (alg, length) in [("RS256", 32), ("RS384", 48), ("RS512", 64), ("PS256", 32), ("PS384", 48), ("PS512", 64)] {
        let digest = base64url(&vec![3; length]);
        let signed = at.post("/keys/k/sign", json!({"alg": alg, "value": digest})).await.body;
        let verify = json!({"alg": alg, "digest": digest, "value": signed["value"]});
        assert_eq!(at.post("/keys/k/verify", verify).await.body, json!({"value": true}), "{alg}");
    }
}
