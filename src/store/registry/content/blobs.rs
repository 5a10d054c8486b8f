//! Blobs, as repositories see them.
//! Must not know: what a file holds.

use sqlx::sqlite::SqliteRow;

use super::{attributes, signed};
use crate::domain::registry::envelope::Attempts;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A blob: its file holds the sealed bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    pub id: i64,
    /// The row id of the repository that sees it.
    pub repository: i64,
    /// Bytes of plaintext.
    pub size: u64,
    /// The file's name.
    pub file: String,
    /// The attempts that wrote it.
    pub attempts: Attempts,
    /// Whether its repository may be read.
    pub readable: bool,
    /// Since when no manifest of the repository names it.
    pub idle_since: Option<Timestamp>,
}

fn blob(row: &SqliteRow) -> Result<Blob> {
    let readable = attributes(row, "attributes")?.read;
    let idle_since = row.optional_time("idle_since")?;
    let (id, repository) = (row.cell("id")?, row.cell("repository")?);
    let attempts = Attempts::from_bytes(row.cell("attempts")?)?;
    Ok(Blob { id, repository, size: row.bytes("size")?, file: row.cell("file")?, attempts, readable, idle_since })
}

/// A blob as a repository sees it.
pub async fn find_blob(tx: &mut Tx, registry: i64, repository: &str, digest: &str) -> Result<Option<Blob>> {
    let row = sqlx::query(
        "SELECT b.id, r.id AS repository, b.size, b.file, b.attempts, r.attributes, rb.idle_since FROM repositories r
           JOIN blobs b ON b.registry = r.registry AND b.digest = ?3
           JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
         WHERE r.registry = ?1 AND r.name = ?2",
    )
    .bind(registry)
    .bind(repository)
    .bind(digest)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(blob).transpose()
}

/// Adds a blob, unless the registry has one of this digest: then `file` is doomed. Returns the row's id, and
/// whether the blob is new.
pub async fn add_blob(
    tx: &mut Tx,
    registry: i64,
    digest: &str,
    size: u64,
    (file, attempts): (&str, &Attempts),
    now: Timestamp,
) -> Result<(i64, bool)> {
    let added: Option<i64> = sqlx::query_scalar(
        "INSERT INTO blobs (registry, digest, size, file, attempts, created_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (registry, digest) DO NOTHING RETURNING id",
    )
    .bind(registry)
    .bind(digest)
    .bind(signed(size))
    .bind(file)
    .bind(attempts.to_bytes())
    .bind(now.0)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(id) = added {
        return Ok((id, true));
    }
    sqlx::query("INSERT OR IGNORE INTO doomed_files (path) VALUES ('blobs/' || ?)")
        .bind(file)
        .execute(tx.conn())
        .await?;
    let id = sqlx::query_scalar("SELECT id FROM blobs WHERE registry = ? AND digest = ?")
        .bind(registry)
        .bind(digest)
        .fetch_one(tx.conn())
        .await?;
    Ok((id, false))
}

/// Lets a repository see a blob. Unless a manifest there names it already, its time runs from now until one does.
pub async fn show_blob(tx: &mut Tx, repository: i64, blob: i64, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO repository_blobs (repository, blob, idle_since) VALUES (?1, ?2, iif(EXISTS (
             SELECT 1 FROM blobs b JOIN manifest_references x ON x.digest = b.digest JOIN manifests m ON m.id = x.manifest
             WHERE b.id = ?2 AND m.repository = ?1), NULL, ?3))
         ON CONFLICT (repository, blob) DO UPDATE SET idle_since = excluded.idle_since WHERE idle_since IS NOT NULL",
    )
    .bind(repository)
    .bind(blob)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a blob out of a repository; the blob goes when no other repository sees it.
pub async fn hide_blob(tx: &mut Tx, repository: i64, blob: i64) -> Result<()> {
    sqlx::query("DELETE FROM repository_blobs WHERE repository = ? AND blob = ?")
        .bind(repository)
        .bind(blob)
        .execute(tx.conn())
        .await?;
    delete_unseen_blob(tx, blob).await
}

pub(super) async fn delete_unseen_blob(tx: &mut Tx, blob: i64) -> Result<()> {
    sqlx::query("DELETE FROM blobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE blob = ?1)")
        .bind(blob)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The first of these blob digests (a JSON array) that the repository does not see.
pub async fn missing_blob(tx: &mut Tx, registry: i64, repository: &str, digests: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "SELECT d.value FROM json_each(?3) d WHERE NOT EXISTS (
           SELECT 1 FROM repositories r JOIN blobs b ON b.registry = r.registry AND b.digest = d.value
             JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
           WHERE r.registry = ?1 AND r.name = ?2) LIMIT 1",
    )
    .bind(registry)
    .bind(repository)
    .bind(digests)
    .fetch_optional(tx.conn())
    .await?)
}
