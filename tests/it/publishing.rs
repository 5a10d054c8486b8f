//! What began before a revocation changes nothing after it.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::harness::{Docker, MANIFEST, Person, TENANT, World, digest, good, identity_path, registry_path, vault_path};
use crate::stage::{self, CRYPTO_SERVICE_USER, Stage};

pub const REPOSITORY: &str = "team/app";
pub const LAYER: &[u8] = b"a layer that was there before";
const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
pub const ACR_PUSH: &str = "8311e382-0749-4cb8-b61a-304f252e45ec";

/// A request of which the head was answered for ("100 Continue": its handler waits for the body), but that lacks half
/// of its body.
struct Half {
    stream: BufReader<TcpStream>,
    rest: Vec<u8>,
}

impl Half {
    async fn sent(world: &World, authorization: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> Self {
        let mut stream = BufReader::new(connect(world).await);
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: reg01.azurecr.io\r\nAuthorization: {authorization}\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 100"), "{method} {path}: {line}");
        stream.read_line(&mut line).await.unwrap();
        let (first, rest) = body.split_at(length / 2);
        stream.write_all(first).await.unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    /// Sends the rest. The answer's status.
    async fn finish(mut self) -> u16 {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line}")).parse().unwrap()
    }
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap()
}

/// Who pushes, and how it shows that.
pub struct Pusher<'w> {
    docker: Docker<'w>,
    authorization: String,
}

impl<'w> Pusher<'w> {
    pub fn with_token(docker: Docker<'w>) -> Self {
        let authorization = format!("Bearer {}", docker.token);
        Self { docker, authorization }
    }

    fn with_password(world: &'w World, user: &str, password: &str) -> Self {
        let authorization = basic(user, password);
        let docker = Docker::new(world, "reg01", REPOSITORY, "");
        Self { docker, authorization }
    }

    pub async fn call(&self, method: Method, path: &str, body: &[u8]) -> reqwest::Response {
        let url = format!("https://{}{path}", self.docker.server);
        let call = self.docker.world_http().request(method, url).header("authorization", &self.authorization);
        call.header("content-type", MANIFEST).body(body.to_vec()).send().await.unwrap()
    }

    /// A new upload session's path.
    pub async fn session(&self) -> String {
        let begun = self.call(Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"), b"").await;
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        path_of(begun.headers()["location"].to_str().unwrap())
    }

    async fn received(&self, session: &str) -> (StatusCode, String) {
        let asked = self.call(Method::GET, session, b"").await;
        let range = asked.headers().get("range").map(|r| r.to_str().unwrap().to_owned());
        (asked.status(), range.unwrap_or_default())
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", acrite::domain::world::crypto::base64(format!("{user}:{password}").as_bytes()))
}

fn path_of(location: &str) -> String {
    location.split('?').next().unwrap().to_owned()
}

/// The requests that write, each half sent.
pub struct Halves {
    requests: BTreeMap<&'static str, Half>,
    session: String,
}

impl Halves {
    pub async fn of(world: &World, pusher: &Pusher<'_>) -> Self {
        world.leaves_uploads();
        let session = pusher.session().await;
        let whole = pusher.session().await;
        let (blob, other) = (b"a blob that is put".as_slice(), b"a blob that is posted".as_slice());
        let put = format!("{whole}?digest={}", digest(blob));
        let post = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", digest(other));
        let (new, lock) = (format!("/v2/{REPOSITORY}/manifests/new"), format!("/acr/v1/{REPOSITORY}/_tags/v1"));
        let locked = json!({"writeEnabled": false}).to_string();
        let (kind, index) = ("application/octet-stream", "application/vnd.oci.image.index.v1+json");
        let mut requests = BTreeMap::new();
        for (name, method, path, kind, body) in [
            ("manifest PUT", "PUT", new.as_str(), index, INDEX.as_bytes()),
            ("upload PATCH", "PATCH", &session, kind, b"a part of a blob"),
            ("upload PUT", "PUT", &put, kind, blob),
            ("blob POST", "POST", &post, kind, other),
            ("attributes PATCH", "PATCH", &lock, "application/json", locked.as_bytes()),
        ] {
            requests.insert(name, Half::sent(world, &pusher.authorization, method, path, kind, body).await);
        }
        Self { requests, session }
    }

    /// Sends the rest of each: all must be refused so.
    pub async fn are_refused(self, why: &str, status: StatusCode) -> String {
        for (name, request) in self.requests {
            assert_eq!(request.finish().await, status.as_u16(), "{why}: {name}");
        }
        self.session
    }
}

/// Nothing of [`Halves`] was done.
async fn nothing_changed(me: &Person<'_>, why: &str) {
    let docker = me.sign_in("reg01", REPOSITORY).await;
    let tags: Value = docker.call(Method::GET, "tags/list").send().await.unwrap().json().await.unwrap();
    assert_eq!(tags["tags"], json!(["v1"]), "{why}");
    let shown = docker.acr(Method::GET, "_tags/v1").send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(shown["tag"]["changeableAttributes"]["writeEnabled"], true, "{why}: {shown}");
    for blob in [b"a blob that is put".as_slice(), b"a blob that is posted"] {
        let asked = docker.call(Method::GET, &format!("blobs/{}", digest(blob))).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::NOT_FOUND, "{why}");
    }
}

/// A registry `reg01` with a customer-managed key and an image in it.
async fn stage(me: &Person<'_>, roles: bool) -> Stage {
    stage::image(me, roles, REPOSITORY, LAYER).await.0
}

pub async fn patch_registry(me: &Person<'_>, properties: Value) {
    good(me.arm(Method::PATCH, &registry_path("reg01"), json!({ "properties": properties })).await).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_meanwhile_is_not_written_under() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    let pusher = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
    let enabled = async |path: &str, enabled: bool| {
        good(me.vault(Method::PATCH, "vault1", path, json!({"attributes": {"enabled": enabled}})).await).await;
    };
    let vault = async |properties: Value| {
        good(me.arm(Method::PATCH, &vault_path("vault1"), json!({ "properties": properties })).await).await;
    };
    let version = format!("keys/key/{}", s.version);
    for route in ["policy removed", "version disabled", "key deleted", "firewall closed", "vault deleted"] {
        let halves = Halves::of(&world, &pusher).await;
        match route {
            "policy removed" => me.policy("vault1", "remove", &s.principal, &[]).await,
            "version disabled" => enabled(&version, false).await,
            "key deleted" => drop(good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await),
            "firewall closed" => vault(json!({"networkAcls": {"defaultAction": "Deny", "bypass": "None"}})).await,
            _ => drop(good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await),
        }
        let session = halves.are_refused(route, StatusCode::FORBIDDEN).await;
        match route {
            "policy removed" => me.allow("vault1", &s.principal).await,
            "version disabled" => enabled(&version, true).await,
            "key deleted" => {
                drop(good(me.vault(Method::POST, "vault1", "deletedkeys/key/recover", Value::Null).await).await)
            }
            "firewall closed" => vault(json!({"networkAcls": {"defaultAction": "Allow"}})).await,
            _ => {
                let body = json!({"location": "eastus", "properties": {
                    "tenantId": TENANT, "sku": {"family": "A", "name": "premium"}, "createMode": "recover"}});
                good(me.arm(Method::PUT, &vault_path("vault1"), body).await).await;
            }
        }
        nothing_changed(&me, route).await;
        // What was answered for before goes on.
        assert_eq!(pusher.received(&session).await, (StatusCode::NO_CONTENT, "0-0".to_owned()), "{route}");
        let blob = b"a blob that is sent once more";
        let sent = pusher.call(Method::PUT, &format!("{session}?digest={}", digest(blob)), blob).await;
        assert_eq!(sent.status(), StatusCode::CREATED, "{route}");
    }
    let halves = Halves::of(&world, &pusher).await;
    good(me.arm(Method::DELETE, &identity_path("id1"), Value::Null).await).await;
    halves.are_refused("identity deleted", StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_role_on_the_key_that_goes_meanwhile_is_not_written_under() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, true).await;
    let pusher = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
    let halves = Halves::of(&world, &pusher).await;
    good(me.arm(Method::DELETE, s.assignment.as_ref().unwrap(), Value::Null).await).await;
    halves.are_refused("role removed", StatusCode::FORBIDDEN).await;
    me.assign(&vault_path("vault1"), CRYPTO_SERVICE_USER, &s.principal).await;
    nothing_changed(&me, "role removed").await;
}

#[tokio::test]
async fn a_registry_that_closes_meanwhile_is_not_written() {
    let world = World::new();
    let me = world.developer().await;
    stage(&me, false).await;
    let pusher = Pusher::with_token(me.sign_in("reg01", REPOSITORY).await);
    for closed in [
        json!({"networkRuleSet": {"defaultAction": "Deny", "ipRules": []}}),
        json!({"publicNetworkAccess": "Disabled"}),
    ] {
        let halves = Halves::of(&world, &pusher).await;
        patch_registry(&me, closed.clone()).await;
        halves.are_refused(&closed.to_string(), StatusCode::FORBIDDEN).await;
        let open = json!({"publicNetworkAccess": "Enabled", "networkRuleSet": {"defaultAction": "Allow"}});
        patch_registry(&me, open).await;
        nothing_changed(&me, &closed.to_string()).await;
    }
}

#[tokio::test]
async fn whoever_goes_or_loses_its_right_meanwhile_writes_nothing() {
    let world = World::new();
    let me = world.developer().await;
    stage(&me, false).await;
    let registry = registry_path("reg01");
    let disable = async |who: &Person<'_>| {
        let path = format!("servicePrincipals/{}", who.object_id);
        good(me.graph(Method::PATCH, &path, json!({"accountEnabled": false})).await).await;
    };
    let delete = async |who: &Person<'_>| {
        good(me.graph(Method::DELETE, &format!("servicePrincipals/{}", who.object_id), Value::Null).await).await;
    };
    // With a token of the registry, whose rights were decided when it was given: only its subject counts.
    for (route, how) in [("principal disabled", 0), ("principal deleted", 1)] {
        let who = world.somebody(route).await;
        me.assign(&registry, ACR_PUSH, &who.object_id).await;
        let pusher = Pusher::with_token(who.sign_in("reg01", REPOSITORY).await);
        let halves = Halves::of(&world, &pusher).await;
        if how == 0 {
            disable(&who).await
        } else {
            delete(&who).await
        }
        halves.are_refused(route, StatusCode::UNAUTHORIZED).await;
        nothing_changed(&me, route).await;
    }
    // With its secret on the call itself: its roles and its secret count too.
    for route in ["role removed", "secret removed", "application deleted"] {
        let who = world.somebody(route).await;
        let assignment = me.assign(&registry, ACR_PUSH, &who.object_id).await;
        let pusher = Pusher::with_password(&world, &who.client_id, &who.secret);
        let halves = Halves::of(&world, &pusher).await;
        let applications = good(me.graph(Method::GET, "applications", Value::Null).await).await;
        let application =
            applications["value"].as_array().unwrap().iter().find(|a| a["appId"] == who.client_id.as_str());
        let application = application.unwrap();
        let path = format!("applications/{}", application["id"].as_str().unwrap());
        match route {
            "role removed" => drop(good(me.arm(Method::DELETE, &assignment, Value::Null).await).await),
            "secret removed" => {
                let key = application["passwordCredentials"][0]["keyId"].clone();
                let path = format!("{path}/removePassword");
                good(me.graph(Method::POST, &path, json!({"keyId": key})).await).await;
            }
            _ => drop(good(me.graph(Method::DELETE, &path, Value::Null).await).await),
        }
        halves.are_refused(route, StatusCode::UNAUTHORIZED).await;
        nothing_changed(&me, route).await;
    }
}

/// A repository token `robot` that may push, with its first password.
pub async fn make_robot(me: &Person<'_>) -> String {
    let registry = registry_path("reg01");
    let rights = ["content/read", "content/write", "metadata/read", "metadata/write"];
    let actions: Vec<String> = rights.iter().map(|r| format!("repositories/{REPOSITORY}/{r}")).collect();
    let map = json!({"properties": {"actions": actions}});
    good(me.arm(Method::PUT, &format!("{registry}/scopeMaps/robots"), map).await).await;
    let token = json!({"properties": {"scopeMapId": format!("{registry}/scopeMaps/robots"), "status": "enabled"}});
    good(me.arm(Method::PUT, &format!("{registry}/tokens/robot"), token).await).await;
    let asked = json!({"tokenId": format!("{registry}/tokens/robot"), "name": "password1"});
    let made = good(me.arm(Method::POST, &format!("{registry}/generateCredentials"), asked).await).await;
    made["passwords"][0]["value"].as_str().unwrap().to_owned()
}

/// An access token of the registry for whoever shows this.
pub async fn access_token(world: &World, authorization: &str) -> reqwest::Response {
    let scope = format!("repository:{REPOSITORY}:pull,push,metadata_read,metadata_write");
    let url = "https://reg01.azurecr.io/oauth2/token";
    let asked = world.http().get(url).query(&[("service", "reg01.azurecr.io"), ("scope", &scope)]);
    asked.header("authorization", authorization).send().await.unwrap()
}

pub async fn bearer(world: &World, authorization: &str) -> String {
    let answer = good(access_token(world, authorization).await).await;
    format!("Bearer {}", answer["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn a_repository_token_that_goes_meanwhile_writes_nothing() {
    let world = World::new();
    let me = world.developer().await;
    stage(&me, false).await;
    let token = format!("{}/tokens/robot", registry_path("reg01"));
    for direct in [true, false] {
        let password = make_robot(&me).await;
        let mut pusher = Pusher::with_password(&world, "robot", &password);
        if !direct {
            pusher.authorization = bearer(&world, &pusher.authorization).await;
        }
        let halves = Halves::of(&world, &pusher).await;
        good(me.arm(Method::PATCH, &token, json!({"properties": {"status": "disabled"}})).await).await;
        halves.are_refused("token disabled", StatusCode::UNAUTHORIZED).await;
        nothing_changed(&me, "token disabled").await;
        good(me.arm(Method::PATCH, &token, json!({"properties": {"status": "enabled"}})).await).await;
        let halves = Halves::of(&world, &pusher).await;
        good(me.arm(Method::DELETE, &token, Value::Null).await).await;
        halves.are_refused("token deleted", StatusCode::UNAUTHORIZED).await;
        nothing_changed(&me, "token deleted").await;
    }
    // Where the call itself is judged by the scope map, so is its end.
    let password = make_robot(&me).await;
    let pusher = Pusher::with_password(&world, "robot", &password);
    let halves = Halves::of(&world, &pusher).await;
    let less = json!({"properties": {"actions": [format!("repositories/{REPOSITORY}/content/read")]}});
    good(me.arm(Method::PATCH, &format!("{}/scopeMaps/robots", registry_path("reg01")), less).await).await;
    halves.are_refused("scope map narrowed", StatusCode::UNAUTHORIZED).await;
    nothing_changed(&me, "scope map narrowed").await;
}

#[tokio::test]
async fn an_admin_user_that_is_switched_off_meanwhile_writes_nothing() {
    let world = World::new();
    let me = world.developer().await;
    stage(&me, false).await;
    for (direct, regenerated) in [(true, false), (true, true), (false, false)] {
        patch_registry(&me, json!({"adminUserEnabled": true})).await;
        let listed = me.arm(Method::POST, &format!("{}/listCredentials", registry_path("reg01")), Value::Null).await;
        let listed = good(listed).await;
        let mut pusher = Pusher::with_password(&world, "reg01", listed["passwords"][0]["value"].as_str().unwrap());
        if !direct {
            pusher.authorization = bearer(&world, &pusher.authorization).await;
        }
        let halves = Halves::of(&world, &pusher).await;
        if regenerated {
            let path = format!("{}/regenerateCredential", registry_path("reg01"));
            good(me.arm(Method::POST, &path, json!({"name": "password"})).await).await;
        } else {
            patch_registry(&me, json!({"adminUserEnabled": false})).await;
        }
        halves.are_refused("admin user", StatusCode::UNAUTHORIZED).await;
        nothing_changed(&me, "admin user").await;
    }
}

#[tokio::test]
async fn a_download_that_runs_ends_when_the_key_goes() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    let docker = me.sign_in("reg01", REPOSITORY).await;
    // Far more than the sockets between the two can hold.
    let layer = vec![7; 64 * 1024 * 1024];
    docker.push_blob(&layer).await.unwrap();
    let get = async |stream: &mut TcpStream| {
        let head = format!(
            "GET /v2/{REPOSITORY}/blobs/{} HTTP/1.1\r\nHost: reg01.azurecr.io\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            digest(&layer),
            docker.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    };
    let mut running = connect(&world).await;
    get(&mut running).await;
    // What is written elsewhere meanwhile does not end it.
    let mut other = connect(&world).await;
    get(&mut other).await;
    me.make_key("vault1", "another").await;
    let mut whole = Vec::new();
    other.read_to_end(&mut whole).await.unwrap();
    assert!(whole.len() > layer.len());
    me.policy("vault1", "remove", &s.principal, &[]).await;
    let mut got = Vec::new();
    // It may end as a connection that is reset, too.
    let _ = running.read_to_end(&mut got).await;
    assert!(got.len() < layer.len() / 2, "it went on: {} bytes", got.len());
}
