//! Manifests, what they name, and since when they have no tag.
//! Must not know: what a manifest says.

use sqlx::sqlite::SqliteRow;

use super::{Order, attributes, signed};
use crate::domain::registry::content::{Attributes, Quarantine};
use crate::domain::registry::envelope::Sealed;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::registry::ageing;
use crate::store::world::row::Cells as _;

/// A manifest, sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub id: i64,
    pub digest: String,
    pub media_type: String,
    /// Bytes of plaintext.
    pub size: u64,
    /// Bytes of all that it names directly.
    pub image_size: u64,
    /// The bytes as pushed, sealed.
    pub sealed: Sealed,
    /// What lists tell of it: JSON, sealed.
    pub about: Sealed,
    /// The digest of the manifest it refers to.
    pub subject: Option<String>,
    /// What may be done with it.
    pub attributes: Attributes,
    /// Where it stands with quarantine.
    pub quarantine: Quarantine,
    /// What a scanner said of it, sealed.
    pub quarantine_details: Option<Sealed>,
    /// When it was pushed first.
    pub created_at: Timestamp,
    /// When it or a tag of it changed last.
    pub updated_at: Timestamp,
}

fn manifest(row: &SqliteRow) -> Result<Manifest> {
    Ok(Manifest {
        id: row.cell("id")?,
        digest: row.cell("digest")?,
        media_type: row.cell("media_type")?,
        size: row.bytes("size")?,
        image_size: row.bytes("image_size")?,
        sealed: Sealed::from_stored(row.cell("sealed")?),
        about: Sealed::from_stored(row.cell("about")?),
        subject: row.cell("subject")?,
        attributes: attributes(row, "attributes")?,
        quarantine: row.word("quarantine", Quarantine::parse)?,
        quarantine_details: row.cell::<Option<Vec<u8>>>("quarantine_details")?.map(Sealed::from_stored),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// A manifest by digest.
pub async fn manifest_by_digest(
    tx: &mut Tx,
    registry: i64,
    repository: &str,
    digest: &str,
) -> Result<Option<Manifest>> {
    let row = sqlx::query(
        "SELECT m.*, r.attributes AS repository_attributes FROM repositories r JOIN manifests m ON m.repository = r.id
         WHERE r.registry = ? AND r.name = ? AND m.digest = ?",
    )
    .bind(registry)
    .bind(repository)
    .bind(digest)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(|row| inherited(row, &["repository_attributes"])).transpose()
}

/// A manifest by tag.
pub async fn manifest_by_tag(tx: &mut Tx, registry: i64, repository: &str, tag: &str) -> Result<Option<Manifest>> {
    let row = sqlx::query(
        "SELECT m.*, r.attributes AS repository_attributes, t.attributes AS tag_attributes
         FROM repositories r JOIN tags t ON t.repository = r.id JOIN manifests m ON m.id = t.manifest
         WHERE r.registry = ? AND r.name = ? AND t.name = ?",
    )
    .bind(registry)
    .bind(repository)
    .bind(tag)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(|row| inherited(row, &["repository_attributes", "tag_attributes"])).transpose()
}

// A lock on the repository or the tag holds for what is read through it.
fn inherited(row: &SqliteRow, columns: &[&str]) -> Result<Manifest> {
    let mut manifest = manifest(row)?;
    let mut bits = manifest.attributes.bits();
    for column in columns {
        bits &= row.cell::<i64>(column)?;
    }
    manifest.attributes = Attributes::from_bits(bits);
    Ok(manifest)
}

/// A manifest as itself, its own attributes only.
pub async fn find_manifest(tx: &mut Tx, repository: i64, digest: &str) -> Result<Option<Manifest>> {
    let row = sqlx::query("SELECT * FROM manifests WHERE repository = ? AND digest = ?")
        .bind(repository)
        .bind(digest)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(manifest).transpose()
}

/// The first of these digests (a JSON array) that the repository holds neither as a manifest nor as a blob.
pub async fn missing_entry(tx: &mut Tx, registry: i64, repository: &str, digests: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "SELECT d.value FROM json_each(?3) d WHERE NOT EXISTS (
           SELECT 1 FROM repositories r JOIN manifests m ON m.repository = r.id AND m.digest = d.value
           WHERE r.registry = ?1 AND r.name = ?2)
         AND NOT EXISTS (
           SELECT 1 FROM repositories r JOIN blobs b ON b.registry = r.registry AND b.digest = d.value
             JOIN repository_blobs x ON x.repository = r.id AND x.blob = b.id
           WHERE r.registry = ?1 AND r.name = ?2) LIMIT 1",
    )
    .bind(registry)
    .bind(repository)
    .bind(digests)
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds a manifest and what it names (a JSON array of digests); one that is there stays, but counts as
/// changed now. Its row id is ignored. Returns the row's id.
pub async fn add_manifest(tx: &mut Tx, repository: i64, m: &Manifest, references: &str) -> Result<i64> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO manifests (repository, digest, media_type, size, image_size, sealed, about, subject, quarantine, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (repository, digest) DO UPDATE SET updated_at = excluded.updated_at, media_type = excluded.media_type
         RETURNING id",
    )
    .bind(repository)
    .bind(&m.digest)
    .bind(&m.media_type)
    .bind(signed(m.size))
    .bind(signed(m.image_size))
    .bind(m.sealed.as_bytes())
    .bind(m.about.as_bytes())
    .bind(&m.subject)
    .bind(m.quarantine.word())
    .bind(m.created_at.0)
    .bind(m.updated_at.0)
    .fetch_one(tx.conn())
    .await?;
    sqlx::query("INSERT OR IGNORE INTO manifest_references (manifest, digest) SELECT ?, value FROM json_each(?)")
        .bind(id)
        .bind(references)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "UPDATE repository_blobs SET idle_since = NULL WHERE repository = ?1 AND idle_since IS NOT NULL AND blob IN (
           SELECT b.id FROM json_each(?2) j JOIN repositories r ON r.id = ?1
             JOIN blobs b ON b.registry = r.registry AND b.digest = j.value)",
    )
    .bind(repository)
    .bind(references)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Changes what may be done with a manifest.
pub async fn lock_manifest(tx: &mut Tx, id: i64, attributes: Attributes, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE manifests SET attributes = ?, updated_at = ? WHERE id = ?")
        .bind(attributes.bits())
        .bind(now.0)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Says where a manifest stands with quarantine, and what a scanner said of it.
pub async fn set_quarantine(
    tx: &mut Tx,
    id: i64,
    state: Quarantine,
    details: Option<&Sealed>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE manifests SET quarantine = ?, quarantine_details = ?, updated_at = ? WHERE id = ?")
        .bind(state.word())
        .bind(details.map(Sealed::as_bytes))
        .bind(now.0)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a manifest, and its tags with it. `bin`: it is kept in the soft-deleted bin. The blobs that nothing
/// names any more are idle from now on.
pub async fn delete_manifest(tx: &mut Tx, id: i64, bin: bool, now: Timestamp) -> Result<()> {
    if bin {
        ageing::keep_deleted(tx, id, now).await?;
    }
    let row = sqlx::query(
        "SELECT repository, (SELECT json_group_array(digest) FROM manifest_references WHERE manifest = m.id) AS named
         FROM manifests m WHERE id = ?",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    sqlx::query("DELETE FROM manifests WHERE id = ?").bind(id).execute(tx.conn()).await?;
    ageing::idle(tx, row.cell("repository")?, row.cell("named")?, now).await
}

/// A manifest that refers to another, as far as its deletion is concerned.
#[derive(Debug)]
pub struct Hanging {
    pub id: i64,
    pub digest: String,
    pub media_type: String,
    pub attributes: Attributes,
}

/// The manifests that refer to one, and those that refer to them, at any depth.
pub async fn hanging_on(tx: &mut Tx, manifest: i64) -> Result<Vec<Hanging>> {
    let rows = sqlx::query(
        "WITH RECURSIVE hanging(id, repository, digest) AS (
           SELECT id, repository, digest FROM manifests WHERE id = ?1
           UNION SELECT m.id, m.repository, m.digest FROM hanging h
             JOIN manifests m ON m.repository = h.repository AND m.subject = h.digest)
         SELECT m.id, m.digest, m.media_type, m.attributes FROM hanging h JOIN manifests m ON m.id = h.id
         WHERE m.id <> ?1 ORDER BY m.id",
    )
    .bind(manifest)
    .fetch_all(tx.conn())
    .await?;
    let hanging = |row: &SqliteRow| {
        Ok(Hanging {
            id: row.cell("id")?,
            digest: row.cell("digest")?,
            media_type: row.cell("media_type")?,
            attributes: attributes(row, "attributes")?,
        })
    };
    rows.iter().map(hanging).collect()
}

/// Notes since when manifests of a repository have no tag: those that have lost or got one now.
pub(super) async fn note_untagged(tx: &mut Tx, manifests: &[i64], now: Timestamp) -> Result<()> {
    for manifest in manifests {
        sqlx::query(
            "UPDATE manifests SET untagged_at =
               iif(EXISTS (SELECT 1 FROM tags WHERE manifest = ?1), NULL, coalesce(untagged_at, ?2)) WHERE id = ?1",
        )
        .bind(manifest)
        .bind(now.0)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Notes that a manifest was put without a tag.
pub async fn put_untagged(tx: &mut Tx, manifest: i64, now: Timestamp) -> Result<()> {
    note_untagged(tx, &[manifest], now).await
}

/// What may be done with a manifest and where it stands with quarantine, without its bytes.
pub async fn state_of_manifest(tx: &mut Tx, repository: i64, digest: &str) -> Result<Option<(Attributes, Quarantine)>> {
    let row = sqlx::query("SELECT attributes, quarantine FROM manifests WHERE repository = ? AND digest = ?")
        .bind(repository)
        .bind(digest)
        .fetch_optional(tx.conn())
        .await?;
    let state = |row: &SqliteRow| Ok((attributes(row, "attributes")?, row.word("quarantine", Quarantine::parse)?));
    row.as_ref().map(state).transpose()
}

/// A manifest as lists need it: its own bytes, which may be many, are left out.
pub async fn manifest_for_list(tx: &mut Tx, id: i64) -> Result<Option<Manifest>> {
    let row = sqlx::query(
        "SELECT id, digest, media_type, size, image_size, x'' AS sealed, about, subject, attributes, quarantine,
           quarantine_details, created_at, updated_at FROM manifests WHERE id = ?",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(manifest).transpose()
}

/// The ids of the manifests that refer to `subject`, oldest first, after the manifest whose digest is `last`.
pub async fn referrers(tx: &mut Tx, registry: i64, repository: &str, subject: &str, last: &str) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT m.id FROM repositories r JOIN manifests m ON m.repository = r.id AND m.subject = ?1
         WHERE r.registry = ?2 AND r.name = ?3
           AND m.id > coalesce((SELECT id FROM manifests WHERE repository = r.id AND digest = ?4), 0) ORDER BY m.id",
    )
    .bind(subject)
    .bind(registry)
    .bind(repository)
    .bind(last)
    .fetch_all(tx.conn())
    .await?)
}

/// The ids of the manifests of a repository that may be listed, after the digest `last`, at most `limit`.
pub async fn manifests(tx: &mut Tx, repository: i64, last: &str, limit: u64, order: Order) -> Result<Vec<i64>> {
    let (after, direction) = order.clauses("manifests", "digest", last);
    let sql = format!(
        "SELECT x.id FROM manifests x WHERE x.repository = ?1 AND {after} AND x.attributes & 8 ORDER BY {} LIMIT ?3",
        order.columns("digest", direction)
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(repository)
        .bind(last)
        .bind(signed(limit))
        .fetch_all(tx.conn())
        .await?)
}

/// Digests of all manifests of a repository.
pub async fn manifest_digests(tx: &mut Tx, repository: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT digest FROM manifests WHERE repository = ? ORDER BY digest")
        .bind(repository)
        .fetch_all(tx.conn())
        .await?)
}

/// Ids of all manifests of a repository.
pub async fn manifest_ids(tx: &mut Tx, repository: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("SELECT id FROM manifests WHERE repository = ? ORDER BY id")
        .bind(repository)
        .fetch_all(tx.conn())
        .await?)
}
