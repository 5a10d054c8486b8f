//! Keys and their versions, with private keys sealed.
//! Must not know: what a sealed private key holds, what a key may do.

use serde_json::{Value, json as value};
use sqlx::sqlite::SqliteRow;

use crate::domain::vault::Deletion;
use crate::domain::vault::key::{Key, Version};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn key(tx: &mut Tx, row: &SqliteRow) -> Result<Key> {
    tx.saw("keys", row.cell::<i64>("id")?);
    let deleted_at: Option<i64> = row.cell("deleted_at")?;
    let purge_at: Option<i64> = row.cell("purge_at")?;
    let rotate_at: Option<i64> = row.cell("rotate_at")?;
    let near_expiry_at: Option<i64> = row.cell("near_expiry_at")?;
    Ok(Key {
        id: row.cell("id")?,
        vault: row.cell("vault")?,
        name: row.cell("name")?,
        deleted: deleted_at.zip(purge_at).map(|(at, purge)| Deletion { at: Timestamp(at), purge_at: Timestamp(purge) }),
        rotation_policy: row.optional_json("rotation_policy")?,
        rotate_at: rotate_at.map(Timestamp),
        near_expiry_at: near_expiry_at.map(Timestamp),
    })
}

fn version(tx: &mut Tx, row: &SqliteRow) -> Result<Version> {
    tx.saw("key_versions", row.cell::<i64>("id")?);
    Ok(Version {
        id: row.cell("id")?,
        key: row.cell("key")?,
        version: row.cell("version")?,
        kty: row.cell("kty")?,
        public_jwk: row.document("public_jwk")?,
        private_key: row.cell("private_key")?,
        key_ops: row.json("key_ops")?,
        enabled: row.cell("enabled")?,
        not_before: row.cell("not_before")?,
        expires: row.cell("expires")?,
        tags: row.optional_json("tags")?,
        doc: row.document("doc")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// A key by name, living or deleted.
pub async fn find(tx: &mut Tx, vault: i64, name: &str) -> Result<Option<Key>> {
    let row = sqlx::query("SELECT * FROM keys WHERE vault = ? AND name = ?")
        .bind(vault)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| key(tx, row)).transpose()
}

/// A key by row id.
pub async fn find_by_id(tx: &mut Tx, id: i64) -> Result<Option<Key>> {
    let row = sqlx::query("SELECT * FROM keys WHERE id = ?").bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| key(tx, row)).transpose()
}

/// Adds a key; gives its row id.
pub async fn insert(tx: &mut Tx, vault: i64, name: &str) -> Result<i64> {
    let done = sqlx::query("INSERT INTO keys (vault, name) VALUES (?, ?)").bind(vault).bind(name).execute(tx.conn());
    let id = done.await?.last_insert_rowid();
    tx.saw("keys", id);
    Ok(id)
}

/// Changes a key: deletion, rotation policy and times.
pub async fn update(tx: &mut Tx, k: &Key) -> Result<()> {
    tx.require_seen("keys", k.id)?;
    sqlx::query(
        "UPDATE keys SET deleted_at = ?, purge_at = ?, rotation_policy = ?, rotate_at = ?, near_expiry_at = ? WHERE id = ?",
    )
        .bind(k.deleted.map(|d| d.at.0))
        .bind(k.deleted.map(|d| d.purge_at.0))
        .bind(k.rotation_policy.as_ref().map(Value::to_string))
        .bind(k.rotate_at.map(|t| t.0))
        .bind(k.near_expiry_at.map(|t| t.0))
        .bind(k.id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a key and its versions for good.
pub async fn purge(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM keys WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Adds a version. Its row id is ignored.
pub async fn insert_version(tx: &mut Tx, v: &Version) -> Result<i64> {
    let done = sqlx::query(
        "INSERT INTO key_versions (key, version, kty, public_jwk, private_key, key_ops, enabled, not_before, expires,
           tags, doc, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(v.key)
    .bind(&v.version)
    .bind(&v.kty)
    .bind(v.public_jwk.to_string())
    .bind(&v.private_key)
    .bind(value!(v.key_ops).to_string())
    .bind(v.enabled)
    .bind(v.not_before)
    .bind(v.expires)
    .bind(v.tags.as_ref().map(Value::to_string))
    .bind(v.doc.to_string())
    .bind(v.created_at.0)
    .bind(v.updated_at.0)
    .execute(tx.conn())
    .await?;
    Ok(done.last_insert_rowid())
}

/// Changes a version's attributes. What it is made of never changes.
pub async fn update_version(tx: &mut Tx, v: &Version) -> Result<()> {
    tx.require_seen("key_versions", v.id)?;
    sqlx::query(
        "UPDATE key_versions SET key_ops = ?, enabled = ?, not_before = ?, expires = ?, tags = ?, doc = ?, updated_at = ?
         WHERE id = ?",
    )
    .bind(value!(v.key_ops).to_string())
    .bind(v.enabled)
    .bind(v.not_before)
    .bind(v.expires)
    .bind(v.tags.as_ref().map(Value::to_string))
    .bind(v.doc.to_string())
    .bind(v.updated_at.0)
    .bind(v.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A version of a key; `None`: the newest.
pub async fn find_version(tx: &mut Tx, key: i64, wanted: Option<&str>) -> Result<Option<Version>> {
    let query = match wanted {
        Some(wanted) => sqlx::query("SELECT * FROM key_versions WHERE key = ? AND version = ?")
            .bind(key)
            .bind(wanted.to_ascii_lowercase()),
        None => {
            sqlx::query("SELECT * FROM key_versions WHERE key = ? ORDER BY created_at DESC, id DESC LIMIT 1").bind(key)
        }
    };
    query.fetch_optional(tx.conn()).await?.as_ref().map(|row| version(tx, row)).transpose()
}

/// A vault's keys by name, the living or the deleted ones, from the name `from` on.
pub async fn list(tx: &mut Tx, vault: i64, deleted: bool, from: &str, limit: i64) -> Result<Vec<Key>> {
    let rows = sqlx::query(
        "SELECT * FROM keys WHERE vault = ? AND (deleted_at IS NOT NULL) = ? AND name >= ? ORDER BY name LIMIT ?",
    )
    .bind(vault)
    .bind(deleted)
    .bind(from)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| key(tx, row)).collect()
}

/// A key's versions by version id, as Azure sorts them [recorded], from `from` on.
pub async fn versions(tx: &mut Tx, key: i64, from: &str, limit: i64) -> Result<Vec<Version>> {
    let rows = sqlx::query("SELECT * FROM key_versions WHERE key = ? AND version >= ? ORDER BY version LIMIT ?")
        .bind(key)
        .bind(from)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| version(tx, row)).collect()
}

/// Removes deleted keys whose time has come. Returns how many.
pub async fn purge_due(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM keys WHERE purge_at <= ?").bind(now.0).execute(tx.conn()).await?.rows_affected())
}

/// Lets nothing be due for a vault's keys before `now`.
pub async fn hold_back(tx: &mut Tx, vault: i64, now: Timestamp) -> Result<()> {
    // max() of a NULL and a number is NULL.
    sqlx::query(
        "UPDATE keys SET rotate_at = max(rotate_at, ?2), near_expiry_at = max(near_expiry_at, ?2) WHERE vault = ?1",
    )
    .bind(vault)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When the next deleted key is due to go.
pub async fn next_purge(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(purge_at) FROM keys WHERE purge_at IS NOT NULL").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// The living keys of living vaults whose rotation policy acts at `until` or before, in that order, `most` at the most.
pub async fn rotating(tx: &mut Tx, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    due(tx, "rotate_at", until, most).await
}

/// The living keys of living vaults whose end is told as near at `until` or before, in that order, `most` at the most.
pub async fn ending(tx: &mut Tx, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    due(tx, "near_expiry_at", until, most).await
}

async fn due(tx: &mut Tx, column: &'static str, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    let sql = format!(
        "SELECT keys.* FROM keys JOIN vaults ON vaults.id = keys.vault
         WHERE keys.{column} <= ? AND keys.deleted_at IS NULL AND vaults.deleted_at IS NULL
         ORDER BY keys.{column}, keys.id LIMIT ?"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(until.0).bind(most).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| key(tx, row)).collect()
}

/// When the next living key of a living vault rotates by its policy, or its end is told as near.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let rotating = due(tx, "rotate_at", Timestamp(i64::MAX), 1).await?.first().and_then(|key| key.rotate_at);
    let ending = due(tx, "near_expiry_at", Timestamp(i64::MAX), 1).await?.first().and_then(|key| key.near_expiry_at);
    Ok([rotating, ending].into_iter().flatten().min())
}
