//! The blobs of the storage account that tasks use: block by block, each in sealed chunks. They are rows, and not files:
//! they are small and short-lived, and a log grows line by line.
//! Must not know: how a chunk is sealed, who may read or write it.

use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;

use crate::domain::registry::envelope::Sealed;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A blob, or the place of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    pub id: i64,
    pub registry: i64,
    pub name: String,
    /// `BlockBlob` or `AppendBlob`.
    pub kind: String,
    /// The run whose log it is.
    pub run: Option<i64>,
    /// Whether there is more than blocks.
    pub committed: bool,
    /// Content headers, and `metadata`.
    pub headers: Map<String, Value>,
    /// Rises with every change.
    pub version: i64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// A chunk of a blob, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub block: i64,
    pub number: i64,
    pub size: u64,
}

fn blob(tx: &mut Tx, row: &SqliteRow) -> Result<Blob> {
    tx.saw("task_blobs", row.cell::<i64>("id")?);
    Ok(Blob {
        id: row.cell("id")?,
        registry: row.cell("registry")?,
        name: row.cell("name")?,
        kind: row.cell("kind")?,
        run: row.cell("run")?,
        committed: row.cell("committed")?,
        headers: row.json("headers")?,
        version: row.cell("version")?,
        created_at: row.time("created_at")?,
        modified_at: row.time("modified_at")?,
    })
}

/// A blob by name, or its place.
pub async fn find(tx: &mut Tx, registry: i64, name: &str) -> Result<Option<Blob>> {
    let row = sqlx::query("SELECT * FROM task_blobs WHERE registry = ? AND name = ?")
        .bind(registry)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| blob(tx, row)).transpose()
}

/// The log of a run.
pub async fn of_run(tx: &mut Tx, run: i64) -> Result<Option<Blob>> {
    let row = sqlx::query("SELECT * FROM task_blobs WHERE run = ?").bind(run).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| blob(tx, row)).transpose()
}

/// Makes the place of a blob: nothing is in it yet.
pub async fn add(tx: &mut Tx, registry: i64, name: &str, kind: &str, run: Option<i64>, now: Timestamp) -> Result<Blob> {
    let row = sqlx::query(
        "INSERT INTO task_blobs (registry, name, kind, run, committed, headers, version, created_at, modified_at)
         VALUES (?, ?, ?, ?, 0, '{}', 0, ?, ?) RETURNING *",
    )
    .bind(registry)
    .bind(name)
    .bind(kind)
    .bind(run)
    .bind(now.0)
    .bind(now.0)
    .fetch_one(tx.conn())
    .await?;
    blob(tx, &row)
}

/// Writes a blob's headers back: it is there now, and another one than before.
pub async fn save(tx: &mut Tx, blob: &Blob, now: Timestamp) -> Result<()> {
    tx.require_seen("task_blobs", blob.id)?;
    sqlx::query(
        "UPDATE task_blobs SET committed = 1, headers = ?, version = version + 1, modified_at = ? WHERE id = ?",
    )
    .bind(Value::Object(blob.headers.clone()).to_string())
    .bind(now.0)
    .bind(blob.id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Begins a block. It is in no blob, and its body is still coming.
pub async fn begin_block(tx: &mut Tx, blob: i64, name: &str) -> Result<i64> {
    Ok(sqlx::query_scalar("INSERT INTO task_blocks (blob, name, whole) VALUES (?, ?, 0) RETURNING id")
        .bind(blob)
        .bind(name)
        .fetch_one(tx.conn())
        .await?)
}

/// Adds a chunk to a block. `false`: the block is gone.
pub async fn add_chunk(tx: &mut Tx, block: i64, number: i64, size: usize, sealed: &Sealed) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO task_chunks (block, number, size, sealed) SELECT id, ?, ?, ? FROM task_blocks WHERE id = ?",
    )
    .bind(number)
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .bind(sealed.as_bytes())
    .bind(block)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends a block that waits to be put into its blob, in place of one of its name that waited.
pub async fn end_block(tx: &mut Tx, blob: i64, block: i64, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM task_blocks WHERE blob = ? AND name = ? AND id <> ? AND place IS NULL AND whole = 1")
        .bind(blob)
        .bind(name)
        .bind(block)
        .execute(tx.conn())
        .await?;
    sqlx::query("UPDATE task_blocks SET whole = 1 WHERE id = ?").bind(block).execute(tx.conn()).await?;
    Ok(())
}

/// A whole block of a blob by name: the one that waits, or the one in the blob.
pub async fn whole_block(tx: &mut Tx, blob: i64, name: &str, waiting: Option<bool>) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM task_blocks WHERE blob = ?1 AND name = ?2 AND whole = 1
           AND (?3 IS NULL OR (place IS NULL) = ?3) ORDER BY place IS NOT NULL LIMIT 1",
    )
    .bind(blob)
    .bind(name)
    .bind(waiting)
    .fetch_optional(tx.conn())
    .await?)
}

/// Makes a blob of these blocks, in this order. The others go.
pub async fn commit_blocks(tx: &mut Tx, blob: i64, blocks: &[i64]) -> Result<()> {
    sqlx::query("UPDATE task_blocks SET place = NULL WHERE blob = ?").bind(blob).execute(tx.conn()).await?;
    for (place, block) in (0_i64..).zip(blocks) {
        sqlx::query("UPDATE task_blocks SET place = ?, whole = 1 WHERE id = ? AND blob = ?")
            .bind(place)
            .bind(block)
            .bind(blob)
            .execute(tx.conn())
            .await?;
    }
    sqlx::query("DELETE FROM task_blocks WHERE blob = ? AND place IS NULL").bind(blob).execute(tx.conn()).await?;
    Ok(())
}

/// Puts a block at a blob's end.
pub async fn append_block(tx: &mut Tx, blob: i64, block: i64) -> Result<()> {
    sqlx::query(
        "UPDATE task_blocks SET whole = 1,
           place = (SELECT coalesce(max(place), -1) + 1 FROM task_blocks WHERE blob = ?1) WHERE id = ?2",
    )
    .bind(blob)
    .bind(block)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a block whose body did not come to its end.
pub async fn delete_block(tx: &mut Tx, block: i64) -> Result<()> {
    sqlx::query("DELETE FROM task_blocks WHERE id = ?").bind(block).execute(tx.conn()).await?;
    Ok(())
}

/// How many bytes wait in a blob's blocks.
pub async fn waiting_size(tx: &mut Tx, blob: i64) -> Result<u64> {
    let size: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(c.size), 0) FROM task_blocks b JOIN task_chunks c ON c.block = b.id WHERE b.blob = ?",
    )
    .bind(blob)
    .fetch_one(tx.conn())
    .await?;
    Ok(u64::try_from(size).unwrap_or(0))
}

/// The chunks of a blob, in order.
pub async fn chunks(tx: &mut Tx, blob: i64) -> Result<Vec<Chunk>> {
    let rows = sqlx::query(
        "SELECT c.block, c.number, c.size FROM task_blocks b JOIN task_chunks c ON c.block = b.id
         WHERE b.blob = ? AND b.place IS NOT NULL ORDER BY b.place, c.number",
    )
    .bind(blob)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok(Chunk { block: row.cell("block")?, number: row.cell("number")?, size: row.bytes("size")? }))
        .collect()
}

/// The bytes of a chunk. `None`: its blob is gone, or another one by now.
pub async fn chunk(tx: &mut Tx, chunk: Chunk) -> Result<Option<Sealed>> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM task_chunks WHERE block = ? AND number = ?")
        .bind(chunk.block)
        .bind(chunk.number)
        .fetch_optional(tx.conn())
        .await?;
    Ok(sealed.map(Sealed::from_stored))
}

/// Removes blocks whose requests ended with the process.
pub async fn delete_unfinished(tx: &mut Tx) -> Result<()> {
    sqlx::query("DELETE FROM task_blocks WHERE whole = 0").execute(tx.conn()).await?;
    Ok(())
}

// How long logs are kept, of registries with a customer-managed key and of others: the same words say when the next is
// due and remove it.
const KEPT: &str = "CASE WHEN g.cmk_key IS NULL THEN ?1 ELSE ?2 END";

/// When the next blob goes: a log so long after its run's end, a source so long after it came.
pub async fn due(tx: &mut Tx, (plain, cmk, source): (i64, i64, i64)) -> Result<Option<Timestamp>> {
    let sql = format!(
        "SELECT CAST(min(at) AS INTEGER) FROM (
           SELECT min(r.finished_at + {KEPT}) AS at FROM task_blobs b
             JOIN task_runs r ON r.id = b.run JOIN registries g ON g.id = b.registry
           UNION ALL SELECT min(created_at) + ?3 FROM task_blobs WHERE run IS NULL)"
    );
    let at: Option<i64> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(plain).bind(cmk).bind(source).fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// Removes the blobs whose time is over.
pub async fn purge(tx: &mut Tx, (plain, cmk, source): (i64, i64, i64), now: Timestamp) -> Result<()> {
    let sql = format!(
        "DELETE FROM task_blobs WHERE id IN (
           SELECT b.id FROM task_blobs b JOIN task_runs r ON r.id = b.run JOIN registries g ON g.id = b.registry
             WHERE r.finished_at + {KEPT} <= ?4
           UNION ALL SELECT id FROM task_blobs WHERE run IS NULL AND created_at + ?3 <= ?4)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(plain).bind(cmk).bind(source).bind(now.0).execute(tx.conn()).await?;
    Ok(())
}
