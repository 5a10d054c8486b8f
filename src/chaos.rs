//! Chaos: writes whose client hangs up at every instant, and a store that fails at every statement and every commit.
//! After each, an answered write is there, what is kept in memory agrees with the store, every audit record and event
//! of a write exists exactly once, and the next write is taken. Each try begins with a copy of one world. Counts too
//! what requests cost the database.
//! Must not know: how any of this is done.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::world::clock;
use crate::app::{App, Options};
use crate::domain::Timestamp;
use crate::domain::access::Caller;
use crate::domain::world::well_known::{
    DEVELOPER_CLIENT_ID, DEVELOPER_OBJECT_ID, DEVELOPER_SECRET, SUBSCRIPTION_ID, TENANT_ID,
};
use crate::http::{inside, service_for};
use crate::store::world::faults::Fault;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// What the write that is tried calls itself.
const THE_WRITE: &str = "the-write";

/// A write, and how to see whether it took place.
struct Write {
    name: &'static str,
    method: &'static str,
    url: String,
    body: Value,
    /// Asked afterwards: whether the write took place.
    look: (String, fn(u16, &Value) -> bool),
    /// Whether a pull is refused once it took place.
    blocks: bool,
    /// Whether it leaves an audit record.
    recorded: bool,
    /// Events that it leaves for webhooks.
    events: usize,
}

fn group(rest: &str) -> String {
    format!("https://management.azure.com/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/g{rest}")
}

fn arm(provider: &str, rest: &str) -> String {
    group(&format!("/providers/Microsoft.{provider}/{rest}?api-version={}", version(provider)))
}

fn version(provider: &str) -> &'static str {
    match provider {
        "KeyVault" => "2024-11-01",
        "ManagedIdentity" => "2023-01-31",
        _ => "2025-11-01",
    }
}

fn vault(rest: &str) -> String {
    format!("https://vault1.vault.azure.net/{rest}?api-version=7.4")
}

fn manifest() -> Value {
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": "a/b", "digest": EMPTY, "size": 2}})
}

fn writes(principal: &str) -> Vec<Write> {
    let policy = json!({"properties": {"accessPolicies": [
        {"tenantId": TENANT_ID, "objectId": principal, "permissions": {"keys": ["get", "wrapKey", "unwrapKey"]}}]}});
    let write = |name, method, url: String, look: fn(u16, &Value) -> bool| Write {
        name,
        method,
        look: (url.clone(), look),
        url,
        body: Value::Null,
        blocks: false,
        recorded: false,
        events: 0,
    };
    let gone = |status, _: &Value| status == 404;
    let there = |status, _: &Value| status == 200;
    let registry = arm("ContainerRegistry", "registries/reg01");
    let other = arm("ContainerRegistry", "registries/other01");
    let place = json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {}});
    vec![
        Write {
            body: policy,
            look: (arm("KeyVault", "vaults/vault1"), |_, v| !v.to_string().contains("unwrapKey")),
            blocks: true,
            ..write("a policy removed", "PUT", arm("KeyVault", "vaults/vault1/accessPolicies/remove"), there)
        },
        Write {
            body: json!({"attributes": {"enabled": false}}),
            blocks: true,
            recorded: true,
            ..write("a key disabled", "PATCH", vault("keys/key"), |_, v| v["attributes"]["enabled"] == false)
        },
        Write { blocks: true, recorded: true, ..write("a key deleted", "DELETE", vault("keys/key"), gone) },
        Write {
            blocks: true,
            ..write("an identity deleted", "DELETE", arm("ManagedIdentity", "userAssignedIdentities/id1"), gone)
        },
        Write { blocks: true, ..write("a vault deleted", "DELETE", arm("KeyVault", "vaults/vault1"), gone) },
        Write {
            body: json!({"properties": {"publicNetworkAccess": "Disabled"}}),
            blocks: true,
            ..write("a registry closed", "PATCH", registry, |_, v| v["properties"]["publicNetworkAccess"] == "Disabled")
        },
        Write { body: place, ..write("a registry made", "PUT", other, there) },
        Write {
            body: json!({"value": "s"}),
            recorded: true,
            ..write("a secret set", "PUT", vault("secrets/s"), there)
        },
        Write {
            body: manifest(),
            // A push is one event, and one of quarantine.
            events: 2,
            ..write("a tag pushed", "PUT", "https://reg01.azurecr.io/v2/r/manifests/v2".to_owned(), there)
        },
        Write {
            body: json!({"advance": 7200}),
            ..write("time moved", "POST", "http://localhost/acrite/v1/clock".to_owned(), |_, v| {
                v["now"].as_str().unwrap().starts_with("2026-01-01T02")
            })
        },
    ]
}

/// The world that each try begins with, at rest, and the tokens of its people.
struct Base {
    dir: tempfile::TempDir,
    arm: String,
    vault: String,
    registry: String,
    principal: String,
}

async fn open(dir: &Path) -> Arc<App> {
    let start = clock::Start { at: Timestamp::parse("2026-01-01T00:00:00Z"), rate: 1.0, frozen: true };
    let options = Options {
        data_dir: dir.to_owned(),
        ephemeral: true,
        revocation_delay: 0,
        replication_delay: 0,
        clock: (!dir.join("acrite.db").exists()).then_some(start),
        audit_log: None,
        diagnostics: None,
    };
    App::open(options).await.unwrap()
}

impl Base {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = open(dir.path()).await;
        let (arm_token, vault_token) =
            (sign_in(&app, "https://management.azure.com").await, sign_in(&app, "https://vault.azure.net").await);
        let mut base =
            Self { dir, arm: arm_token, vault: vault_token, registry: String::new(), principal: String::new() };
        base.make(&app).await;
        app.close().await;
        base
    }

    async fn make(&mut self, app: &Arc<App>) {
        self.good(app, "PUT", &group("?api-version=2022-09-01"), json!({"location": "eastus"})).await;
        let identity = arm("ManagedIdentity", "userAssignedIdentities/id1");
        let identity = self.good(app, "PUT", &identity, json!({"location": "eastus"})).await["properties"].clone();
        self.principal = identity["principalId"].as_str().unwrap().to_owned();
        let entry = |object: &str, keys: &[&str]| json!({"tenantId": TENANT_ID, "objectId": object, "permissions": {"keys": keys, "secrets": ["all"]}});
        let entries =
            [entry(DEVELOPER_OBJECT_ID, &["all", "purge"]), entry(&self.principal, &["get", "wrapKey", "unwrapKey"])];
        let body = json!({"location": "eastus", "properties": {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "premium"},
            "enableRbacAuthorization": false, "accessPolicies": entries}});
        self.good(app, "PUT", &arm("KeyVault", "vaults/vault1"), body).await;
        self.good(app, "POST", &vault("keys/key/create"), json!({"kty": "RSA", "key_size": 2048})).await;
        let id = format!(
            "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
        );
        let body = json!({"location": "eastus", "sku": {"name": "Premium"},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {id: {}}},
            "properties": {"encryption": {"status": "enabled", "keyVaultProperties": {
                "keyIdentifier": "https://vault1.vault.azure.net/keys/key", "identity": identity["clientId"]}}}});
        self.good(app, "PUT", &arm("ContainerRegistry", "registries/reg01"), body).await;
        let exchange = format!("grant_type=access_token&service=reg01.azurecr.io&access_token={}", self.arm);
        let refresh = form(app, "https://reg01.azurecr.io/oauth2/exchange", &exchange).await["refresh_token"].clone();
        let token = format!(
            "grant_type=refresh_token&service=reg01.azurecr.io&scope=repository:r:pull,push&refresh_token={}",
            refresh.as_str().unwrap()
        );
        self.registry = form(app, "https://reg01.azurecr.io/oauth2/token", &token).await["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        self.good(app, "POST", &format!("https://reg01.azurecr.io/v2/r/blobs/uploads/?digest={EMPTY}"), json!({}))
            .await;
        self.good(app, "PUT", "https://reg01.azurecr.io/v2/r/manifests/v1", manifest()).await;
        let body = json!({"location": "eastus", "properties": {"serviceUri": "http://localhost:1/", "actions": ["push", "quarantine"]}});
        self.good(app, "PUT", &arm("ContainerRegistry", "registries/reg01/webhooks/hook01"), body).await;
    }

    /// A world that begins as this one is.
    async fn copy(&self) -> (tempfile::TempDir, Arc<App>) {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        let app = open(dir.path()).await;
        app.signer().await.unwrap();
        // Warm: what is remembered is what must not be believed afterwards.
        assert_eq!(self.pull(&app).await, 200);
        rest().await;
        (dir, app)
    }

    fn request(&self, method: &str, url: &str, body: &Value, id: &str) -> Request {
        let host = host(url);
        let (token, kind) = match host {
            "reg01.azurecr.io" if url.contains("/manifests/") => (&self.registry, MANIFEST),
            "reg01.azurecr.io" => (&self.registry, "application/octet-stream"),
            "vault1.vault.azure.net" => (&self.vault, "application/json"),
            _ => (&self.arm, "application/json"),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .header("accept", MANIFEST)
            .header("x-ms-client-request-id", id)
            .header("content-length", body.len())
            .body(Body::from(body))
            .unwrap()
    }

    async fn ask(&self, app: &Arc<App>, method: &str, url: &str, body: &Value) -> (u16, Value) {
        self.answer(app, self.request(method, url, body, "another")).await
    }

    /// Has a write done, from its beginning to its end.
    async fn write(&self, app: &Arc<App>, write: &Write) -> u16 {
        self.answer(app, self.request(write.method, &write.url, &write.body, THE_WRITE)).await.0
    }

    async fn answer(&self, app: &Arc<App>, request: Request) -> (u16, Value) {
        let service = service_for(host(&request.uri().to_string()), app).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn good(&self, app: &Arc<App>, method: &str, url: &str, body: Value) -> Value {
        let (status, answer) = self.ask(app, method, url, &body).await;
        assert!((200..300).contains(&status), "{method} {url}: {status} {answer}");
        answer
    }

    async fn pull(&self, app: &Arc<App>) -> u16 {
        self.ask(app, "GET", "https://reg01.azurecr.io/v2/r/manifests/v1", &Value::Null).await.0
    }

    /// Holds a world to all that must be true of it after a write was tried. Returns whether it took place.
    async fn hold(&self, dir: &Path, app: Arc<App>, write: &Write, answered: Option<u16>, what: &str) -> bool {
        rest().await;
        let (status, shown) = self.ask(&app, "GET", &write.look.0, &Value::Null).await;
        let took = (write.look.1)(status, &shown);
        if let Some(status) = answered {
            assert!(
                took == (200..300).contains(&status) || (took && status >= 500),
                "{what}: answered {status}, took place: {took}"
            );
            assert!(!(400..500).contains(&status), "{what}: a store that fails is no refusal, answered {status}");
        }
        let pulled = self.pull(&app).await;
        assert_eq!(pulled, if took && write.blocks { 403 } else { 200 }, "{what}: took place: {took}, a pull");
        let events = app.unsent_events().await.unwrap();
        assert_eq!(events, if took { write.events } else { 0 }, "{what}: took place: {took}, events");
        let next = self.ask(&app, "PUT", &group("2?api-version=2022-09-01"), &json!({"location": "eastus"})).await.0;
        assert_eq!(next, 201, "{what}: the next write");
        let records = |lines: Vec<String>| {
            let of_write = |l: &&String| l.contains(THE_WRITE) && l.contains("\"httpStatusCode\":20");
            lines.iter().filter(of_write).count()
        };
        let wanted = usize::from(took && write.recorded);
        let kept = app.audit().after(0, false).await.into_iter().map(|e| e.line.to_string()).collect();
        assert_eq!(records(kept), wanted, "{what}: took place: {took}, records");
        app.close().await;
        drop(app);
        // What is on disk is what was in memory.
        let app = open(dir).await;
        let (status, shown) = self.ask(&app, "GET", &write.look.0, &Value::Null).await;
        assert_eq!((write.look.1)(status, &shown), took, "{what}: after a restart");
        app.close().await;
        let written = std::fs::read_to_string(dir.join("audit.jsonl")).unwrap();
        assert_eq!(records(written.lines().map(str::to_owned).collect()), wanted, "{what}: records in the file");
        took
    }
}

fn host(url: &str) -> &str {
    url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn form(app: &Arc<App>, url: &str, body: &str) -> Value {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let reply = inside::ask(app, "POST", url, &kind, body).await.unwrap();
    serde_json::from_slice(&reply.body).unwrap()
}

async fn sign_in(app: &Arc<App>, resource: &str) -> String {
    let url = format!("https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token");
    let body = format!(
        "grant_type=client_credentials&client_id={DEVELOPER_CLIENT_ID}&client_secret={DEVELOPER_SECRET}&scope={resource}/.default"
    );
    form(app, &url, &body).await["access_token"].as_str().unwrap().to_owned()
}

/// Waits until nothing is under way: no request that is carried on, no commit, no connection that is given back.
async fn rest() {
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A request under way, which may be dropped as a connection does whose client has gone.
type UnderWay = std::pin::Pin<Box<dyn Future<Output = u16>>>;

impl Base {
    fn begin(&self, app: &Arc<App>, write: &Write) -> UnderWay {
        let request = self.request(write.method, &write.url, &write.body, THE_WRITE);
        let answer = service_for(host(&write.url), app).unwrap().oneshot(request);
        Box::pin(async move { answer.await.unwrap().status().as_u16() })
    }
}

#[tokio::test]
async fn a_client_may_hang_up_at_every_instant() {
    let base = Base::new().await;
    let mut took = 0;
    for write in writes(&base.principal) {
        // More than any of them takes; how many there are depends on how quickly the database's thread answers.
        for instant in 0..16 {
            let (dir, app) = base.copy().await;
            let mut request = base.begin(&app, &write);
            let mut polls = 0;
            let answered = std::future::poll_fn(|cx| {
                if polls > instant {
                    return std::task::Poll::Ready(None);
                }
                polls += 1;
                request.as_mut().poll(cx).map(Some)
            })
            .await;
            drop(request);
            let what = format!("{}, hung up at {instant}", write.name);
            took += i32::from(base.hold(dir.path(), app, &write, answered, &what).await && answered.is_none());
            if answered.is_some() {
                break;
            }
        }
    }
    assert!(took > 0, "a write takes place without its client, wherever the client left after it began");
}

#[tokio::test]
async fn who_waits_to_write_may_hang_up_and_it_is_written() {
    let base = Base::new().await;
    for write in writes(&base.principal) {
        let (dir, app) = base.copy().await;
        let other = app.write(Caller::system()).await.unwrap();
        let before = app.store_faults().writes();
        let mut request = base.begin(&app, &write);
        std::future::poll_fn(|cx| {
            assert!(request.as_mut().poll(cx).is_pending(), "{}: nobody else can write", write.name);
            cx.waker().wake_by_ref();
            if app.store_faults().writes() > before { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        drop(request);
        drop(other);
        assert!(base.hold(dir.path(), app, &write, None, write.name).await, "{}: it had begun", write.name);
    }
}

#[tokio::test]
async fn the_store_may_fail_at_every_statement() {
    fail_everywhere(|(statements, _)| (0..statements).map(Fault::Statement).collect()).await;
}

#[tokio::test]
async fn every_commit_may_fail() {
    fail_everywhere(|(_, commits)| (0..commits).map(Fault::Commit).collect()).await;
}

async fn fail_everywhere(faults: fn((i64, i64)) -> Vec<Fault>) {
    let base = Base::new().await;
    for write in writes(&base.principal) {
        let (dir, app) = base.copy().await;
        app.store_faults().arm(None);
        let status = base.write(&app, &write).await;
        let faults = faults(app.store_faults().counted());
        assert!(!faults.is_empty(), "{}", write.name);
        assert!(base.hold(dir.path(), app, &write, Some(status), write.name).await, "{}", write.name);
        for fault in faults {
            let (dir, app) = base.copy().await;
            app.store_faults().arm(Some(fault));
            let status = base.write(&app, &write).await;
            rest().await;
            app.store_faults().arm(None);
            base.hold(dir.path(), app, &write, Some(status), &format!("{}, {fault:?}", write.name)).await;
        }
    }
}

/// Printed by `cargo test --lib chaos::a_request_costs -- --nocapture`.
#[tokio::test]
async fn a_request_costs_few_transactions_and_a_change_one_commit() {
    let base = Base::new().await;
    let (_dir, app) = base.copy().await;
    let blob = format!("https://reg01.azurecr.io/v2/r/blobs/{EMPTY}");
    let registry = json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {}});
    let key = json!({"kty": "RSA", "key_size": 2048});
    // With how many transactions that read, that write, and commits at most. The RSA of a key is made between two.
    let requests = [
        ("a registry PUT", "PUT", arm("ContainerRegistry", "registries/other01"), registry, (2, 1, 1)),
        ("a key create", "POST", vault("keys/other/create"), key, (2, 2, 1)),
        ("a blob pull", "GET", blob.clone(), Value::Null, (2, 0, 0)),
        ("the next blob pull", "GET", blob, Value::Null, (1, 0, 0)),
    ];
    for (what, method, url, body, most) in requests {
        let faults = app.store_faults();
        faults.arm(None);
        let (reads, writes) = (faults.reads(), faults.writes());
        let status = base.ask(&app, method, &url, &body).await.0;
        assert!((200..300).contains(&status), "{what}: {status}");
        rest().await;
        let (statements, commits) = faults.counted();
        let (reads, writes) = (faults.reads() - reads, faults.writes() - writes);
        eprintln!("{what}: {reads} transactions read, {writes} wrote, {commits} commits, {statements} statements");
        assert!(reads <= most.0 && writes <= most.1 && commits <= most.2, "{what}: {reads}, {writes}, {commits}");
    }
}
