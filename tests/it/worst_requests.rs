//! The memory that the worst request of each kind takes: the peak of the process above what it had before, each kind
//! against a process of its own. `cargo test --test it worst_requests -- --nocapture` prints the table.

mod registries;
mod templates;

use std::fmt::Write as _;
use std::pin::Pin;

use acrite::domain::world::crypto::base64url;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{
    Docker, MANIFEST, Person, SUBSCRIPTION, TENANT, World, digest, good, group_path, identity_path, registry_path,
    vault_path, vault_url,
};

/// MiB above idle that one request may take.
const LIMIT: f64 = 64.0;
const MB: usize = 1024 * 1024;
const ARM: &str = "https://management.azure.com";
const VAULT: &str = "https://vault.azure.net";
const GRAPH: &str = "https://graph.microsoft.com";

type Step<'w> = Pin<Box<dyn Future<Output = u16> + 'w>>;
type Ask = for<'w> fn(&'w World) -> Step<'w>;
/// A kind of request, what has to be there before, and the request. It gives the status that it was answered with.
type Case = (&'static str, Ask, Ask);

/// A line of `/proc/PID/status`, in MiB. A process that has ended has none.
fn memory(world: &World, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
    Some(kib / 1024.0)
}

/// What a request took, in MiB, and how it was answered; without an answer the process has ended.
async fn measured(world: &World, ask: Ask) -> (f64, String) {
    let me = world.developer().await;
    let groups = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups");
    good(me.arm(Method::GET, &groups, Value::Null).await).await;
    me.token(VAULT).await;
    let idle = memory(world, "VmRSS").unwrap();
    std::fs::write(format!("/proc/{}/clear_refs", world.pid()), "5").unwrap();
    let status = ask(world).await;
    let Some(peak) = memory(world, "VmHWM").filter(|_| status > 0) else { return (f64::INFINITY, "ended".to_owned()) };
    (peak - idle, status.to_string())
}

/// The status of the answer, which is read to its end; 0 where there is none.
async fn sent(request: RequestBuilder) -> u16 {
    let Ok(mut answer) = request.send().await else { return 0 };
    while answer.chunk().await.unwrap_or_default().is_some() {}
    answer.status().as_u16()
}

async fn text(me: &Person<'_>, method: Method, url: &str, resource: &str, body: String) -> u16 {
    let token = me.token(resource).await;
    let request = me.world.http().request(method, url).bearer_auth(token).header("content-type", "application/json");
    sent(request.body(body)).await
}

async fn arm(world: &World, method: Method, path: &str, version: &str, body: String) -> u16 {
    let me = world.developer().await;
    text(&me, method, &format!("{ARM}{path}?api-version={version}"), ARM, body).await
}

async fn deployment(world: &World, verb: &str, template: &str, parameters: &str) -> u16 {
    let path = group_path(&format!("/providers/Microsoft.Resources/deployments/d{verb}"));
    let method = if verb.is_empty() { Method::PUT } else { Method::POST };
    let body =
        format!("{{\"properties\":{{\"mode\":\"Incremental\",\"parameters\":{parameters},\"template\":{template}}}}}");
    arm(world, method, &path, "2022-09-01", body).await
}

/// A template of variables.
fn variables(variables: &str) -> String {
    format!("{{\"contentVersion\":\"1.0.0.0\",\"resources\":[],\"variables\":{variables}}}")
}

/// Text of JSON that is as large as a body may be and holds as many values as that allows.
fn dense(piece: &str, bytes: usize) -> String {
    format!("[{}0]", piece.repeat(bytes / piece.len()))
}

fn nothing(world: &World) -> Step<'_> {
    Box::pin(async {
        world.developer().await.make_group().await;
        200
    })
}

fn a_vault(world: &World) -> Step<'_> {
    Box::pin(async {
        let me = world.developer().await;
        me.make_group().await;
        me.make_vault("vault1", false).await;
        200
    })
}

fn a_registry(world: &World) -> Step<'_> {
    Box::pin(async {
        let me = world.developer().await;
        me.make_group().await;
        me.make_registry("reg01").await;
        let docker = me.sign_in("reg01", "app").await;
        docker.push_image("v1", b"layer").await.unwrap();
        200
    })
}

async fn push(docker: &Docker<'_>, tag: &str, manifest: String) -> u16 {
    let put = docker.call(Method::PUT, &format!("manifests/{tag}")).header("content-type", MANIFEST);
    sent(put.body(manifest)).await
}

const CONFIG: &[u8] = b"{}";

/// An image with more members.
fn manifest(layers: &str, more: &str) -> String {
    let config = json!({"mediaType": "a/b", "digest": digest(CONFIG), "size": 2});
    format!("{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{config},\"layers\":{layers}{more}}}")
}

/// Thirty manifests that refer to one, each with as many annotations as fit.
fn thirty_referrers(world: &World) -> Step<'_> {
    Box::pin(async {
        a_registry(world).await;
        let me = world.developer().await;
        let docker = me.sign_in("reg01", "app").await;
        docker.push_blob(CONFIG).await.unwrap();
        let subject = json!({"mediaType": MANIFEST, "digest": digest(b"subject"), "size": 1});
        for i in 0..30 {
            let filler = "x".repeat(4 * MB - 2_000);
            let more = format!(",\"subject\":{subject},\"annotations\":{{\"n\":\"{i}\",\"filler\":\"{filler}\"}}");
            assert_eq!(push(&docker, &format!("r{i}"), manifest("[]", &more)).await, 201);
        }
        200
    })
}

fn large_deployments(world: &World) -> Step<'_> {
    Box::pin(async {
        nothing(world).await;
        for i in 0..12 {
            let template = "{\"resources\":[],\"parameters\":{\"p\":{\"type\":\"string\"}}}";
            let parameters = format!("{{\"p\":{{\"value\":\"{}\"}}}}", "x".repeat(3 * MB));
            let path = group_path(&format!("/providers/Microsoft.Resources/deployments/d{i}"));
            let body = format!(
                "{{\"properties\":{{\"mode\":\"Incremental\",\"parameters\":{parameters},\"template\":{template}}}}}"
            );
            assert_eq!(arm(world, Method::PUT, &path, "2022-09-01", body).await, 201);
        }
        200
    })
}

fn many_secret_versions(world: &World) -> Step<'_> {
    Box::pin(async {
        a_vault(world).await;
        let me = world.developer().await;
        for i in 0..300 {
            let value = json!({"value": format!("{i}{}", "x".repeat(25 * 1000))});
            good(me.vault(Method::PUT, "vault1", "secrets/s", value).await).await;
        }
        200
    })
}

fn keyvault() -> Vec<Case> {
    vec![
        ("vault: a JWK of 200,000 bits", a_vault, |world| {
            Box::pin(async {
                let number = base64url(&[0xff; 25_000]);
                let body = json!({"key": {"kty": "RSA", "n": number, "e": "AQAB", "d": number}});
                let me = world.developer().await;
                text(&me, Method::PUT, &vault_url("vault1", "keys/x"), VAULT, body.to_string()).await
            })
        }),
        ("vault: a dense document", a_vault, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let body = format!("{{\"value\":\"v\",\"tags\":{}}}", dense("{\"\":0},", 4 * MB - 100));
                text(&me, Method::PUT, &vault_url("vault1", "secrets/s"), VAULT, body).await
            })
        }),
        ("vault: a backup of 4 MB to restore", a_vault, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let body = format!("{{\"value\":\"{}\"}}", "A".repeat(4 * MB - 100));
                text(&me, Method::POST, &vault_url("vault1", "secrets/restore"), VAULT, body).await
            })
        }),
        ("vault: 300 large versions to back up", many_secret_versions, |world| {
            Box::pin(async {
                let me = world.developer().await;
                text(&me, Method::POST, &vault_url("vault1", "secrets/s/backup"), VAULT, String::new()).await
            })
        }),
    ]
}

fn arm_documents() -> Vec<Case> {
    vec![
        ("arm: a dense document", nothing, |world| {
            Box::pin(async {
                let body = format!("{{\"location\":\"eastus\",\"tags\":{{\"a\":{}}}}}", dense("[],", 4 * MB - 100));
                arm(world, Method::PUT, &registry_path("reg01"), "2025-11-01", body).await
            })
        }),
        ("arm: a registry with 4 MB of text", nothing, |world| {
            Box::pin(async {
                let filler = "x".repeat(4 * MB - 200);
                let body = format!(
                    "{{\"location\":\"eastus\",\"sku\":{{\"name\":\"Premium\"}},\"properties\":{{\"filler\":\"{filler}\"}}}}"
                );
                arm(world, Method::PUT, &registry_path("reg01"), "2025-11-01", body).await
            })
        }),
        ("arm: a registry with many values", nothing, |world| {
            Box::pin(async {
                let body = format!(
                    "{{\"location\":\"eastus\",\"sku\":{{\"name\":\"Premium\"}},\"properties\":{{\"a\":{}}}}}",
                    dense("1,", 120_000)
                );
                arm(world, Method::PUT, &registry_path("reg02"), "2025-11-01", body).await
            })
        }),
        ("arm: a vault with many access policies", nothing, |world| {
            Box::pin(async {
                let policy = json!({"tenantId": TENANT, "objectId": "ac0e1e00-de7e-4000-8000-000000000004", "permissions": {"keys": ["get", "list"], "secrets": ["get"]}});
                let mut policies = String::new();
                for i in 0..1_000 {
                    write!(policies, "{}{policy}", if i == 0 { "" } else { "," }).unwrap();
                }
                let body = format!(
                    "{{\"location\":\"eastus\",\"properties\":{{\"tenantId\":\"{TENANT}\",\"sku\":{{\"family\":\"A\",\"name\":\"premium\"}},\"accessPolicies\":[{policies}]}}}}"
                );
                arm(world, Method::PUT, &vault_path("vault1"), "2024-11-01", body).await
            })
        }),
        ("arm: an identity with 4 MB of text", nothing, |world| {
            Box::pin(async {
                let body =
                    format!("{{\"location\":\"eastus\",\"properties\":{{\"a\":\"{}\"}}}}", "x".repeat(4 * MB - 200));
                arm(world, Method::PUT, &identity_path("id1"), "2023-01-31", body).await
            })
        }),
        ("arm: a role with very many actions", nothing, |world| {
            Box::pin(async {
                let path = format!(
                    "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/ac0e1e00-0000-4000-8000-00000000000a"
                );
                let actions = vec!["\"*/read\""; 40_000].join(",");
                let body = format!(
                    "{{\"properties\":{{\"roleName\":\"r\",\"type\":\"CustomRole\",\"assignableScopes\":[\"/subscriptions/{SUBSCRIPTION}\"],\"permissions\":[{{\"actions\":[{actions}]}}]}}}}"
                );
                arm(world, Method::PUT, &path, "2022-04-01", body).await
            })
        }),
    ]
}

fn the_rest() -> Vec<Case> {
    vec![
        ("graph: a dense document", nothing, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let body = format!("{{\"displayName\":\"a\",\"tags\":{}}}", dense("[],", 4 * MB - 100));
                text(&me, Method::POST, &format!("{GRAPH}/v1.0/applications"), GRAPH, body).await
            })
        }),
        ("graph: a document with many values", nothing, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let body = format!("{{\"displayName\":\"a\",\"tags\":{}}}", dense("\"a\",", 300_000));
                text(&me, Method::POST, &format!("{GRAPH}/v1.0/applications"), GRAPH, body).await
            })
        }),
        ("graph: a filter of 40 KB", nothing, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let filter = vec!["appId eq 'a'"; 1_500].join(" or ").replace(' ', "%20");
                text(&me, Method::GET, &format!("{GRAPH}/v1.0/applications?$filter={filter}"), GRAPH, String::new())
                    .await
            })
        }),
        ("entra: a form of 4 MB", nothing, |world| {
            Box::pin(async {
                let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
                sent(
                    world
                        .http()
                        .post(url)
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body("&a".repeat(2 * MB)),
                )
                .await
            })
        }),
        ("entra: an assertion of 100 KB", nothing, |world| {
            Box::pin(async {
                let part = base64url(format!("{{\"a\":{}}}", dense("[],", 36_000)).as_bytes());
                let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
                let form = format!(
                    "grant_type=client_credentials&client_id=ac0e1e00-de7e-4000-8000-000000000003&scope={ARM}/.default&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={part}.{part}.x"
                );
                sent(world.http().post(url).header("content-type", "application/x-www-form-urlencoded").body(form))
                    .await
            })
        }),
        ("a token of 60 KB", nothing, |world| {
            Box::pin(async {
                let part = base64url(format!("{{\"a\":{}}}", dense("[],", 20_000)).as_bytes());
                let request = world.http().get(format!("{ARM}/subscriptions?api-version=2022-12-01"));
                sent(request.bearer_auth(format!("{part}.{part}.x"))).await
            })
        }),
        ("the audit log after many long addresses", nothing, |world| {
            Box::pin(async {
                let me = world.developer().await;
                me.make_vault("vault1", false).await;
                for i in 0..200 {
                    let url = vault_url("vault1", &format!("secrets/s{i}{}", "x".repeat(50_000)));
                    text(&me, Method::GET, &url, VAULT, String::new()).await;
                }
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                sent(client.get(format!("{}/acrite/v1/audit?after=0", world.url))).await
            })
        }),
    ]
}

#[tokio::test]
async fn no_request_takes_more_than_its_share_of_memory() {
    let only = std::env::var("ACRITE_ONLY").unwrap_or_default();
    let cases = [keyvault(), arm_documents(), templates::templates(), registries::registries(), the_rest()].concat();
    let mut there: Option<(Ask, tempfile::TempDir)> = None;
    let mut worst = Vec::new();
    eprintln!("{:<48} {:>9}  {:>6}  answer", "request", "MiB", "s");
    for (name, before, ask) in cases.into_iter().filter(|case| case.0.contains(&only)) {
        // Requests that want the same to be there come one after the other, each to a new process on one data folder.
        let dir = match there.take().filter(|(made, _)| std::ptr::fn_addr_eq(*made, before)) {
            Some((_, dir)) => dir,
            None => {
                let dir = tempfile::tempdir().unwrap();
                let world = World::on(dir.path(), &[]);
                before(&world).await;
                world.kill();
                dir
            }
        };
        let world = World::on(dir.path(), &[]);
        let began = std::time::Instant::now();
        let (mib, answer) = measured(&world, ask).await;
        eprintln!("{name:<48} {mib:>9.1}  {:>6.1}  {answer}", began.elapsed().as_secs_f64());
        if mib > LIMIT {
            worst.push(name);
        }
        world.kill();
        there = Some((before, dir));
    }
    assert!(worst.is_empty(), "more than {LIMIT} MiB: {worst:?}");
}
