//! The front end whole, over a real store: what clients see. Each trap that users of other vault emulators
//! complain of has a test here that names it.

mod access;
mod keys;
mod life;
mod secrets;
mod values;
mod words;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::testbed::{Bed, Person};
use crate::domain::world::crypto::base64url;
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
