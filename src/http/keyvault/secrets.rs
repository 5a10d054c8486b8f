//! Secrets on the wire, and the one answer for certificates.
//! Must not know: how rights are decided, how secrets are kept.

use axum::http::Method;
use serde_json::{Value, json};

use super::keys::after_gate;
use super::route::SecretRoute;
use super::wire::SecretId;
use super::{Asked, Reply, paging, wire};
use crate::app::vault::object;
use crate::app::vault::secrets::{self, Found};
use crate::domain::Result;
use crate::domain::access::Permission;
use crate::domain::error::{KeyError, RequestError};
use crate::domain::vault::kind::ObjectKind;
use crate::domain::vault::secret::Secrets;

/// Answers what is asked of secrets.
pub async fn answer(asked: Asked<'_>, route: SecretRoute) -> Result<Reply> {
    match route {
        SecretRoute::List => list(&asked, false).await,
        SecretRoute::ListDeleted => list(&asked, true).await,
        SecretRoute::Versions(name) => versions(&asked, &name).await,
        SecretRoute::Set(name) => {
            let read = asked.read(|b| Ok((wire::required(b, "value")?, wire::secret_change(b)?)));
            let (value, change) = after_gate(&asked, read, Permission::SECRET_SET, Some(&name)).await?;
            let mut cx = asked.write().await?;
            let found = secrets::set(&mut cx, &asked.vault, &name, &value, change).await?;
            asked.commit(cx, bundle(&asked, &found, Some(&value))).await
        }
        SecretRoute::Get(name, version) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let (found, value) = secrets::get(&mut cx, &asked.vault, &name, version.as_deref()).await?;
            Ok(bundle(&asked, &found, Some(&value)))
        }
        SecretRoute::Update(name, version) => {
            let change = asked.read(wire::secret_change);
            let change = after_gate(&asked, change, Permission::SECRET_UPDATE, Some(&name)).await?;
            let mut cx = asked.write().await?;
            let found = object::update::<Secrets>(&mut cx, &asked.vault, &name, version.as_deref(), change).await?;
            asked.commit(cx, bundle(&asked, &found, None)).await
        }
        SecretRoute::Delete(name) => {
            let mut cx = asked.write().await?;
            let found = object::delete::<Secrets>(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, deleted(&asked, &found)).await
        }
        SecretRoute::GetDeleted(name) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let found = object::get_deleted::<Secrets>(&mut cx, &asked.vault, &name).await?;
            Ok(deleted(&asked, &found))
        }
        SecretRoute::Recover(name) => {
            let mut cx = asked.write().await?;
            let found = object::recover::<Secrets>(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, bundle(&asked, &found, None)).await
        }
        SecretRoute::Purge(name) => {
            let mut cx = asked.write().await?;
            let vault = object::purge::<Secrets>(&mut cx, &asked.vault, &name).await?;
            asked.commit(cx, Reply::empty(&vault)).await
        }
        SecretRoute::Backup(name) => {
            let mut cx = asked.app.read(asked.caller.clone()).await?;
            let (vault, value) = object::backup::<Secrets>(&mut cx, &asked.vault, &name).await?;
            Ok(Reply::new(&vault, json!({"value": value})))
        }
        SecretRoute::Restore => {
            let value = asked.read(|b| wire::required(b, "value"));
            let value = after_gate(&asked, value, Permission::SECRET_RESTORE, None).await?;
            let mut cx = asked.write().await?;
            let found = object::restore::<Secrets>(&mut cx, &asked.vault, &value).await?;
            asked.commit(cx, bundle(&asked, &found, None)).await
        }
    }
}

fn shown(asked: &Asked<'_>, found: &Found, value: Option<&str>, id: SecretId) -> Value {
    let (vault, secret, version) = found;
    wire::secret(&asked.api, &asked.base(), vault, (secret, version), value, id)
}

fn bundle(asked: &Asked<'_>, found: &Found, value: Option<&str>) -> Reply {
    Reply::new(&found.0, shown(asked, found, value, SecretId::Version))
}

fn deleted(asked: &Asked<'_>, found: &Found) -> Reply {
    let shown = shown(asked, found, None, SecretId::Version);
    Reply::new(&found.0, wire::deleted_secret(&asked.base(), &found.1, shown))
}

async fn list(asked: &Asked<'_>, deleted: bool) -> Result<Reply> {
    let wanted = after_gate(asked, paging::wanted(asked), Permission::SECRET_LIST, None).await?;
    let mut cx = asked.app.read(asked.caller.clone()).await?;
    let (vault, (page, next)) =
        object::list::<Secrets>(&mut cx, &asked.vault, deleted, &wanted.from, wanted.limit).await?;
    let base = asked.base();
    let show = |(secret, version): &_| {
        let item = wire::secret(&asked.api, &base, &vault, (secret, version), None, SecretId::Secret);
        if deleted { wire::deleted_secret(&base, secret, item) } else { item }
    };
    let items = page.iter().map(show).collect();
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, "secret", next.as_deref())))
}

async fn versions(asked: &Asked<'_>, name: &str) -> Result<Reply> {
    let wanted = after_gate(asked, paging::wanted(asked), Permission::SECRET_LIST, Some(name)).await?;
    let mut cx = asked.app.read(asked.caller.clone()).await?;
    let (vault, secret, (page, next)) =
        object::list_versions::<Secrets>(&mut cx, &asked.vault, name, &wanted.from, wanted.limit).await?;
    let base = asked.base();
    let show = |v| wire::secret(&asked.api, &base, &vault, (&secret, v), None, SecretId::Version);
    let items = page.iter().map(show).collect();
    let collection = format!("secret/{}", secret.name.to_ascii_uppercase());
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, &collection, next.as_deref())))
}

/// Certificates are not emulated (table of limits): there are none, and none can be made.
pub async fn certificates(asked: Asked<'_>, name: Option<String>) -> Result<Reply> {
    match name {
        Some(name) if asked.method == Method::GET => Err(KeyError::NotFound(ObjectKind::Certificate, name).into()),
        _ => Err(RequestError::NotEmulated("Certificates".to_owned()).into()),
    }
}
