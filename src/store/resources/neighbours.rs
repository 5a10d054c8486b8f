//! Resources that are kept as documents.
//! Must not know: what a document holds.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::Result;
use crate::domain::resources::listing::Part;
use crate::domain::resources::neighbour::Neighbour;
use crate::domain::world::name;
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// Who follows what is kept here asks whether this was written.
pub const TABLE: &str = "neighbours";

fn neighbour(row: &SqliteRow, kind: &'static str) -> Result<Neighbour> {
    Ok(Neighbour {
        id: row.cell("id")?,
        kind,
        name: row.cell("name")?,
        scope: row.cell("scope")?,
        document: row.json("document")?,
    })
}

/// The resource of a type with an id, in any case.
pub async fn find(tx: &mut Tx, kind: &'static str, id: &str) -> Result<Option<Neighbour>> {
    let key = id.to_ascii_lowercase();
    tx.saw(TABLE, &key);
    let row = sqlx::query("SELECT * FROM neighbours WHERE id_key = ? AND kind = ?")
        .bind(key)
        .bind(kind)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| neighbour(row, kind)).transpose()
}

/// Those of a type at a scope, or all, by name.
pub async fn list(tx: &mut Tx, kind: &'static str, scope: Option<&str>) -> Result<Vec<Neighbour>> {
    let rows =
        sqlx::query("SELECT * FROM neighbours WHERE kind = ?1 AND (?2 IS NULL OR scope = ?2) ORDER BY name, id_key")
            .bind(kind)
            .bind(scope.map(str::to_ascii_lowercase))
            .fetch_all(tx.conn())
            .await?;
    rows.iter().map(|row| neighbour(row, kind)).collect()
}

/// A part of those of a type in groups.
pub async fn part(tx: &mut Tx, kind: &'static str, part: &Part<'_>) -> Result<Vec<Neighbour>> {
    let sql = match part.group {
        Some(_) => {
            "SELECT * FROM neighbours WHERE kind = ?1 AND scope = ?2 AND name > ?3 COLLATE NOCASE
             ORDER BY name COLLATE NOCASE LIMIT ?5"
        }
        None => {
            "SELECT * FROM neighbours WHERE kind = ?1 AND ?2 IS NULL AND (name COLLATE NOCASE, scope) > (?3, ?4)
             ORDER BY name COLLATE NOCASE, scope LIMIT ?5"
        }
    };
    let scope = |group: &str| name::group_id(group).to_ascii_lowercase();
    let (after_name, group) = &part.after;
    let after = if group.is_empty() { String::new() } else { scope(group) };
    let rows = sqlx::query(sql)
        .bind(kind)
        .bind(part.group.map(scope))
        .bind(after_name)
        .bind(after)
        .bind(part.limit())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| neighbour(row, kind)).collect()
}

/// Keeps a resource in place of the one with its id.
pub async fn save(tx: &mut Tx, one: &Neighbour) -> Result<()> {
    let key = one.id.to_ascii_lowercase();
    tx.require_seen(TABLE, &key)?;
    tx.wrote(TABLE);
    sqlx::query(
        "INSERT INTO neighbours (id_key, id, kind, name, scope, document) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id_key) DO UPDATE SET document = excluded.document",
    )
    .bind(key)
    .bind(&one.id)
    .bind(one.kind)
    .bind(&one.name)
    .bind(one.scope.to_ascii_lowercase())
    .bind(Value::Object(one.document.clone()).to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a resource.
pub async fn delete(tx: &mut Tx, one: &Neighbour) -> Result<()> {
    tx.wrote(TABLE);
    sqlx::query("DELETE FROM neighbours WHERE id_key = ?").bind(one.id.to_ascii_lowercase()).execute(tx.conn()).await?;
    Ok(())
}

/// Removes all at a scope and in it.
pub async fn delete_below(tx: &mut Tx, scope: &str) -> Result<()> {
    tx.wrote(TABLE);
    let scope = scope.to_ascii_lowercase();
    sqlx::query("DELETE FROM neighbours WHERE scope = ?1 OR substr(scope, 1, length(?1) + 1) = ?1 || '/'")
        .bind(scope)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has what is about a resource follow it to another id, and documents name it by that.
pub async fn rename(tx: &mut Tx, from: &str, to: &str) -> Result<()> {
    let rows = sqlx::query("SELECT id_key, id, scope, document FROM neighbours").fetch_all(tx.conn()).await?;
    for row in &rows {
        let (key, id, scope): (String, String, String) = (row.cell("id_key")?, row.cell("id")?, row.cell("scope")?);
        let document = row.document("document")?;
        let renamed = |id: &str| name::renamed_id(id, from, to).unwrap_or_else(|| id.to_owned());
        let (new_id, new_scope, new_document) = (renamed(&id), renamed(&scope), name::renamed(&document, from, to));
        if new_id == id && new_document == document {
            continue;
        }
        tx.wrote(TABLE);
        // Settings stay when what they are about goes: what arrives takes the place of one that was left there.
        sqlx::query("UPDATE OR REPLACE neighbours SET id_key = ?, id = ?, scope = ?, document = ? WHERE id_key = ?")
            .bind(new_id.to_ascii_lowercase())
            .bind(new_id)
            .bind(new_scope.to_ascii_lowercase())
            .bind(new_document.to_string())
            .bind(key)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}
