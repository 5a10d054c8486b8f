//! Key vaults, living and soft-deleted.
//! Must not know: what lies in them.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::resources::listing::Part;
use crate::domain::vault::{Deletion, Vault};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn vault(tx: &mut Tx, row: &SqliteRow) -> Result<Vault> {
    tx.saw("vaults", row.cell::<i64>("id")?);
    let deleted_at: Option<i64> = row.cell("deleted_at")?;
    let purge_at: Option<i64> = row.cell("purge_at")?;
    Ok(Vault {
        id: row.cell("id")?,
        name: row.cell("name")?,
        group: row.cell("resource_group")?,
        location: row.cell("location")?,
        tags: row.json("tags")?,
        properties: row.json("properties")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        modified_by: row.cell("modified_by")?,
        modified_at: row.time("modified_at")?,
        deleted: deleted_at.zip(purge_at).map(|(at, purge)| Deletion { at: Timestamp(at), purge_at: Timestamp(purge) }),
    })
}

/// A vault by name, living or deleted.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Vault>> {
    let row = sqlx::query("SELECT * FROM vaults WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| vault(tx, row)).transpose()
}

/// A vault by row id.
pub async fn find_by_id(tx: &mut Tx, id: i64) -> Result<Option<Vault>> {
    let row = sqlx::query("SELECT * FROM vaults WHERE id = ?").bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| vault(tx, row)).transpose()
}

/// A part of the list of living vaults.
pub async fn list(tx: &mut Tx, part: &Part<'_>) -> Result<Vec<Vault>> {
    let sql = match part.group {
        Some(_) => {
            "SELECT * FROM vaults WHERE resource_group = ?1 AND name > ?2 AND deleted_at IS NULL ORDER BY name LIMIT ?3"
        }
        None => "SELECT * FROM vaults WHERE ?1 IS NULL AND name > ?2 AND deleted_at IS NULL ORDER BY name LIMIT ?3",
    };
    let rows = sqlx::query(sql).bind(part.group).bind(&part.after.0).bind(part.limit()).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| vault(tx, row)).collect()
}

/// The deleted vaults by name.
pub async fn deleted(tx: &mut Tx) -> Result<Vec<Vault>> {
    let sql = "SELECT * FROM vaults WHERE deleted_at IS NOT NULL ORDER BY name";
    let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| vault(tx, row)).collect()
}

/// Adds a vault. Its row id is ignored.
pub async fn insert(tx: &mut Tx, v: &Vault) -> Result<()> {
    sqlx::query(
        "INSERT INTO vaults (name, resource_group, location, tags, properties, created_by, created_at, modified_by, modified_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&v.name)
    .bind(&v.group)
    .bind(&v.location)
    .bind(v.tags.to_string())
    .bind(Value::Object(v.properties.clone()).to_string())
    .bind(&v.created_by)
    .bind(v.created_at.0)
    .bind(&v.modified_by)
    .bind(v.modified_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes a vault: tags, properties, deletion.
pub async fn update(tx: &mut Tx, v: &Vault) -> Result<()> {
    tx.require_seen("vaults", v.id)?;
    sqlx::query(
        "UPDATE vaults SET tags = ?, properties = ?, modified_by = ?, modified_at = ?, deleted_at = ?, purge_at = ? WHERE id = ?",
    )
    .bind(v.tags.to_string())
    .bind(Value::Object(v.properties.clone()).to_string())
    .bind(&v.modified_by)
    .bind(v.modified_at.0)
    .bind(v.deleted.map(|d| d.at.0))
    .bind(v.deleted.map(|d| d.purge_at.0))
    .bind(v.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a vault into another group.
pub async fn set_group(tx: &mut Tx, id: i64, group: &str) -> Result<()> {
    tx.require_seen("vaults", id)?;
    sqlx::query("UPDATE vaults SET resource_group = ? WHERE id = ?").bind(group).bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Removes a vault and all its keys for good.
pub async fn purge(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM vaults WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Removes deleted vaults whose time has come. Returns how many.
pub async fn purge_due(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM vaults WHERE purge_at <= ?").bind(now.0).execute(tx.conn()).await?.rows_affected())
}

/// When the next deleted vault is due to go.
pub async fn next_purge(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT min(purge_at) FROM vaults").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}
