//! Key rotation: on demand, by policy, and all else that time does to keys and secrets by itself.
//! Must not know: registries exist (they notice new versions themselves); HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use super::keys::{Found, Made};
use super::{keys, secrets};
use crate::app::world::work;
use crate::app::{App, Cx};
use crate::domain::access::{Caller, Permission};
use crate::domain::audit::Happening;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Attributes, Change, Key, Version};
use crate::domain::vault::rotation;
use crate::domain::{Result, Timestamp};
use crate::store;
use crate::store::Tx;

/// A key's rotation policy; the default one where none was set.
pub async fn policy(cx: &mut Cx, vault: &str, name: &str) -> Result<(Vault, Key, Value)> {
    let (vault, key, _) = keys::find(cx, vault, name, None, Permission::ROTATION_POLICY_GET).await?;
    let policy = key.rotation_policy.clone().unwrap_or_else(rotation::default_policy);
    Ok((vault, key, policy))
}

/// Sets a key's rotation policy.
pub async fn set_policy(cx: &mut Cx, vault: &str, name: &str, asked: &Value) -> Result<(Vault, Key, Value)> {
    let (vault, mut key, newest) = keys::find(cx, vault, name, None, Permission::ROTATION_POLICY_SET).await?;
    let settled = rotation::settle(asked, key.rotation_policy.as_ref(), cx.now)?;
    key.rotation_policy = Some(settled.clone());
    keys::plan(cx, &mut key, &newest).await?;
    Ok((vault, key, settled))
}

/// Makes a new version of a key now. Within a change: making it takes long.
pub async fn rotate(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, mut key, newest) = keys::find(cx, vault, name, None, Permission::KEY_ROTATE).await?;
    let (private, public) = keys::generated(cx, &vault, name, newest.material())?;
    let version = add_like(cx, &mut key, &newest, &private, public).await?;
    Ok((vault, key, version))
}

/// Adds a version like the newest one, with its operations and tags, and the expiry that the policy gives [recorded
/// for type, size and `exp`; inferred for tags].
async fn add_like(cx: &mut Cx, key: &mut Key, newest: &Version, private: &[u8], public: Value) -> Result<Version> {
    let expires = key.rotation_policy.as_ref().and_then(|p| rotation::expiry(p, cx.now));
    let release_policy = newest.doc.get("release_policy").cloned();
    let exportable = newest.doc["exportable"].as_bool();
    let made = Made {
        kty: &newest.kty,
        private,
        public,
        key_ops: newest.key_ops.clone(),
        change: Change {
            attributes: Attributes { expires, exportable, ..Attributes::default() },
            tags: newest.tags.clone(),
            release_policy,
            ..Change::default()
        },
    };
    keys::add_version(cx, key, made).await
}

/// When the next thing is due that happens to keys and secrets by themselves: a purge, a rotation, or an end
/// that is near.
pub async fn due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let purge = store::vault::keys::next_purge(tx).await?;
    let rotation = store::vault::keys::next_rotation(tx).await?.and_then(|k| k.rotate_at);
    let near = store::vault::keys::next_near_expiry(tx).await?.and_then(|k| k.near_expiry_at);
    let secrets = secrets::due(tx).await?;
    Ok([purge, rotation, near, secrets].into_iter().flatten().min())
}

/// Does what is due at `at` or before, each at its own instant and in order. Called by the poller.
pub async fn do_due(app: &Arc<App>, at: Timestamp) -> Result<()> {
    loop {
        let mut tx = app.store.read().await?;
        let Some(due) = due(&mut tx).await?.filter(|t| *t <= at) else { return Ok(()) };
        let rotation = store::vault::keys::next_rotation(&mut tx).await?.filter(|k| k.rotate_at == Some(due));
        let near = store::vault::keys::next_near_expiry(&mut tx).await?.filter(|k| k.near_expiry_at == Some(due));
        let before = match &rotation {
            Some(key) => store::vault::keys::find_version(&mut tx, key.id, None).await?,
            None => None,
        };
        drop(tx);
        // What is purged at this very instant does not rotate any more.
        let mut tx = app.begin().await?;
        store::vault::keys::purge_due(&mut tx, due).await?;
        store::vault::secrets::purge_due(&mut tx, due).await?;
        tx.commit().await?;
        app.parsed.forget();
        if let Some(key) = near {
            tell_near_expiry(app, due, &key).await?;
        }
        if let (Some(key), Some(before)) = (rotation, before) {
            rotate_due(app, due, &key, &before).await?;
        }
    }
}

/// Tells that the end of `key`'s newest version is near, once.
async fn tell_near_expiry(app: &Arc<App>, due: Timestamp, key: &Key) -> Result<()> {
    let mut cx = app.write_now(Caller::system()).await?;
    cx.now = due;
    // It may have been purged or changed in this very moment.
    let Some(mut key) = store::vault::keys::find_by_id(&mut cx.tx, key.id).await? else { return Ok(()) };
    if key.near_expiry_at != Some(due) {
        return Ok(());
    }
    key.near_expiry_at = None;
    store::vault::keys::update(&mut cx.tx, &key).await?;
    if let Some(mut newest) = store::vault::keys::find_version(&mut cx.tx, key.id, None).await? {
        newest.doc["near_expiry_told"] = json!(newest.expires);
        store::vault::keys::update_version(&mut cx.tx, &newest).await?;
        cx.happened(Happening::NearExpiry, &key, &newest).await?;
    }
    cx.commit().await
}

/// Makes the version that `key`'s policy is due to make at `due`, as of that instant.
async fn rotate_due(app: &Arc<App>, due: Timestamp, key: &Key, before: &Version) -> Result<()> {
    let material = before.material();
    let (private, public) = work::run(move || keys::generate(material)).await??;
    let mut cx = app.write_now(Caller::system()).await?;
    cx.now = due;
    // Somebody may have been here meanwhile: deleted the key, changed its policy, rotated it.
    let Some(mut key) = store::vault::keys::find_by_id(&mut cx.tx, key.id).await? else { return Ok(()) };
    if key.deleted.is_some() || key.rotate_at != Some(due) {
        return Ok(());
    }
    let newest = store::vault::keys::find_version(&mut cx.tx, key.id, None).await?;
    let Some(newest) = newest.filter(|newest| newest.version == before.version) else { return Ok(()) };
    add_like(&mut cx, &mut key, &newest, &private, public).await?;
    cx.commit().await
}
