//! Secrets: set and read, beside what all objects can.
//! Must not know: registries exist; HTTP.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::keys::{inside, refused};
use super::object::{self, Kept, Permissions, admit, find};
use crate::app::Cx;
use crate::domain::access::Permission;
use crate::domain::vault::Vault;
use crate::domain::vault::object::Attributes;
use crate::domain::vault::secret::{self, Change, Content, SecretVersion, Secrets};
use crate::domain::world::crypto;
use crate::domain::{Error, Result};
use crate::store;

/// A secret's version with all it lies in.
pub type Found = object::Found<Secrets>;

impl Kept for Secrets {
    const PERMISSIONS: Permissions = Permissions {
        list: Permission::SECRET_LIST,
        update: Permission::SECRET_UPDATE,
        delete: Permission::SECRET_DELETE,
        get_deleted: Permission::SECRET_GET_DELETED,
        recover: Permission::SECRET_RECOVER,
        purge: Permission::SECRET_PURGE,
        backup: Permission::SECRET_BACKUP,
        restore: Permission::SECRET_RESTORE,
    };
    const BACKUP: &'static str = "AzureKeyVaultSecretBackupV1";

    fn packed(own: &Content) -> Map<String, Value> {
        Map::from_iter([
            ("sealed".to_owned(), json!(crypto::base64url(&own.sealed))),
            ("content_type".to_owned(), json!(own.content_type)),
        ])
    }

    fn unpacked(document: &Value) -> Option<Content> {
        Some(Content {
            sealed: crypto::from_base64url(document["sealed"].as_str()?)?,
            content_type: document["content_type"].as_str().map(str::to_owned),
        })
    }
}

/// A version's value is bound to the version's id: moved to another row it does not open.
fn seal_context(version: &str) -> String {
    format!("secret-version {version}")
}

fn open(cx: &Cx, version: &SecretVersion) -> Result<Zeroizing<String>> {
    let value = crypto::open(&cx.app.master, seal_context(&version.version).as_bytes(), &version.own.sealed)?;
    let text = std::str::from_utf8(&value).map_err(Error::internal)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A secret's value (`None`: the newest version's). A disabled one is refused [recorded].
pub async fn get(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>) -> Result<(Found, Zeroizing<String>)> {
    let found: Found = find(cx, vault, name, version, Permission::SECRET_GET).await?;
    found.2.readable()?;
    let value = open(cx, &found.2)?;
    Ok((found, value))
}

/// The same for a service inside the emulator, which is the context's caller: it leaves an audit record.
pub async fn get_audited(
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
        cx.audit(call);
    }
    got
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
    let mut secret = object::named(cx, &vault, name).await?;
    let Change { content_type, attributes, tags } = change;
    let content = move |cx: &mut Cx, id: &str| {
        let sealed = crypto::seal(&cx.app.master, seal_context(id).as_bytes(), value.as_bytes(), &mut cx.rng())?;
        Ok(Content { sealed, content_type })
    };
    let version = object::add_version(cx, &mut secret, (&attributes, tags), content).await?;
    Ok((vault, secret, version))
}

/// Changes a secret's newest version, without a gate. A value makes a new one, which is like it but for what was sent
/// [inferred].
pub async fn patch(cx: &mut Cx, vault: Vault, name: &str, value: Option<&str>, change: Change) -> Result<Found> {
    let (mut secret, mut version) = object::lookup::<Secrets>(cx, &vault, name, None).await?;
    let Some(value) = value else {
        object::changed(cx, &mut secret, &mut version, change).await?;
        return Ok((vault, secret, version));
    };
    let Change { content_type, attributes, tags } = change;
    let attributes = Attributes {
        enabled: attributes.enabled.or(Some(version.enabled)),
        not_before: attributes.not_before.or(version.not_before),
        expires: attributes.expires.or(version.expires),
        exportable: None,
    };
    let content_type = content_type.or(version.own.content_type);
    put(cx, vault, name, value, Change { content_type, attributes, tags: tags.or(version.tags) }).await
}
