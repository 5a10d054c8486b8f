//! Snapshots through real sockets: the world comes back as it was saved, whatever goes on meanwhile, and what cannot be
//! saved or loaded says why and harms nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::faults::control;
use crate::harness::{World, good, group_path, registry_path};
use crate::stage;

const LAYER: &[u8] = b"a layer that must come back byte for byte";

async fn done(world: &World, method: Method, path: &str, body: Value) -> Value {
    let (status, said) = control(world, method, path, body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {said}");
    said
}

async fn save(world: &World, name: &str) -> Value {
    done(world, Method::POST, "snapshots", json!({ "name": name })).await
}

async fn load(world: &World, name: &str) -> Value {
    done(world, Method::POST, &format!("snapshots/{name}/load"), json!({})).await
}

async fn differences(world: &World, name: &str) -> Vec<String> {
    let said = done(world, Method::GET, &format!("snapshots/{name}/diff"), Value::Null).await;
    said["differences"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_world_comes_back_as_it_was_saved() {
    let world = World::with(&["--clock", "2026-01-01T00:00:00Z,frozen"]);
    let me = world.developer().await;
    let (key, docker, manifest) = stage::image(&me, false, "team/app", LAYER).await;
    let saved = save(&world, "before").await;
    assert_eq!((saved["blobs"].as_u64(), saved["time"].as_str()), (Some(2), Some("2026-01-01T00:00:00.000Z")));
    assert!(differences(&world, "before").await.is_empty());

    docker.push_image("v2", b"another").await.unwrap();
    docker.call(Method::DELETE, "manifests/v1").send().await.unwrap();
    me.make_key("vault1", "key").await;
    me.policy("vault1", "remove", &key.principal, &[]).await;
    good(me.arm(Method::PUT, &group_path("2"), json!({"location": "eastus"})).await).await;
    world.advance(86400).await;
    let said = differences(&world, "before").await;
    for sentence in ["resource group rg2: added", "vault vault1: properties changed"] {
        assert!(said.contains(&sentence.to_owned()), "{sentence}: {said:?}");
    }
    let tells = |start: &str, end: &str| said.iter().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(tells("key vault1/key: version ", " added"), "{said:?}");
    assert!(tells("registry reg01: open -> blocked: ", "in the access policies of vault vault1"), "{said:?}");
    assert!(tells("repository reg01/team/app: tag v2", " added"), "{said:?}");
    assert!(tells("repository reg01/team/app: tag v1", " removed"), "{said:?}");

    for _ in 0..3 {
        load(&world, "before").await;
        assert!(differences(&world, "before").await.is_empty());
        assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest.clone(), LAYER.to_vec()));
        assert_eq!(docker.pull_image("v2").await.unwrap_err().status(), StatusCode::NOT_FOUND);
        let group = me.arm(Method::GET, &group_path("2"), Value::Null).await;
        assert_eq!(group.status(), StatusCode::NOT_FOUND);
        let clock = done(&world, Method::GET, "clock", Value::Null).await;
        assert_eq!(clock["now"], "2026-01-01T00:00:00.000Z");
        // What is done now is done to this world.
        docker.push_image("v3", b"yet another").await.unwrap();
        me.policy("vault1", "remove", &key.principal, &[]).await;
        assert_eq!(docker.pull_image("v1").await.unwrap_err().status(), StatusCode::FORBIDDEN);
    }
    let audit = done(&world, Method::GET, "audit", Value::Null).await;
    let loads = audit["entries"].as_array().unwrap().iter().filter(|e| e["audit"]["operationName"] == "SnapshotLoad");
    assert_eq!(loads.count(), 3);
    let listed = done(&world, Method::GET, "snapshots", Value::Null).await;
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(listed["snapshots"][0]["name"], "before");
    done(&world, Method::DELETE, "snapshots/before", Value::Null).await;
    assert!(std::fs::read_dir(world.dir.join("snapshots")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_token_of_a_world_that_never_was_opens_nothing_of_its_name() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    save(&world, "empty").await;
    me.make_registry("reg01").await;
    let old = me.sign_in("reg01", "app").await;
    old.push_image("v1", LAYER).await.unwrap();
    load(&world, "empty").await;
    me.make_registry("reg01").await;
    let new = me.sign_in("reg01", "app").await;
    new.push_image("v1", LAYER).await.unwrap();
    assert_eq!(old.pull_image("v1").await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(new.pull_image("v1").await.unwrap().1, LAYER);
}

#[tokio::test]
async fn a_restart_finds_the_loaded_world_and_its_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let manifest;
    {
        let world = World::on(dir.path(), &[]);
        let me = world.developer().await;
        let (_, docker, pushed) = stage::image(&me, false, "team/app", LAYER).await;
        manifest = pushed;
        save(&world, "one").await;
        docker.push_image("v2", b"another").await.unwrap();
        load(&world, "one").await;
        // As if a save had been killed.
        std::fs::create_dir(dir.path().join("snapshots/.tmp-half")).unwrap();
        world.kill();
    }
    let world = World::on(dir.path(), &[]);
    assert!(!dir.path().join("snapshots/.tmp-half").exists());
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "team/app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()));
    assert!(differences(&world, "one").await.is_empty());
    assert_eq!(std::fs::metadata(dir.path().join("snapshots")).unwrap().permissions().mode() & 0o777, 0o700);
    world.stop();
}

/// What an answer to a push may be while worlds come and go under it.
fn is_lawful(status: StatusCode) -> bool {
    matches!(status.as_u16(), 201 | 202 | 400 | 401 | 403 | 404 | 416)
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_wholly_in_or_wholly_out() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, manifest) = stage::image(&me, false, "team/app", LAYER).await;
    save(&world, "base").await;
    let push = async |worker: usize| {
        let mut taken = 0;
        for turn in 0..12 {
            let layer = format!("layer {worker} {turn}").repeat(20_000);
            match docker.push_image(&format!("t{worker}-{turn}"), layer.as_bytes()).await {
                Ok(_) => taken += 1,
                Err(refusal) => assert!(is_lawful(refusal.status()), "{refusal:?}"),
            }
        }
        taken
    };
    let disturb = async {
        for turn in 0..10 {
            save(&world, &format!("s{turn}")).await;
            load(&world, if turn % 3 == 0 { "base" } else { "s0" }).await;
        }
    };
    let ((), one, two) = tokio::join!(disturb, push(1), push(2));
    assert!(one + two > 0, "some pushes were taken");
    // Each snapshot is a whole world: what it names can be pulled.
    for turn in 0..10 {
        load(&world, &format!("s{turn}")).await;
        let tags = good(docker.call(Method::GET, "tags/list").send().await.unwrap()).await;
        for tag in tags["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()) {
            let (_, layer) = docker.pull_image(tag).await.unwrap();
            match tag.strip_prefix('t').and_then(|rest| rest.split_once('-')) {
                Some((worker, turn)) => assert_eq!(layer, format!("layer {worker} {turn}").repeat(20_000).as_bytes()),
                None => assert_eq!(layer, LAYER),
            }
        }
    }
    for _ in 0..20 {
        load(&world, "base").await;
    }
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()));
    let files = std::fs::read_dir(world.dir.join("blobs")).unwrap().count();
    assert_eq!(files, 2, "what the loaded world does not name is gone");
    world.leaves_uploads();
}

#[tokio::test]
async fn a_reset_empties_the_world_and_tokens_go_on_working() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, _) = stage::image(&me, false, "team/app", LAYER).await;
    done(&world, Method::POST, "reset", json!({})).await;
    assert_eq!(me.arm(Method::GET, &group_path(""), Value::Null).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(docker.pull_image("v1").await.unwrap_err().status(), StatusCode::NOT_FOUND);
    assert!(std::fs::read_dir(world.dir.join("blobs")).unwrap().next().is_none());
    let (_, docker, manifest) = stage::image(&me, false, "team/app", LAYER).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().0, manifest);
}

async fn refused(world: &World, method: Method, path: &str, body: Value) -> (u16, String) {
    let (status, said) = control(world, method, path, body).await;
    assert!(!status.is_success(), "{path}: {said}");
    (status.as_u16(), said["error"]["message"].as_str().unwrap().to_owned())
}

fn about(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("snapshot.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut document);
    std::fs::write(path, document.to_string()).unwrap();
}

#[tokio::test]
async fn what_cannot_be_saved_or_loaded_says_why_and_harms_nothing() {
    let world = World::new();
    let me = world.developer().await;
    let (_, docker, manifest) = stage::image(&me, false, "team/app", LAYER).await;
    let snapshots = world.dir.join("snapshots");
    let save = |name: &str| json!({ "name": name });
    for name in ["", ".", "..", "a/b", "-x", "a b", &"x".repeat(65), "ä"] {
        assert_eq!(refused(&world, Method::POST, "snapshots", save(name)).await.0, 400, "{name}");
    }
    assert_eq!(refused(&world, Method::POST, "snapshots", json!({})).await.0, 400);
    assert_eq!(
        refused(&world, Method::POST, "snapshots/none/load", json!({})).await,
        (404, "there is no snapshot none".into())
    );
    done(&world, Method::POST, "snapshots", save("s")).await;
    assert_eq!(refused(&world, Method::POST, "snapshots", save("s")).await.0, 409);
    docker.push_image("v2", b"more").await.unwrap();

    about(&snapshots.join("s"), |document| document["schema"] = json!(9_999));
    let (status, why) = refused(&world, Method::POST, "snapshots/s/load", json!({})).await;
    assert!(status == 422 && why.contains("is newer than this one"), "{status} {why}");
    about(&snapshots.join("s"), |document| {
        document["format"] = json!(99);
        document["acrite"] = json!("9.0.0");
    });
    let (status, why) = refused(&world, Method::GET, "snapshots/s", Value::Null).await;
    assert!(status == 422 && why.contains("saved by acrite 9.0.0"), "{status} {why}");
    std::fs::write(snapshots.join("s/snapshot.json"), "{").unwrap();
    let (status, why) = refused(&world, Method::POST, "snapshots/s/load", json!({})).await;
    assert!(status == 422 && why.contains("is damaged"), "{status} {why}");

    // Another world's.
    let other = World::new();
    done(&other, Method::POST, "snapshots", save("theirs")).await;
    std::fs::rename(other.dir.join("snapshots/theirs"), snapshots.join("theirs")).unwrap();
    let (status, why) = refused(&world, Method::POST, "snapshots/theirs/load", json!({})).await;
    assert!(status == 422 && why.contains("another master key"), "{status} {why}");

    // A file of it is gone.
    done(&world, Method::POST, "snapshots", save("holed")).await;
    docker.call(Method::DELETE, "manifests/v2").send().await.unwrap();
    for file in std::fs::read_dir(snapshots.join("holed/blobs")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    std::fs::remove_file(snapshots.join("holed/acrite.db")).unwrap();
    let (status, _) = refused(&world, Method::POST, "snapshots/holed/load", json!({})).await;
    assert_eq!(status, 422);

    // A full disk.
    done(&world, Method::POST, "faults", json!({"service": "disk", "operation": "Write", "full": true})).await;
    let (status, why) = refused(&world, Method::POST, "snapshots", save("full")).await;
    assert!(status == 503 && why.contains("full"), "{status} {why}");
    done(&world, Method::DELETE, "faults", Value::Null).await;
    assert!(!snapshots.join("full").exists());
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()));
    let hidden = std::fs::read_dir(&snapshots)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "nothing half made is left");
    let shown = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    assert_eq!(shown["name"], "reg01");
    world.provokes("snapshot");
}

#[test]
fn the_command_line_saves_loads_compares_and_resets() {
    let home = tempfile::tempdir().unwrap();
    let script = "
        acrite snapshot list && acrite snapshot save one && acrite snapshot diff one &&
        acrite snapshot load one && acrite snapshot show one &&
        acrite snapshot delete one && acrite reset && acrite snapshot load one";
    let ran = crate::process::run(home.path(), &["exec", "--", "sh", "-c", script]);
    let (said, wrong) = (crate::process::out(&ran), crate::process::err(&ran));
    for line in [
        "no snapshots\n",
        "saved one: 0 blobs of 0 bytes, at ",
        "no differences\n",
        "loaded one: ",
        "deleted one\n",
        "the world is as it began\n",
    ] {
        assert!(said.contains(line), "{line}: {said}{wrong}");
    }
    assert!(wrong.contains("there is no snapshot one"), "{wrong}");
    assert_eq!(ran.status.code(), Some(1));
}

#[tokio::test]
async fn an_exported_world_is_taken_in_again_and_begins_another_instance() {
    let world = World::with(&["--clock", "2026-01-01T00:00:00Z,frozen"]);
    let me = world.developer().await;
    let (_, docker, manifest) = stage::image(&me, false, "team/app", LAYER).await;
    save(&world, "one").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let at = |path: &str| format!("{}/acrite/v1/snapshots/{path}", world.url);
    let exported = client.get(at("one/export")).send().await.unwrap();
    assert_eq!(exported.headers()["content-type"], "application/x-tar");
    let archive = exported.bytes().await.unwrap().to_vec();
    for secret in [LAYER, &manifest] {
        assert!(!archive.windows(secret.len()).any(|part| part == secret), "all of it is sealed");
    }

    let import = async |name: &str, body: Vec<u8>| {
        let answer = client.post(at(&format!("{name}/import"))).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    docker.push_image("v2", b"another").await.unwrap();
    assert_eq!(import("two", archive.clone()).await.0, 200);
    assert_eq!(import("two", archive.clone()).await.0, 409);
    load(&world, "two").await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest.clone(), LAYER.to_vec()));
    assert_eq!(docker.pull_image("v2").await.unwrap_err().status(), StatusCode::NOT_FOUND);
    // What is no archive, or not a whole one, or another world's.
    for broken in [b"no archive".to_vec(), Vec::new(), archive[..archive.len() / 2].to_vec()] {
        let (status, said) = import("three", broken).await;
        assert!(status == 422 && said["error"]["message"].as_str().unwrap().contains("is damaged"), "{status} {said}");
    }
    let other = World::new();
    let theirs = format!("{}/acrite/v1/snapshots/theirs/import", other.url);
    let refused = client.post(theirs).body(archive.clone()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().await.unwrap().contains("another master key"));

    // Another instance begins with it: by its file, and by its name in this data folder.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &archive).unwrap();
    let begun = World::with(&["--snapshot", file.path().to_str().unwrap()]);
    let they = begun.developer().await;
    let docker = they.sign_in("reg01", "team/app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()));
    let clock = done(&begun, Method::GET, "clock", Value::Null).await;
    assert_eq!((&clock["now"], &clock["frozen"]), (&json!("2026-01-01T00:00:00.000Z"), &json!(true)));
    let home = tempfile::tempdir().unwrap();
    let named = crate::process::acrite(home.path(), &["exec", "--snapshot", "one", "--", "acrite", "status"])
        .env("ACRITE_DATA_DIR", &world.dir)
        .output()
        .unwrap();
    assert!(crate::process::out(&named).contains("reg01"), "{}", crate::process::err(&named));
    let none = crate::process::run(home.path(), &["exec", "--snapshot", "none", "--", "true"]);
    assert!(crate::process::err(&none).contains("there is no snapshot none"), "{}", crate::process::err(&none));
    assert_eq!(none.status.code(), Some(1));
}
