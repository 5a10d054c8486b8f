//! What can be asked of objects of any kind: lists, changes, deletion and what undoes it, backups.
//! Must not know: what an object of any kind is made of, how rights are decided.

use serde_json::{Value, json};

use super::wire::{self, Shown};
use super::{Asked, Reply, body, paging};
use crate::app::vault::object::{self, Found};
use crate::domain::Result;

/// An object that was found.
pub fn found<K: Shown>(asked: &Asked<'_>, found: &Found<K>) -> Reply {
    Reply::new(&found.0, wire::bundle(&asked.api, &asked.base(), found)).about(K::about(None, &found.2, false))
}

/// The same where the version was made or changed: the audit log names it.
pub fn written<K: Shown>(asked: &Asked<'_>, found: &Found<K>) -> Reply {
    let id = wire::id(&asked.base(), &found.1, Some(&found.2));
    Reply::new(&found.0, wire::bundle(&asked.api, &asked.base(), found)).about(K::about(Some(id), &found.2, true))
}

fn deleted<K: Shown>(asked: &Asked<'_>, found: &Found<K>) -> Reply {
    let shown = wire::bundle(&asked.api, &asked.base(), found);
    Reply::new(&found.0, wire::deleted(&asked.base(), &found.1, shown))
}

pub async fn list<K: Shown>(asked: &Asked<'_>, deleted: bool) -> Result<Reply> {
    let wanted = asked.gated(K::PERMISSIONS.list, paging::wanted(asked)).await?;
    let mut cx = asked.reading().await?;
    let (vault, (page, next)) = object::list::<K>(&mut cx, &asked.vault, deleted, &wanted.from, wanted.limit).await?;
    let base = asked.base();
    let show = |(object, version): &_| {
        let item = wire::item::<K>(&asked.api, wire::id(&base, object, None), &vault, version);
        if deleted { wire::deleted(&base, object, item) } else { item }
    };
    let items: Vec<Value> = page.iter().map(show).collect();
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, K::KIND.noun(), next.as_deref())))
}

pub async fn versions<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let wanted = asked.gated(K::PERMISSIONS.list, paging::wanted(asked)).await?;
    let mut cx = asked.reading().await?;
    let (vault, object, (page, next)) =
        object::list_versions::<K>(&mut cx, &asked.vault, &asked.name, &wanted.from, wanted.limit).await?;
    let base = asked.base();
    let show = |version| wire::item(&asked.api, wire::id(&base, &object, Some(version)), &vault, version);
    let items = page.iter().map(show).collect();
    let collection = format!("{}/{}", K::KIND.noun(), object.name.to_ascii_uppercase());
    Ok(Reply::new(&vault, paging::page(asked, &wanted, items, &collection, next.as_deref())))
}

pub async fn update<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let change = asked.body(K::PERMISSIONS.update, K::read_change).await?;
    let mut cx = asked.write().await?;
    let changed = object::update::<K>(&mut cx, &asked.vault, &asked.name, asked.version(), change).await?;
    asked.commit(cx, written(asked, &changed)).await
}

pub async fn delete<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.write().await?;
    let gone = object::delete::<K>(&mut cx, &asked.vault, &asked.name).await?;
    asked.commit(cx, deleted(asked, &gone)).await
}

pub async fn get_deleted<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    let gone = object::get_deleted::<K>(&mut cx, &asked.vault, &asked.name).await?;
    Ok(deleted(asked, &gone))
}

pub async fn recover<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.write().await?;
    let back = object::recover::<K>(&mut cx, &asked.vault, &asked.name).await?;
    asked.commit(cx, found(asked, &back)).await
}

pub async fn purge<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.write().await?;
    let vault = object::purge::<K>(&mut cx, &asked.vault, &asked.name).await?;
    asked.commit(cx, Reply::empty(&vault)).await
}

pub async fn backup<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    let (vault, value) = object::backup::<K>(&mut cx, &asked.vault, &asked.name).await?;
    Ok(Reply::new(&vault, json!({"value": value})))
}

pub async fn restore<K: Shown>(asked: &Asked<'_>) -> Result<Reply> {
    let value = asked.body(K::PERMISSIONS.restore, body::restore).await?;
    let mut cx = asked.write().await?;
    let back = object::restore::<K>(&mut cx, &asked.vault, &value).await?;
    asked.commit(cx, found(asked, &back)).await
}
