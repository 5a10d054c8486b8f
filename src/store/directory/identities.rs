//! User-assigned managed identities, as ARM resources.
//! Must not know: their principals' rights.

use sqlx::sqlite::SqliteRow;

use crate::domain::Result;
use crate::domain::directory::identity::Identity;
use crate::domain::resources::listing::Part;
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// What an identity is called where rows are noted.
fn key(group: &str, name: &str) -> String {
    format!("{group}/{name}").to_ascii_lowercase()
}

fn identity(row: &SqliteRow) -> Result<Identity> {
    Ok(Identity {
        group: row.cell("resource_group")?,
        name: row.cell("name")?,
        location: row.cell("location")?,
        tags: row.json("tags")?,
        properties: row.json("properties")?,
        principal_id: row.cell("principal_id")?,
        client_id: row.cell("client_id")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
    })
}

/// An identity by group and name, case aside.
pub async fn find(tx: &mut Tx, group: &str, name: &str) -> Result<Option<Identity>> {
    tx.saw("identities", key(group, name));
    let row = sqlx::query("SELECT * FROM identities WHERE resource_group = ? AND name = ?")
        .bind(group)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(identity).transpose()
}

/// A part of the list of identities.
pub async fn list(tx: &mut Tx, part: &Part<'_>) -> Result<Vec<Identity>> {
    let sql = match part.group {
        Some(_) => "SELECT * FROM identities WHERE resource_group = ?1 AND name > ?2 ORDER BY name LIMIT ?4",
        None => {
            "SELECT * FROM identities WHERE ?1 IS NULL AND (name, resource_group) > (?2, ?3)
             ORDER BY name, resource_group LIMIT ?4"
        }
    };
    let (name, group) = &part.after;
    let rows = sqlx::query(sql).bind(part.group).bind(name).bind(group).bind(part.limit()).fetch_all(tx.conn()).await?;
    rows.iter().map(identity).collect()
}

/// Creates or changes an identity.
pub async fn save(tx: &mut Tx, i: &Identity) -> Result<()> {
    tx.require_seen("identities", key(&i.group, &i.name))?;
    sqlx::query(
        "INSERT INTO identities (resource_group, name, location, tags, properties, principal_id, client_id, created_by, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (resource_group, name) DO UPDATE SET tags = excluded.tags, properties = excluded.properties",
    )
    .bind(&i.group)
    .bind(&i.name)
    .bind(&i.location)
    .bind(i.tags.to_string())
    .bind(i.properties.to_string())
    .bind(&i.principal_id)
    .bind(&i.client_id)
    .bind(&i.created_by)
    .bind(i.created_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes an identity.
pub async fn delete(tx: &mut Tx, group: &str, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM identities WHERE resource_group = ? AND name = ?")
        .bind(group)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}
