//! Keys on the wire: one arm for each operation.
//! Must not know: how rights are decided, how keys are kept.

use serde_json::{Value, json};

use super::heard::About;
use super::route::KeyRoute;
use super::{Asked, Reply, paging, wire};
use crate::app::Cx;
use crate::app::vault::{keys, object, rotation};
use crate::domain::Result;
use crate::domain::access::Permission;
use crate::domain::error::RequestError;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Key, Keys, Operation, Version, Wanted};
use crate::domain::world::crypto::base64url;

type Found = (Vault, Key, Version);

/// Answers what is asked of keys.
pub async fn answer(asked: Asked<'_>, route: KeyRoute) -> Result<Reply> {
    match route {
        KeyRoute::List => list(&asked, false).await,
        KeyRoute::ListDeleted => list(&asked, true).await,
        KeyRoute::Versions(name) => versions(&asked, &name).await,
        KeyRoute::Create(name) => {
            let wanted = asked.read(wire::create);
            let wanted = after_gate(&asked, wanted, Permission::KEY_CREATE, Some(&name)).await?;
            let change = (&asked, name, wanted);
            asked.change(&change, |cx, (asked, name, wanted)| Box::pin(create(asked, cx, name, wanted))).await
        }
        KeyRoute::Import(name) => {
            let imported = asked.read(wire::import);
            let imported = after_gate(&asked, imported, Permission::KEY_IMPORT, Some(&name)).await?;
            let change = (&asked, name, imported);
            asked.change(&change, |cx, (asked, name, imported)| Box::pin(import(asked, cx, name, imported))).await
        }
        KeyRoute::Get(name, version) | KeyRoute::Attestation(name, version) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            bundle(&asked, keys::get(&mut cx, &asked.vault, &name, version.as_deref()).await?)
        }
        KeyRoute::Update(name, version) => {
            let change = asked.read(wire::update);
            let change = after_gate(&asked, change, Permission::KEY_UPDATE, Some(&name)).await?;
            let mut cx = asked.write().await?;
            let found = object::update::<Keys>(&mut cx, &asked.vault, &name, version.as_deref(), change).await?;
            asked.commit(cx, written(&asked, found)?).await
        }
        KeyRoute::Delete(name) => {
            let mut cx = asked.write().await?;
            let found = object::delete::<Keys>(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, Reply::new(&found.0, wire::deleted_bundle(&asked.api, &asked.base(), &found))).await
        }
        KeyRoute::GetDeleted(name) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let found = object::get_deleted(&mut cx, &asked.vault, &name).await?;
            Ok(Reply::new(&found.0, wire::deleted_bundle(&asked.api, &asked.base(), &found)))
        }
        KeyRoute::Recover(name) => {
            let mut cx = asked.write().await?;
            let found = object::recover(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, bundle(&asked, found)?).await
        }
        KeyRoute::Purge(name) => {
            let mut cx = asked.write().await?;
            let vault = object::purge::<Keys>(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, Reply::empty(&vault)).await
        }
        KeyRoute::Backup(name) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let (vault, value) = object::backup::<Keys>(&mut cx, &asked.vault, &name).await?;
            Ok(Reply::new(&vault, json!({"value": value})))
        }
        KeyRoute::Restore => {
            let value = asked.read(|b| wire::required(b, "value"));
            let value = after_gate(&asked, value, Permission::KEY_RESTORE, None).await?;
            let mut cx = asked.write().await?;
            let found = object::restore(&mut cx, &asked.vault, &value).await?;
            asked.commit(cx, bundle(&asked, found)?).await
        }
        KeyRoute::Rotate(name) => {
            asked.change(&(&asked, name), |cx, (asked, name)| Box::pin(rotate(asked, cx, name))).await
        }
        KeyRoute::Policy(name) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let (vault, key, policy) = rotation::policy(&mut cx, &asked.vault, &name).await?;
            Ok(Reply::new(&vault, wire::policy(&asked.base(), &key, &policy)))
        }
        KeyRoute::SetPolicy(name) => {
            let body = after_gate(&asked, asked.body.clone(), Permission::ROTATION_POLICY_SET, Some(&name)).await?;
            let mut cx = asked.write().await?;
            let (vault, key, policy) = rotation::set_policy(&mut cx, &asked.vault, &name, &body).await?;
            asked.commit(cx, Reply::new(&vault, wire::policy(&asked.base(), &key, &policy))).await
        }
        KeyRoute::Use(name, version, operation) => used(&asked, &name, version.as_deref(), operation).await,
        KeyRoute::Release(name, version) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            keys::refuse_release(&mut cx, &asked.vault, &name, version.as_deref()).await?;
            Err(RequestError::NotEmulated("Secure key release".to_owned()).into())
        }
    }
}

async fn create(asked: &Asked<'_>, cx: &mut Cx, name: &str, wanted: &Wanted) -> Result<Reply> {
    let made = keys::create(cx, &asked.vault, name, wanted).await?;
    Ok(asked.recorded(cx, written(asked, made)?))
}

async fn import(asked: &Asked<'_>, cx: &mut Cx, name: &str, (wanted, jwk): &(Wanted, Value)) -> Result<Reply> {
    let made = keys::import(cx, &asked.vault, name, wanted, jwk).await?;
    Ok(asked.recorded(cx, written(asked, made)?))
}

async fn rotate(asked: &Asked<'_>, cx: &mut Cx, name: &str) -> Result<Reply> {
    let made = rotation::rotate(cx, &asked.vault, name).await?;
    Ok(asked.recorded(cx, written(asked, made)?))
}

/// Lets a wrong body be told only to those who may send a good one (keyvault.md D.1 step 8).
pub(super) async fn after_gate<T>(
    asked: &Asked<'_>,
    read: Result<T>,
    permission: Permission,
    object: Option<&str>,
) -> Result<T> {
    if read.is_err() {
        let mut cx = asked.app.read(asked.caller.clone()).await?;
        object::admit(&mut cx, &asked.vault, permission, object).await?;
    }
    read
}

fn bundle(asked: &Asked<'_>, found: Found) -> Result<Reply> {
    let about = About::version(None, &found.2, false);
    Ok(Reply::new(&found.0, wire::bundle(&asked.api, &asked.base(), &found)).about(about))
}

/// The same where the version was made or changed: the audit log names it.
fn written(asked: &Asked<'_>, found: Found) -> Result<Reply> {
    let about = About::version(Some(wire::kid(&asked.base(), &found.1, &found.2)), &found.2, true);
    Ok(Reply::new(&found.0, wire::bundle(&asked.api, &asked.base(), &found)).about(about))
}

async fn list(asked: &Asked<'_>, deleted: bool) -> Result<Reply> {
    let wanted = paging::wanted(asked);
    let wanted = after_gate(asked, wanted, Permission::KEY_LIST, None).await?;
    let mut cx = asked.app.read(asked.caller.clone()).await?;
    let (vault, (page, next)) =
        object::list::<Keys>(&mut cx, &asked.vault, deleted, &wanted.from, wanted.limit).await?;
    let show = if deleted { wire::deleted_item } else { wire::item };
    let base = asked.base();
    let items: Vec<Value> = page.iter().map(|(key, version)| show(&asked.api, &base, &vault, key, version)).collect();
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, "key", next.as_deref())))
}

async fn versions(asked: &Asked<'_>, name: &str) -> Result<Reply> {
    let wanted = paging::wanted(asked);
    let wanted = after_gate(asked, wanted, Permission::KEY_LIST, Some(name)).await?;
    let mut cx = asked.app.read(asked.caller.clone()).await?;
    let (vault, key, (page, next)) =
        object::list_versions::<Keys>(&mut cx, &asked.vault, name, &wanted.from, wanted.limit).await?;
    let base = asked.base();
    let items = page.iter().map(|version| wire::version_item(&asked.api, &base, &vault, &key, version)).collect();
    let collection = format!("key/{}", key.name.to_ascii_uppercase());
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, &collection, next.as_deref())))
}

/// Encrypt, decrypt, wrap, unwrap, sign, verify. The key's state is asked before the body is looked at.
async fn used(asked: &Asked<'_>, name: &str, version: Option<&str>, operation: Operation) -> Result<Reply> {
    let object = (asked.vault.as_str(), name, version);
    let handle = keys::authorize_alone(&asked.app, &asked.caller, object, operation, asked.generation).await?;
    let (algorithm, value) = asked.read(|body| Ok((wire::required(body, "alg")?, wire::bytes(body, "value")?)))?;
    let kid = wire::kid(&asked.base(), &handle.key, &handle.version);
    let about = About::version(Some(kid.clone()), &handle.version, false);
    if operation == Operation::Verify {
        let verdict = handle.verify(&algorithm, &asked.read(|body| wire::bytes(body, "digest"))?, &value)?;
        return Ok(Reply::new(&handle.vault, json!({"value": verdict})).about(about));
    }
    let vault = handle.vault.clone();
    let result = handle.answer(algorithm, value).await?;
    Ok(Reply::new(&vault, json!({"kid": kid, "value": base64url(&result)})).about(about))
}

/// Random bytes. Managed HSM has it; so has every vault here.
pub async fn random(asked: Asked<'_>) -> Result<Reply> {
    let count = asked.read(|body| Ok(body["count"].as_u64()))?;
    let count = count.and_then(|c| usize::try_from(c).ok()).filter(|c| (1..=128).contains(c));
    let invalid = || RequestError::InvalidValue { property: "count".to_owned(), message: String::new() };
    let count = count.ok_or_else(invalid)?;
    let mut cx = asked.app.read(asked.caller.clone()).await?;
    let (vault, bytes) = keys::random(&mut cx, &asked.vault, count).await?;
    Ok(Reply::new(&vault, json!({"value": base64url(&bytes)})))
}
