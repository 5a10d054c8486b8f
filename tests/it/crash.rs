//! A crash at any instant loses nothing that was answered with success: the process is killed in the middle
//! of pushes and rotations, and started again on the same folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use crate::harness::{Person, World, digest, good, registry_path};

/// Rounds of killing; each kills at another instant of the work.
const ROUNDS: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("vault1", &principal).await;
    let kid = me.make_key("vault1", "key").await;
    let keys = [kid.clone(), me.make_key("vault1", "key").await, me.make_key("vault1", "other").await];
    good(me.arm(Method::PUT, &registry_path("reg01"), Person::cmk_body(&kid, "id1", &client)).await).await;
    world.kill();

    // What was answered with success: tag -> layer, and the last key rotated to.
    let pushed: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    let mut rotations = 0;
    for round in 0..ROUNDS {
        let world = World::on(dir.path(), &[]);
        let me = world.developer().await;
        let docker = me.sign_in("reg01", "r").await;
        for (tag, layer) in pushed.lock().await.iter().rev().take(4) {
            let (_, got) =
                docker.pull_image(tag).await.unwrap_or_else(|e| panic!("round {round}: {tag}: {}", e.status()));
            assert_eq!(&got, layer, "round {round}: {tag}");
        }
        let (pid, key) = (world.pid(), &keys[usize::try_from(round).unwrap() % keys.len()]);
        // The work of one round. It is cut off in whatever is under way once so many requests were answered.
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
        let kill = async {
            for _ in 0..(round * 5) % 23 {
                answers.recv().await;
            }
            let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            assert!(killed.success());
        };
        let ((), rotated, ()) = tokio::join!(pushes, rotates, kill);
        drop(world);
        if rotated {
            rotations += 1;
            let world = World::on(dir.path(), &[]);
            let me = world.developer().await;
            assert_eq!(&me.encryption("reg01").await["versionedKeyIdentifier"], key, "round {round}");
        }
    }

    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "r").await;
    let pushed = pushed.lock().await;
    assert!(
        pushed.len() > 20 && rotations > 5,
        "the rounds did some work: {} pushes, {rotations} rotations",
        pushed.len()
    );
    for (tag, layer) in pushed.iter() {
        assert_eq!(&docker.pull_image(tag).await.unwrap().1, layer, "{tag}");
    }
    // Nothing is left over of what was cut off: each file belongs to a blob that is there.
    let files = std::fs::read_dir(dir.path().join("blobs")).unwrap().count();
    let known: i64 = good(me.arm(Method::GET, &format!("{}/listUsages", registry_path("reg01")), Value::Null).await)
        .await["value"][0]["currentValue"]
        .as_i64()
        .unwrap();
    assert!(known > 0 && files > 0);
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
