//! A crash at any instant loses nothing that was answered with success: the process is killed in the middle
//! of pushes and rotations, and started again on the same folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use crate::harness::{Person, World, digest, registry_path, vault_url};
use crate::leftovers;
use crate::stage::{self, Stage};

/// Rounds of killing; each kills at another instant of the work.
const ROUNDS: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let world = World::on(dir.path(), &[]);
        // Those that a kill broke off may go on, for a week.
        world.leaves_uploads();
        world
    };
    let world = start();
    let me = world.developer().await;
    let Stage { kid, client, principal, .. } = stage::registry(&me, false).await;
    let keys = [kid, me.make_key("vault1", "key").await, me.make_key("vault1", "other").await];
    world.kill();

    // What was answered with success: tag -> layer, writes to the vault by the ids of their requests, rotations.
    let pushed: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    let mut written = BTreeSet::new();
    let mut rotations = 0;
    for round in 0..ROUNDS {
        let world = start();
        let me = world.developer().await;
        let docker = me.sign_in("reg01", "r").await;
        me.token("https://vault.azure.net").await;
        for (tag, layer) in pushed.lock().await.iter().rev().take(4) {
            let (_, got) =
                docker.pull_image(tag).await.unwrap_or_else(|e| panic!("round {round}: {tag}: {}", e.status()));
            assert_eq!(&got, layer, "round {round}: {tag}");
        }
        let (pid, key) = (world.pid(), &keys[usize::try_from(round).unwrap() % keys.len()]);
        // The work of one round. It is cut off in whatever is under way once so many pushes and rotations were answered.
        let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let answered_too = answered.clone();
        let pushes = async {
            for n in 0.. {
                let tag = format!("t{round}-{n}");
                let layer = format!("{tag} ").repeat(40_000).into_bytes();
                // Any failure is the kill.
                if push(&docker, &tag, &layer, &answered).await.is_none() {
                    break;
                }
                pushed.lock().await.insert(tag, layer);
            }
        };
        let rotates = async {
            let body = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client}}}});
            let url = format!("https://management.azure.com{}?api-version=2025-11-01", registry_path("reg01"));
            let token = me.token("https://management.azure.com").await;
            let answer = world.http().patch(url).bearer_auth(token).json(&body).send().await;
            let _ = answered_too.send(());
            answer.is_ok_and(|a| a.status().is_success())
        };
        let writes = async {
            for n in 0.. {
                let id = format!("write-{round}-{n}");
                if write(&me, &id).await.is_none() {
                    break;
                }
                written.insert(id);
            }
        };
        let kill = async {
            for _ in 0..(round * 5) % 23 {
                answers.recv().await;
            }
            let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            assert!(killed.success());
        };
        let ((), rotated, (), ()) = tokio::join!(pushes, rotates, writes, kill);
        drop(world);
        if rotated {
            rotations += 1;
            let world = start();
            let me = world.developer().await;
            assert_eq!(&me.encryption("reg01").await["versionedKeyIdentifier"], key, "round {round}");
        }
    }

    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "r").await;
    let pushed = pushed.lock().await;
    let done = (pushed.len(), written.len(), rotations);
    assert!(done.0 > 20 && done.1 > 20 && done.2 > 5, "the rounds did some work: {done:?}");
    for (tag, layer) in pushed.iter() {
        assert_eq!(&docker.pull_image(tag).await.unwrap().1, layer, "{tag}");
    }

    // When the sessions that were cut off have aged, each file has its row and each row its file.
    world.advance(8 * 86_400).await;
    world.stop();
    let left = leftovers::of(dir.path()).unwrap();
    assert!(left.blobs > pushed.len(), "a layer each, and a config: {left:?}");
    let [orphans, missing, uploads, doomed] =
        [&left.orphans, &left.missing, &left.uploads, &left.doomed].map(|s| s.len());
    assert_eq!((orphans, missing, uploads, doomed), (0, 0, 0, 0), "{left:?}");
    told_once(dir.path(), &written, (&principal, rotations));
}

/// The audit log holds each answered write exactly once, and the wraps of all answered rotations.
fn told_once(folder: &Path, written: &BTreeSet<String>, (identity, rotations): (&str, usize)) {
    let log = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let mut lines = BTreeSet::new();
    let (mut told, mut wraps) = (BTreeMap::new(), 0);
    for line in log.lines() {
        assert!(lines.insert(line), "told twice: {line}");
        let record: Value = serde_json::from_str(line).unwrap();
        if record["operationName"] == "SecretSet" {
            *told.entry(record["correlationId"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let by_registry = record["identity"]["claim"]["oid"] == identity;
        wraps += usize::from(record["operationName"] == "KeyWrap" && by_registry);
    }
    for id in written {
        assert_eq!(told.get(id), Some(&1), "{id}");
    }
    assert!(wraps >= rotations, "{wraps} wraps of {rotations} rotations");
}

/// Writes a secret; `None` when the request failed.
async fn write(me: &Person<'_>, id: &str) -> Option<()> {
    let token = me.token("https://vault.azure.net").await;
    let put = me.world.http().put(vault_url("vault1", "secrets/s")).bearer_auth(token);
    let put = put.header("x-ms-client-request-id", id).json(&json!({"value": id}));
    put.send().await.ok()?.error_for_status().ok().map(drop)
}

/// Pushes an image; `None` when any request failed.
async fn push(
    docker: &crate::harness::Docker<'_>,
    tag: &str,
    layer: &[u8],
    answered: &UnboundedSender<()>,
) -> Option<()> {
    let config = b"{}";
    for blob in [config.as_slice(), layer] {
        let begun = docker.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.ok()?;
        answered.send(()).ok()?;
        let location = begun.headers().get("location")?.to_str().ok()?.to_owned();
        let sep = if location.contains('?') { '&' } else { '?' };
        let url = format!("https://{}{location}{sep}digest={}", docker.server, digest(blob));
        let done = docker.absolute(Method::PUT, &url).body(blob.to_vec()).send().await.ok()?;
        done.error_for_status().ok()?;
        answered.send(()).ok()?;
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": crate::harness::MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": layer.len()}],
    });
    let put = docker.call(Method::PUT, &format!("manifests/{tag}")).header("content-type", crate::harness::MANIFEST);
    let done = put.body(manifest.to_string()).send().await.ok()?;
    done.error_for_status().ok()?;
    answered.send(()).ok()
}
