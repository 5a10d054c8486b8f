//! Tags.
//! Must not know: what a tag points to.

use sqlx::sqlite::SqliteRow;

use super::manifests::note_untagged;
use super::{Order, attributes, signed};
use crate::domain::registry::content::Attributes;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::registry::ageing;
use crate::store::world::row::Cells as _;

/// A tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    pub name: String,
    /// The digest it points to.
    pub digest: String,
    /// What may be done with it.
    pub attributes: Attributes,
    /// When it was pushed first.
    pub created_at: Timestamp,
    /// When it was pushed last.
    pub updated_at: Timestamp,
}

fn tag(row: &SqliteRow) -> Result<Tag> {
    Ok(Tag {
        name: row.cell("name")?,
        digest: row.cell("digest")?,
        attributes: attributes(row, "attributes")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// A tag by name.
pub async fn find_tag(tx: &mut Tx, repository: i64, name: &str) -> Result<Option<Tag>> {
    let row = sqlx::query(
        "SELECT t.*, m.digest FROM tags t JOIN manifests m ON m.id = t.manifest WHERE t.repository = ? AND t.name = ?",
    )
    .bind(repository)
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(tag).transpose()
}

async fn tagged_manifest(tx: &mut Tx, repository: i64, name: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT manifest FROM tags WHERE repository = ? AND name = ?")
        .bind(repository)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?)
}

/// Points a tag at a manifest.
pub async fn set_tag(tx: &mut Tx, repository: i64, name: &str, manifest: i64, now: Timestamp) -> Result<()> {
    let before = tagged_manifest(tx, repository, name).await?;
    sqlx::query(
        "INSERT INTO tags (repository, name, manifest, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (repository, name) DO UPDATE SET manifest = excluded.manifest, updated_at = excluded.updated_at",
    )
    .bind(repository)
    .bind(name)
    .bind(manifest)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    let concerned: Vec<i64> = before.into_iter().filter(|id| *id != manifest).chain([manifest]).collect();
    note_untagged(tx, &concerned, now).await
}

/// Changes what may be done with a tag.
pub async fn lock_tag(tx: &mut Tx, repository: i64, name: &str, attributes: Attributes, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE tags SET attributes = ?, updated_at = ? WHERE repository = ? AND name = ?")
        .bind(attributes.bits())
        .bind(now.0)
        .bind(repository)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a tag. `bin`: it is kept in the soft-deleted bin.
pub async fn delete_tag(tx: &mut Tx, repository: i64, name: &str, bin: bool, now: Timestamp) -> Result<()> {
    if bin {
        ageing::keep_deleted_tag(tx, repository, name, now).await?;
    }
    let before = tagged_manifest(tx, repository, name).await?;
    sqlx::query("DELETE FROM tags WHERE repository = ? AND name = ?")
        .bind(repository)
        .bind(name)
        .execute(tx.conn())
        .await?;
    note_untagged(tx, before.as_slice(), now).await
}

/// The tags of a repository that may be listed, after `last`, at most `limit`; only those of `digest`, if given.
pub async fn tags(
    tx: &mut Tx,
    repository: i64,
    last: &str,
    limit: u64,
    order: Order,
    digest: Option<&str>,
) -> Result<Vec<Tag>> {
    let of = match digest {
        None => "?4 IS NULL",
        Some(_) => "x.manifest = (SELECT id FROM manifests WHERE repository = ?1 AND digest = ?4)",
    };
    let (after, direction) = order.clauses("tags", "name", last);
    let sql = format!(
        "SELECT x.*, m.digest FROM tags x JOIN manifests m ON m.id = x.manifest
         WHERE x.repository = ?1 AND {after} AND x.attributes & 8 AND {of} ORDER BY {} LIMIT ?3",
        order.columns("name", direction)
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(repository)
        .bind(last)
        .bind(signed(limit))
        .bind(digest)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(tag).collect()
}

/// The names of tags that may be listed, after `last`, at most `limit`.
pub async fn tag_names(tx: &mut Tx, repository: i64, last: &str, limit: u64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT name FROM tags WHERE repository = ? AND name > ? AND attributes & 8 ORDER BY name LIMIT ?",
    )
    .bind(repository)
    .bind(last)
    .bind(signed(limit))
    .fetch_all(tx.conn())
    .await?)
}

/// Names of the tags of a manifest.
pub async fn tags_of(tx: &mut Tx, manifest: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT name FROM tags WHERE manifest = ? ORDER BY name")
        .bind(manifest)
        .fetch_all(tx.conn())
        .await?)
}

/// Whether a tag of the manifest may not be deleted.
pub async fn has_undeletable_tag(tx: &mut Tx, manifest: i64) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tags WHERE manifest = ? AND attributes & 3 <> 3)")
        .bind(manifest)
        .fetch_one(tx.conn())
        .await?)
}
