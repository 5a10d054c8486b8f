//! What happens while a request is on its way counts: between its head, by which it is let in, and the end of its
//! body, rights and things may go.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{GROUP, Person, SUBSCRIPTION, World, good, group_path, identity_path, registry_path, vault_path};

const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

/// A request whose head was taken and whose body was not sent yet.
struct Held {
    stream: TcpStream,
    body: String,
}

/// Sends a request's head, and waits until the emulator has let it in and asks for the body (`100 Continue`).
async fn hold(person: &Person<'_>, method: Method, host: &str, path: &str, body: Value) -> Held {
    let resource = match host {
        vault if vault.ends_with("vault.azure.net") => "https://vault.azure.net".to_owned(),
        other => format!("https://{other}"),
    };
    let token = person.token(&resource).await;
    let body = body.to_string();
    let address: SocketAddr = person.world.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        got.push(stream.read_u8().await.unwrap());
    }
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.1 100"), "{got}");
    Held { stream, body }
}

impl Held {
    /// Sends the body. The status of the answer.
    async fn go_on(mut self) -> u16 {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

const ARM: &str = "management.azure.com";
const GRAPH: &str = "graph.microsoft.com";

fn at(path: &str) -> String {
    format!("{path}?api-version=2025-11-01")
}

async fn tag_of(me: &Person<'_>, path: &str) -> Value {
    good(me.arm(Method::GET, path, Value::Null).await).await["tags"]["by"].clone()
}

#[tokio::test]
async fn a_right_that_is_taken_away_meanwhile_is_gone() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let tagged = json!({"location": "eastus", "tags": {"by": "somebody"}, "properties": {}});
    let paths = [registry_path("reg01"), vault_path("vault1"), identity_path("id1"), group_path("")];
    let somebody = world.somebody("somebody").await;
    for path in &paths {
        let role = me.assign(&group_path(""), CONTRIBUTOR, &somebody.object_id).await;
        let held = hold(&somebody, Method::PATCH, ARM, &at(path), tagged.clone()).await;
        good(me.arm(Method::DELETE, &role, Value::Null).await).await;
        assert_eq!(held.go_on().await, 403, "{path}");
        assert_eq!(tag_of(&me, path).await, Value::Null, "{path}");
    }

    // A right held by a group, and the way out of it.
    let body = json!({"displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true});
    let group = good(me.graph(Method::POST, "groups", body).await).await["id"].as_str().unwrap().to_owned();
    let reference = format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", somebody.object_id);
    let members = format!("groups/{group}/members");
    good(me.graph(Method::POST, &format!("{members}/$ref"), json!({"@odata.id": reference})).await).await;
    let definition =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}");
    let role = format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", group_path(""), uuid::Uuid::new_v4());
    let body = json!({"properties": {"roleDefinitionId": definition, "principalId": group, "principalType": "Group"}});
    good(me.arm(Method::PUT, &role, body).await).await;
    let held = hold(&somebody, Method::PATCH, ARM, &at(&paths[0]), tagged.clone()).await;
    let out = format!("{members}/{}/$ref", somebody.object_id);
    good(me.graph(Method::DELETE, &out, Value::Null).await).await;
    assert_eq!(held.go_on().await, 403);

    // The principal itself, with its rights still in the books.
    me.assign(&group_path(""), CONTRIBUTOR, &somebody.object_id).await;
    let held = hold(&somebody, Method::PATCH, ARM, &at(&paths[0]), tagged).await;
    good(me.graph(Method::DELETE, &format!("servicePrincipals/{}", somebody.object_id), Value::Null).await).await;
    assert_eq!(held.go_on().await, 401);
    assert_eq!(tag_of(&me, &paths[0]).await, Value::Null);
}

#[tokio::test]
async fn the_right_to_a_vault_that_is_taken_away_meanwhile_is_gone() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let somebody = world.somebody("somebody").await;
    let (host, body) = ("vault1.vault.azure.net", json!({"kty": "RSA", "key_size": 2048}));
    let path = "/keys/k/create?api-version=7.4";
    me.policy("vault1", "add", &somebody.object_id, &["create"]).await;
    let held = hold(&somebody, Method::POST, host, path, body.clone()).await;
    me.policy("vault1", "remove", &somebody.object_id, &["create"]).await;
    assert_eq!(held.go_on().await, 403);
    me.policy("vault1", "add", &somebody.object_id, &["create"]).await;
    let held = hold(&somebody, Method::POST, host, path, body).await;
    good(me.graph(Method::DELETE, &format!("servicePrincipals/{}", somebody.object_id), Value::Null).await).await;
    assert_eq!(held.go_on().await, 401);
    assert_eq!(me.vault(Method::GET, "vault1", "keys/k", Value::Null).await.status(), 404);
}

#[tokio::test]
async fn what_is_deleted_meanwhile_is_not_there_and_what_is_made_anew_is() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let registry = registry_path("reg01");
    let delete = async || assert!(me.arm(Method::DELETE, &registry, Value::Null).await.status().is_success());
    let actions = json!({"properties": {"actions": ["repositories/a/content/read"]}});
    let below = [
        (Method::PUT, "scopeMaps/readers", actions),
        (Method::POST, "regenerateCredential", json!({"name": "password"})),
        (Method::POST, "generateCredentials", json!({"tokenId": format!("{registry}/tokens/robot1")})),
        (
            Method::PUT,
            "webhooks/hook1",
            json!({"location": "eastus", "properties": {"serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}}),
        ),
    ];
    let made = json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": true}});
    for (method, rest, body) in below {
        good(me.arm(Method::PUT, &registry, made.clone()).await).await;
        let held = hold(&me, method, ARM, &at(&format!("{registry}/{rest}")), body).await;
        delete().await;
        assert_eq!(held.go_on().await, 404, "{rest}");
    }

    // Made anew: what is asked for is done to the new one.
    good(me.arm(Method::PUT, &registry, made.clone()).await).await;
    let body = json!({"properties": {"actions": ["repositories/a/content/read"]}});
    let held = hold(&me, Method::PUT, ARM, &at(&format!("{registry}/scopeMaps/readers")), body).await;
    delete().await;
    good(me.arm(Method::PUT, &registry, made.clone()).await).await;
    assert_eq!(held.go_on().await, 200);
    good(me.arm(Method::GET, &format!("{registry}/scopeMaps/readers"), Value::Null).await).await;

    // The admin user switched off: no password of it is made.
    let held =
        hold(&me, Method::POST, ARM, &at(&format!("{registry}/regenerateCredential")), json!({"name": "password"}))
            .await;
    good(me.arm(Method::PATCH, &registry, json!({"properties": {"adminUserEnabled": false}})).await).await;
    assert_eq!(held.go_on().await, 400);
}

#[tokio::test]
async fn nothing_is_added_to_an_application_that_is_deleted_meanwhile() {
    let world = World::new();
    let me = world.developer().await;
    let credential =
        json!({"name": "f", "issuer": "https://i", "subject": "s", "audiences": ["api://AzureADTokenExchange"]});
    let owner = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", me.object_id)});
    let changes = [
        ("addPassword", json!({"passwordCredential": {}})),
        ("federatedIdentityCredentials", credential),
        ("owners/$ref", owner),
    ];
    for (rest, body) in changes {
        let app = good(me.graph(Method::POST, "applications", json!({"displayName": "a"})).await).await;
        let app = format!("applications/{}", app["id"].as_str().unwrap());
        let held = hold(&me, Method::POST, GRAPH, &format!("/v1.0/{app}/{rest}"), body).await;
        good(me.graph(Method::DELETE, &app, Value::Null).await).await;
        assert_eq!(held.go_on().await, 404, "{rest}");
    }
}

#[tokio::test]
async fn a_group_that_is_deleted_meanwhile_takes_nothing_in() {
    let world = World::new();
    let me = world.developer().await;
    let made = [
        (registry_path("reg01"), json!({"location": "eastus", "sku": {"name": "Premium"}})),
        (identity_path("id1"), json!({"location": "eastus"})),
    ];
    for (path, body) in made {
        me.make_group().await;
        let held = hold(&me, Method::PUT, ARM, &at(&path), body).await;
        assert!(me.arm(Method::DELETE, &group_path(""), Value::Null).await.status().is_success());
        assert_eq!(held.go_on().await, 404, "{path}");
    }
    let groups = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups");
    let groups = good(me.arm(Method::GET, &groups, Value::Null).await).await;
    assert!(!groups.to_string().contains(&format!("\"name\":\"{GROUP}\"")), "{groups}");
}
