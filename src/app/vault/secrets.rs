//! Secrets: set, find, change, delete, recover, purge, back up, restore.
//! Must not know: registries exist; HTTP.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::keys::{
    BACKUP_VERSIONS, Page, admit, inside, one_more, open_backup, refused, seal_backup, small_enough, split,
};
use crate::app::Cx;
use crate::domain::access::Permission;
use crate::domain::error::KeyError;
use crate::domain::vault::Vault;
use crate::domain::vault::secret::{self, Change, Secret, SecretVersion};
use crate::domain::world::{crypto, name};
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::Tx;

/// A secret's version with all it lies in.
pub type Found = (Vault, Secret, SecretVersion);

fn seal_context(version: &str) -> String {
    format!("secret-version {version}")
}

fn open(cx: &Cx, version: &SecretVersion) -> Result<Zeroizing<String>> {
    let value = crypto::open(&cx.app.master, seal_context(&version.version).as_bytes(), &version.sealed)?;
    let text = std::str::from_utf8(&value).map_err(Error::internal)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A living secret and a version of it, without a gate and without its value: for resource management.
pub async fn lookup(cx: &mut Cx, vault: &Vault, name: &str, version: Option<&str>) -> Result<(Secret, SecretVersion)> {
    let addressed = match version {
        Some(version) => format!("{name}/{version}"),
        None => name.to_owned(),
    };
    let missing = || Error::from(KeyError::SecretNotFound(addressed.clone()));
    let secret = store::vault::secrets::find(&mut cx.tx, vault.id, name).await?;
    let secret = secret.filter(|s| s.deleted.is_none()).ok_or_else(missing)?;
    let version = store::vault::secrets::find_version(&mut cx.tx, secret.id, version).await?.ok_or_else(missing)?;
    Ok((secret, version))
}

async fn newest(cx: &mut Cx, secret: &Secret) -> Result<SecretVersion> {
    let newest = store::vault::secrets::find_version(&mut cx.tx, secret.id, None).await?;
    newest.ok_or_else(|| KeyError::SecretNotFound(secret.name.clone()).into())
}

/// A secret's value (`None`: the newest version's). A disabled one is refused [recorded].
pub async fn get(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>) -> Result<(Found, Zeroizing<String>)> {
    let vault = admit(cx, vault, Permission::SECRET_GET, Some(name)).await?;
    let (secret, version) = lookup(cx, &vault, name, version).await?;
    version.readable()?;
    let value = open(cx, &version)?;
    Ok(((vault, secret, version), value))
}

/// The same for a service inside the emulator, which is the context's caller: it leaves an audit record.
pub async fn get_heard(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    version: Option<&str>,
) -> Result<(Found, Zeroizing<String>)> {
    let got = get(cx, vault, name, version).await;
    let (vault, version) = match &got {
        Ok(((vault, _, found), _)) => (Some(vault.clone()), Some(found.version.as_str())),
        Err(_) => (store::vault::vaults::find(&mut cx.tx, vault).await?.filter(|v| v.deleted.is_none()), version),
    };
    if let Some(vault) = vault {
        let id = format!("{}/secrets/{name}/{}", vault.uri(), version.unwrap_or_default());
        let call = inside(cx.now, &cx.caller, &vault, "SecretGet", id.clone(), id);
        let call = match &got {
            Ok(_) => call,
            Err(error) => refused(call, &vault, error),
        };
        cx.heard(call);
    }
    got
}

/// A page of the vault's secrets, each with its newest version: the living ones or the deleted ones.
pub async fn list(
    cx: &mut Cx,
    vault: &str,
    deleted: bool,
    from: &str,
    limit: usize,
) -> Result<(Vault, Page<(Secret, SecretVersion)>)> {
    let vault = admit(cx, vault, Permission::SECRET_LIST, None).await?;
    let mut secrets = store::vault::secrets::list(&mut cx.tx, vault.id, deleted, from, one_more(limit)).await?;
    let next = split(&mut secrets, limit).map(|s| s.name);
    let mut page = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let version = newest(cx, &secret).await?;
        page.push((secret, version));
    }
    Ok((vault, (page, next)))
}

/// All living secrets of a vault with their newest versions, without a gate: for resource management.
pub async fn of_vault(cx: &mut Cx, vault: &Vault) -> Result<Vec<(Secret, SecretVersion)>> {
    let mut all = Vec::new();
    for secret in store::vault::secrets::list(&mut cx.tx, vault.id, false, "", i64::MAX).await? {
        let version = newest(cx, &secret).await?;
        all.push((secret, version));
    }
    Ok(all)
}

/// A page of a secret's versions.
pub async fn list_versions(
    cx: &mut Cx,
    vault: &str,
    name: &str,
    from: &str,
    limit: usize,
) -> Result<(Vault, Secret, Page<SecretVersion>)> {
    let vault = admit(cx, vault, Permission::SECRET_LIST, Some(name)).await?;
    let (secret, _) = lookup(cx, &vault, name, None).await?;
    let from = from.to_ascii_lowercase();
    let mut versions = store::vault::secrets::versions(&mut cx.tx, secret.id, &from, one_more(limit)).await?;
    let next = split(&mut versions, limit).map(|v| v.version);
    Ok((vault, secret, (versions, next)))
}

/// Whether the name can get a new version: it is well-formed and not a deleted secret's.
async fn nameable(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Option<Secret>> {
    if !name::is_vault_object(name) {
        return Err(KeyError::BadParameter(format!("Property name has invalid value: {name}\r\n")).into());
    }
    match store::vault::secrets::find(&mut cx.tx, vault.id, name).await? {
        Some(secret) if secret.deleted.is_some() => Err(KeyError::SecretDeletedButRecoverable(secret.name).into()),
        found => Ok(found),
    }
}

async fn insert(cx: &mut Cx, vault: &Vault, name: &str) -> Result<Secret> {
    let id = store::vault::secrets::insert(&mut cx.tx, vault.id, name).await?;
    Ok(Secret { id, vault: vault.id, name: name.to_owned(), deleted: None })
}

/// Sets a secret: a new version, and the secret itself where there was none.
pub async fn set(cx: &mut Cx, vault: &str, name: &str, value: &str, change: Change) -> Result<Found> {
    let vault = admit(cx, vault, Permission::SECRET_SET, Some(name)).await?;
    put(cx, vault, name, value, change).await
}

/// The same without a gate: resource management asks its own, and passes the vault's firewall (keyvault.md C.4).
pub async fn put(cx: &mut Cx, vault: Vault, name: &str, value: &str, change: Change) -> Result<Found> {
    secret::check_value(value)?;
    change.check()?;
    let secret = match nameable(cx, &vault, name).await? {
        Some(secret) => secret,
        None => insert(cx, &vault, name).await?,
    };
    let id = cx.guid().replace('-', "");
    let sealed = crypto::seal(&cx.app.master, seal_context(&id).as_bytes(), value.as_bytes(), &mut cx.rng())?;
    let version = SecretVersion {
        id: 0,
        secret: secret.id,
        version: id,
        sealed,
        content_type: change.content_type,
        enabled: change.enabled.unwrap_or(true),
        not_before: change.not_before,
        expires: change.expires,
        tags: change.tags,
        created_at: cx.now,
        updated_at: cx.now,
    };
    store::vault::secrets::insert_version(&mut cx.tx, &version).await?;
    Ok((vault, secret, version))
}

/// Changes a version's attributes (`None`: the newest's).
pub async fn update(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>, change: Change) -> Result<Found> {
    let vault = admit(cx, vault, Permission::SECRET_UPDATE, Some(name)).await?;
    let (secret, mut version) = lookup(cx, &vault, name, version).await?;
    change.check()?;
    version.change(change, cx.now);
    store::vault::secrets::update_version(&mut cx.tx, &version).await?;
    Ok((vault, secret, version))
}

/// Deletes a secret with all its versions; it can be recovered for the vault's retention time.
pub async fn delete(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let vault = admit(cx, vault, Permission::SECRET_DELETE, Some(name)).await?;
    let (mut secret, version) = lookup(cx, &vault, name, None).await?;
    secret.deleted = Some(vault.deletion(cx.now));
    store::vault::secrets::update(&mut cx.tx, &secret).await?;
    Ok((vault, secret, version))
}

async fn find_deleted(cx: &mut Cx, vault: &str, name: &str, permission: Permission) -> Result<(Vault, Secret)> {
    let vault = admit(cx, vault, permission, Some(name)).await?;
    let secret = store::vault::secrets::find(&mut cx.tx, vault.id, name).await?;
    let secret = secret.ok_or_else(|| Error::from(KeyError::DeletedSecretNotFound(name.to_owned())))?;
    secret.deletion()?;
    Ok((vault, secret))
}

/// A deleted secret, without its value.
pub async fn get_deleted(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, secret) = find_deleted(cx, vault, name, Permission::SECRET_GET_DELETED).await?;
    let version = newest(cx, &secret).await?;
    Ok((vault, secret, version))
}

/// Brings a deleted secret back as it was.
pub async fn recover(cx: &mut Cx, vault: &str, name: &str) -> Result<Found> {
    let (vault, mut secret) = find_deleted(cx, vault, name, Permission::SECRET_RECOVER).await?;
    secret.deleted = None;
    store::vault::secrets::update(&mut cx.tx, &secret).await?;
    let version = newest(cx, &secret).await?;
    Ok((vault, secret, version))
}

/// Removes a deleted secret for good, unless the vault forbids it.
pub async fn purge(cx: &mut Cx, vault: &str, name: &str) -> Result<Vault> {
    let (vault, secret) = find_deleted(cx, vault, name, Permission::SECRET_PURGE).await?;
    if vault.purge_protected() {
        return Err(KeyError::PurgeProtected(vault.place()).into());
    }
    store::vault::secrets::purge(&mut cx.tx, secret.id).await?;
    Ok(vault)
}

const BACKUP: &str = "AzureKeyVaultSecretBackupV1";

/// A secret with all its versions, sealed.
pub async fn backup(cx: &mut Cx, vault: &str, name: &str) -> Result<(Vault, String)> {
    let vault = admit(cx, vault, Permission::SECRET_BACKUP, Some(name)).await?;
    let (secret, _) = lookup(cx, &vault, name, None).await?;
    let mut versions = store::vault::secrets::versions(&mut cx.tx, secret.id, "", one_more(BACKUP_VERSIONS)).await?;
    if versions.len() > BACKUP_VERSIONS {
        let text = format!("A secret with more than {BACKUP_VERSIONS} versions cannot be backed up.");
        return Err(KeyError::BadParameter(text).into());
    }
    // In the order of their making, so that the newest is the newest again even where the clock stood still.
    versions.sort_by_key(|v| (v.created_at, v.id));
    let versions = small_enough(versions.iter().map(kept))?;
    let backup = seal_backup(cx, BACKUP, &json!({"name": secret.name, "versions": versions}))?;
    Ok((vault, backup))
}

/// Puts a backup back: the same name, versions and attributes.
pub async fn restore(cx: &mut Cx, vault: &str, backup: &str) -> Result<Found> {
    let vault = admit(cx, vault, Permission::SECRET_RESTORE, None).await?;
    let document = open_backup(cx, BACKUP, backup)?;
    let name = document["name"].as_str().unwrap_or_default();
    if nameable(cx, &vault, name).await?.is_some() {
        let uri = vault.uri();
        let text = format!("There was a conflict restoring the secret '{uri}/secrets/{name}': the name is in use.");
        return Err(KeyError::Conflict(text).into());
    }
    let secret = insert(cx, &vault, name).await?;
    for version in document["versions"].as_array().into_iter().flatten() {
        let version =
            unkept(version, secret.id).ok_or_else(|| Error::Internal("the backup is not readable".to_owned()))?;
        store::vault::secrets::insert_version(&mut cx.tx, &version).await?;
    }
    let version = newest(cx, &secret).await?;
    Ok((vault, secret, version))
}

fn kept(v: &SecretVersion) -> Value {
    json!({
        "version": v.version, "sealed": crypto::base64url(&v.sealed), "content_type": v.content_type,
        "enabled": v.enabled, "not_before": v.not_before, "expires": v.expires, "tags": v.tags,
        "created_at": v.created_at, "updated_at": v.updated_at,
    })
}

fn unkept(doc: &Value, secret: i64) -> Option<SecretVersion> {
    Some(SecretVersion {
        id: 0,
        secret,
        version: doc["version"].as_str()?.to_owned(),
        sealed: crypto::from_base64url(doc["sealed"].as_str()?)?,
        content_type: doc["content_type"].as_str().map(str::to_owned),
        enabled: doc["enabled"].as_bool()?,
        not_before: doc["not_before"].as_i64(),
        expires: doc["expires"].as_i64(),
        tags: Some(doc["tags"].clone()).filter(|t| !t.is_null()),
        created_at: Timestamp(doc["created_at"].as_i64()?),
        updated_at: Timestamp(doc["updated_at"].as_i64()?),
    })
}

/// When the next deleted secret is due to go.
pub async fn due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    store::vault::secrets::next_purge(tx).await
}
