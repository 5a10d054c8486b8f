//! Registries, with their wrapped data keys.
//! Must not know: how a data key is unwrapped, what lies in a registry.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::registry::Registry;
use crate::domain::registry::cmk::{Cmk, KeyId, KeyIdentity};
use crate::domain::resources::listing::Part;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::{Cells as _, readable};

fn registry(tx: &mut Tx, row: &SqliteRow) -> Result<Registry> {
    tx.saw("registries", row.cell::<i64>("id")?);
    let cmk = match row.cell::<Option<&str>>("cmk_key")? {
        None => None,
        Some(_) => Some(Cmk {
            key: row.word("cmk_key", KeyId::parse)?,
            version: row.cell("cmk_version")?,
            identity: KeyIdentity::parse(row.cell("cmk_identity")?),
            rotated_at: row.optional_time("cmk_rotated_at")?,
            identity_expires: row.optional_time("cmk_identity_expires")?,
        }),
    };
    Ok(Registry {
        id: row.cell("id")?,
        name: row.cell("name")?,
        group: row.cell("resource_group")?,
        location: row.cell("location")?,
        sku: row.cell("sku")?,
        tags: row.json("tags")?,
        properties: row.json("properties")?,
        user_identities: row.json("user_identities")?,
        system_principal: row.cell("system_principal")?,
        cmk,
        wrapped_dek: row.cell("wrapped_dek")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        modified_by: row.cell("modified_by")?,
        modified_at: row.time("modified_at")?,
    })
}

/// A registry by name, case aside.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Registry>> {
    let row = sqlx::query("SELECT * FROM registries WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| registry(tx, row)).transpose()
}

/// A registry by its row id.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Registry>> {
    let row = sqlx::query("SELECT * FROM registries WHERE id = ?").bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| registry(tx, row)).transpose()
}

/// A part of the list of registries.
pub async fn list(tx: &mut Tx, part: &Part<'_>) -> Result<Vec<Registry>> {
    let sql = match part.group {
        Some(_) => "SELECT * FROM registries WHERE resource_group = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
        None => "SELECT * FROM registries WHERE ?1 IS NULL AND name > ?2 ORDER BY name LIMIT ?3",
    };
    let rows = sqlx::query(sql).bind(part.group).bind(&part.after.0).bind(part.limit()).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| registry(tx, row)).collect()
}

/// Adds a registry. Its row id is ignored.
pub async fn insert(tx: &mut Tx, r: &Registry) -> Result<()> {
    sqlx::query(
        "INSERT INTO registries (name, resource_group, location, sku, tags, properties, user_identities, system_principal,
           cmk_key, cmk_version, cmk_identity, cmk_rotated_at, next_look, wrapped_dek, created_by, created_at, modified_by, modified_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&r.name)
    .bind(&r.group)
    .bind(&r.location)
    .bind(&r.sku)
    .bind(r.tags.to_string())
    .bind(Value::Object(r.properties.clone()).to_string())
    .bind(serde_json::json!(r.user_identities).to_string())
    .bind(&r.system_principal)
    .bind(r.cmk.as_ref().map(|c| c.key.to_string()))
    .bind(r.cmk.as_ref().map(|c| c.version.clone()))
    .bind(r.cmk.as_ref().map(|c| c.identity.as_str().to_owned()))
    .bind(r.cmk.as_ref().and_then(|c| c.rotated_at).map(|t| t.0))
    .bind(next_look_after(r.cmk.as_ref(), r.created_at))
    .bind(&r.wrapped_dek)
    .bind(&r.created_by)
    .bind(r.created_at.0)
    .bind(&r.modified_by)
    .bind(r.modified_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes a registry, but for its key: see [`rewrap`].
pub async fn update(tx: &mut Tx, r: &Registry) -> Result<()> {
    tx.require_seen("registries", r.id)?;
    sqlx::query(
        "UPDATE registries SET sku = ?, tags = ?, properties = ?, user_identities = ?, system_principal = ?,
           modified_by = ?, modified_at = ? WHERE id = ?",
    )
    .bind(&r.sku)
    .bind(r.tags.to_string())
    .bind(Value::Object(r.properties.clone()).to_string())
    .bind(serde_json::json!(r.user_identities).to_string())
    .bind(&r.system_principal)
    .bind(&r.modified_by)
    .bind(r.modified_at.0)
    .bind(r.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn next_look_after(cmk: Option<&Cmk>, now: Timestamp) -> Option<i64> {
    cmk.filter(|c| c.follows_new_versions()).map(|_| now.plus(crate::domain::world::time::HOUR).0)
}

/// Puts a newly wrapped DEK and the key that wrapped it in place, if the DEK is still wrapped as it was
/// when the work began. `false`: somebody else was first, nothing was changed.
pub async fn rewrap(tx: &mut Tx, id: i64, before: &[u8], cmk: &Cmk, wrapped: &[u8], now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE registries SET cmk_key = ?, cmk_version = ?, cmk_identity = ?, cmk_rotated_at = ?, wrapped_dek = ?, next_look = ?
         WHERE id = ? AND wrapped_dek = ?",
    )
    .bind(cmk.key.to_string())
    .bind(&cmk.version)
    .bind(cmk.identity.as_str())
    .bind(cmk.rotated_at.map(|t| t.0))
    .bind(wrapped)
    .bind(next_look_after(Some(cmk), now))
    .bind(id)
    .bind(before)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes when the identity that a registry uses its key with expires; `None`: it renews itself.
pub async fn set_identity_expiry(tx: &mut Tx, id: i64, at: Option<Timestamp>) -> Result<()> {
    sqlx::query("UPDATE registries SET cmk_identity_expires = ? WHERE id = ?")
        .bind(at.map(|t| t.0))
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Puts a registry into another group.
pub async fn set_group(tx: &mut Tx, id: i64, group: &str) -> Result<()> {
    tx.require_seen("registries", id)?;
    sqlx::query("UPDATE registries SET resource_group = ? WHERE id = ?")
        .bind(group)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a registry and all rows of its content.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM registries WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// When the next registry looks for a new version of its key.
pub async fn next_look(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT min(next_look) FROM registries").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// When a registry looks for a new version of its key.
pub async fn look_of(tx: &mut Tx, id: i64) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT next_look FROM registries WHERE id = ?").bind(id).fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// Columns of a registry without tags and document, which a look does not need and ten thousand of which take a while
/// to read.
const LOOKING: &str = "id, name, resource_group, location, sku, '{}' AS tags, '{}' AS properties, user_identities,
    system_principal, cmk_key, cmk_version, cmk_identity, cmk_rotated_at, cmk_identity_expires, wrapped_dek, created_by,
    created_at, modified_by, modified_at, next_look";

/// Registries whose next look is at `until` or before, with its instant; without tags and document.
pub async fn looking(tx: &mut Tx, until: Timestamp) -> Result<Vec<(Registry, Timestamp)>> {
    let sql = format!("SELECT {LOOKING} FROM registries WHERE next_look <= ? ORDER BY next_look, id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(until.0).fetch_all(tx.conn()).await?;
    Ok(readable(&rows, |row| Ok((registry(tx, row)?, row.time("next_look")?))))
}

/// These registries, without tags and document.
pub async fn looking_ones(tx: &mut Tx, ids: &[i64]) -> Result<Vec<Registry>> {
    let sql = format!("SELECT {LOOKING} FROM registries WHERE id IN (SELECT value FROM json_each(?))");
    let ids = serde_json::json!(ids).to_string();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(tx.conn()).await?;
    Ok(readable(&rows, |row| registry(tx, row)))
}

/// Notes that all looks up to `made` are made: each registry's next one is whole hours later, after it.
pub async fn put_off_looks(tx: &mut Tx, made: Timestamp) -> Result<()> {
    sqlx::query("UPDATE registries SET next_look = next_look + ((?1 - next_look) / ?2 + 1) * ?2 WHERE next_look <= ?1")
        .bind(made.0)
        .bind(crate::domain::world::time::HOUR)
        .execute(tx.conn())
        .await?;
    Ok(())
}
