//! Resource groups.
//! Must not know: what lies in them.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A resource group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name, in the case of the creating request.
    pub name: String,
    pub location: String,
    pub tags: Value,
    /// The resource that manages the group, as its PUT named it.
    pub managed_by: Option<String>,
    pub created_at: Timestamp,
}

fn group(row: &SqliteRow) -> Result<Group> {
    Ok(Group {
        name: row.cell("name")?,
        location: row.cell("location")?,
        tags: row.json("tags")?,
        managed_by: row.cell("managed_by")?,
        created_at: row.time("created_at")?,
    })
}

/// A group by name, case aside.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Group>> {
    tx.saw("resource_groups", name.to_ascii_lowercase());
    let row = sqlx::query("SELECT * FROM resource_groups WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?;
    row.as_ref().map(group).transpose()
}

/// All groups by name.
pub async fn all(tx: &mut Tx) -> Result<Vec<Group>> {
    let rows = sqlx::query("SELECT * FROM resource_groups ORDER BY name").fetch_all(tx.conn()).await?;
    rows.iter().map(group).collect()
}

/// Creates or changes a group.
pub async fn save(tx: &mut Tx, g: &Group) -> Result<()> {
    tx.require_seen("resource_groups", g.name.to_ascii_lowercase())?;
    sqlx::query(
        "INSERT INTO resource_groups (name, location, tags, managed_by, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET tags = excluded.tags, managed_by = excluded.managed_by",
    )
    .bind(&g.name)
    .bind(&g.location)
    .bind(g.tags.to_string())
    .bind(&g.managed_by)
    .bind(g.created_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a group that was emptied before.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM resource_groups WHERE name = ?").bind(name).execute(tx.conn()).await?;
    Ok(())
}
