//! Clients that send a revocation and are gone before the answer: by each route, by each way to be gone. A revocation
//! that took effect is in force from then on, and has its audit record.
//!
//! `ACRITE_HANGUPS` is how often each is tried: 2 unless given. `ACRITE_HANGUPS=50 cargo test --test it hangups` tries
//! more than two thousand.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Docker, MANIFEST, Person, SUBSCRIPTION, World, good, registry_path, vault_path};

/// How a client is gone.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// The connection is reset.
    Reset,
    Closed,
    /// The client says that it sends no more, and reads no answer.
    HalfClosed,
    /// A stream of HTTP/2 is reset; the connection stays.
    StreamReset,
}

const ENDS: [End; 4] = [End::Reset, End::Closed, End::HalfClosed, End::StreamReset];

/// A request as it is sent.
struct Call {
    method: Method,
    host: String,
    path: String,
    body: Value,
}

/// One way to revoke: what is sent, how to see that it took effect, and how it is given back.
struct Route {
    name: &'static str,
    revoke: Call,
    look: Call,
    revoked: fn(StatusCode, &Value) -> bool,
    back: Vec<Call>,
}

const VAULT_API: &str = "api-version=2024-11-01";
const REGISTRY_API: &str = "api-version=2025-11-01";

fn arm(method: Method, path: String, body: Value) -> Call {
    Call { method, host: "management.azure.com".into(), path, body }
}

fn key(method: Method, path: &str, body: Value) -> Call {
    Call { method, host: "hangups.vault.azure.net".into(), path: format!("/{path}?api-version=7.4"), body }
}

/// The world: registries with customer-managed keys, an image in each, and who pulls it.
struct Stage<'w> {
    me: Person<'w>,
    pull: Vec<Docker<'w>>,
    routes: Vec<Route>,
}

async fn stage(world: &World) -> Stage<'_> {
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("hangups", false).await;
    let (client_id, principal) = me.make_identity("hangups").await;
    me.allow("hangups", &principal).await;
    me.make_key("hangups", "key").await;
    let key_id = "https://hangups.vault.azure.net/keys/key";
    let body = Person::cmk_body(key_id, "hangups", &client_id);
    good(me.arm(Method::PUT, &registry_path("hangups01"), body).await).await;
    let mine = me.sign_in("hangups01", "r").await;
    mine.push_image("v1", b"layer").await.unwrap();
    let mine = Docker::new(world, "hangups01", "r", &mine.token);

    let entry = json!({"tenantId": crate::harness::TENANT, "objectId": principal,
        "permissions": {"keys": ["get", "wrapKey", "unwrapKey"]}});
    let policies = json!({"properties": {"accessPolicies": [entry]}});
    let (vault, registry) = (vault_path("hangups"), registry_path("hangups01"));
    let at = |path: &str, version: &str| format!("{path}?{version}");
    let vault_of = |method, body| arm(method, at(&vault, VAULT_API), body);
    let registry_of = |method, body| arm(method, at(&registry, REGISTRY_API), body);
    let nothing = Value::Null;
    let rules = |allow: bool| json!({"properties": {"networkRuleSet": {"defaultAction": if allow { "Allow" } else { "Deny" }, "ipRules": []}}});
    let acls = |allow: bool| json!({"properties": {"networkAcls": {"defaultAction": if allow { "Allow" } else { "Deny" }, "bypass": "None"}}});
    let principal_of = |enabled: bool| json!({ "accountEnabled": enabled });
    let graph = |method, body| Call {
        method,
        host: "graph.microsoft.com".into(),
        path: format!("/v1.0/servicePrincipals/{principal}"),
        body,
    };
    let enabled = |on: bool| json!({"attributes": {"enabled": on}});
    let routes = vec![
        Route {
            name: "policy removed",
            revoke: arm(Method::PUT, format!("{vault}/accessPolicies/remove?{VAULT_API}"), policies.clone()),
            look: vault_of(Method::GET, nothing.clone()),
            revoked: |_, shown| !shown.to_string().contains("unwrapKey"),
            back: vec![arm(Method::PUT, format!("{vault}/accessPolicies/add?{VAULT_API}"), policies)],
        },
        Route {
            name: "key disabled",
            revoke: key(Method::PATCH, "keys/key", enabled(false)),
            look: key(Method::GET, "keys/key", nothing.clone()),
            revoked: |_, shown| shown["attributes"]["enabled"] == false,
            back: vec![key(Method::PATCH, "keys/key", enabled(true))],
        },
        Route {
            name: "key deleted",
            revoke: key(Method::DELETE, "keys/key", nothing.clone()),
            look: key(Method::GET, "keys/key", nothing.clone()),
            revoked: |status, _| status == StatusCode::NOT_FOUND,
            back: vec![key(Method::POST, "deletedkeys/key/recover", json!({}))],
        },
        Route {
            name: "vault's firewall closed",
            revoke: vault_of(Method::PATCH, acls(false)),
            look: vault_of(Method::GET, nothing.clone()),
            revoked: |_, shown| shown["properties"]["networkAcls"]["defaultAction"] == "Deny",
            back: vec![vault_of(Method::PATCH, acls(true))],
        },
        Route {
            name: "registry's firewall closed",
            revoke: registry_of(Method::PATCH, rules(false)),
            look: registry_of(Method::GET, nothing.clone()),
            revoked: |_, shown| shown["properties"]["networkRuleSet"]["defaultAction"] == "Deny",
            back: vec![registry_of(Method::PATCH, rules(true))],
        },
        Route {
            name: "identity disabled",
            revoke: graph(Method::PATCH, principal_of(false)),
            look: graph(Method::GET, nothing.clone()),
            revoked: |_, shown| shown["accountEnabled"] == false,
            back: vec![graph(Method::PATCH, principal_of(true))],
        },
    ];
    let pull = vec![mine];
    let mut stage = Stage { me, pull, routes };
    stage.role(world).await;
    stage.token(world, &registry).await;
    stage
}

impl<'w> Stage<'w> {
    /// A second registry, whose identity may use the key of its vault by a role.
    async fn role(&mut self, world: &'w World) {
        let me = &self.me;
        me.make_vault("hangupsroles", true).await;
        let (client_id, principal) = me.make_identity("byrole").await;
        let service_encryption_user = "e147488a-f6f5-4113-8e2d-b22465e65bf6";
        let assignment = me.assign(&vault_path("hangupsroles"), service_encryption_user, &principal).await;
        me.make_key("hangupsroles", "key").await;
        let body = Person::cmk_body("https://hangupsroles.vault.azure.net/keys/key", "byrole", &client_id);
        good(me.arm(Method::PUT, &registry_path("hangups02"), body).await).await;
        let docker = me.sign_in("hangups02", "r").await;
        docker.push_image("v1", b"layer").await.unwrap();
        let docker = Docker::new(world, "hangups02", "r", &docker.token);
        let definition = format!(
            "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{service_encryption_user}"
        );
        let body = json!({"properties": {"roleDefinitionId": definition, "principalId": principal,
            "principalType": "ServicePrincipal"}});
        let path = format!("{assignment}?api-version=2022-04-01");
        self.pull.push(docker);
        self.routes.push(Route {
            name: "role taken away",
            revoke: arm(Method::DELETE, path.clone(), Value::Null),
            look: arm(Method::GET, path.clone(), Value::Null),
            revoked: |status, _| status == StatusCode::NOT_FOUND,
            back: vec![arm(Method::PUT, path, body)],
        });
    }

    /// A token of the registry's own, which is disabled and enabled.
    async fn token(&mut self, world: &'w World, registry: &str) {
        let path = format!("{registry}/tokens/hangup");
        let body = |status: &str| json!({"properties": {"status": status, "scopeMapId": format!("{registry}/scopeMaps/_repositories_pull")}});
        good(self.me.arm(Method::PUT, &path, body("enabled")).await).await;
        let id = json!({"tokenId": path, "name": "password1"});
        let made = good(self.me.arm(Method::POST, &format!("{registry}/generateCredentials"), id).await).await;
        let password = made["passwords"][0]["value"].as_str().unwrap();
        let url = "https://hangups01.azurecr.io/oauth2/token?service=hangups01.azurecr.io&scope=repository:r:pull";
        let answer = good(world.http().get(url).basic_auth("hangup", Some(password)).send().await.unwrap()).await;
        self.pull.push(Docker::new(world, "hangups01", "r", answer["access_token"].as_str().unwrap()));
        let versioned = format!("{path}?{REGISTRY_API}");
        self.routes.push(Route {
            name: "token disabled",
            revoke: arm(Method::PATCH, versioned.clone(), json!({"properties": {"status": "disabled"}})),
            look: arm(Method::GET, versioned.clone(), Value::Null),
            revoked: |_, shown| shown["properties"]["status"] == "disabled",
            back: vec![arm(Method::PATCH, versioned, json!({"properties": {"status": "enabled"}}))],
        });
    }

    /// Who pulls where a route is tried: the last two have registries or tokens of their own.
    fn puller(&self, route: &Route) -> &Docker<'w> {
        match route.name {
            "role taken away" => &self.pull[1],
            "token disabled" => &self.pull[2],
            _ => &self.pull[0],
        }
    }

    async fn bearer(&self, call: &Call) -> String {
        let resource = match call.host.as_str() {
            "management.azure.com" | "graph.microsoft.com" => format!("https://{}", call.host),
            _ => "https://vault.azure.net".to_owned(),
        };
        self.me.token(&resource).await
    }

    async fn send(&self, call: &Call) -> (StatusCode, Value) {
        let url = format!("https://{}{}", call.host, call.path);
        let mut request = self.me.world.http().request(call.method.clone(), url).bearer_auth(self.bearer(call).await);
        if !call.body.is_null() {
            request = request.json(&call.body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn is_revoked(&self, route: &Route) -> bool {
        let (status, shown) = self.send(&route.look).await;
        (route.revoked)(status, &shown)
    }

    async fn pull(&self, route: &Route) -> StatusCode {
        let request = self.puller(route).call(Method::GET, "manifests/v1").header("accept", MANIFEST);
        request.send().await.unwrap().status()
    }

    /// Gives back until the image is pulled again. A revocation whose client has gone may take effect late, even
    /// after it was given back or while the next route is tried.
    async fn give_back(&self, route: &Route) -> usize {
        let mut given = 0;
        for _ in 0..100 {
            for route in &self.routes {
                if self.is_revoked(route).await {
                    given += 1;
                    for call in &route.back {
                        self.send(call).await;
                    }
                }
            }
            if self.pull(route).await == StatusCode::OK {
                return given;
            }
        }
        panic!("{}: given back, and a pull is refused", route.name)
    }

    /// Sends the revocation and is gone after `turns`, before the answer or after it.
    async fn leave(&self, route: &Route, end: End, turns: usize) {
        let address = self.me.world.url.trim_start_matches("http://").to_owned();
        let token = self.bearer(&route.revoke).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let Call { method, host, path, body } = &route.revoke;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if end == End::StreamReset {
            return leave_stream(stream, &route.revoke, &token, body, turns).await;
        }
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        wait(turns).await;
        match end {
            End::Reset => stream.set_zero_linger().unwrap(),
            End::HalfClosed => stream.shutdown().await.unwrap(),
            End::Closed | End::StreamReset => {}
        }
        if end == End::HalfClosed {
            // Held open, unread, until the emulator closes it or the next round begins.
            let mut byte = [0];
            let _ = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await;
        }
    }
}

async fn leave_stream(stream: TcpStream, call: &Call, token: &str, body: String, turns: usize) {
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let running = tokio::spawn(connection);
    let request = axum::http::Request::builder()
        .method(call.method.clone())
        .uri(format!("http://{}{}", call.host, call.path))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let mut send = send.ready().await.unwrap();
    let (answer, mut out) = send.send_request(request, false).unwrap();
    out.send_data(body.into(), true).unwrap();
    wait(turns).await;
    out.send_reset(h2::Reason::CANCEL);
    drop(answer);
    // The reset has to leave before the connection does.
    drop(send);
    wait(50).await;
    running.abort();
}

/// Lets other tasks go on, more or fewer of them, so that clients leave at different instants.
async fn wait(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_revocation_whose_client_has_gone_is_in_force() {
    let rounds: usize = std::env::var("ACRITE_HANGUPS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let world = World::new();
    let stage = stage(&world).await;
    let (mut tried, mut took) = (0, 0);
    for route in &stage.routes {
        let (mut in_force, mut given_back) = (0, 0);
        for round in 0..rounds {
            for end in ENDS {
                given_back += stage.give_back(route).await;
                tried += 1;
                stage.leave(route, end, (round * 4 + tried * 7919) % 30_000).await;
                if stage.is_revoked(route).await {
                    in_force += 1;
                    let pulled = stage.pull(route).await;
                    assert!(
                        pulled.is_client_error(),
                        "{} and {end:?}: it took effect, and a pull is answered {pulled}",
                        route.name
                    );
                }
            }
        }
        given_back += stage.give_back(route).await;
        eprintln!("{}: {in_force} in force at once, {given_back} given back", route.name);
        took += given_back;
    }
    eprintln!("{tried} revocations sent, {took} took effect though the client had gone, none without force");
    assert!(took > 0, "some take effect without their client");
    let audit = reqwest::Client::builder().no_proxy().build().unwrap();
    let audit = good(audit.get(format!("{}/acrite/v1/audit", world.url)).send().await.unwrap()).await;
    let count = |operation: &str| {
        let of = |e: &&Value| e["audit"]["operationName"] == operation && e["audit"]["resultSignature"] == "OK";
        audit["entries"].as_array().unwrap().iter().filter(of).count()
    };
    // The newest records are kept in memory; with many rounds the oldest are not among them.
    if rounds <= 10 {
        assert!(count("KeyDelete") > 0);
        assert_eq!(count("KeyDelete"), count("KeyRecover"), "a record for each deletion, as for each recovery");
    }
}
