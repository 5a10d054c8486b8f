//! Key rotation: on demand, by policy, and all else that time does to keys and secrets by itself.
//! Must not know: registries exist (they notice new versions themselves); HTTP.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::keys::{self, Found, Made};
use super::object::find;
use crate::app::Cx;
use crate::domain::access::Permission;
use crate::domain::audit::Happening;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Attributes, Change, Key, Keys, Version};
use crate::domain::vault::object::Kind as _;
use crate::domain::vault::rotation;
use crate::domain::vault::secret::Secrets;
use crate::domain::vault::wanted::Material;
use crate::domain::{Result, Timestamp};
use crate::store;

/// A key's rotation policy; the default one where none was set.
pub async fn policy(cx: &mut Cx, vault: &str, name: &str) -> Result<(Vault, Key, Value)> {
    let (vault, key, _): Found = find(cx, vault, name, None, Permission::ROTATION_POLICY_GET).await?;
    let policy = key.own.policy.clone().unwrap_or_else(rotation::default_policy);
    Ok((vault, key, policy))
}

/// Sets a key's rotation policy.
pub async fn set_policy(cx: &mut Cx, vault: &str, name: &str, asked: &rotation::Asked) -> Result<(Vault, Key, Value)> {
    let (vault, mut key, newest): Found = find(cx, vault, name, None, Permission::ROTATION_POLICY_SET).await?;
    let settled = rotation::settle(asked, key.own.policy.as_ref(), cx.now)?;
    key.own.policy = Some(settled.clone());
    Keys::plan(&mut key, &newest, cx.now);
    store::vault::object::update(&mut cx.tx, &key).await?;
    Ok((vault, key, settled))
}

/// Makes a new version of a key now. Within a change: making it takes long.
pub async fn rotate(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, mut key, newest): Found = find(cx, vault, name, None, Permission::KEY_ROTATE).await?;
    let (private, public) = keys::generated(cx, &vault, name, newest.material())?;
    let version = add_like(cx, &mut key, &newest, &private, public).await?;
    Ok((vault, key, version))
}

/// Adds a version like the newest one, with its operations and tags, and the expiry that the policy gives [recorded
/// for type, size and `exp`; inferred for tags].
async fn add_like(cx: &mut Cx, key: &mut Key, newest: &Version, private: &[u8], public: Value) -> Result<Version> {
    let expires = key.own.policy.as_ref().and_then(|p| rotation::expiry(p, cx.now));
    let release_policy = newest.own.doc.get("release_policy").cloned();
    let exportable = newest.own.doc["exportable"].as_bool();
    let made = Made {
        kty: &newest.own.kty,
        private,
        public,
        key_ops: newest.own.key_ops.clone(),
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
pub(in crate::app) async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    let purge = store::vault::object::next_purge::<Keys>(&mut cx.tx).await?;
    let keys = store::vault::keys::next_due(&mut cx.tx).await?;
    let secrets = store::vault::object::next_purge::<Secrets>(&mut cx.tx).await?;
    Ok([purge, keys, secrets].into_iter().flatten().min())
}

/// Things of one kind done in one transaction at the most, so that nobody waits long for it. The rest is due at the
/// same instant, and done in the next.
const AT_ONCE: i64 = 256;

/// The private keys of versions to be made, by key, each with the version that was the newest when it was made.
pub(in crate::app) type Prepared = HashMap<i64, (i64, keys::Pair)>;

/// Private keys kept at most that no version was made of.
const PREPARED: usize = 1024;

/// Makes a private key for a version that a policy will make.
pub(in crate::app) struct Preparation {
    key: i64,
    before: i64,
    material: Material,
}

impl Preparation {
    /// RSA takes its time: not within a transaction.
    pub(in crate::app) fn work(&self) -> Result<(i64, (i64, keys::Pair))> {
        Ok((self.key, (self.before, keys::generate(self.material)?)))
    }
}

/// What is to be prepared before what is due at `at` can be done. Where anything is, also what comes next until
/// `horizon`, so that `workers` have something to do.
pub(in crate::app) async fn lacking(
    cx: &mut Cx,
    prepared: &mut Prepared,
    (at, horizon): (Timestamp, Timestamp),
    workers: usize,
) -> Result<Vec<Preparation>> {
    if prepared.len() > PREPARED {
        // Keys that were deleted or changed meanwhile.
        prepared.clear();
    }
    let mut lacking = Vec::new();
    // Some keys take several times as long as others: with more of them at a time nobody waits for the slowest.
    let more = i64::try_from(workers.saturating_mul(4)).unwrap_or(i64::MAX);
    for (until, most) in [(at, AT_ONCE), (horizon, more)] {
        for key in store::vault::keys::rotating(&mut cx.tx, until, most).await? {
            let Some(newest) = store::vault::object::find_version::<Keys>(&mut cx.tx, key.id, None).await? else {
                continue;
            };
            let known = prepared.get(&key.id).is_some_and(|(before, _)| *before == newest.id)
                || lacking.iter().any(|p: &Preparation| p.key == key.id);
            if !known {
                lacking.push(Preparation { key: key.id, before: newest.id, material: newest.material() });
            }
        }
        if lacking.is_empty() || lacking.len() >= workers {
            break;
        }
    }
    Ok(lacking)
}

/// Does what is due at the context's instant. Returns vault and name of the keys that got a version. Those that are not
/// `prepared` wait.
pub(in crate::app) async fn do_due(cx: &mut Cx, prepared: &mut Prepared) -> Result<Vec<(String, String)>> {
    let now = cx.now;
    // What is purged at this very instant does not rotate any more.
    let purged = store::vault::object::purge_due::<Keys>(&mut cx.tx, now).await?;
    let secrets = store::vault::object::purge_due::<Secrets>(&mut cx.tx, now).await?;
    if secrets > 0 {
        cx.passing(format!("deleted secrets are purged: {secrets}"));
    }
    if purged > 0 {
        cx.passing(format!("deleted keys are purged: {purged}"));
        let app = cx.app.clone();
        cx.tx.then(move || app.parsed.forget_all());
    }
    for key in store::vault::keys::ending(&mut cx.tx, now, AT_ONCE).await? {
        tell_near_expiry(cx, key).await?;
    }
    let mut rotated = Vec::new();
    for mut key in store::vault::keys::rotating(&mut cx.tx, now, AT_ONCE).await? {
        let Some(newest) = store::vault::object::find_version::<Keys>(&mut cx.tx, key.id, None).await? else {
            key.own.rotate_at = None;
            store::vault::object::update(&mut cx.tx, &key).await?;
            continue;
        };
        let Some((_, (private, public))) = prepared.remove(&key.id).filter(|(before, _)| *before == newest.id) else {
            continue;
        };
        add_like(cx, &mut key, &newest, &private, public).await?;
        if let Some(vault) = store::vault::vaults::find_by_id(&mut cx.tx, key.vault).await? {
            cx.passing(format!("key {} of vault {} has a new version by its rotation policy", key.name, vault.name));
            rotated.push((vault.name, key.name));
        }
    }
    Ok(rotated)
}

/// Tells that the end of `key`'s newest version is near, once.
async fn tell_near_expiry(cx: &mut Cx, mut key: Key) -> Result<()> {
    key.own.near_expiry_at = None;
    cx.passing(format!("key {}: its end is near, which an event tells", key.name));
    store::vault::object::update(&mut cx.tx, &key).await?;
    if let Some(mut newest) = store::vault::object::find_version::<Keys>(&mut cx.tx, key.id, None).await? {
        newest.own.doc["near_expiry_told"] = json!(newest.expires);
        store::vault::object::update_version(&mut cx.tx, &newest).await?;
        cx.announce(Happening::NearExpiry, &key, &newest).await?;
    }
    Ok(())
}
