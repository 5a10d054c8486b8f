//! Keys: create, import, find, change, delete, recover, purge, back up, restore, and the one way to use one.
//! Must not know: registries exist; HTTP. (What rotates keys by itself is in rotation.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::vaults;
use crate::app::world::work;
use crate::app::{App, Cx, access};
use crate::domain::access::{Caller, Permission};
use crate::domain::audit::{self, Call, Happening};
use crate::domain::error::{KeyError, RequestError};
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Change, Key, Material, Operation, Version, Wanted};
use crate::domain::vault::rotation;
use crate::domain::world::crypto::{self, PrivateKey, RsaAlgorithm, SignAlgorithm};
use crate::domain::world::{json, name};
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// A key version with all it lies in.
pub type Found = (Vault, Key, Version);

/// One page of a list, and the name or version that the next page begins with.
pub type Page<T> = (Vec<T>, Option<String>);

// ---------------------------------------------------------------- use

/// Private keys once opened and parsed. Opening one costs as much as using it several times.
///
/// Nothing is permitted because it is here: a key is looked up only after the gate and the state of its
/// version were asked in the store, within the same request.
#[derive(Debug, Default)]
pub(in crate::app) struct Parsed(Mutex<HashMap<(i64, String), Arc<PrivateKey>>>);

/// Parsed private keys kept at most. One takes about 10 kB.
const PARSED_LIMIT: usize = 512;

impl Parsed {
    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<(i64, String), Arc<PrivateKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, version: &Version) -> Option<Arc<PrivateKey>> {
        self.entries().get(&(version.id, version.version.clone())).cloned()
    }

    fn keep(&self, version: &Version, key: &Arc<PrivateKey>) {
        let mut entries = self.entries();
        if entries.len() >= PARSED_LIMIT
            && let Some(any) = entries.keys().next().cloned()
        {
            entries.remove(&any);
        }
        entries.insert((version.id, version.version.clone()), key.clone());
    }

    /// Forgets all. Deleting and purging are rare, and parsing again is cheap beside them.
    pub(in crate::app) fn forget(&self) {
        self.entries().clear();
    }
}

/// What the gate decided, and what it found, while nothing was written since: the generation of the store that
/// it was decided under is the only one that it counts for, and only until the instant at which time would decide
/// otherwise.
#[derive(Debug, Default)]
pub(in crate::app) struct Permitted(Mutex<HashMap<Question, (u64, Timestamp, Found)>>);

/// Who (and from where) asks to do what with which key version.
type Question = (String, std::net::IpAddr, &'static str, [String; 3]);

/// Decisions remembered at most.
const PERMITTED_LIMIT: usize = 512;

impl Permitted {
    fn get(&self, question: &Question, generation: u64, now: Timestamp) -> Option<Found> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (under, until, found) = kept.get(question)?;
        (*under == generation && now < *until).then(|| found.clone())
    }

    fn keep(&self, question: Question, generation: u64, until: Timestamp, found: &Found) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= PERMITTED_LIMIT {
            kept.clear();
        }
        kept.insert(question, (generation, until, found.clone()));
    }
}

/// Leave to use a key version once, for one operation. Made only by [`authorize`]; used outside of any
/// transaction.
#[derive(Debug, Clone)]
pub struct Handle {
    app: Arc<App>,
    operation: Operation,
    /// Who uses it, where that is no request that leaves its own audit record.
    heard: Option<Caller>,
    /// When it was given.
    pub at: Timestamp,
    pub vault: Vault,
    pub key: Key,
    /// The version, resolved.
    pub version: Version,
}

/// What a key is asked to do that it cannot. The texts are our own (keyvault.md H.4).
fn bad<T>(text: &str) -> Result<T> {
    Err(KeyError::BadParameter(text.to_owned()).into())
}

impl Handle {
    fn private(&self) -> Result<Arc<PrivateKey>> {
        if let Some(key) = self.app.parsed.get(&self.version) {
            return Ok(key);
        }
        let der =
            crypto::open(&self.app.master, seal_context(&self.version.version).as_bytes(), &self.version.private_key)?;
        let key = Arc::new(PrivateKey::from_pkcs8(&der, self.version.curve())?);
        self.app.parsed.keep(&self.version, &key);
        Ok(key)
    }

    /// The same leave, held by a service inside the emulator: each use leaves an audit record of its own.
    #[must_use]
    pub fn heard_as(self, caller: &Caller) -> Self {
        Self { heard: Some(caller.clone()), ..self }
    }

    /// The same leave, given at another instant.
    #[must_use]
    pub fn given_at(&self, at: Timestamp) -> Self {
        Self { at, ..self.clone() }
    }

    /// Performs the operation for a request; with a large key's private half aside of the request threads.
    pub async fn answer(self, algorithm: String, value: Vec<u8>) -> Result<Vec<u8>> {
        let private = matches!(self.operation, Operation::Sign | Operation::Decrypt | Operation::UnwrapKey);
        if private && matches!(self.version.material(), Material::Rsa(bits) if bits > 2048) {
            return work::run(move || self.run(&algorithm, &value)).await?;
        }
        self.run(&algorithm, &value)
    }

    /// Performs the operation. For `verify` see [`Handle::verify`].
    pub fn run(&self, algorithm: &str, value: &[u8]) -> Result<Vec<u8>> {
        let mut records = Vec::new();
        let done = self.run_recorded(algorithm, value, &mut records);
        records.into_iter().for_each(|call| self.app.audit.call(call));
        done
    }

    /// [`Handle::run`] by who writes the audit record with something else.
    pub fn run_recorded(&self, algorithm: &str, value: &[u8], records: &mut Vec<Call>) -> Result<Vec<u8>> {
        let done = self.perform(algorithm, value);
        if let Some(caller) = &self.heard {
            let call = used(self.at, caller, &self.vault, &self.key.name, &self.version.version, self.operation);
            records.push(Call {
                key: Some(audit::key_properties(&self.version, false)),
                status: if done.is_ok() { (200, "OK") } else { (400, "Bad Request") },
                ..call
            });
        }
        done
    }

    fn perform(&self, algorithm: &str, value: &[u8]) -> Result<Vec<u8>> {
        let key = self.private()?;
        let done = match self.operation {
            Operation::Sign => SignAlgorithm::parse(algorithm).and_then(|a| key.sign(a, value)),
            Operation::Verify => None,
            Operation::Encrypt | Operation::WrapKey => match (&*key, RsaAlgorithm::parse(algorithm)) {
                (PrivateKey::Rsa(key), Some(algorithm)) => key.encrypt(algorithm, value),
                _ => None,
            },
            Operation::Decrypt | Operation::UnwrapKey => match (&*key, RsaAlgorithm::parse(algorithm)) {
                (PrivateKey::Rsa(key), Some(algorithm)) => key.decrypt(algorithm, value).map(|v| v.to_vec()),
                _ => None,
            },
        };
        done.map_or_else(|| self.unfit(algorithm), Ok)
    }

    /// Whether `signature` is this version's over `digest`.
    pub fn verify(&self, algorithm: &str, digest: &[u8], signature: &[u8]) -> Result<bool> {
        let key = self.private()?;
        let verdict = SignAlgorithm::parse(algorithm).and_then(|a| key.verify(a, digest, signature));
        verdict.map_or_else(|| self.unfit(algorithm), Ok)
    }

    fn unfit<T>(&self, algorithm: &str) -> Result<T> {
        let operation = self.operation.as_str();
        let kty = &self.version.kty;
        bad(&format!(
            "Operation {operation} with algorithm {algorithm} and this value is not possible on a key of type {kty}."
        ))
    }
}

fn permission(operation: Operation) -> Permission {
    match operation {
        Operation::Encrypt => Permission::KEY_ENCRYPT,
        Operation::Decrypt => Permission::KEY_DECRYPT,
        Operation::WrapKey => Permission::KEY_WRAP,
        Operation::UnwrapKey => Permission::KEY_UNWRAP,
        Operation::Sign => Permission::KEY_SIGN,
        Operation::Verify => Permission::KEY_VERIFY,
    }
}

/// Authorises one use of a key version by the caller: the vault lives, the gate opens, the version exists
/// (`None`: the newest) and its state allows the operation, in this order (keyvault.md D.1).
pub async fn authorize(
    cx: &mut Cx,
    vault: &str,
    key: &str,
    version: Option<&str>,
    operation: Operation,
) -> Result<Handle> {
    let (vault, key, version) = find(cx, vault, key, version, permission(operation)).await?;
    if let Some(turns) = version.turns_after(cx.now) {
        cx.holds_until(turns);
    }
    version.allows(operation, cx.now)?;
    Ok(Handle { app: cx.app.clone(), operation, heard: None, at: cx.now, vault, key, version })
}

/// [`authorize`] for a request that does nothing else: the same decision without a transaction, where it was made
/// before and nothing was written since. `generation` is from before the caller was looked up. What depends on the
/// time is decided each time.
pub async fn authorize_alone(
    app: &Arc<App>,
    caller: &Caller,
    (vault, key, version): (&str, &str, Option<&str>),
    operation: Operation,
    generation: u64,
) -> Result<Handle> {
    app.catch_up().await?;
    let object = [vault, key, version.unwrap_or_default()].map(str::to_ascii_lowercase);
    let question = (caller.object_id.clone(), caller.address, operation.as_str(), object);
    let known = app.permitted.get(&question, app.generation(), app.now());
    let (vault, key, version) = match known {
        Some(found) => found,
        None => {
            let mut cx = app.read_now(caller.clone()).await?;
            let found = find(&mut cx, vault, key, version, permission(operation)).await?;
            app.permitted.keep(question, generation, cx.until, &found);
            found
        }
    };
    let at = app.now();
    version.allows(operation, at)?;
    Ok(Handle { app: app.clone(), operation, heard: None, at, vault, key, version })
}

/// What `operation` is called in the audit log.
#[must_use]
pub fn audited(operation: Operation) -> &'static str {
    match operation {
        Operation::Encrypt => "KeyEncrypt",
        Operation::Decrypt => "KeyDecrypt",
        Operation::WrapKey => "KeyWrap",
        Operation::UnwrapKey => "KeyUnwrap",
        Operation::Sign => "KeySign",
        Operation::Verify => "KeyVerify",
    }
}

/// The audit record of a service inside the emulator that used a key version, were it an HTTP call.
fn used(at: Timestamp, caller: &Caller, vault: &Vault, key: &str, version: &str, operation: Operation) -> Call {
    let id = format!("{}/keys/{key}/{version}", vault.uri());
    let uri = format!("{id}/{}", operation.as_str().to_ascii_lowercase());
    inside(at, caller, vault, audited(operation), id, uri)
}

/// The audit record of a service inside the emulator that was let use something of a vault.
pub(super) fn inside(
    at: Timestamp,
    caller: &Caller,
    vault: &Vault,
    operation: &'static str,
    id: String,
    uri: String,
) -> Call {
    Call {
        time: at,
        operation,
        caller: Some(caller.clone()),
        address: caller.address,
        vault_id: vault.arm_id(),
        decision: Some((vault.uses_roles(), true)),
        uri,
        id: Some(id),
        key: None,
        client: caller.service.to_owned(),
        version: String::new(),
        status: (200, "OK"),
        refusal: None,
        correlation: uuid::Uuid::new_v4().to_string(),
        took: 0,
    }
}

/// The audit record of a refusal to a service inside the emulator. None of a vault that is gone: on Azure there is
/// nobody to leave one.
pub async fn refusal(
    cx: &mut Cx,
    caller: &Caller,
    vault: &str,
    (key, version): (&str, &str),
    operation: Operation,
    error: &Error,
) -> Result<Option<Call>> {
    let vault = store::vault::vaults::find(&mut cx.tx, vault).await?.filter(|v| v.deleted.is_none());
    Ok(vault.map(|vault| refused(used(cx.now, caller, &vault, key, version, operation), &vault, error)))
}

/// The record of the same call, made again.
#[must_use]
pub fn again(call: &Call, at: Timestamp) -> Call {
    Call { time: at, correlation: uuid::Uuid::new_v4().to_string(), ..call.clone() }
}

/// The same record of one that was not.
pub(in crate::app) fn refused(call: Call, vault: &Vault, error: &Error) -> Call {
    let (status, why) = audit::refused(error);
    let through = !matches!(error, Error::Access(_));
    Call { decision: Some((vault.uses_roles(), through)), status, refusal: Some(why), ..call }
}

// ---------------------------------------------------------------- find

/// Passes the gate of a living vault.
pub async fn admit(cx: &mut Cx, vault: &str, permission: Permission, key: Option<&str>) -> Result<Vault> {
    let vault = vaults::living(cx, vault).await?;
    access::require_in_vault(cx, &vault, permission, key).await?;
    Ok(vault)
}

/// Passes the gate, then finds a living key and a version of it (`None`: the newest).
pub(in crate::app) async fn find(
    cx: &mut Cx,
    vault: &str,
    key: &str,
    version: Option<&str>,
    permission: Permission,
) -> Result<Found> {
    let vault = admit(cx, vault, permission, Some(key)).await?;
    let (key, version) = lookup(cx, &vault, key, version).await?;
    Ok((vault, key, version))
}

/// A living key and a version of it, without a gate: for resource management, which has a gate of its own.
pub async fn lookup(cx: &mut Cx, vault: &Vault, name: &str, version: Option<&str>) -> Result<(Key, Version)> {
    let addressed = match version {
        Some(version) => format!("{name}/{version}"),
        None => name.to_owned(),
    };
    let missing = || Error::from(KeyError::NotFound(addressed.clone()));
    let key = store::vault::keys::find(&mut cx.tx, vault.id, name).await?;
    let key = key.filter(|k| k.deleted.is_none()).ok_or_else(missing)?;
    let version = store::vault::keys::find_version(&mut cx.tx, key.id, version).await?.ok_or_else(missing)?;
    Ok((key, version))
}

async fn newest(cx: &mut Cx, key: &Key) -> Result<Version> {
    let newest = store::vault::keys::find_version(&mut cx.tx, key.id, None).await?;
    newest.ok_or_else(|| KeyError::NotFound(key.name.clone()).into())
}

/// A key version's public half and attributes. A disabled one can be read [issue].
pub async fn get(cx: &mut Cx, vault: &str, key: &str, version: Option<&str>) -> Result<Found> {
    find(cx, vault, key, version, Permission::KEY_GET).await
}

/// A page of the vault's keys, each with its newest version: the living ones or the deleted ones.
pub async fn list(
    cx: &mut Cx,
    vault: &str,
    deleted: bool,
    from: &str,
    limit: usize,
) -> Result<(Vault, Page<(Key, Version)>)> {
    let vault = admit(cx, vault, Permission::KEY_LIST, None).await?;
    let mut keys = store::vault::keys::list(&mut cx.tx, vault.id, deleted, from, one_more(limit)).await?;
    let next = split(&mut keys, limit).map(|k| k.name);
    let mut page = Vec::with_capacity(keys.len());
    for key in keys {
        let version = newest(cx, &key).await?;
        page.push((key, version));
    }
    Ok((vault, (page, next)))
}

/// A page of a key's versions.
pub async fn list_versions(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    from: &str,
    limit: usize,
) -> Result<(Vault, Key, Page<Version>)> {
    let vault = admit(cx, vault, Permission::KEY_LIST, Some(name)).await?;
    let (key, _) = lookup(cx, &vault, name, None).await?;
    let from = from.to_ascii_lowercase();
    let mut versions = store::vault::keys::versions(&mut cx.tx, key.id, &from, one_more(limit)).await?;
    let next = split(&mut versions, limit).map(|v| v.version);
    Ok((vault, key, (versions, next)))
}

/// How many to read to know whether there are more than `limit`.
pub(in crate::app) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts a list to `limit`; gives the first that was cut off.
pub(in crate::app) fn split<T>(list: &mut Vec<T>, limit: usize) -> Option<T> {
    let rest = list.split_off(limit.min(list.len()));
    rest.into_iter().next()
}

/// All keys of a vault, the living or the deleted ones, with all their versions, without a gate: for
/// `acrite status` and resource management.
pub async fn of_vault(cx: &mut Cx, vault: &Vault, deleted: bool) -> Result<Vec<(Key, Vec<Version>)>> {
    let mut all = Vec::new();
    for key in store::vault::keys::list(&mut cx.tx, vault.id, deleted, "", i64::MAX).await? {
        let versions = store::vault::keys::versions(&mut cx.tx, key.id, "", i64::MAX).await?;
        all.push((key, versions));
    }
    Ok(all)
}

// ---------------------------------------------------------------- make

/// A version's private key is bound to the version's id: moved to another row it does not open.
fn seal_context(version: &str) -> String {
    format!("key-version {version}")
}

/// PKCS#8 and the public JWK members of a new key.
pub(in crate::app) type Pair = (Zeroizing<Vec<u8>>, Value);

/// Makes a key of the wanted material. RSA takes its time: not within a transaction, and not on a request's thread.
pub(in crate::app) fn generate(material: Material) -> Result<Pair> {
    match material {
        Material::Rsa(bits) => crypto::generate_rsa(bits, &mut crate::app::rng()),
        Material::Ec(curve) => crypto::generate_ec(curve),
    }
}

/// The same from a JWK of that material.
fn read_jwk(material: Material, jwk: &Value) -> Result<Pair> {
    let read = match material {
        Material::Rsa(_) => crypto::import_rsa(jwk),
        Material::Ec(_) => crypto::import_ec(jwk),
    };
    read.ok_or_else(|| RequestError::InvalidValue { property: "key".to_owned(), message: String::new() }.into())
}

/// What a change of a key is called where changes take turns.
fn thing(vault: &Vault, name: &str) -> String {
    format!("{}/keys/{}", vault.uri(), name.to_ascii_lowercase())
}

/// A new key for the key that a change is about.
pub(in crate::app) fn generated(cx: &mut Cx, vault: &Vault, name: &str, material: Material) -> Result<Pair> {
    cx.aside(&thing(vault, name), &format!("a key of {material:?}"), move || generate(material))
}

/// Whether the name can get a new version: it is well-formed and not a deleted key's.
async fn nameable(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Option<Key>> {
    if !name::is_vault_object(name) {
        return bad(&format!("Property name has invalid value: {name}\r\n"));
    }
    match store::vault::keys::find(&mut cx.tx, vault.id, name).await? {
        Some(key) if key.deleted.is_some() => Err(KeyError::DeletedButRecoverable(key.name).into()),
        found => Ok(found),
    }
}

/// A version to be added to `key`.
pub(in crate::app) struct Made<'a> {
    /// `kty`.
    pub kty: &'a str,
    /// PKCS#8.
    pub private: &'a [u8],
    /// Public JWK members.
    pub public: Value,
    /// `key_ops`.
    pub key_ops: Vec<String>,
    /// Attributes, tags and release policy.
    pub change: Change,
}

/// Adds a version to a key, seals its private half, and sets when the key rotates next.
pub(in crate::app) async fn add_version(cx: &mut Cx, key: &mut Key, made: Made<'_>) -> Result<Version> {
    let id = cx.guid().replace('-', "");
    let sealed = crypto::seal(&cx.app.master, seal_context(&id).as_bytes(), made.private, &mut cx.rng())?;
    let attributes = made.change.attributes;
    let mut doc = json!({"exportable": attributes.exportable.unwrap_or(false)});
    if let Some(policy) = made.change.release_policy {
        doc["release_policy"] = policy;
    }
    let mut version = Version {
        id: 0,
        key: key.id,
        version: id,
        kty: made.kty.to_owned(),
        public_jwk: made.public,
        private_key: sealed,
        key_ops: made.key_ops,
        enabled: attributes.enabled.unwrap_or(true),
        not_before: attributes.not_before,
        expires: attributes.expires,
        tags: made.change.tags,
        doc,
        created_at: cx.now,
        updated_at: cx.now,
    };
    version.id = store::vault::keys::insert_version(&mut cx.tx, &version).await?;
    cx.happened(Happening::NewVersion, key, &version).await?;
    plan(cx, key, &version).await?;
    Ok(version)
}

async fn insert(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Key> {
    let id = store::vault::keys::insert(&mut cx.tx, vault.id, name).await?;
    Ok(Key {
        id,
        vault: vault.id,
        name: name.to_owned(),
        deleted: None,
        rotation_policy: None,
        rotate_at: None,
        near_expiry_at: None,
    })
}

/// Creates a key, or a new version of one that exists. Within a change: making it takes long.
pub async fn create(cx: &mut Cx, vault: &str, name: &str, wanted: &Wanted) -> Result<Found> {
    let vault = admit(cx, vault, Permission::KEY_CREATE, Some(name)).await?;
    nameable(cx, &vault, name).await?;
    wanted.check(vault.premium())?;
    let made = generated(cx, &vault, name, wanted.material)?;
    let (key, version) = write(cx, &vault, name, wanted, made).await?;
    Ok((vault, key, version))
}

/// Imports the key that a JWK of the material in `wanted` describes. Within a change: reading its numbers takes long.
pub async fn import(cx: &mut Cx, vault: &str, name: &str, wanted: &Wanted, jwk: &Value) -> Result<Found> {
    let vault = admit(cx, vault, Permission::KEY_IMPORT, Some(name)).await?;
    nameable(cx, &vault, name).await?;
    wanted.check(vault.premium())?;
    let (material, jwk) = (wanted.material, jwk.clone());
    let made = cx.aside(&thing(&vault, name), "the key of the JWK", move || read_jwk(material, &jwk))?;
    let (key, version) = write(cx, &vault, name, wanted, made).await?;
    Ok((vault, key, version))
}

/// Creates a key unless one of that name exists; then it is given back as it is, unchanged. Without a gate:
/// resource management asks its own, and passes the vault's firewall (keyvault.md C.5). Within a change.
pub async fn create_if_missing(cx: &mut Cx, vault: Vault, name: &str, wanted: &Wanted) -> Result<Found> {
    if let Some(key) = nameable(cx, &vault, name).await? {
        let version = newest(cx, &key).await?;
        return Ok((vault, key, version));
    }
    wanted.check(vault.premium())?;
    let made = generated(cx, &vault, name, wanted.material)?;
    let (key, version) = write(cx, &vault, name, wanted, made).await?;
    Ok((vault, key, version))
}

async fn write(
    cx: &mut Cx,
    vault: &Vault,
    name: &str,
    wanted: &Wanted,
    (private, public): Pair,
) -> Result<(Key, Version)> {
    let mut key = match nameable(cx, vault, name).await? {
        Some(key) => key,
        None => insert(cx, vault, name).await?,
    };
    let made = Made {
        kty: wanted.kty(),
        private: &private,
        public,
        key_ops: wanted.settled_ops(),
        change: Change {
            attributes: wanted.attributes.clone(),
            tags: wanted.tags.clone(),
            release_policy: wanted.release_policy.clone(),
            ..Change::default()
        },
    };
    let version = add_version(cx, &mut key, made).await?;
    Ok((key, version))
}

/// Sets when `key`, whose newest version is `newest`, rotates by itself and when its end is told as near, and
/// keeps the key. A time that has passed already means now: a policy does not reach into the past.
pub(in crate::app) async fn plan(cx: &mut Cx, key: &mut Key, newest: &Version) -> Result<()> {
    let policy = key.rotation_policy.as_ref();
    let next = policy.and_then(|p| rotation::next(p, newest.created_at, newest.expires));
    key.rotate_at = next.map(|at| at.max(cx.now));
    let told = newest.expires.is_some() && newest.doc["near_expiry_told"].as_i64() == newest.expires;
    let near = rotation::near_expiry(policy, newest.expires).filter(|_| !told);
    key.near_expiry_at = near.map(|at| at.max(cx.now));
    store::vault::keys::update(&mut cx.tx, key).await
}

// ---------------------------------------------------------------- change

/// Changes a version's attributes (`None`: the newest's).
pub async fn update(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>, change: Change) -> Result<Found> {
    let (vault, mut key, mut version) = find(cx, vault, name, version, Permission::KEY_UPDATE).await?;
    version.change(change, cx.now)?;
    store::vault::keys::update_version(&mut cx.tx, &version).await?;
    let newest = newest(cx, &key).await?;
    plan(cx, &mut key, &newest).await?;
    Ok((vault, key, version))
}

/// Deletes a key with all its versions; it can be recovered for the vault's retention time.
pub async fn delete(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, mut key, version) = find(cx, vault, name, None, Permission::KEY_DELETE).await?;
    key.deleted = Some(vault.deletion(cx.now));
    store::vault::keys::update(&mut cx.tx, &key).await?;
    cx.app.parsed.forget();
    Ok((vault, key, version))
}

async fn find_deleted(cx: &mut Cx, vault: &str, name: &str, permission: Permission) -> Result<(Vault, Key)> {
    let vault = admit(cx, vault, permission, Some(name)).await?;
    let key = store::vault::keys::find(&mut cx.tx, vault.id, name).await?;
    let key = key.ok_or_else(|| Error::from(KeyError::DeletedNotFound(name.to_owned())))?;
    key.deletion()?;
    Ok((vault, key))
}

/// A deleted key.
pub async fn get_deleted(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, key) = find_deleted(cx, vault, name, Permission::KEY_GET).await?;
    let version = newest(cx, &key).await?;
    Ok((vault, key, version))
}

/// Brings a deleted key back as it was.
pub async fn recover(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, mut key) = find_deleted(cx, vault, name, Permission::KEY_RECOVER).await?;
    key.deleted = None;
    let version = newest(cx, &key).await?;
    plan(cx, &mut key, &version).await?;
    Ok((vault, key, version))
}

/// Removes a deleted key for good, unless the vault forbids it.
pub async fn purge(cx: &mut Cx, vault: &str, name: &str) -> Result<Vault> {
    let (vault, key) = find_deleted(cx, vault, name, Permission::KEY_PURGE).await?;
    if vault.purge_protected() {
        return Err(KeyError::PurgeProtected(vault.place()).into());
    }
    store::vault::keys::purge(&mut cx.tx, key.id).await?;
    cx.app.parsed.forget();
    Ok(vault)
}

// ---------------------------------------------------------------- back up

/// Versions that a backup holds at most [docs].
pub(in crate::app) const BACKUP_VERSIONS: usize = 500;

/// The versions of a backup, as long as a request could carry it back.
pub(in crate::app) fn small_enough(versions: impl Iterator<Item = Value>) -> Result<Vec<Value>> {
    let mut kept = Vec::new();
    let mut size = 0;
    for version in versions {
        size += json::size(&version).unwrap_or(json::DOCUMENT_LIMIT);
        if size > json::DOCUMENT_LIMIT {
            return bad("All versions together are too large to be backed up.");
        }
        kept.push(version);
    }
    Ok(kept)
}

/// A key with all its versions, sealed. It opens only in the world that made it, as on Azure only in its own
/// subscription and geography.
pub async fn backup(cx: &mut Cx, vault: &str, name: &str) -> Result<(Vault, String)> {
    let (vault, key, _) = find(cx, vault, name, None, Permission::KEY_BACKUP).await?;
    let mut versions = store::vault::keys::versions(&mut cx.tx, key.id, "", one_more(BACKUP_VERSIONS)).await?;
    // In the order of their making, so that the newest is the newest again even where the clock stood still.
    versions.sort_by_key(|v| (v.created_at, v.id));
    if versions.len() > BACKUP_VERSIONS {
        return bad(&format!("A key with more than {BACKUP_VERSIONS} versions cannot be backed up."));
    }
    let versions = small_enough(versions.iter().map(kept))?;
    let document = json!({"name": key.name, "rotation_policy": key.rotation_policy, "versions": versions});
    let backup = seal_backup(cx, "AzureKeyVaultKeyBackupV1", &document)?;
    Ok((vault, backup))
}

/// Puts a backup back: the same name, versions and attributes.
pub async fn restore(cx: &mut Cx, vault: &str, backup: &str) -> Result<Found> {
    let vault = admit(cx, vault, Permission::KEY_RESTORE, None).await?;
    let document = open_backup(cx, "AzureKeyVaultKeyBackupV1", backup)?;
    let name = document["name"].as_str().unwrap_or_default();
    if nameable(cx, &vault, name).await?.is_some() {
        let text = format!("There was a conflict restoring the key '{}/keys/{name}': the name is in use.", vault.uri());
        return Err(KeyError::Conflict(text).into());
    }
    let mut key = insert(cx, &vault, name).await?;
    key.rotation_policy = Some(document["rotation_policy"].clone()).filter(|p| !p.is_null());
    for version in document["versions"].as_array().into_iter().flatten() {
        let version =
            unkept(version, key.id).ok_or_else(|| Error::Internal("the backup is not readable".to_owned()))?;
        store::vault::keys::insert_version(&mut cx.tx, &version).await?;
    }
    let version = newest(cx, &key).await?;
    plan(cx, &mut key, &version).await?;
    Ok((vault, key, version))
}

/// A backup's text: a marker, then a JWE in compact form, all base64url [recorded; ours is sealed with
/// AES-GCM under the data folder's master key, and its header says so].
pub(in crate::app) fn seal_backup(cx: &Cx, marker: &str, document: &Value) -> Result<String> {
    let sealed = crypto::seal(&cx.app.master, marker.as_bytes(), document.to_string().as_bytes(), &mut cx.rng())?;
    let header = json!({"kid": cx.guid(), "alg": "dir", "enc": "A256GCM"}).to_string();
    let (nonce, rest) = sealed.split_at(crypto::NONCE);
    let (body, tag) = rest.split_at(rest.len() - crypto::TAG);
    let part = crypto::base64url;
    let jwe = format!("{}..{}.{}.{}", part(header.as_bytes()), part(nonce), part(body), part(tag));
    Ok(part(format!("&{marker}.microsoft.com{jwe}").as_bytes()))
}

/// Opens what [`seal_backup`] made.
pub(in crate::app) fn open_backup(cx: &Cx, marker: &str, backup: &str) -> Result<Value> {
    let opened = (|| {
        let text = String::from_utf8(crypto::from_base64url(backup)?).ok()?;
        let jwe = text.strip_prefix(&format!("&{marker}.microsoft.com"))?;
        let parts: Vec<Vec<u8>> = jwe.split('.').skip(2).filter_map(crypto::from_base64url).collect();
        let document = crypto::open(&cx.app.master, marker.as_bytes(), &parts.concat()).ok()?;
        serde_json::from_slice(&document).ok()
    })();
    opened.map_or_else(|| bad("Backup blob is not valid, or was made in another subscription or geography."), Ok)
}

fn kept(v: &Version) -> Value {
    json!({
        "version": v.version, "kty": v.kty, "public_jwk": v.public_jwk,
        "private_key": crypto::base64url(&v.private_key), "key_ops": v.key_ops, "enabled": v.enabled,
        "not_before": v.not_before, "expires": v.expires, "tags": v.tags, "doc": v.doc,
        "created_at": v.created_at, "updated_at": v.updated_at,
    })
}

fn unkept(doc: &Value, key: i64) -> Option<Version> {
    Some(Version {
        id: 0,
        key,
        version: doc["version"].as_str()?.to_owned(),
        kty: doc["kty"].as_str()?.to_owned(),
        public_jwk: doc["public_jwk"].clone(),
        private_key: crypto::from_base64url(doc["private_key"].as_str()?)?,
        key_ops: serde_json::from_value(doc["key_ops"].clone()).ok()?,
        enabled: doc["enabled"].as_bool()?,
        not_before: doc["not_before"].as_i64(),
        expires: doc["expires"].as_i64(),
        tags: Some(doc["tags"].clone()).filter(|t| !t.is_null()),
        doc: doc["doc"].clone(),
        created_at: Timestamp(doc["created_at"].as_i64()?),
        updated_at: Timestamp(doc["updated_at"].as_i64()?),
    })
}

// ---------------------------------------------------------------- the rest

/// Refuses to release a key that is not exportable, after the gate. A release itself needs an attestation,
/// which no local emulator can check.
pub async fn refuse_release(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>) -> Result<()> {
    let (_, _, version) = find(cx, vault, name, version, Permission::KEY_RELEASE).await?;
    if version.doc["exportable"] == true { Ok(()) } else { bad("The key is not exportable and cannot be released.") }
}

/// Random bytes, for whoever the vault's network lets in: no permission for it is known.
pub async fn random(cx: &mut Cx, vault: &str, count: usize) -> Result<(Vault, Vec<u8>)> {
    let vault = vaults::living(cx, vault).await?;
    vault.admits(&cx.caller)?;
    let mut bytes = vec![0; count];
    rand::Rng::fill_bytes(&mut cx.rng(), &mut bytes);
    Ok((vault, bytes))
}
