//! Keys: what is made of them (created, imported, followed by another version), beside what all objects can.
//! Must not know: registries exist; HTTP. (How one is used is in usage; what rotates them by itself in rotation.)

mod usage;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::object::{self, Kept, Permissions, admit, find, nameable, newest};
use super::vaults;
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::access::Permission;
use crate::domain::audit::Happening;
use crate::domain::error::{KeyError, RequestError};
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Change, Content, Key, Keys, Rotation, Version};
use crate::domain::vault::object::Kind as _;
use crate::domain::vault::rotation;
use crate::domain::vault::wanted::{Material, Wanted};
use crate::domain::world::crypto;
use crate::store;

pub use usage::{Handle, again, audited, authorize, authorize_alone, refusal};
pub(in crate::app) use usage::{PARSED_LIMIT, PERMITTED_LIMIT, Parsed, Permitted, inside, refused};

/// A key version with all it lies in.
pub type Found = object::Found<Keys>;

impl Kept for Keys {
    const PERMISSIONS: Permissions = Permissions {
        list: Permission::KEY_LIST,
        update: Permission::KEY_UPDATE,
        delete: Permission::KEY_DELETE,
        get_deleted: Permission::KEY_GET,
        recover: Permission::KEY_RECOVER,
        purge: Permission::KEY_PURGE,
        backup: Permission::KEY_BACKUP,
        restore: Permission::KEY_RESTORE,
    };
    const BACKUP: &'static str = "AzureKeyVaultKeyBackupV1";

    fn packed(own: &Content) -> Map<String, Value> {
        Map::from_iter([
            ("kty".to_owned(), json!(own.kty)),
            ("public_jwk".to_owned(), own.public_jwk.clone()),
            ("private_key".to_owned(), json!(crypto::base64url(&own.private_key))),
            ("key_ops".to_owned(), json!(own.key_ops)),
            ("doc".to_owned(), own.doc.clone()),
        ])
    }

    fn unpacked(document: &Value) -> Option<Content> {
        Some(Content {
            kty: document["kty"].as_str()?.to_owned(),
            public_jwk: document["public_jwk"].clone(),
            private_key: crypto::from_base64url(document["private_key"].as_str()?)?,
            key_ops: serde_json::from_value(document["key_ops"].clone()).ok()?,
            doc: document["doc"].clone(),
        })
    }

    fn packed_whole(whole: &Rotation) -> Map<String, Value> {
        Map::from_iter([("rotation_policy".to_owned(), json!(whole.policy))])
    }

    fn unpacked_whole(document: &Value) -> Rotation {
        let policy = Some(document["rotation_policy"].clone()).filter(|p| !p.is_null());
        Rotation { policy, ..Rotation::default() }
    }

    /// Deleting and purging are rare, and parsing again is cheap beside them.
    fn forget(cx: &Cx) {
        cx.app.parsed.forget_all();
    }
}

/// A key version's public half and attributes. A disabled one can be read [issue].
pub async fn get(cx: &mut Cx, vault: &str, key: &str, version: Option<&str>) -> Result<Found> {
    find(cx, vault, key, version, Permission::KEY_GET).await
}

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
    let Change { attributes, tags, release_policy, .. } = made.change;
    let mut doc = json!({"exportable": attributes.exportable.unwrap_or(false)});
    if let Some(policy) = release_policy {
        doc["release_policy"] = policy;
    }
    let private = made.private;
    let (kty, public_jwk, key_ops) = (made.kty.to_owned(), made.public, made.key_ops);
    let content = move |cx: &mut Cx, id: &str| {
        let private_key = crypto::seal(&cx.app.master, seal_context(id).as_bytes(), private, &mut cx.rng())?;
        Ok(Content { kty, public_jwk, private_key, key_ops, doc })
    };
    let version = object::add_version(cx, key, (&attributes, tags), content).await?;
    cx.announce(Happening::NewVersion, key, &version).await?;
    Ok(version)
}

/// Creates a key, or a new version of one that exists. Within a change: making it takes long.
pub async fn create(cx: &mut Cx, vault: &str, name: &str, wanted: &Wanted) -> Result<Found> {
    let vault = admit(cx, vault, Permission::KEY_CREATE, Some(name)).await?;
    nameable::<Keys>(cx, &vault, name).await?;
    wanted.check(vault.premium())?;
    let made = generated(cx, &vault, name, wanted.material)?;
    let (key, version) = write(cx, &vault, name, wanted, made).await?;
    Ok((vault, key, version))
}

/// Imports the key that a JWK of the material in `wanted` describes. Within a change: reading its numbers takes long.
pub async fn import(cx: &mut Cx, vault: &str, name: &str, wanted: &Wanted, jwk: &Value) -> Result<Found> {
    let vault = admit(cx, vault, Permission::KEY_IMPORT, Some(name)).await?;
    nameable::<Keys>(cx, &vault, name).await?;
    wanted.check(vault.premium())?;
    let (material, jwk) = (wanted.material, jwk.clone());
    let made = cx.aside(&thing(&vault, name), "the key of the JWK", move || read_jwk(material, &jwk))?;
    let (key, version) = write(cx, &vault, name, wanted, made).await?;
    Ok((vault, key, version))
}

/// Creates a key unless one of that name exists; then it is given back as it is, unchanged. Without a gate:
/// resource management asks its own, and passes the vault's firewall (keyvault.md C.5). Within a change.
pub async fn create_if_missing(
    cx: &mut Cx,
    vault: Vault,
    name: &str,
    (wanted, policy): (&Wanted, Option<&rotation::Asked>),
) -> Result<Found> {
    if let Some(key) = nameable::<Keys>(cx, &vault, name).await? {
        let version = newest(cx, &key).await?;
        return Ok((vault, key, version));
    }
    wanted.check(vault.premium())?;
    let policy = policy.map(|asked| rotation::settle(asked, None, cx.now)).transpose()?;
    let made = generated(cx, &vault, name, wanted.material)?;
    let (mut key, version) = write(cx, &vault, name, wanted, made).await?;
    if policy.is_some() {
        key.own.policy = policy;
        Keys::plan(&mut key, &version, cx.now);
        store::vault::object::update(&mut cx.tx, &key).await?;
    }
    Ok((vault, key, version))
}

async fn write(
    cx: &mut Cx,
    vault: &Vault,
    name: &str,
    wanted: &Wanted,
    (private, public): Pair,
) -> Result<(Key, Version)> {
    let mut key = object::named(cx, vault, name).await?;
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

/// Refuses to release a key that is not exportable, after the gate. A release itself needs an attestation,
/// which no local emulator can check.
pub async fn refuse_release(cx: &mut Cx, vault: &str, name: &str, version: Option<&str>) -> Result<()> {
    let (_, _, version): Found = find(cx, vault, name, version, Permission::KEY_RELEASE).await?;
    if version.own.doc["exportable"] == true {
        return Ok(());
    }
    Err(KeyError::BadParameter("The key is not exportable and cannot be released.".to_owned()).into())
}

/// Random bytes, for whoever the vault's network lets in: no permission for it is known.
pub async fn random(cx: &mut Cx, vault: &str, count: usize) -> Result<(Vault, Vec<u8>)> {
    let vault = vaults::living(cx, vault).await?;
    vault.admits(&cx.caller)?;
    let mut bytes = vec![0; count];
    rand::Rng::fill_bytes(&mut cx.rng(), &mut bytes);
    Ok((vault, bytes))
}
