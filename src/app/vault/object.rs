//! What can be done with any object of a vault: find, list, change, delete, recover, purge, back up, restore.
//! Must not know: what an object of any kind is made of; registries; HTTP.

use serde_json::{Map, Value, json};

use super::vaults;
use crate::app::{Cx, access};
use crate::domain::access::Permission;
use crate::domain::error::KeyError;
use crate::domain::resources::region::geography;
use crate::domain::vault::Vault;
use crate::domain::vault::object::{Attributes, Object, Version, check_name};
use crate::domain::world::{crypto, json};
use crate::domain::{Error, Result, Timestamp};
use crate::store::vault::object as store;
use crate::store::vault::object::Stored;

/// A version of an object with all it lies in.
pub type Found<K> = (Vault, Object<K>, Version<K>);

/// One page of a list, and the name or version that the next page begins with.
pub type Page<T> = (Vec<T>, Option<String>);

/// The permissions that verbs on objects of a kind ask for.
#[derive(Debug)]
pub struct Permissions {
    /// List objects or versions.
    pub list: Permission,
    /// Change a version's attributes.
    pub update: Permission,
    /// Soft-delete an object.
    pub delete: Permission,
    /// Read a deleted one.
    pub get_deleted: Permission,
    pub recover: Permission,
    pub purge: Permission,
    /// Back an object up.
    pub backup: Permission,
    /// Restore a backup.
    pub restore: Permission,
}

/// A kind of object that vaults keep.
pub trait Kept: Stored {
    /// What verbs ask for.
    const PERMISSIONS: Permissions;
    /// What a backup begins with.
    const BACKUP: &'static str;

    /// What a backup keeps of a version beside dates and tags.
    fn packed(content: &Self::Content) -> Map<String, Value>;
    /// The same, read.
    fn unpacked(document: &Value) -> Option<Self::Content>;
    /// What a backup keeps of the whole object.
    fn packed_whole(_whole: &Self::Whole) -> Map<String, Value> {
        Map::new()
    }
    /// The same, read.
    fn unpacked_whole(_document: &Value) -> Self::Whole {
        Self::Whole::default()
    }
    /// Forgets what memory holds of objects: some were deleted or purged.
    fn forget(_cx: &Cx) {}
}

fn bad<T>(text: String) -> Result<T> {
    Err(KeyError::BadParameter(text).into())
}

// ---------------------------------------------------------------- find

/// Passes the gate of a living vault.
pub async fn admit(cx: &mut Cx, vault: &str, permission: Permission, object: Option<&str>) -> Result<Vault> {
    let vault = vaults::living(cx, vault).await?;
    access::require_in_vault(cx, &vault, permission, object).await?;
    Ok(vault)
}

/// Passes the gate, then finds a living object and a version of it (`None`: the newest).
pub async fn find<K: Kept>(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    version: Option<&str>,
    permission: Permission,
) -> Result<Found<K>> {
    let vault = admit(cx, vault, permission, Some(name)).await?;
    let (object, version) = lookup(cx, &vault, name, version).await?;
    Ok((vault, object, version))
}

/// A living object and a version of it, without a gate: for resource management, which has a gate of its own.
pub async fn lookup<K: Kept>(
    cx: &mut Cx,
    vault: &Vault,
    name: &str,
    version: Option<&str>,
) -> Result<(Object<K>, Version<K>)> {
    let addressed = match version {
        Some(version) => format!("{name}/{version}"),
        None => name.to_owned(),
    };
    let missing = || Error::from(KeyError::NotFound(K::KIND, addressed.clone()));
    let object = store::find::<K>(&mut cx.tx, vault.id, name).await?;
    let object = object.filter(|o| o.deleted.is_none()).ok_or_else(missing)?;
    let version = store::find_version(&mut cx.tx, object.id, version).await?.ok_or_else(missing)?;
    Ok((object, version))
}

/// The newest version of an object.
pub(in crate::app) async fn newest<K: Kept>(cx: &mut Cx, object: &Object<K>) -> Result<Version<K>> {
    let newest = store::find_version(&mut cx.tx, object.id, None).await?;
    newest.ok_or_else(|| KeyError::NotFound(K::KIND, object.name.clone()).into())
}

/// A page of the vault's objects, each with its newest version: the living ones or the deleted ones.
pub async fn list<K: Kept>(
    cx: &mut Cx,
    vault: &str,
    deleted: bool,
    from: &str,
    limit: usize,
) -> Result<(Vault, Page<(Object<K>, Version<K>)>)> {
    let vault = admit(cx, vault, K::PERMISSIONS.list, None).await?;
    let mut objects = store::list::<K>(&mut cx.tx, vault.id, deleted, from, one_more(limit)).await?;
    let next = split(&mut objects, limit).map(|o| o.name);
    let page = with_newest(cx, objects).await?;
    Ok((vault, (page, next)))
}

/// All living objects of a vault, each with its newest version, without a gate: for resource management.
pub async fn all<K: Kept>(cx: &mut Cx, vault: &Vault) -> Result<Vec<(Object<K>, Version<K>)>> {
    let objects = store::list::<K>(&mut cx.tx, vault.id, false, "", i64::MAX).await?;
    with_newest(cx, objects).await
}

async fn with_newest<K: Kept>(cx: &mut Cx, objects: Vec<Object<K>>) -> Result<Vec<(Object<K>, Version<K>)>> {
    let mut all = Vec::with_capacity(objects.len());
    for object in objects {
        let version = newest(cx, &object).await?;
        all.push((object, version));
    }
    Ok(all)
}

/// All objects of a vault, the living or the deleted ones, with all their versions, without a gate: for
/// `acrite status` and resource management.
pub async fn of_vault<K: Kept>(cx: &mut Cx, vault: &Vault, deleted: bool) -> Result<Vec<(Object<K>, Vec<Version<K>>)>> {
    let mut all = Vec::new();
    for object in store::list::<K>(&mut cx.tx, vault.id, deleted, "", i64::MAX).await? {
        let versions = store::versions(&mut cx.tx, object.id, "", i64::MAX).await?;
        all.push((object, versions));
    }
    Ok(all)
}

/// A page of an object's versions.
pub async fn list_versions<K: Kept>(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    from: &str,
    limit: usize,
) -> Result<(Vault, Object<K>, Page<Version<K>>)> {
    let vault = admit(cx, vault, K::PERMISSIONS.list, Some(name)).await?;
    let (object, _) = lookup::<K>(cx, &vault, name, None).await?;
    let from = from.to_ascii_lowercase();
    let mut versions = store::versions(&mut cx.tx, object.id, &from, one_more(limit)).await?;
    let next = split(&mut versions, limit).map(|v: Version<K>| v.version);
    Ok((vault, object, (versions, next)))
}

/// How many to read to know whether there are more than `limit`.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts a list to `limit`; gives the first that was cut off.
fn split<T>(list: &mut Vec<T>, limit: usize) -> Option<T> {
    let rest = list.split_off(limit.min(list.len()));
    rest.into_iter().next()
}

// ---------------------------------------------------------------- make

/// The object of that name, where there is one. Refuses a name that can get no new version: it is out of grammar, or
/// a deleted object's.
pub(super) async fn nameable<K: Kept>(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Option<Object<K>>> {
    check_name(name)?;
    match store::find::<K>(&mut cx.tx, vault.id, name).await? {
        Some(object) if object.deleted.is_some() => Err(KeyError::DeletedButRecoverable(K::KIND, object.name).into()),
        found => Ok(found),
    }
}

/// The object that gets a new version: the one of that name, or a new one.
pub(super) async fn named<K: Kept>(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Object<K>> {
    match nameable(cx, vault, name).await? {
        Some(object) => Ok(object),
        None => store::insert(&mut cx.tx, vault.id, name).await,
    }
}

/// Adds a version to an object. Its content is made for the version's id.
pub(super) async fn add_version<K: Kept>(
    cx: &mut Cx,
    object: &mut Object<K>,
    (attributes, tags): (&Attributes, Option<Value>),
    content: impl FnOnce(&mut Cx, &str) -> Result<K::Content> + Send,
) -> Result<Version<K>> {
    let id = cx.guid().replace('-', "");
    let content = content(cx, &id)?;
    let mut version = Version::made((object.id, id), attributes, tags, content, cx.now);
    version.id = store::insert_version(&mut cx.tx, &version).await?;
    planned(cx, object, &version).await?;
    Ok(version)
}

/// Plans anew what an object does by itself, and keeps it where that is something else now.
async fn planned<K: Kept>(cx: &mut Cx, object: &mut Object<K>, newest: &Version<K>) -> Result<()> {
    let before = object.own.clone();
    K::plan(object, newest, cx.now);
    if object.own == before { Ok(()) } else { store::update(&mut cx.tx, object).await }
}

// ---------------------------------------------------------------- change

/// Changes a version's attributes (`None`: the newest's).
pub async fn update<K: Kept>(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    version: Option<&str>,
    change: K::Change,
) -> Result<Found<K>> {
    let (vault, mut object, mut version) = find::<K>(cx, vault, name, version, K::PERMISSIONS.update).await?;
    changed(cx, &mut object, &mut version, change).await?;
    Ok((vault, object, version))
}

/// The same of a version that was found, without a gate.
pub(super) async fn changed<K: Kept>(
    cx: &mut Cx,
    object: &mut Object<K>,
    version: &mut Version<K>,
    change: K::Change,
) -> Result<()> {
    K::change(version, change, cx.now)?;
    store::update_version(&mut cx.tx, version).await?;
    let newest = newest(cx, object).await?;
    planned(cx, object, &newest).await
}

/// Deletes an object with all its versions; it can be recovered for the vault's retention time.
pub async fn delete<K: Kept>(cx: &mut Cx, vault: &str, name: &str) -> Result<Found<K>> {
    let (vault, mut object, version) = find::<K>(cx, vault, name, None, K::PERMISSIONS.delete).await?;
    object.deleted = Some(vault.deletion(cx.now));
    store::update(&mut cx.tx, &object).await?;
    K::forget(cx);
    Ok((vault, object, version))
}

async fn find_deleted<K: Kept>(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    permission: Permission,
) -> Result<(Vault, Object<K>)> {
    let vault = admit(cx, vault, permission, Some(name)).await?;
    let object = store::find::<K>(&mut cx.tx, vault.id, name).await?;
    let object = object.ok_or_else(|| Error::from(KeyError::DeletedNotFound(K::KIND, name.to_owned())))?;
    object.deletion()?;
    Ok((vault, object))
}

/// A deleted object.
pub async fn get_deleted<K: Kept>(cx: &mut Cx, vault: &str, name: &str) -> Result<Found<K>> {
    let (vault, object) = find_deleted(cx, vault, name, K::PERMISSIONS.get_deleted).await?;
    let version = newest(cx, &object).await?;
    Ok((vault, object, version))
}

/// Brings a deleted object back as it was.
pub async fn recover<K: Kept>(cx: &mut Cx, vault: &str, name: &str) -> Result<Found<K>> {
    let (vault, mut object) = find_deleted::<K>(cx, vault, name, K::PERMISSIONS.recover).await?;
    object.deleted = None;
    let version = newest(cx, &object).await?;
    K::plan(&mut object, &version, cx.now);
    store::update(&mut cx.tx, &object).await?;
    Ok((vault, object, version))
}

/// Removes a deleted object for good, unless the vault forbids it.
pub async fn purge<K: Kept>(cx: &mut Cx, vault: &str, name: &str) -> Result<Vault> {
    let (vault, object) = find_deleted::<K>(cx, vault, name, K::PERMISSIONS.purge).await?;
    if vault.purge_protected() {
        return Err(KeyError::PurgeProtected(vault.place()).into());
    }
    store::purge::<K>(&mut cx.tx, object.id).await?;
    K::forget(cx);
    Ok(vault)
}

// ---------------------------------------------------------------- back up

/// Versions that a backup holds at most [docs].
const BACKUP_VERSIONS: usize = 500;

/// An object with all its versions, sealed. It opens only in the world that made it, which is one subscription, and in
/// its own geography.
pub async fn backup<K: Kept>(cx: &mut Cx, vault: &str, name: &str) -> Result<(Vault, String)> {
    let (vault, object, _) = find::<K>(cx, vault, name, None, K::PERMISSIONS.backup).await?;
    let mut versions = store::versions::<K>(&mut cx.tx, object.id, "", one_more(BACKUP_VERSIONS)).await?;
    if versions.len() > BACKUP_VERSIONS {
        let noun = K::KIND.noun();
        return bad(format!("A {noun} with more than {BACKUP_VERSIONS} versions cannot be backed up."));
    }
    // In the order of their making, so that the newest is the newest again even where the clock stood still.
    versions.sort_by_key(|v| (v.created_at, v.id));
    let versions = small_enough(versions.iter().map(packed))?;
    let mut document = json!({"name": object.name, "versions": versions, "geography": geography(&vault.location)});
    for (name, value) in K::packed_whole(&object.own) {
        document[name] = value;
    }
    let backup = seal(cx, K::BACKUP, &document)?;
    Ok((vault, backup))
}

/// Puts a backup back: the same name, versions and attributes.
pub async fn restore<K: Kept>(cx: &mut Cx, vault: &str, backup: &str) -> Result<Found<K>> {
    let vault = admit(cx, vault, K::PERMISSIONS.restore, None).await?;
    let document = open(cx, K::BACKUP, backup)?;
    let name = document["name"].as_str().unwrap_or_default();
    let made_in = &document["geography"];
    if !made_in.is_null() && *made_in != json!(geography(&vault.location)) {
        return undecryptable();
    }
    if let Some(living) = nameable::<K>(cx, &vault, name).await? {
        let version = newest(cx, &living).await?.version;
        return Err(KeyError::Conflict(conflict(&vault, &living, &version)).into());
    }
    let mut object = store::insert::<K>(&mut cx.tx, vault.id, name).await?;
    object.own = K::unpacked_whole(&document);
    for version in document["versions"].as_array().into_iter().flatten() {
        let version = unpacked::<K>(version, object.id);
        let version = version.ok_or_else(|| Error::Internal("the backup is not readable".to_owned()))?;
        store::insert_version(&mut cx.tx, &version).await?;
    }
    let version = newest(cx, &object).await?;
    K::plan(&mut object, &version, cx.now);
    store::update(&mut cx.tx, &object).await?;
    Ok((vault, object, version))
}

/// [recorded 2019-2021 of keys; the same of secrets inferred]
fn conflict<K: Kept>(vault: &Vault, living: &Object<K>, version: &str) -> String {
    let (noun, collection) = (K::KIND.noun(), K::KIND.collection());
    let id = format!("{}/{collection}/{}/{version}", vault.uri(), living.name);
    format!(
        "There was a conflict restoring the {noun} '{id}'. This can happen if either: a second {noun} with the same name was created after the first {noun} was deleted; thus trying to restore a {noun} whose name is already in use. To fix this, rename the second {noun} to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the {noun}. To avoid this error, perform operations against a {noun} in a sequential manner."
    )
}

/// A backup of another geography [issue], or of another world, or none [inferred].
fn undecryptable<T>() -> Result<T> {
    bad("Cannot decrypt backup blob.".to_owned())
}

/// The versions of a backup, as long as a request could carry it back.
fn small_enough(versions: impl Iterator<Item = Value>) -> Result<Vec<Value>> {
    let mut kept = Vec::new();
    let mut size = 0;
    for version in versions {
        size += json::size(&version).unwrap_or(json::DOCUMENT_LIMIT);
        if size > json::DOCUMENT_LIMIT {
            return bad("All versions together are too large to be backed up.".to_owned());
        }
        kept.push(version);
    }
    Ok(kept)
}

fn packed<K: Kept>(v: &Version<K>) -> Value {
    let mut document = json!({
        "version": v.version, "enabled": v.enabled, "not_before": v.not_before, "expires": v.expires, "tags": v.tags,
        "created_at": v.created_at, "updated_at": v.updated_at,
    });
    for (name, value) in K::packed(&v.own) {
        document[name] = value;
    }
    document
}

fn unpacked<K: Kept>(document: &Value, object: i64) -> Option<Version<K>> {
    Some(Version {
        id: 0,
        object,
        version: document["version"].as_str()?.to_owned(),
        enabled: document["enabled"].as_bool()?,
        not_before: document["not_before"].as_i64(),
        expires: document["expires"].as_i64(),
        tags: Some(document["tags"].clone()).filter(|t| !t.is_null()),
        created_at: Timestamp(document["created_at"].as_i64()?),
        updated_at: Timestamp(document["updated_at"].as_i64()?),
        own: K::unpacked(document)?,
    })
}

/// A backup's text: a marker, then a JWE in compact form, all base64url [recorded; ours is sealed with
/// AES-GCM under the data folder's master key, and its header says so].
fn seal(cx: &Cx, marker: &str, document: &Value) -> Result<String> {
    let sealed = crypto::seal(&cx.app.master, marker.as_bytes(), document.to_string().as_bytes(), &mut cx.rng())?;
    let header = json!({"kid": cx.guid(), "alg": "dir", "enc": "A256GCM"}).to_string();
    let (nonce, rest) = sealed.split_at(crypto::NONCE);
    let (body, tag) = rest.split_at(rest.len() - crypto::TAG);
    let part = crypto::base64url;
    let jwe = format!("{}..{}.{}.{}", part(header.as_bytes()), part(nonce), part(body), part(tag));
    Ok(part(format!("&{marker}.microsoft.com{jwe}").as_bytes()))
}

/// Opens what [`seal`] made.
fn open(cx: &Cx, marker: &str, backup: &str) -> Result<Value> {
    let opened = (|| {
        let text = String::from_utf8(crypto::from_base64url(backup)?).ok()?;
        let jwe = text.strip_prefix(&format!("&{marker}.microsoft.com"))?;
        let parts: Vec<Vec<u8>> = jwe.split('.').skip(2).filter_map(crypto::from_base64url).collect();
        let document = crypto::open(&cx.app.master, marker.as_bytes(), &parts.concat()).ok()?;
        serde_json::from_slice(&document).ok()
    })();
    opened.map_or_else(undecryptable, Ok)
}
