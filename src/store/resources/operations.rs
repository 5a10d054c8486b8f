//! Long-running operations' records.
//! Must not know: what the operations did.

use serde_json::Value;
use sqlx::Row as _;

use crate::domain::{Result, Timestamp};
use crate::store::{Tx, json};

/// Keeps an operation.
pub async fn insert(tx: &mut Tx, name: &str, started_at: Timestamp, outcome: &Value) -> Result<()> {
    sqlx::query("INSERT INTO operations (name, started_at, outcome) VALUES (?, ?, ?)")
        .bind(name)
        .bind(started_at.0)
        .bind(outcome.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// An operation's outcome.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Value>> {
    let row = sqlx::query("SELECT outcome FROM operations WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?;
    Ok(row.map(|r| json(r.get("outcome"))))
}
