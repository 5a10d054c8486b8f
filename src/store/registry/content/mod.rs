//! Repositories, and below them blobs, manifests, tags and upload sessions.
//! Must not know: how anything is sealed, who may see it.

mod blobs;
mod manifests;
mod tags;
mod uploads;

use sqlx::sqlite::SqliteRow;

use crate::domain::registry::content::Attributes;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;
use blobs::delete_unseen_blob;
pub use blobs::*;
pub use manifests::*;
pub use tags::*;
pub use uploads::*;

/// A repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    pub id: i64,
    pub name: String,
    /// What may be done with it.
    pub attributes: Attributes,
    pub created_at: Timestamp,
    /// When anything in it changed last.
    pub updated_at: Timestamp,
    /// Deleted: it is here only for what lies in the soft-deleted bin.
    pub gone: bool,
}

// SQLite counts in i64; sizes and limits here are far below its end.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn attributes(row: &SqliteRow, column: &str) -> Result<Attributes> {
    row.cell(column).map(Attributes::from_bits)
}

fn repository(row: &SqliteRow) -> Result<Repository> {
    Ok(Repository {
        id: row.cell("id")?,
        name: row.cell("name")?,
        attributes: attributes(row, "attributes")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        gone: row.cell("gone")?,
    })
}

/// A repository by name.
pub async fn find_repository(tx: &mut Tx, registry: i64, name: &str) -> Result<Option<Repository>> {
    let row = sqlx::query("SELECT * FROM repositories WHERE registry = ? AND name = ?")
        .bind(registry)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(repository).transpose()
}

/// A repository by name, made if it is not there.
pub async fn ensure_repository(tx: &mut Tx, registry: i64, name: &str, now: Timestamp) -> Result<Repository> {
    let row = sqlx::query(
        "INSERT INTO repositories (registry, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (registry, name) DO UPDATE SET
           created_at = iif(gone, excluded.created_at, created_at), updated_at = iif(gone, excluded.updated_at, updated_at),
           gone = 0 RETURNING *",
    )
    .bind(registry)
    .bind(name)
    .bind(now.0)
    .fetch_one(tx.conn())
    .await?;
    repository(&row)
}

/// Names of the repositories that hold a manifest and may be listed, after `last`, at most `limit`.
pub async fn repositories(tx: &mut Tx, registry: i64, last: &str, limit: u64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT name FROM repositories WHERE registry = ? AND name > ? AND attributes & 8
           AND manifest_count > 0 ORDER BY name LIMIT ?",
    )
    .bind(registry)
    .bind(last)
    .bind(signed(limit))
    .fetch_all(tx.conn())
    .await?)
}

/// How many manifests and tags a repository holds.
pub async fn counts(tx: &mut Tx, repository: i64) -> Result<(i64, i64)> {
    let sql = "SELECT manifest_count, tag_count FROM repositories WHERE id = ?";
    let row = sqlx::query(sql).bind(repository).fetch_one(tx.conn()).await?;
    Ok((row.cell("manifest_count")?, row.cell("tag_count")?))
}

/// Changes what may be done with a repository.
pub async fn lock_repository(tx: &mut Tx, id: i64, attributes: Attributes, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE repositories SET attributes = ?, updated_at = ? WHERE id = ?")
        .bind(attributes.bits())
        .bind(now.0)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes that something in a repository changed.
pub async fn touch_repository(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE repositories SET updated_at = ? WHERE id = ?").bind(now.0).bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Removes a repository, its tags and manifests, and the blobs that no other repository sees.
pub async fn delete_repository(tx: &mut Tx, id: i64) -> Result<()> {
    let blobs: Vec<i64> = sqlx::query_scalar("SELECT blob FROM repository_blobs WHERE repository = ?")
        .bind(id)
        .fetch_all(tx.conn())
        .await?;
    sqlx::query("DELETE FROM repositories WHERE id = ?").bind(id).execute(tx.conn()).await?;
    for blob in blobs {
        delete_unseen_blob(tx, blob).await?;
    }
    Ok(())
}

/// The bytes of all blobs and manifests of a registry: what its `Size` usage says.
pub async fn total_size(tx: &mut Tx, registry: i64) -> Result<u64> {
    let sql = "SELECT bytes FROM usages WHERE registry = ?";
    let total: Option<i64> = sqlx::query_scalar(sql).bind(registry).fetch_optional(tx.conn()).await?;
    Ok(total.and_then(|total| u64::try_from(total).ok()).unwrap_or(0))
}

/// Deletes a repository but keeps its row, for what lies in the bin.
pub async fn leave_repository(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE repositories SET gone = 1, attributes = 15, updated_at = ? WHERE id = ?")
        .bind(now.0)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How a list is to be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By name, or digest.
    Name,
    /// The oldest change first.
    Oldest,
    /// The newest change first.
    Newest,
}

impl Order {
    // `last` names the row before the page: its place is found by the same order. Without one the list begins; a
    // condition that asked whether there is one would keep SQLite from the index.
    fn clauses(self, table: &str, key: &str, last: &str) -> (String, &'static str) {
        let at = format!("(SELECT updated_at FROM {table} WHERE repository = ?1 AND {key} = ?2)");
        match (self, last) {
            (Self::Name, _) => (format!("x.{key} > ?2"), "ASC"),
            (Self::Oldest, "") => ("?2 = ''".to_owned(), "ASC"),
            (Self::Newest, "") => ("?2 = ''".to_owned(), "DESC"),
            (Self::Oldest, _) => (format!("(x.updated_at, x.{key}) > ({at}, ?2)"), "ASC"),
            (Self::Newest, _) => (format!("(x.updated_at, x.{key}) < ({at}, ?2)"), "DESC"),
        }
    }

    fn columns(self, key: &str, direction: &str) -> String {
        match self {
            Self::Name => format!("x.{key} {direction}"),
            Self::Oldest | Self::Newest => format!("x.updated_at {direction}, x.{key} {direction}"),
        }
    }
}

/// Whether a manifest or tag of the repository may not be deleted.
pub async fn holds_undeletable(tx: &mut Tx, repository: i64) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1 AND attributes & 3 <> 3)
             OR EXISTS (SELECT 1 FROM tags WHERE repository = ?1 AND attributes & 3 <> 3)",
    )
    .bind(repository)
    .fetch_one(tx.conn())
    .await?)
}
