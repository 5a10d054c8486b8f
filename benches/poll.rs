//! The hourly look over many registries: with nothing new, and with every key rotated, beside the bare RSA
//! work of the rotations. `cargo bench --bench poll [-- COUNT]`; COUNT is 10000 unless given.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use acrite::app::App;
use acrite::app::Options;
use acrite::app::change::Admission;
use acrite::app::directory::identities;
use acrite::app::registry::registries;
use acrite::app::resources::groups;
use acrite::app::timeline;
use acrite::app::timeline::Change;
use acrite::app::vault::keys;
use acrite::app::vault::vaults;
use acrite::app::vault::vaults::Asked;
use acrite::domain::access::Caller;
use acrite::domain::vault::key::Attributes;
use acrite::domain::vault::wanted::Material;
use acrite::domain::vault::wanted::Wanted as KeyWanted;
use acrite::domain::world::crypto;
use acrite::domain::world::crypto::RsaAlgorithm;
use acrite::domain::world::crypto::RsaPrivate;
use acrite::domain::world::time::HOUR;
use acrite::domain::world::well_known::DEVELOPER_OBJECT_ID;
use acrite::domain::world::well_known::TENANT_ID;
use serde_json::json;

const GROUP: &str = "rg";
const VAULT: &str = "vault1";

fn main() {
    let count = std::env::args().filter_map(|a| a.parse::<usize>().ok()).next().unwrap_or(10_000);
    tokio::runtime::Runtime::new().unwrap().block_on(run(count));
}

async fn run(count: usize) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        data_dir: dir.path().to_owned(),
        ephemeral: true,
        revocation_delay: 0,
        replication_delay: 0,
        clock: None,
        audit_log: None,
        diagnostics: None,
    };
    let app = App::open(options).await.unwrap();
    let me = Admission::of(&Caller::system());
    timeline::change(&app, Change::Freeze).await.unwrap();

    let mut cx = app.write(me.caller.clone()).await.unwrap();
    groups::put(&mut cx, GROUP, Some("eastus"), None).await.unwrap();
    let (identity, _) = identities::put(&mut cx, GROUP, "id1", "eastus", json!({}), json!({})).await.unwrap();
    let policy = |object: &str| json!({"tenantId": TENANT_ID, "objectId": object, "permissions": {"keys": ["all"]}});
    let properties = json!({
        "sku": {"name": "standard"}, "tenantId": TENANT_ID,
        "accessPolicies": [policy(DEVELOPER_OBJECT_ID), policy(&identity.principal_id)],
    });
    let asked = Asked {
        group: GROUP.into(),
        name: VAULT.into(),
        location: Some("eastus".into()),
        tags: None,
        properties: properties.as_object().unwrap().clone(),
        roles_by_default: false,
    };
    vaults::put(&mut cx, asked).await.unwrap();
    cx.commit().await.unwrap();
    // As many keys as a large organisation would have; registries share them.
    let kinds = 20.min(count);
    let rotate = async || {
        for n in 0..kinds {
            let asked = (format!("key{n}"), rsa());
            app.change(&me, &asked, |cx, (key, wanted)| Box::pin(keys::create(cx, VAULT, key, wanted))).await.unwrap();
        }
    };
    rotate().await;
    let begun = Instant::now();
    for n in 0..count {
        let key = format!("https://{VAULT}.vault.azure.net/keys/key{}", n % kinds);
        let properties = json!({"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": identity.client_id}}});
        let id = acrite::domain::world::name::identity_id(GROUP, "id1");
        let wanted = registries::Wanted {
            group: GROUP.into(),
            name: format!("registry{n:05}"),
            location: Some("eastus".into()),
            sku: Some("Premium".into()),
            tags: None,
            identity: Some(json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}})),
            properties: properties.as_object().unwrap().clone(),
            version: "2025-11-01".into(),
        };
        app.change(&me, &wanted, |cx, wanted| Box::pin(registries::put(cx, wanted))).await.unwrap();
    }
    println!("{count} registries on {kinds} keys made in {:.2?}", begun.elapsed());

    let look = async || {
        let begun = Instant::now();
        timeline::change(&app, Change::Advance(HOUR)).await.unwrap();
        begun.elapsed()
    };
    let idle = look().await;
    let again = look().await;
    rotate().await;
    let rotated = look().await;
    let bare = bare_rsa(count);
    println!("one look, nothing new:            {idle:.2?}, again {again:.2?}");
    println!("one look, every key rotated:      {rotated:.2?}");
    println!("bare RSA work of that:            {bare:.2?} (unwrap, wrap, unwrap to check, each)");
    println!("ratio:                            {:.2}", rotated.as_secs_f64() / bare.as_secs_f64());
}

fn rsa() -> KeyWanted {
    KeyWanted {
        material: Material::Rsa(2048),
        hsm: false,
        key_ops: None,
        attributes: Attributes::default(),
        tags: None,
        release_policy: None,
    }
}

/// What the rotations cost if there were nothing but RSA-2048.
fn bare_rsa(count: usize) -> Duration {
    let (der, _) = crypto::generate_rsa(2048, &mut rand::rng()).unwrap();
    let key = RsaPrivate::from_pkcs8(&der).unwrap();
    let begun = Instant::now();
    for _ in 0..count {
        let wrapped = key.encrypt(RsaAlgorithm::Oaep256, &[7; 32]).unwrap();
        // The old wrapping is opened, the new one is opened once to be sure.
        for _ in 0..2 {
            assert_eq!(key.decrypt(RsaAlgorithm::Oaep256, &wrapped).unwrap().len(), 32);
        }
    }
    begun.elapsed()
}
