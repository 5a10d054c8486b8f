//! Keys on the wire: what only keys can be asked for, and how they are shown.
//! Must not know: how rights are decided, how keys are kept.

use serde_json::{Map, Value, json};

use super::api::Api;
use super::recording::About;
use super::route::{Handler, Route, handler};
use super::wire::{self, Shown};
use super::{Asked, Reply, body, objects};
use crate::app::Cx;
use crate::app::vault::{keys, rotation};
use crate::domain::Result;
use crate::domain::access::Permission;
use crate::domain::error::RequestError;
use crate::domain::vault::key::{Change, Key, Keys, Operation, Version};
use crate::domain::vault::wanted::Wanted;
use crate::domain::world::crypto::base64url;

/// The rows of keys, and of what else is only there because of them.
pub static ROUTES: &[Route] = &[
    Route::new("GET", "keys", "KeyList", handler!(objects::list::<Keys>, false)),
    Route::new("POST", "keys/restore", "KeyRestore", handler!(objects::restore::<Keys>)),
    Route::new("POST", "keys/{name}/create", "KeyCreate", handler!(create)),
    Route::new("PUT", "keys/{name}", "KeyImport", handler!(import)),
    Route::new("DELETE", "keys/{name}", "KeyDelete", handler!(objects::delete::<Keys>)),
    Route::new("GET", "keys/{name}/versions", "KeyListVersions", handler!(objects::versions::<Keys>)),
    Route::new("POST", "keys/{name}/backup", "KeyBackup", handler!(objects::backup::<Keys>)),
    Route::new("POST", "keys/{name}/rotate", "KeyRotate", handler!(rotate)),
    Route::new("GET", "keys/{name}/rotationpolicy", "KeyRotationPolicyGet", handler!(policy)),
    Route::new("PUT", "keys/{name}/rotationpolicy", "KeyRotationPolicySet", handler!(set_policy)),
    Route::new("GET", "keys/{name}/{version}/attestation", "KeyGet", handler!(get)),
    Route::new("GET", "keys/{name}/{version}", "KeyGet", handler!(get)),
    Route::new("PATCH", "keys/{name}/{version}", "KeyUpdate", handler!(objects::update::<Keys>)),
    uses("keys/{name}/{version}/encrypt", Operation::Encrypt, handler!(used, Operation::Encrypt)),
    uses("keys/{name}/{version}/decrypt", Operation::Decrypt, handler!(used, Operation::Decrypt)),
    uses("keys/{name}/{version}/wrapkey", Operation::WrapKey, handler!(used, Operation::WrapKey)),
    uses("keys/{name}/{version}/unwrapkey", Operation::UnwrapKey, handler!(used, Operation::UnwrapKey)),
    uses("keys/{name}/{version}/sign", Operation::Sign, handler!(used, Operation::Sign)),
    uses("keys/{name}/{version}/verify", Operation::Verify, handler!(used, Operation::Verify)),
    Route::new("POST", "keys/{name}/{version}/release", "KeyRelease", handler!(release)),
    Route::new("GET", "deletedkeys", "KeyListDeleted", handler!(objects::list::<Keys>, true)),
    Route::new("GET", "deletedkeys/{name}", "KeyGetDeleted", handler!(objects::get_deleted::<Keys>)),
    Route::new("DELETE", "deletedkeys/{name}", "KeyPurge", handler!(objects::purge::<Keys>)),
    Route::new("POST", "deletedkeys/{name}/recover", "KeyRecover", handler!(objects::recover::<Keys>)),
    Route::new("POST", "rng", "RandomBytesGet", handler!(random)),
];

const fn uses(path: &'static str, operation: Operation, handler: Handler) -> Route {
    Route::new("POST", path, keys::audited(operation), handler)
}

impl Shown for Keys {
    fn item(id: String, _version: &Version) -> Map<String, Value> {
        Map::from_iter([("kid".to_owned(), json!(id))])
    }

    fn bundle(id: String, version: &Version) -> Map<String, Value> {
        let mut jwk = json!({"kid": id, "kty": version.own.kty, "key_ops": version.own.key_ops});
        for (name, value) in version.own.public_jwk.as_object().into_iter().flatten() {
            jwk[name] = value.clone();
        }
        Map::from_iter([("key".to_owned(), jwk)])
    }

    fn attributes(api: &Api, version: &Version, shown: &mut Map<String, Value>) {
        if api.shows_exportable() {
            shown.insert("exportable".into(), json!(version.own.doc["exportable"].as_bool().unwrap_or(false)));
            // A text: "0" software, "2" the HSMs of today [docs].
            shown.insert("hsmPlatform".into(), json!(if version.is_hsm() { "2" } else { "0" }));
        }
    }

    fn rest(version: &Version, shown: &mut Map<String, Value>) {
        if let Some(policy) = version.own.doc.get("release_policy") {
            shown.insert("release_policy".into(), policy.clone());
        }
    }

    fn read_change(body: &Value) -> Result<Change> {
        body::update(body)
    }

    fn about(id: Option<String>, version: &Version, changed: bool) -> About {
        About::version(id, version, changed)
    }
}

async fn create(asked: &Asked<'_>) -> Result<Reply> {
    let wanted = asked.body(Permission::KEY_CREATE, body::create).await?;
    asked.change(&(asked, wanted), |cx, (asked, wanted)| Box::pin(created(asked, cx, wanted))).await
}

async fn created(asked: &Asked<'_>, cx: &mut Cx, wanted: &Wanted) -> Result<Reply> {
    let made = keys::create(cx, &asked.vault, &asked.name, wanted).await?;
    Ok(asked.recorded(cx, objects::written(asked, &made)))
}

async fn import(asked: &Asked<'_>) -> Result<Reply> {
    let imported = asked.body(Permission::KEY_IMPORT, body::import).await?;
    asked.change(&(asked, imported), |cx, (asked, imported)| Box::pin(brought(asked, cx, imported))).await
}

async fn brought(asked: &Asked<'_>, cx: &mut Cx, (wanted, jwk): &(Wanted, Value)) -> Result<Reply> {
    let made = keys::import(cx, &asked.vault, &asked.name, wanted, jwk).await?;
    Ok(asked.recorded(cx, objects::written(asked, &made)))
}

async fn rotate(asked: &Asked<'_>) -> Result<Reply> {
    asked.change(&asked, |cx, asked| Box::pin(rotated(asked, cx))).await
}

async fn rotated(asked: &Asked<'_>, cx: &mut Cx) -> Result<Reply> {
    let made = rotation::rotate(cx, &asked.vault, &asked.name).await?;
    Ok(asked.recorded(cx, objects::written(asked, &made)))
}

async fn get(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    let found = keys::get(&mut cx, &asked.vault, &asked.name, asked.version()).await?;
    Ok(objects::found(asked, &found))
}

fn shown_policy(asked: &Asked<'_>, key: &Key, policy: &Value) -> Value {
    json!({
        "id": format!("{}/rotationpolicy", wire::id(&asked.base(), key, None)),
        "lifetimeActions": policy["lifetimeActions"],
        "attributes": policy["attributes"],
    })
}

async fn policy(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    let (vault, key, policy) = rotation::policy(&mut cx, &asked.vault, &asked.name).await?;
    Ok(Reply::new(&vault, shown_policy(asked, &key, &policy)))
}

async fn set_policy(asked: &Asked<'_>) -> Result<Reply> {
    let policy = asked.body(Permission::ROTATION_POLICY_SET, body::read).await?;
    let mut cx = asked.write().await?;
    let (vault, key, policy) = rotation::set_policy(&mut cx, &asked.vault, &asked.name, &policy).await?;
    asked.commit(cx, Reply::new(&vault, shown_policy(asked, &key, &policy))).await
}

/// A release itself needs an attestation, which no local emulator can check.
async fn release(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    keys::refuse_release(&mut cx, &asked.vault, &asked.name, asked.version()).await?;
    Err(RequestError::NotEmulated("Secure key release".to_owned()).into())
}

/// Encrypt, decrypt, wrap, unwrap, sign, verify. The key's state is asked before the body is looked at.
async fn used(asked: &Asked<'_>, operation: Operation) -> Result<Reply> {
    let object = (asked.vault.as_str(), asked.name.as_str(), asked.version());
    let handle = keys::authorize_alone(&asked.app, &asked.caller, object, operation, asked.generation).await?;
    let (algorithm, value) = asked.read(body::used)?;
    let kid = wire::id(&asked.base(), &handle.key, Some(&handle.version));
    let about = About::version(Some(kid.clone()), &handle.version, false);
    if operation == Operation::Verify {
        let verdict = handle.verify(&algorithm, &asked.read(body::digest)?, &value)?;
        return Ok(Reply::new(&handle.vault, json!({"value": verdict})).about(about));
    }
    let vault = handle.vault.clone();
    let result = handle.answer(algorithm, value).await?;
    Ok(Reply::new(&vault, json!({"kid": kid, "value": base64url(&result)})).about(about))
}

/// Random bytes. Managed HSM has it; so has every vault here.
async fn random(asked: &Asked<'_>) -> Result<Reply> {
    let count = asked.read(body::count)?;
    let mut cx = asked.reading().await?;
    let (vault, bytes) = keys::random(&mut cx, &asked.vault, count).await?;
    Ok(Reply::new(&vault, json!({"value": base64url(&bytes)})))
}
