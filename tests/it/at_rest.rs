//! What lies on disk is sealed: nothing that was pushed, and no private key, can be read there.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{World, good};
use crate::stage;

const MARKER: &str = "a-marker-that-must-not-be-found-on-disk";

/// Whether any file below `dir` holds `needle`.
pub fn found(dir: &Path, needle: &[u8]) -> Option<String> {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(hit) = found(&path, needle) {
                return Some(hit);
            }
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(needle.len()).any(|w| w == needle)
        {
            return Some(path.display().to_string());
        }
    }
    None
}

#[tokio::test]
async fn no_plaintext_lies_in_the_data_folder() {
    let world = World::new();
    let me = world.developer().await;
    stage::registry(&me, false).await;
    me.make_registry("plain1").await;
    for registry in ["reg01", "plain1"] {
        let docker = me.sign_in(registry, "r").await;
        let mut layer = MARKER.repeat(5000).into_bytes();
        layer.extend_from_slice(registry.as_bytes());
        docker.push_image("v1", &layer).await.unwrap();
        // A manifest whose annotation holds the marker.
        let config = docker.push_blob(b"{}").await.unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": crate::harness::MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "annotations": {"marker": MARKER},
        });
        let put = docker.call(Method::PUT, "manifests/noted").header("content-type", crate::harness::MANIFEST);
        good_or_created(put.body(manifest.to_string()).send().await.unwrap()).await;
        // An upload that is never finished.
        world.leaves_uploads();
        let begun = docker.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.unwrap();
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let url = format!("https://{}{location}", docker.server);
        let patch = world.http().patch(url).bearer_auth(&docker.token).body(MARKER.repeat(4000));
        assert_eq!(patch.send().await.unwrap().status(), 202);
    }
    assert_eq!(found(&world.dir, MARKER.as_bytes()), None);
    // PKCS#8 of an RSA key begins alike for every key of a size; a readable one would show this.
    let rsa_oid =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x04, 0x82];
    assert_eq!(found(&world.dir, &rsa_oid), None);
    // The search itself can find: the public modulus is stored readable.
    let shown = good(me.vault(Method::GET, "vault1", "keys/key", Value::Null).await).await;
    let modulus = shown["key"]["n"].as_str().unwrap();
    assert!(found(&world.dir, &modulus.as_bytes()[..40]).is_some(), "the search finds what is there");
}

async fn good_or_created(response: reqwest::Response) {
    assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
}

/// Whoever may write to the disk cannot put back what an attempt wrote that broke off: it was sealed for the same place
/// of the same blob, and never became part of it.
#[tokio::test]
async fn a_chunk_of_an_attempt_that_broke_off_is_not_served() {
    use acrite::domain::registry::envelope::CHUNK;
    use acrite::domain::registry::envelope::HEADER;
    use acrite::domain::registry::envelope::SEALED_CHUNK;
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let docker = me.sign_in("reg01", "r").await;
    let begun = docker.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.unwrap();
    let uuid = begun.headers()["docker-upload-uuid"].to_str().unwrap().to_owned();
    let session = format!("blobs/uploads/{uuid}");
    let (first, lost, kept) = (vec![1; CHUNK], vec![2; CHUNK], vec![3; CHUNK]);
    let sent = docker.call(Method::PATCH, &session).body(first.clone()).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    let range = format!("{CHUNK}-{}", 2 * CHUNK);
    let broken = docker.call(Method::PATCH, &session).header("content-range", range).body(lost).send().await.unwrap();
    assert_eq!(broken.status(), 400, "it is one byte short");
    let second = HEADER + SEALED_CHUNK..HEADER + 2 * SEALED_CHUNK;
    let old = std::fs::read(world.dir.join("uploads").join(&uuid)).unwrap()[second.clone()].to_vec();
    let whole = [first, kept].concat();
    let digest = crate::harness::digest(&whole);
    let put = docker.call(Method::PUT, &format!("{session}?digest={digest}")).body(whole[CHUNK..].to_vec());
    assert_eq!(put.send().await.unwrap().status(), 201);
    let get = async || docker.call(Method::GET, &format!("blobs/{digest}")).send().await.unwrap();
    assert_eq!(get().await.bytes().await.unwrap(), whole);

    let file = world.dir.join("blobs").join(&uuid);
    let mut bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes[second.clone()].len(), old.len());
    bytes[second].copy_from_slice(&old);
    std::fs::write(&file, bytes).unwrap();
    world.provokes("sealed data does not open");
    assert_eq!(get().await.status(), 500);
}
