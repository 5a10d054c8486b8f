//! The front end whole, over a real store: what clients see. Each trap that users of other vault emulators
//! complain of has a test here that names it.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::dialect;
use crate::app::testbed::{Bed, Person};
use crate::domain::world::crypto::{base64url, from_base64url};
use crate::domain::world::time::MINUTE;
use crate::domain::world::well_known::TENANT_ID;

const API: &str = "7.6-preview.2";
const ADMINISTRATOR: &str = "00482a5a-887f-4fb3-b363-3b7fe8e74483";
const ENCRYPTION_USER: &str = "e147488a-f6f5-4113-8e2d-b22465e65bf6";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn error(&self) -> (u16, &str, &str, &str) {
        let error = &self.body["error"];
        let text = |v: &'_ Value| v.as_str().unwrap_or_default().to_owned();
        // Leaked: a handful of bytes in tests.
        let leak = |t: String| -> &'static str { Box::leak(t.into_boxed_str()) };
        (
            self.status.as_u16(),
            leak(text(&error["code"])),
            leak(text(&error["innererror"]["code"])),
            leak(text(&error["message"])),
        )
    }
}

async fn send(bed: &Bed, authority: &str, token: Option<&str>, method: &str, path: &str, body: &str) -> Answer {
    let host = authority.split(':').next().unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.header("x-ms-client-request-id", "mine").body(Body::from(body.to_owned())).unwrap();
    let service = crate::http::service_for(host, &bed.app).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A person at a vault.
struct At<'a> {
    bed: &'a Bed,
    person: &'a Person,
    vault: &'a str,
}

impl At<'_> {
    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        self.ask_with(API, method, path, body).await
    }

    async fn ask_with(&self, api: &str, method: Method, path: &str, body: Value) -> Answer {
        let join = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{join}api-version={api}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authority = format!("{}.vault.azure.net", self.vault);
        send(self.bed, &authority, Some(&self.person.token), method.as_str(), &path, &body).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Value::Null).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, Value::Null).await
    }

    /// Creates an RSA key; gives its version.
    async fn key(&self, name: &str) -> String {
        let made = self.post(&format!("/keys/{name}/create"), json!({"kty": "RSA"})).await;
        assert_eq!(made.status, 200, "{}", made.body);
        version_of(&made.body["key"]["kid"])
    }

    async fn wrap(&self, name: &str) -> Answer {
        let body = json!({"alg": "RSA-OAEP-256", "value": base64url(&[5; 32])});
        self.post(&format!("/keys/{name}/wrapkey"), body).await
    }

    async fn unwrap(&self, path: &str, wrapped: &Value) -> Answer {
        self.post(&format!("/keys/{path}/unwrapKey"), json!({"alg": "RSA-OAEP-256", "value": wrapped})).await
    }
}

fn version_of(kid: &Value) -> String {
    kid.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// A policy that gives a person these key permissions, and all on secrets.
fn policy(person: &Person, keys: &[&str]) -> Value {
    json!({"tenantId": TENANT_ID, "objectId": person.object_id,
        "permissions": {"keys": keys, "secrets": ["all", "purge"]}})
}

/// A world with one policy vault `v-one` and somebody who may do all there.
async fn world() -> (Bed, Person) {
    let bed = Bed::new().await;
    let person = bed.person(json!({})).await;
    let all = policy(&person, &["all", "purge", "rotate", "release"]);
    bed.vault("v-one", json!({"accessPolicies": [all]})).await;
    (bed, person)
}

#[tokio::test]
async fn the_challenge_comes_first_even_for_what_is_not_there() {
    let (bed, _) = world().await;
    let path = "/keys/none?api-version=7.4";
    let answer = send(&bed, "v-one.vault.azure.net", None, "GET", path, "").await;
    let expected = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{TENANT_ID}\", resource=\"https://vault.azure.net\""
    );
    assert_eq!(answer.headers["www-authenticate"], expected);
    assert_eq!(answer.error(), (401, "Unauthorized", "", "AKV10000: Request is missing a Bearer or PoP token."));
    assert_eq!(answer.headers["x-ms-client-request-id"], "mine");

    // Python and Go compare host and port: on another port it must stand in the challenge.
    let answer = send(&bed, "v-one.vault.azure.net:4443", None, "GET", path, "").await;
    assert!(
        answer.headers["www-authenticate"].to_str().unwrap().ends_with("resource=\"https://vault.azure.net:4443\"")
    );

    let answer = send(&bed, "nowhere.vault.azure.net", None, "GET", path, "").await;
    assert_eq!((answer.status.as_u16(), answer.body["error"]["code"].as_str()), (404, Some("VaultNotFound")));
}

#[tokio::test]
async fn bad_tokens_are_told_apart() {
    let (bed, _) = world().await;
    let host = "v-one.vault.azure.net";
    let path = "/keys?api-version=7.4";
    let arm = bed.person(json!({"aud": "https://management.azure.com/"})).await;
    let answer = send(&bed, host, Some(&arm.token), "GET", path, "").await;
    let text = "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com/.";
    assert_eq!(answer.error(), (401, "Unauthorized", "", text));
    let old = bed.person(json!({"exp": 1_000_000})).await;
    let answer = send(&bed, host, Some(&old.token), "GET", path, "").await;
    assert_eq!(answer.error().3, "[TokenExpired] Error validating token: 'S2S12086'.");
    let foreign = bed.person(json!({"iss": "https://sts.windows.net/other/"})).await;
    let answer = send(&bed, host, Some(&foreign.token), "GET", path, "").await;
    assert_eq!(
        answer.error().3,
        format!(
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{TENANT_ID}/, found https://sts.windows.net/other/."
        )
    );
    let answer = send(&bed, host, Some("junk"), "GET", path, "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key("www-authenticate"));
}

/// A decision is remembered while nothing is written; where it looked at the time, only until time decides otherwise.
#[tokio::test]
async fn a_decision_that_looked_at_the_time_is_not_remembered_beyond_it() {
    let bed = Bed::new().await;
    bed.vault("v-two", json!({"enableRbacAuthorization": true})).await;
    let (owner, user) = (bed.person(json!({})).await, bed.person(json!({})).await);
    bed.role(&owner, ADMINISTRATOR, &bed.vault_id("v-two")).await;
    At { bed: &bed, person: &owner, vault: "v-two" }.key("k").await;
    let condition = "@Environment[UtcNow] DateTimeGreaterThanEquals '2026-01-01T01:00:00Z' AND \
                     @Environment[UtcNow] DateTimeLessThan '2026-01-01T02:00:00Z'";
    let doc = json!({"condition": condition, "conditionVersion": "2.0"});
    bed.role_if(&user.object_id, ENCRYPTION_USER, &bed.vault_id("v-two"), doc).await;
    let at = At { bed: &bed, person: &user, vault: "v-two" };
    for (minutes, status) in [(59, 403), (1, 200), (59, 200), (1, 403)] {
        bed.run(minutes * MINUTE);
        for time in ["first", "remembered"] {
            assert_eq!(at.wrap("k").await.status, status, "{minutes} minutes on, {time}");
        }
    }
}

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
async fn access_policies_are_enforced_by_permission_group_and_application() {
    let (bed, owner) = world().await;
    let reader = bed.person(json!({})).await;
    bed.vault("v-one", json!({"accessPolicies": [policy(&owner, &["all"]), policy(&reader, &["GET", "wrapkey"])]}))
        .await;
    let at = At { bed: &bed, person: &owner, vault: "v-one" };
    let other = At { bed: &bed, person: &reader, vault: "v-one" };
    at.key("k").await;
    assert_eq!(other.get("/keys/k").await.status, 200);
    assert_eq!(other.wrap("k").await.status, 200);
    let text = format!(
        "The user, group or application 'appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/' does not have keys list permission on key vault 'v-one;location=eastus'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        reader.app_id, reader.object_id
    );
    assert_eq!(other.get("/keys").await.error(), (403, "Forbidden", "ForbiddenByPolicy", text.as_str()));
    // Authorization comes before existence, and before the body.
    assert_eq!(other.delete("/keys/none").await.error().2, "ForbiddenByPolicy");
    assert_eq!(other.post("/keys/new/create", json!({"kty": "nonsense"})).await.error().2, "ForbiddenByPolicy");
    assert_eq!(at.post("/keys/new/create", json!({"kty": "nonsense"})).await.error().1, "BadParameter");
    // `all` has neither purge nor rotate.
    at.delete("/keys/k").await;
    assert_eq!(at.delete("/deletedkeys/k").await.error().2, "ForbiddenByPolicy");
    let compound = json!({"tenantId": TENANT_ID, "objectId": reader.object_id, "applicationId": owner.app_id,
        "permissions": {"keys": ["all"]}});
    bed.vault("v-one", json!({"accessPolicies": [compound]})).await;
    assert_eq!(other.get("/keys").await.error().2, "ForbiddenByPolicy", "another application");
}

#[tokio::test]
async fn a_role_opens_its_own_scope_and_no_other() {
    let bed = Bed::new().await;
    let owner = bed.person(json!({})).await;
    let user = bed.person(json!({})).await;
    for vault in ["v-one", "v-two"] {
        bed.vault(vault, json!({"enableRbacAuthorization": true, "accessPolicies": [policy(&user, &["all"])]})).await;
        bed.role(&owner, ADMINISTRATOR, &bed.vault_id(vault)).await;
        let at = At { bed: &bed, person: &owner, vault };
        at.key("k-a").await;
        at.key("k-b").await;
    }
    let one = At { bed: &bed, person: &user, vault: "v-one" };
    let two = At { bed: &bed, person: &user, vault: "v-two" };
    let text = format!(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/\r\nAction: 'Microsoft.KeyVault/vaults/keys/wrap/action'\r\nResource: '{}/keys/k-a'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: v-one;location=eastus\r\n",
        user.app_id,
        user.object_id,
        bed.vault_id("v-one").to_ascii_lowercase()
    );
    assert_eq!(one.wrap("k-a").await.error(), (403, "Forbidden", "ForbiddenByRbac", text.as_str()));
    let scope = format!("{}/keys/K-A", bed.vault_id("v-one"));
    let assignment = bed.role(&user, ENCRYPTION_USER, &scope).await;
    assert_eq!(one.wrap("k-a").await.status, 200);
    assert_eq!(one.get("/keys/k-a").await.status, 200);
    assert_eq!(one.wrap("k-b").await.error().2, "ForbiddenByRbac");
    assert_eq!(two.wrap("k-a").await.error().2, "ForbiddenByRbac");
    assert_eq!(one.get("/keys").await.error().2, "ForbiddenByRbac", "a list is of the vault");
    assert_eq!(one.delete("/keys/k-a").await.error().2, "ForbiddenByRbac");
    bed.unrole(&assignment, &scope).await;
    assert_eq!(one.wrap("k-a").await.error().2, "ForbiddenByRbac", "a removed role closes at once");
}

#[tokio::test]
async fn the_firewall_is_asked_before_roles() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let caller = format!("appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/", person.app_id, person.object_id);
    bed.vault("v-one", json!({"networkAcls": {"defaultAction": "Deny"}})).await;
    let text = format!(
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\nCaller: {caller}\r\nVault: v-one;location=eastus"
    );
    assert_eq!(at.get("/keys/none").await.error(), (403, "Forbidden", "ForbiddenByFirewall", text.as_str()));
    let acls = json!({"defaultAction": "Deny", "ipRules": [{"value": "127.0.0.0/8"}]});
    bed.vault("v-one", json!({"networkAcls": acls})).await;
    assert_eq!(at.get("/keys/none").await.error().2, "ForbiddenByPolicy");
    bed.vault("v-one", json!({"networkAcls": {"defaultAction": "Deny", "bypass": "None"}})).await;
    assert!(at.get("/keys").await.error().3.contains("bypass is set to None"));
    bed.vault("v-one", json!({"publicNetworkAccess": "Disabled"})).await;
    assert_eq!(at.get("/keys").await.error().2, "ForbiddenByConnection");
}

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
    assert_eq!((conflict.error().0, conflict.error().1), (409, "Conflict"));
    at.delete("/keys/k").await;
    assert_eq!(at.post("/keys/restore", json!({"value": backup})).await.error().2, "ObjectIsDeletedButRecoverable");
    at.delete("/deletedkeys/k").await;
    assert_eq!(at.post("/keys/restore", json!({"value": backup})).await.status, 200);
    assert_eq!(at.get("/keys/k/versions").await.body, before);
    assert_eq!(at.get("/keys/k").await.body, newest);
    assert_eq!(at.unwrap(&format!("k/{first}"), &wrapped).await.body["value"], base64url(&[5; 32]));
    let junk = at.post("/keys/restore", json!({"value": base64url(b"junk")})).await;
    assert_eq!(junk.error().1, "BadParameter");
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
    assert_eq!((&hsm["key"]["kty"], &hsm["key"]["e"]), (&json!("RSA-HSM"), &json!("AAEAAQ")));
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

/// Every refusal of the reference's table is said in exactly its words.
#[test]
fn every_known_refusal_has_azures_words() {
    use crate::domain::access::Caller;
    use crate::domain::error::{AccessError, Error, KeyError, RequestError, TokenError, VaultPlace};
    use crate::domain::vault::kind::ObjectKind as Kind;
    let caller = Caller {
        app_id: "{appid}".into(),
        object_id: "{oid}".into(),
        tenant: "{tid}".into(),
        groups: vec![String::new(); 2],
        ..Caller::system()
    };
    let vault = VaultPlace { name: "{vault}".into(), location: "{region}".into() };
    let name = || "{name}".to_owned();
    let firewall = |bypass_none| AccessError::Firewall { caller: caller.clone(), bypass_none, vault: vault.clone() };
    let public = |bypass_none| AccessError::PublicNetwork { caller: caller.clone(), bypass_none, vault: vault.clone() };
    let skr = |text: &str| KeyError::BadParameter(text.to_owned()).into();
    let refusals: Vec<Error> = vec![
        TokenError::Missing.into(),
        TokenError::Audience { expected: "https://vault.azure.net".into(), found: "{aud}".into() }.into(),
        TokenError::Issuer {
            expected: "https://sts.windows.net/{vaultTenant}/".into(),
            found: "https://sts.windows.net/{tokenTenant}/".into(),
        }
        .into(),
        TokenError::Expired.into(),
        KeyError::NotFound(Kind::Key, name()).into(),
        KeyError::DeletedNotFound(Kind::Key, name()).into(),
        KeyError::DeletedButRecoverable(Kind::Key, name()).into(),
        AccessError::Policy { caller: caller.clone(), kind: "keys", permission: "{perm}", vault: vault.clone() }.into(),
        AccessError::Role {
            caller: caller.clone(),
            action: "{dataAction}".into(),
            resource:
                "/subscriptions/{sub}/resourcegroups/{rg}/providers/microsoft.keyvault/vaults/{vault}[/keys/{name}]"
                    .into(),
            vault: vault.clone(),
        }
        .into(),
        firewall(false).into(),
        firewall(true).into(),
        public(false).into(),
        public(true).into(),
        KeyError::Disabled(Kind::Key, "{op}").into(),
        KeyError::OperationForbidden("{op}").into(),
        KeyError::Disabled(Kind::Secret, "get").into(),
        KeyError::PurgeProtected(vault.clone()).into(),
        RequestError::Malformed(String::new()).into(),
        skr("AKV.SKR.1004: Exportable keys must have release policy."),
        skr("AKV.SKR.1005: Non-exportable keys must not have release policy."),
        skr("AKV.SKR.1020: Immutable Key Release Policy cannot be modified."),
    ];
    // Never said here: deletion and recovery are immediate, nothing is certificate-backed, nothing throttled.
    let never = ["ObjectIsBeingDeleted", "while recovering", "KeyManagedByKeyVault", "Throttled"];
    let said: Vec<(u16, Value)> = refusals
        .iter()
        .map(|e| {
            let said = dialect::say(e);
            (said.status.as_u16(), said.body()["error"].clone())
        })
        .collect();
    let table: Vec<Value> = serde_json::from_str(include_str!("../../../fixtures/keyvault/errors.json")).unwrap();
    for row in &table {
        if never.iter().any(|n| row.to_string().contains(n)) {
            continue;
        }
        let ip = caller.address.to_string();
        let message = row["message"].as_str().unwrap().to_owned() + row["suffix"].as_str().unwrap_or_default();
        let message = message.replace("{ip}", &ip).replace("numgroups={n}", "numgroups=2");
        let mut error = json!({"code": row["code"], "message": message});
        if row["innererror"].is_string() {
            error["innererror"] = json!({"code": row["innererror"]});
        }
        let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
        assert!(said.contains(&(status, error.clone())), "not said: {status} {error}");
    }
}
