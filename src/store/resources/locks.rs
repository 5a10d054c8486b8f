//! Locks of subscriptions, groups and resources.
//! Must not know: what a lock forbids.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::Result;
use crate::domain::resources::lock::{Level, Lock};
use crate::domain::world::name;
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn lock(row: &SqliteRow) -> Result<Lock> {
    Ok(Lock {
        scope: row.cell("scope")?,
        name: row.cell("name")?,
        level: row.word("level", Level::read)?,
        notes: row.cell("notes")?,
        owners: row.json("owners")?,
    })
}

/// All locks, by scope and name: there are few.
pub async fn all(tx: &mut Tx) -> Result<Vec<Lock>> {
    let rows = sqlx::query("SELECT * FROM locks ORDER BY scope_key, name").fetch_all(tx.conn()).await?;
    rows.iter().map(lock).collect()
}

/// Keeps a lock in place of the one with its name.
pub async fn save(tx: &mut Tx, lock: &Lock) -> Result<()> {
    let owners: &Value = &lock.owners;
    sqlx::query(
        "INSERT OR REPLACE INTO locks (scope, scope_key, name, level, notes, owners) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&lock.scope)
    .bind(lock.scope.to_ascii_lowercase())
    .bind(&lock.name)
    .bind(lock.level.word())
    .bind(&lock.notes)
    .bind(owners.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a lock.
pub async fn delete(tx: &mut Tx, lock: &Lock) -> Result<()> {
    sqlx::query("DELETE FROM locks WHERE scope_key = ? AND name = ?")
        .bind(lock.scope.to_ascii_lowercase())
        .bind(&lock.name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has locks of a resource, and of what lies in it, follow it to another id.
pub async fn rename(tx: &mut Tx, from: &str, to: &str) -> Result<()> {
    for lock in all(tx).await? {
        if let Some(scope) = name::renamed_id(&lock.scope, from, to) {
            delete(tx, &lock).await?;
            save(tx, &Lock { scope, ..lock }).await?;
        }
    }
    Ok(())
}
