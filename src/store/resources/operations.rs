//! Long-running operations' records.
//! Must not know: what the operations did.

use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// Keeps an operation, whose outcome is JSON.
pub async fn insert(tx: &mut Tx, name: &str, started_at: Timestamp, outcome: &str) -> Result<()> {
    sqlx::query("INSERT INTO operations (name, started_at, outcome) VALUES (?, ?, ?)")
        .bind(name)
        .bind(started_at.0)
        .bind(outcome)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// An operation's outcome.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT outcome FROM operations WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?;
    row.map(|row| row.json_text("outcome")).transpose()
}
