//! Runs of tasks.
//! Must not know: what a run does, what its sealed request says.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::registry::tasks::run::{Run, Status};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn run(tx: &mut Tx, row: &SqliteRow) -> Result<Run> {
    tx.saw("task_runs", row.cell::<i64>("id")?);
    Ok(Run {
        id: row.cell("id")?,
        registry: row.cell("registry")?,
        number: row.cell("number")?,
        task: row.cell("task")?,
        status: row.word("status", Status::parse)?,
        document: row.json("document")?,
        sealed: row.cell("sealed")?,
        archived: row.cell("archived")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        started_at: row.optional_time("started_at")?,
        finished_at: row.optional_time("finished_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn all(tx: &mut Tx, rows: &[SqliteRow]) -> Result<Vec<Run>> {
    rows.iter().map(|row| run(tx, row)).collect()
}

/// Adds a run under the registry's next number. Returns it as it is kept.
pub async fn add(tx: &mut Tx, run: Run) -> Result<Run> {
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO task_numbers (registry, last) VALUES (?, 1)
         ON CONFLICT (registry) DO UPDATE SET last = last + 1 RETURNING last",
    )
    .bind(run.registry)
    .fetch_one(tx.conn())
    .await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO task_runs (registry, number, task, status, document, sealed, archived, created_by, created_at,
           started_at, finished_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(run.registry)
    .bind(number)
    .bind(&run.task)
    .bind(run.status.as_str())
    .bind(Value::Object(run.document.clone()).to_string())
    .bind(&run.sealed)
    .bind(run.archived)
    .bind(&run.created_by)
    .bind(run.created_at.0)
    .bind(run.started_at.map(|t| t.0))
    .bind(run.finished_at.map(|t| t.0))
    .bind(run.updated_at.0)
    .fetch_one(tx.conn())
    .await?;
    tx.saw("task_runs", id);
    Ok(Run { id, number, ..run })
}

/// Writes a run back.
pub async fn save(tx: &mut Tx, run: &Run) -> Result<()> {
    tx.require_seen("task_runs", run.id)?;
    sqlx::query(
        "UPDATE task_runs SET status = ?, document = ?, sealed = ?, archived = ?, started_at = ?, finished_at = ?,
           updated_at = ? WHERE id = ?",
    )
    .bind(run.status.as_str())
    .bind(Value::Object(run.document.clone()).to_string())
    .bind(&run.sealed)
    .bind(run.archived)
    .bind(run.started_at.map(|t| t.0))
    .bind(run.finished_at.map(|t| t.0))
    .bind(run.updated_at.0)
    .bind(run.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A run by its row id.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Run>> {
    let row = sqlx::query("SELECT * FROM task_runs WHERE id = ?").bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| run(tx, row)).transpose()
}

/// A run of a registry by its number.
pub async fn by_number(tx: &mut Tx, registry: i64, number: i64) -> Result<Option<Run>> {
    let row = sqlx::query("SELECT * FROM task_runs WHERE registry = ? AND number = ?")
        .bind(registry)
        .bind(number)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| run(tx, row)).transpose()
}

/// A registry's runs, the newest first, below a number.
pub async fn list(tx: &mut Tx, registry: i64, below: i64, most: i64) -> Result<Vec<Run>> {
    let rows = sqlx::query("SELECT * FROM task_runs WHERE registry = ? AND number < ? ORDER BY number DESC LIMIT ?")
        .bind(registry)
        .bind(below)
        .bind(most)
        .fetch_all(tx.conn())
        .await?;
    all(tx, &rows)
}

/// How many runs of a registry's agent pool wait.
pub async fn waiting(tx: &mut Tx, registry: i64, pool: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM task_runs WHERE registry = ? AND status = 'Queued'
           AND lower(json_extract(document, '$.agentPoolName')) = lower(?)",
    )
    .bind(registry)
    .bind(pool)
    .fetch_one(tx.conn())
    .await?)
}

/// All runs of a status, in the order in which they were asked for.
pub async fn with_status(tx: &mut Tx, status: Status) -> Result<Vec<Run>> {
    let rows = sqlx::query("SELECT * FROM task_runs WHERE status = ? ORDER BY id")
        .bind(status.as_str())
        .fetch_all(tx.conn())
        .await?;
    all(tx, &rows)
}

/// The runs that have ended, and whose logs do not say so.
pub async fn with_open_logs(tx: &mut Tx) -> Result<Vec<Run>> {
    let rows = sqlx::query(
        "SELECT r.* FROM task_runs r JOIN task_blobs b ON b.run = r.id
         WHERE r.finished_at IS NOT NULL AND json_extract(b.headers, '$.metadata.Complete') IS NULL ORDER BY r.id",
    )
    .fetch_all(tx.conn())
    .await?;
    all(tx, &rows)
}

/// Removes the runs whose time is over, and that nobody keeps.
pub async fn purge(tx: &mut Tx, finished_before: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM task_runs WHERE finished_at <= ? AND archived = 0")
        .bind(finished_before.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The end of the first run that is not kept.
pub async fn first_end(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(finished_at) FROM task_runs WHERE archived = 0").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}
