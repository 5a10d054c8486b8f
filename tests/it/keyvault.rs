//! Key Vault through the proxy, the certificate and real tokens: what the unit tests of the front end cannot
//! see, above all that the clock alone makes vaults act.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{World, good, refused};

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_rotation_policy_acts_and_the_registry_follows_within_the_hour() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("v-rotates", false).await;
    let first = developer.make_key("v-rotates", "cmk").await;
    let (client_id, principal) = developer.make_identity("keeper").await;
    developer.allow("v-rotates", &principal).await;
    let body = crate::harness::Person::cmk_body("https://v-rotates.vault.azure.net/keys/cmk", "keeper", &client_id);
    good(developer.arm(Method::PUT, &crate::harness::registry_path("rotates"), body).await).await;
    assert_eq!(developer.encryption("rotates").await["versionedKeyIdentifier"], first);

    let policy = json!({"attributes": {"expiryTime": "P90D"}, "lifetimeActions":
        [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}]});
    good(developer.vault(Method::PUT, "v-rotates", "keys/cmk/rotationpolicy", policy).await).await;
    world.advance(29 * DAY).await;
    assert_eq!(developer.encryption("rotates").await["versionedKeyIdentifier"], first);
    world.advance(2 * DAY).await;
    let newest = good(developer.vault(Method::GET, "v-rotates", "keys/cmk", Value::Null).await).await;
    let newest = newest["key"]["kid"].as_str().unwrap().to_owned();
    assert_ne!(newest, first);
    assert_eq!(developer.encryption("rotates").await["versionedKeyIdentifier"], newest);
    // Two more while nobody asked for anything, each in its turn.
    world.advance(60 * DAY).await;
    let versions = good(developer.vault(Method::GET, "v-rotates", "keys/cmk/versions", Value::Null).await).await;
    assert_eq!(versions["value"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn keys_and_secrets_survive_a_kill_and_come_back_from_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(dir.path(), &[]);
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("v-stays", false).await;
    developer.make_key("v-stays", "k").await;
    let secret = json!({"value": "marker-in-a-secret"});
    good(developer.vault(Method::PUT, "v-stays", "secrets/s", secret).await).await;
    let wrap = json!({"alg": "RSA-OAEP-256", "value": "AAECAwQFBgcICQoLDA0ODw"});
    let wrapped = good(developer.vault(Method::POST, "v-stays", "keys/k/wrapkey", wrap.clone()).await).await;
    let backup = good(developer.vault(Method::POST, "v-stays", "keys/k/backup", Value::Null).await).await;
    drop(developer);
    world.kill();

    let world = World::on(dir.path(), &[]);
    let developer = world.developer().await;
    let kept = good(developer.vault(Method::GET, "v-stays", "secrets/s", Value::Null).await).await;
    assert_eq!(kept["value"], "marker-in-a-secret");
    good(developer.vault(Method::DELETE, "v-stays", "keys/k", Value::Null).await).await;
    let unwrap = json!({"alg": "RSA-OAEP-256", "value": wrapped["value"]});
    let gone = developer.vault(Method::POST, "v-stays", "keys/k/unwrapkey", unwrap.clone()).await;
    assert_eq!(refused(gone).await.1, "KeyNotFound");
    let purged = developer.vault(Method::DELETE, "v-stays", "deletedkeys/k", Value::Null).await;
    assert_eq!(purged.status(), 204);
    good(developer.vault(Method::POST, "v-stays", "keys/restore", backup).await).await;
    let back = good(developer.vault(Method::POST, "v-stays", "keys/k/unwrapkey", unwrap).await).await;
    assert_eq!(back["value"], wrap["value"]);

    drop(developer);
    world.kill();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(18).any(|w| w == b"marker-in-a-secret");
            assert!(!found, "{} holds a secret in the clear", path.display());
        }
    }
}

/// A backup is of its geography: another region of it opens it, a region elsewhere does not [issue].
#[tokio::test]
async fn a_backup_belongs_to_its_geography() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    for (vault, region) in [("v-geo-a", "eastus"), ("v-geo-b", "germanywestcentral"), ("v-geo-c", "westus3")] {
        developer.make_vault_in(vault, region).await;
    }
    developer.make_key("v-geo-a", "k").await;
    good(developer.vault(Method::PUT, "v-geo-a", "secrets/s", json!({"value": "x"})).await).await;
    for (collection, name) in [("keys", "k"), ("secrets", "s")] {
        let path = format!("{collection}/{name}/backup");
        let backup = good(developer.vault(Method::POST, "v-geo-a", &path, Value::Null).await).await;
        let restore = format!("{collection}/restore");
        let elsewhere = refused(developer.vault(Method::POST, "v-geo-b", &restore, backup.clone()).await).await;
        let text = "Cannot decrypt backup blob.".to_owned();
        assert_eq!(elsewhere, (400, "BadParameter".to_owned(), text));
        good(developer.vault(Method::POST, "v-geo-c", &restore, backup).await).await;
    }
}

/// A key keeps the name of the curve that it came with [recorded 2023]; RSA of 1024 bits is taken, and works [recorded
/// 2024].
#[tokio::test]
async fn imported_keys_stay_what_they_are() {
    use acrite::domain::world::crypto::base64url;
    use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("v-imports", false).await;
    let jwk = |bits: usize| {
        let key = rsa::PrivateKey::new(&mut rand::rng(), bits).unwrap();
        let number = |number: &rsa::BoxedUint| base64url(&number.to_be_bytes());
        json!({"key": {"kty": "RSA", "n": number(key.n()), "e": number(key.e()), "d": number(key.d())}})
    };
    let made = good(developer.vault(Method::PUT, "v-imports", "keys/small", jwk(1024)).await).await;
    assert_eq!(made["key"]["n"].as_str().unwrap().len(), 171);
    for alg in ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"] {
        let wrap = json!({"alg": alg, "value": "AAECAwQFBgcICQoLDA0ODw"});
        let wrapped = good(developer.vault(Method::POST, "v-imports", "keys/small/wrapkey", wrap.clone()).await).await;
        let unwrap = json!({"alg": alg, "value": wrapped["value"]});
        let unwrapped = good(developer.vault(Method::POST, "v-imports", "keys/small/unwrapkey", unwrap).await).await;
        assert_eq!(unwrapped["value"], wrap["value"], "{alg}");
    }
    let odd = refused(developer.vault(Method::PUT, "v-imports", "keys/odd", jwk(1536)).await).await;
    assert_eq!((odd.0, odd.1.as_str()), (400, "BadParameter"));
    let made = json!({"kty": "EC", "crv": "SECP256K1"});
    let made = good(developer.vault(Method::POST, "v-imports", "keys/curve/create", made).await).await;
    assert_eq!(made["key"]["crv"], "SECP256K1");
    let rotated = good(developer.vault(Method::POST, "v-imports", "keys/curve/rotate", Value::Null).await).await;
    assert_eq!(rotated["key"]["crv"], "SECP256K1");
}
