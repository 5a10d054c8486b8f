//! Repositories, blobs, manifests, tags and upload sessions.
//! Must not know: how anything is sealed, who may see it.

use sqlx::sqlite::SqliteRow;

use super::ageing;
use crate::domain::registry::content::{Attributes, Quarantine};
use crate::domain::registry::envelope::{Attempts, Sealed};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// Row id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// What may be done with it.
    pub attributes: Attributes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything in it changed last.
    pub updated_at: Timestamp,
    /// Deleted: it is here only for what lies in the soft-deleted bin.
    pub gone: bool,
}

/// A blob: its file holds the sealed bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    /// Row id.
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

/// A manifest, sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Row id.
    pub id: i64,
    /// Its digest.
    pub digest: String,
    /// Its media type.
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

/// A tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Its name.
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
    /// When it began.
    pub started_at: Timestamp,
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

fn blob(row: &SqliteRow) -> Result<Blob> {
    let readable = attributes(row, "attributes")?.read;
    let idle_since = row.optional_time("idle_since")?;
    let (id, repository) = (row.cell("id")?, row.cell("repository")?);
    let attempts = Attempts::from_bytes(row.cell("attempts")?)?;
    Ok(Blob { id, repository, size: row.bytes("size")?, file: row.cell("file")?, attempts, readable, idle_since })
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

fn tag(row: &SqliteRow) -> Result<Tag> {
    Ok(Tag {
        name: row.cell("name")?,
        digest: row.cell("digest")?,
        attributes: attributes(row, "attributes")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

// Repositories.

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
        "SELECT name FROM repositories r WHERE registry = ? AND name > ? AND attributes & 8
           AND EXISTS (SELECT 1 FROM manifests WHERE repository = r.id) ORDER BY name LIMIT ?",
    )
    .bind(registry)
    .bind(last)
    .bind(signed(limit))
    .fetch_all(tx.conn())
    .await?)
}

/// How many manifests and tags a repository holds.
pub async fn counts(tx: &mut Tx, repository: i64) -> Result<(i64, i64)> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM manifests WHERE repository = ?1) AS manifests,
                (SELECT count(*) FROM tags WHERE repository = ?1) AS tags",
    )
    .bind(repository)
    .fetch_one(tx.conn())
    .await?;
    Ok((row.cell("manifests")?, row.cell("tags")?))
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
    let total: i64 = sqlx::query_scalar(
        "SELECT (SELECT coalesce(sum(size), 0) FROM blobs WHERE registry = ?1) +
                (SELECT coalesce(sum(m.size), 0) FROM manifests m JOIN repositories r ON r.id = m.repository WHERE r.registry = ?1)",
    )
    .bind(registry)
    .fetch_one(tx.conn())
    .await?;
    Ok(u64::try_from(total).unwrap_or(0))
}

// Blobs.

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

async fn delete_unseen_blob(tx: &mut Tx, blob: i64) -> Result<()> {
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

// Manifests.

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

/// The first of these manifest digests (a JSON array) that the repository does not hold.
pub async fn missing_manifest(tx: &mut Tx, registry: i64, repository: &str, digests: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "SELECT d.value FROM json_each(?3) d WHERE NOT EXISTS (
           SELECT 1 FROM repositories r JOIN manifests m ON m.repository = r.id AND m.digest = d.value
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

/// Notes since when manifests of a repository have no tag: those that have lost or got one now.
async fn note_untagged(tx: &mut Tx, manifests: &[i64], now: Timestamp) -> Result<()> {
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

/// Deletes a repository but keeps its row, for what lies in the bin.
pub async fn leave_repository(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE repositories SET gone = 1, attributes = 15, updated_at = ? WHERE id = ?")
        .bind(now.0)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
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
    // `last` names the row before the page: its place is found by the same order.
    fn clauses(self, table: &str, key: &str) -> (String, &'static str) {
        let at = format!("(SELECT updated_at FROM {table} WHERE repository = ?1 AND {key} = ?2)");
        match self {
            Self::Name => (format!("x.{key} > ?2"), "ASC"),
            Self::Oldest => (format!("(?2 = '' OR (x.updated_at, x.{key}) > ({at}, ?2))"), "ASC"),
            Self::Newest => (format!("(?2 = '' OR (x.updated_at, x.{key}) < ({at}, ?2))"), "DESC"),
        }
    }

    fn columns(self, key: &str, direction: &str) -> String {
        match self {
            Self::Name => format!("x.{key} {direction}"),
            Self::Oldest | Self::Newest => format!("x.updated_at {direction}, x.{key} {direction}"),
        }
    }
}

/// The ids of the manifests of a repository that may be listed, after the digest `last`, at most `limit`.
pub async fn manifests(tx: &mut Tx, repository: i64, last: &str, limit: u64, order: Order) -> Result<Vec<i64>> {
    let (after, direction) = order.clauses("manifests", "digest");
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

// Tags.

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
    let (after, direction) = order.clauses("tags", "name");
    let sql = format!(
        "SELECT x.*, m.digest FROM tags x JOIN manifests m ON m.id = x.manifest
         WHERE x.repository = ?1 AND {after} AND x.attributes & 8 AND (?4 IS NULL OR m.digest = ?4) ORDER BY {} LIMIT ?3",
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

// Upload sessions.

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
    /// A blob.
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

// Files to be removed.

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

// The admin user.

/// The admin user's password of this name, sealed.
pub async fn admin_password(tx: &mut Tx, registry: i64, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT sealed FROM admin_passwords WHERE registry = ? AND name = ?")
        .bind(registry)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?)
}

/// Sets the admin user's password of this name.
pub async fn set_admin_password(tx: &mut Tx, registry: i64, name: &str, sealed: &[u8]) -> Result<()> {
    sqlx::query("INSERT OR REPLACE INTO admin_passwords (registry, name, sealed) VALUES (?, ?, ?)")
        .bind(registry)
        .bind(name)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}
