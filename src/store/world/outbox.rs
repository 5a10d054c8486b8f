//! What committed writes still have to tell: audit records, and events of webhooks.
//! Must not know: who is notified, and how.

use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// An audit record that a write left.
#[derive(Debug, Clone)]
pub struct Record {
    /// Rises with every record.
    pub id: i64,
    /// The caller's display name, where it is known.
    pub caller: Option<String>,
    /// The record as one line of JSON.
    pub line: String,
}

/// An event for one webhook.
#[derive(Debug, Clone)]
pub struct Event {
    /// Rises with every event.
    pub id: i64,
    /// The webhook's row id.
    pub webhook: i64,
    pub sealed: Vec<u8>,
}

/// Adds a record. Returns its id.
pub async fn add_record(tx: &mut Tx, caller: Option<&str>, line: &str) -> Result<i64> {
    let done = sqlx::query("INSERT INTO untold_records (caller, line) VALUES (?, ?)")
        .bind(caller)
        .bind(line)
        .execute(tx.conn())
        .await?;
    Ok(done.last_insert_rowid())
}

/// All records that are not known to be in the log's files, in their order.
pub async fn records(tx: &mut Tx) -> Result<Vec<Record>> {
    let rows = sqlx::query("SELECT id, caller, line FROM untold_records ORDER BY id").fetch_all(tx.conn()).await?;
    let record = |row: &sqlx::sqlite::SqliteRow| -> Result<Record> {
        Ok(Record { id: row.cell("id")?, caller: row.cell("caller")?, line: row.cell("line")? })
    };
    rows.iter().map(record).collect()
}

/// Forgets the records up to and with `id`: they are in the log's files.
pub async fn forget_records(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM untold_records WHERE id <= ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Adds an event, which may be sent at once or only at an instant. Returns its id.
pub async fn add_event(tx: &mut Tx, webhook: i64, sealed: &[u8], due_at: Option<Timestamp>) -> Result<i64> {
    let done = sqlx::query("INSERT INTO untold_events (webhook, sealed, due_at) VALUES (?, ?, ?)")
        .bind(webhook)
        .bind(sealed)
        .bind(due_at.map(|at| at.0))
        .execute(tx.conn())
        .await?;
    Ok(done.last_insert_rowid())
}

/// When the next event may be sent that may not be yet.
pub async fn next_event(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(due_at) FROM untold_events WHERE due_at IS NOT NULL";
    let at: Option<i64> = sqlx::query_scalar(sql).fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// Lets events be sent whose time has come; they are the newest then. `false`: there are none.
pub async fn release_events(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let released = sqlx::query(
        "INSERT INTO untold_events (webhook, sealed)
         SELECT webhook, sealed FROM untold_events WHERE due_at <= ? ORDER BY due_at, id",
    )
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM untold_events WHERE due_at <= ?").bind(now.0).execute(tx.conn()).await?;
    Ok(released.rows_affected() > 0)
}

/// The oldest events after `after` that may be sent and were not, `most` at the most.
pub async fn events(tx: &mut Tx, after: i64, most: i64) -> Result<Vec<Event>> {
    let rows = sqlx::query(
        "SELECT id, webhook, sealed FROM untold_events WHERE id > ? AND due_at IS NULL ORDER BY id LIMIT ?",
    )
    .bind(after)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    let event = |row: &sqlx::sqlite::SqliteRow| -> Result<Event> {
        Ok(Event { id: row.cell("id")?, webhook: row.cell("webhook")?, sealed: row.cell("sealed")? })
    };
    rows.iter().map(event).collect()
}

/// Forgets an event: it was sent. `false`: it is gone already, with its webhook.
pub async fn forget_event(tx: &mut Tx, id: i64) -> Result<bool> {
    let done = sqlx::query("DELETE FROM untold_events WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(done.rows_affected() > 0)
}
