//! Upload sessions, whose file is whose, and files that are to be removed from disk.
//! Must not know: what a file holds.

use super::signed;
use crate::domain::registry::envelope::{Attempts, Sealed};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// An upload session.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Its id, and its file's name.
    pub uuid: String,
    /// The repository it belongs to.
    pub repository: String,
    /// Who began it, as tokens of the registry name them.
    pub principal: String,
    /// Bytes received and answered for.
    pub size: u64,
    /// Those of them that do not fill a chunk, sealed; empty where there are none.
    pub tail: Sealed,
    /// The attempts that wrote the others.
    pub attempts: Attempts,
    pub started_at: Timestamp,
}

/// Begins a session.
pub async fn add_upload(tx: &mut Tx, registry: i64, u: &Upload) -> Result<()> {
    sqlx::query("INSERT INTO uploads (uuid, registry, repository, principal, started_at) VALUES (?, ?, ?, ?, ?)")
        .bind(&u.uuid)
        .bind(registry)
        .bind(&u.repository)
        .bind(&u.principal)
        .bind(u.started_at.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A session by id, in its repository.
pub async fn find_upload(tx: &mut Tx, registry: i64, repository: &str, uuid: &str) -> Result<Option<Upload>> {
    let row = sqlx::query("SELECT * FROM uploads WHERE uuid = ? AND registry = ? AND repository = ?")
        .bind(uuid)
        .bind(registry)
        .bind(repository)
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Upload {
        uuid: row.cell("uuid")?,
        repository: row.cell("repository")?,
        principal: row.cell("principal")?,
        size: row.bytes("size")?,
        tail: Sealed::from_stored(row.cell("tail")?),
        attempts: Attempts::from_bytes(row.cell("attempts")?)?,
        started_at: row.time("started_at")?,
    }))
}

/// Moves a session forward from `before` bytes. `false`: it is not there any more, or somebody else moved it.
pub async fn grow_upload(
    tx: &mut Tx,
    uuid: &str,
    before: u64,
    (size, tail, attempts): (u64, &Sealed, &Attempts),
) -> Result<bool> {
    let done = sqlx::query("UPDATE uploads SET size = ?, tail = ?, attempts = ? WHERE uuid = ? AND size = ?")
        .bind(signed(size))
        .bind(tail.as_bytes())
        .bind(attempts.to_bytes())
        .bind(uuid)
        .bind(signed(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a session; its file is doomed. `false`: it is not there any more.
pub async fn delete_upload(tx: &mut Tx, uuid: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM uploads WHERE uuid = ?").bind(uuid).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a session whose file has become a blob. `false`: it is not there any more.
pub async fn finish_upload(tx: &mut Tx, uuid: &str) -> Result<bool> {
    let there = delete_upload(tx, uuid).await?;
    // Its file is a blob's now and is not to be removed.
    sqlx::query("DELETE FROM doomed_files WHERE path IN ('uploads/' || ?1, 'blobs/' || ?1)")
        .bind(uuid)
        .execute(tx.conn())
        .await?;
    Ok(there)
}

/// What a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOwner {
    Blob,
    /// An upload session.
    Upload,
    /// Nothing.
    Nobody,
}

/// What a file belongs to.
pub async fn owner_of_file(tx: &mut Tx, name: &str) -> Result<FileOwner> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM blobs WHERE file = ?1) AS blob, EXISTS (SELECT 1 FROM uploads WHERE uuid = ?1) AS upload",
    )
    .bind(name)
    .fetch_one(tx.conn())
    .await?;
    Ok(match (row.cell::<bool>("blob")?, row.cell::<bool>("upload")?) {
        (true, _) => FileOwner::Blob,
        (false, true) => FileOwner::Upload,
        (false, false) => FileOwner::Nobody,
    })
}

/// Ids and sizes of all sessions.
pub async fn all_uploads(tx: &mut Tx) -> Result<Vec<(String, u64)>> {
    let rows = sqlx::query("SELECT uuid, size FROM uploads").fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((row.cell("uuid")?, row.bytes("size")?))).collect()
}

/// Paths of the files that no row names any more.
pub async fn doomed_files(tx: &mut Tx) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT path FROM doomed_files").fetch_all(tx.conn()).await?)
}

/// Forgets files that were removed (a JSON array of paths).
pub async fn forget_files(tx: &mut Tx, paths: &str) -> Result<()> {
    sqlx::query("DELETE FROM doomed_files WHERE path IN (SELECT value FROM json_each(?))")
        .bind(paths)
        .execute(tx.conn())
        .await?;
    Ok(())
}
