//! Secrets and their versions, with values sealed.
//! Must not know: what a sealed value holds.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::vault::Deletion;
use crate::domain::vault::secret::{Secret, SecretVersion};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn secret(tx: &mut Tx, row: &SqliteRow) -> Result<Secret> {
    tx.saw("secrets", row.cell::<i64>("id")?);
    let deleted_at: Option<i64> = row.cell("deleted_at")?;
    let purge_at: Option<i64> = row.cell("purge_at")?;
    Ok(Secret {
        id: row.cell("id")?,
        vault: row.cell("vault")?,
        name: row.cell("name")?,
        deleted: deleted_at.zip(purge_at).map(|(at, purge)| Deletion { at: Timestamp(at), purge_at: Timestamp(purge) }),
    })
}

fn version(tx: &mut Tx, row: &SqliteRow) -> Result<SecretVersion> {
    tx.saw("secret_versions", row.cell::<i64>("id")?);
    Ok(SecretVersion {
        id: row.cell("id")?,
        secret: row.cell("secret")?,
        version: row.cell("version")?,
        sealed: row.cell("sealed")?,
        content_type: row.cell("content_type")?,
        enabled: row.cell("enabled")?,
        not_before: row.cell("not_before")?,
        expires: row.cell("expires")?,
        tags: row.optional_json("tags")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// A secret by name, living or deleted.
pub async fn find(tx: &mut Tx, vault: i64, name: &str) -> Result<Option<Secret>> {
    let row = sqlx::query("SELECT * FROM secrets WHERE vault = ? AND name = ?")
        .bind(vault)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| secret(tx, row)).transpose()
}

/// Adds a secret; gives its row id.
pub async fn insert(tx: &mut Tx, vault: i64, name: &str) -> Result<i64> {
    let done = sqlx::query("INSERT INTO secrets (vault, name) VALUES (?, ?)").bind(vault).bind(name);
    Ok(done.execute(tx.conn()).await?.last_insert_rowid())
}

/// Changes a secret's deletion.
pub async fn update(tx: &mut Tx, s: &Secret) -> Result<()> {
    tx.require_seen("secrets", s.id)?;
    sqlx::query("UPDATE secrets SET deleted_at = ?, purge_at = ? WHERE id = ?")
        .bind(s.deleted.map(|d| d.at.0))
        .bind(s.deleted.map(|d| d.purge_at.0))
        .bind(s.id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a secret and its versions for good.
pub async fn purge(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM secrets WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Adds a version. Its row id is ignored.
pub async fn insert_version(tx: &mut Tx, v: &SecretVersion) -> Result<()> {
    sqlx::query(
        "INSERT INTO secret_versions (secret, version, sealed, content_type, enabled, not_before, expires, tags,
           created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(v.secret)
    .bind(&v.version)
    .bind(&v.sealed)
    .bind(&v.content_type)
    .bind(v.enabled)
    .bind(v.not_before)
    .bind(v.expires)
    .bind(v.tags.as_ref().map(Value::to_string))
    .bind(v.created_at.0)
    .bind(v.updated_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes a version's attributes. Its value never changes.
pub async fn update_version(tx: &mut Tx, v: &SecretVersion) -> Result<()> {
    tx.require_seen("secret_versions", v.id)?;
    sqlx::query(
        "UPDATE secret_versions SET content_type = ?, enabled = ?, not_before = ?, expires = ?, tags = ?, updated_at = ?
         WHERE id = ?",
    )
    .bind(&v.content_type)
    .bind(v.enabled)
    .bind(v.not_before)
    .bind(v.expires)
    .bind(v.tags.as_ref().map(Value::to_string))
    .bind(v.updated_at.0)
    .bind(v.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A version of a secret; `None`: the newest.
pub async fn find_version(tx: &mut Tx, secret: i64, wanted: Option<&str>) -> Result<Option<SecretVersion>> {
    let query = match wanted {
        Some(wanted) => sqlx::query("SELECT * FROM secret_versions WHERE secret = ? AND version = ?")
            .bind(secret)
            .bind(wanted.to_ascii_lowercase()),
        None => sqlx::query("SELECT * FROM secret_versions WHERE secret = ? ORDER BY created_at DESC, id DESC LIMIT 1")
            .bind(secret),
    };
    query.fetch_optional(tx.conn()).await?.as_ref().map(|row| version(tx, row)).transpose()
}

/// A vault's secrets by name, the living or the deleted ones, from the name `from` on.
pub async fn list(tx: &mut Tx, vault: i64, deleted: bool, from: &str, limit: i64) -> Result<Vec<Secret>> {
    let rows = sqlx::query(
        "SELECT * FROM secrets WHERE vault = ? AND (deleted_at IS NOT NULL) = ? AND name >= ? ORDER BY name LIMIT ?",
    )
    .bind(vault)
    .bind(deleted)
    .bind(from)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| secret(tx, row)).collect()
}

/// A secret's versions by version id, from `from` on.
pub async fn versions(tx: &mut Tx, secret: i64, from: &str, limit: i64) -> Result<Vec<SecretVersion>> {
    let rows = sqlx::query("SELECT * FROM secret_versions WHERE secret = ? AND version >= ? ORDER BY version LIMIT ?")
        .bind(secret)
        .bind(from)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| version(tx, row)).collect()
}

/// Removes deleted secrets whose time has come.
pub async fn purge_due(tx: &mut Tx, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM secrets WHERE purge_at <= ?").bind(now.0).execute(tx.conn()).await?;
    Ok(())
}

/// When the next deleted secret is due to go.
pub async fn next_purge(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(purge_at) FROM secrets WHERE purge_at IS NOT NULL").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}
