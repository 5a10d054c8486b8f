//! Where an answer ends: every route of every kind of host is asked with HEAD, in both versions of HTTP.

use std::collections::BTreeSet;

use reqwest::{Certificate, Client, Method, Proxy, Version};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{ACCEPTED, TENANT, World, digest, group_path, registry_path, vault_path};
use crate::registry::start;
use crate::registry_walk::routes;

const ARM: &str = "management.azure.com";
const IMDS: &str = "169.254.169.254";

/// A host, what signs in there, and the paths to ask for.
struct Walk {
    host: &'static str,
    token: String,
    paths: BTreeSet<String>,
}

fn walk(host: &'static str, token: &str, paths: impl IntoIterator<Item = impl Into<String>>) -> Walk {
    Walk { host, token: token.to_owned(), paths: paths.into_iter().map(Into::into).collect() }
}

/// Every kind of host, with something to be found in it.
async fn walks(world: &World) -> Vec<Walk> {
    let me = start(world).await;
    me.make_vault("v-one", false).await;
    me.make_key("v-one", "k").await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();

    let at = |path: String| format!("{path}?api-version=2023-01-01-preview");
    let resources = [
        "/subscriptions".to_owned(),
        group_path(""),
        registry_path("reg01"),
        registry_path("none"),
        format!("{}/scopeMaps", registry_path("reg01")),
        vault_path("v-one"),
    ];
    let registry = routes(&digest(b"layer")).into_iter().map(|(_, _, path)| path);
    let registry = registry.chain(["/", "/v2/", "/oauth2/token", "/oauth2/exchange"].map(str::to_owned));
    let vault = ["/keys", "/keys/k", "/keys/none", "/secrets", "/deletedkeys", "/none"];
    let tenant = |path: &str| format!("/{TENANT}{path}");
    vec![
        walk(ARM, &me.token("https://management.azure.com").await, resources.map(at)),
        walk(
            "login.microsoftonline.com",
            "",
            [tenant("/v2.0/.well-known/openid-configuration"), tenant("/discovery/v2.0/keys"), tenant("/oauth2/token")],
        ),
        walk("graph.microsoft.com", &me.token("https://graph.microsoft.com").await, ["/v1.0/users", "/v1.0/none"]),
        walk(
            "v-one.vault.azure.net",
            &me.token("https://vault.azure.net").await,
            vault.map(|path| format!("{path}?api-version=7.4")),
        ),
        walk("reg01.azurecr.io", &docker.token, registry),
        walk("reg01.eastus.data.azurecr.io", &docker.token, [format!("/v2/r/blobs/{}", digest(b"layer"))]),
        walk(IMDS, "", ["/metadata/identity/oauth2/token", "/metadata/instance", "/"]),
        walk(
            "localhost",
            "",
            ["", "health", "clock", "status", "audit", "none", "msi/token"].map(|name| format!("/acrite/v1/{name}")),
        ),
    ]
}

/// A client that goes through the proxy wherever it goes, and speaks HTTP/2 within.
fn http2(world: &World) -> Client {
    let ca = Certificate::from_pem(&std::fs::read(world.dir.join("ca.pem")).unwrap()).unwrap();
    Client::builder()
        .proxy(Proxy::all(&world.url).unwrap())
        .tls_certs_only([ca])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_head_end_with_their_head_in_http_2() {
    let world = World::new();
    let client = http2(&world);
    let mut with_length = 0;
    for Walk { host, token, paths } in walks(&world).await {
        // The emulator's own name is its own on its own port only.
        let port = if host == "localhost" { world.url.rsplit_once(':').unwrap().1 } else { "443" };
        for path in paths {
            let url = format!("https://{host}:{port}{path}");
            let ask = |method| client.request(method, &url).bearer_auth(&token).header("accept", ACCEPTED).send();
            let head = ask(Method::HEAD).await.unwrap();
            let (status, headers) = (head.status(), head.headers().clone());
            // As on Azure, login servers do not offer it.
            let version = if host.ends_with(".azurecr.io") { Version::HTTP_11 } else { Version::HTTP_2 };
            assert_eq!(head.version(), version, "{url}");
            let body = head.bytes().await;
            assert!(body.as_ref().is_ok_and(|body| body.is_empty()), "{url}: {status} {body:?}");
            // Refusals may name the method.
            if status.is_success()
                && let Some(length) = headers.get("content-length")
            {
                let got = ask(Method::GET).await.unwrap().bytes().await.unwrap();
                assert_eq!(got.len().to_string(), length.to_str().unwrap(), "{url}");
                with_length += 1;
            }
        }
    }
    assert!(with_length >= 4, "a blob and a manifest, by tag and digest, tell their length: {with_length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_head_leave_a_connection_of_http_1_fit_for_the_next() {
    let world = World::new();
    let address = world.url.strip_prefix("http://").unwrap();
    for Walk { host, token, paths } in walks(&world).await {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for path in paths {
            let ask = format!("HEAD {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
            stream.write_all(ask.as_bytes()).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let byte = stream.read_u8().await;
                head.push(byte.unwrap_or_else(|error| panic!("{host}{path}: {error} after {head:?}")));
            }
            let head = String::from_utf8(head).unwrap();
            assert!(head.starts_with("HTTP/1.1 "), "{host}{path}: {head}");
            assert!(!head.contains("connection: close"), "{host}{path}: {head}");
        }
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut last = String::new();
        stream.read_to_string(&mut last).await.unwrap();
        assert!(last.starts_with("HTTP/1.1 "), "{host}: {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_side_gets_its_answer() {
    let world = World::new();
    let address = world.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"advance":60}"#;
    let ask =
        format!("POST /acrite/v1/clock HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(ask.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let shown: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(shown["frozen"], false);
}
