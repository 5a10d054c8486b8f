//! What is on its way out of registries: the soft-deleted bin, untagged manifests, blobs that no manifest
//! names, old upload sessions. When each is due, and its removal.
//! Must not know: what time it is, how anything is sealed.

use crate::domain::registry::content::{GRACE, UPLOAD_AGE};
use crate::domain::world::time::DAY;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A manifest in the bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedManifest {
    pub digest: String,
    pub media_type: String,
    /// Bytes of all that it names directly.
    pub image_size: i64,
    /// When it was pushed.
    pub created_at: Timestamp,
    pub deleted_at: Timestamp,
}

/// A tag in the bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTag {
    pub name: String,
    /// The digest it pointed to.
    pub digest: String,
    pub deleted_at: Timestamp,
}

// Which untagged manifests a retention policy takes, `m` in repository `r` of registry `g`: those that lost
// their tag, or came without one, after the policy began [docs], are no OCI index [issue], may be deleted, and that no
// index here names and no subject here keeps alive [inferred]. What had no tag when the policy began has no
// `untagged_at`: see `exempt`. The same words choose and remove, or the clock would wait for what never goes.
const UNTAGGED: &str = "
    FROM registries g
    JOIN repositories r ON r.registry = g.id
    JOIN manifests m ON m.repository = r.id AND m.untagged_at IS NOT NULL
    WHERE lower(json_extract(g.properties, '$.policies.retentionPolicy.status')) = 'enabled'
      AND m.media_type <> 'application/vnd.oci.image.index.v1+json'
      AND m.attributes & 3 = 3 AND r.attributes & 3 = 3
      AND NOT EXISTS (SELECT 1 FROM manifest_references x JOIN manifests p ON p.id = x.manifest
                      WHERE x.digest = m.digest AND p.repository = m.repository)
      AND NOT EXISTS (SELECT 1 FROM manifests s WHERE s.repository = m.repository AND s.digest = m.subject)";

const RETENTION: &str = "coalesce(json_extract(g.properties, '$.policies.retentionPolicy.days'), 7)";
const IN_BIN: &str = "coalesce(json_extract(g.properties, '$.policies.softDeletePolicy.retentionDays'), 7)";

/// When the next thing is due.
pub async fn due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let sql = format!(
        // The sum of a damaged instant may be no whole number any more.
        "SELECT CAST(min(at) AS INTEGER) FROM (
           SELECT min(m.untagged_at + {RETENTION} * {DAY}) AS at {UNTAGGED}
           UNION ALL SELECT min(d.deleted_at + {IN_BIN} * {DAY}) FROM deleted_manifests d
             JOIN repositories r ON r.id = d.repository JOIN registries g ON g.id = r.registry
           UNION ALL SELECT min(d.deleted_at + {IN_BIN} * {DAY}) FROM deleted_tags d
             JOIN repositories r ON r.id = d.repository JOIN registries g ON g.id = r.registry
           UNION ALL SELECT min(idle_since) + {GRACE} FROM repository_blobs WHERE idle_since IS NOT NULL
           UNION ALL SELECT min(started_at) + {UPLOAD_AGE} FROM uploads)"
    );
    let at: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// Takes what has no tag now out of the reach of a registry's retention policy, which begins anew.
pub async fn exempt(tx: &mut Tx, registry: i64) -> Result<()> {
    sqlx::query(
        "UPDATE manifests SET untagged_at = NULL WHERE untagged_at IS NOT NULL
           AND repository IN (SELECT id FROM repositories WHERE registry = ?)",
    )
    .bind(registry)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The untagged manifests whose time is over: id, and whether they go to the bin.
pub async fn untagged(tx: &mut Tx, now: Timestamp) -> Result<Vec<(i64, bool)>> {
    let sql = format!(
        "SELECT m.id, lower(coalesce(json_extract(g.properties, '$.policies.softDeletePolicy.status'), '')) = 'enabled' AS bin
         {UNTAGGED} AND m.untagged_at + {RETENTION} * {DAY} <= ?"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((row.cell("id")?, row.cell("bin")?))).collect()
}

/// What goes for good, as it is told.
#[derive(Debug)]
pub struct Purged {
    /// The registry's row id.
    pub registry: i64,
    pub repository: String,
    pub digest: String,
    /// A tag that goes; `None`: a manifest.
    pub tag: Option<String>,
    /// A manifest's.
    pub media_type: Option<String>,
}

fn purged(row: &sqlx::sqlite::SqliteRow) -> Result<Purged> {
    Ok(Purged {
        registry: row.cell("registry")?,
        repository: row.cell("name")?,
        digest: row.cell("digest")?,
        tag: row.cell("tag")?,
        media_type: row.cell("media_type")?,
    })
}

/// A manifest that is there.
pub async fn doomed(tx: &mut Tx, manifest: i64) -> Result<Option<Purged>> {
    let row = sqlx::query(
        "SELECT r.registry, r.name, m.digest, NULL AS tag, m.media_type FROM manifests m
           JOIN repositories r ON r.id = m.repository WHERE m.id = ?",
    )
    .bind(manifest)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(purged).transpose()
}

/// What [`purge`] is about to take.
pub async fn purging(tx: &mut Tx, now: Timestamp) -> Result<Vec<Purged>> {
    let sql = format!(
        "SELECT r.registry, r.name, d.digest, d.name AS tag, NULL AS media_type FROM deleted_tags d
           JOIN repositories r ON r.id = d.repository JOIN registries g ON g.id = r.registry
           WHERE d.deleted_at + {IN_BIN} * {DAY} <= ?1
         UNION ALL SELECT r.registry, r.name, d.digest, NULL, d.media_type FROM deleted_manifests d
           JOIN repositories r ON r.id = d.repository JOIN registries g ON g.id = r.registry
           WHERE d.deleted_at + {IN_BIN} * {DAY} <= ?1
         ORDER BY 1, 2, 3, 4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(tx.conn()).await?;
    rows.iter().map(purged).collect()
}

/// Empties the bin of what has lain there long enough. Returns the deleted repositories that hold nothing more.
pub async fn purge(tx: &mut Tx, now: Timestamp) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT d.repository, d.named FROM deleted_manifests d JOIN repositories r ON r.id = d.repository
         JOIN registries g ON g.id = r.registry WHERE d.deleted_at + {IN_BIN} * {DAY} <= ?"
    );
    let purged = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(tx.conn()).await?;
    remove_due(tx, "deleted_manifests", now).await?;
    remove_due(tx, "deleted_tags", now).await?;
    // Their blobs are idle from now on, unless something else names them.
    for row in purged {
        idle(tx, row.cell("repository")?, row.cell("named")?, now).await?;
    }
    Ok(sqlx::query_scalar(
        "SELECT id FROM repositories r WHERE gone AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = r.id)
           AND NOT EXISTS (SELECT 1 FROM deleted_manifests WHERE repository = r.id)",
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn remove_due(tx: &mut Tx, table: &str, now: Timestamp) -> Result<()> {
    let sql = format!(
        "DELETE FROM {table} AS d WHERE d.deleted_at + (SELECT {IN_BIN} FROM repositories r
           JOIN registries g ON g.id = r.registry WHERE r.id = d.repository) * {DAY} <= ?"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0).execute(tx.conn()).await?;
    Ok(())
}

/// Notes that from now on no manifest of the repository names these blobs (a JSON array of digests), those
/// that one does name aside.
pub async fn idle(tx: &mut Tx, repository: i64, digests: &str, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE repository_blobs SET idle_since = ?3 WHERE repository = ?1 AND idle_since IS NULL AND blob IN (
           SELECT b.id FROM json_each(?2) j
             JOIN repositories r ON r.id = ?1 JOIN blobs b ON b.registry = r.registry AND b.digest = j.value
           WHERE NOT EXISTS (SELECT 1 FROM manifest_references x JOIN manifests m ON m.id = x.manifest
                             WHERE x.digest = j.value AND m.repository = ?1)
             AND NOT EXISTS (SELECT 1 FROM deleted_manifests d, json_each(d.named) n
                             WHERE d.repository = ?1 AND n.value = j.value))",
    )
    .bind(repository)
    .bind(digests)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets the time of an idle blob begin anew: somebody asked for it who may be about to name it.
pub async fn touch_idle(tx: &mut Tx, blob: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE repository_blobs SET idle_since = ? WHERE blob = ? AND idle_since IS NOT NULL")
        .bind(now.0)
        .bind(blob)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The blobs that have been idle long enough, by repository.
pub async fn idle_blobs(tx: &mut Tx, now: Timestamp) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query("SELECT repository, blob FROM repository_blobs WHERE idle_since <= ?")
        .bind(now.0 - GRACE)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| Ok((row.cell("repository")?, row.cell("blob")?))).collect()
}

/// Ends upload sessions that began long ago.
pub async fn expire_uploads(tx: &mut Tx, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM uploads WHERE started_at <= ?").bind(now.0 - UPLOAD_AGE).execute(tx.conn()).await?;
    Ok(())
}

// The bin.

/// Copies a manifest and its tags into the bin.
pub async fn keep_deleted(tx: &mut Tx, manifest: i64, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO deleted_manifests
           (repository, digest, media_type, size, image_size, sealed, about, subject, quarantine, quarantine_details,
            named, created_at, deleted_at)
         SELECT repository, digest, media_type, size, image_size, sealed, about, subject, quarantine, quarantine_details,
           (SELECT json_group_array(digest) FROM manifest_references WHERE manifest = m.id), created_at, ?2
         FROM manifests m WHERE id = ?1",
    )
    .bind(manifest)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO deleted_tags (repository, name, digest, deleted_at)
         SELECT t.repository, t.name, m.digest, ?2 FROM tags t JOIN manifests m ON m.id = t.manifest WHERE m.id = ?1",
    )
    .bind(manifest)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Copies one tag into the bin.
pub async fn keep_deleted_tag(tx: &mut Tx, repository: i64, name: &str, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO deleted_tags (repository, name, digest, deleted_at)
         SELECT t.repository, t.name, m.digest, ?3 FROM tags t JOIN manifests m ON m.id = t.manifest
         WHERE t.repository = ?1 AND t.name = ?2",
    )
    .bind(repository)
    .bind(name)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Names of a registry's repositories that have something in the bin.
pub async fn deleted_repositories(tx: &mut Tx, registry: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT name FROM repositories r WHERE registry = ?
           AND EXISTS (SELECT 1 FROM deleted_manifests WHERE repository = r.id) ORDER BY name",
    )
    .bind(registry)
    .fetch_all(tx.conn())
    .await?)
}

/// The manifests of a repository in the bin, the first deleted first.
pub async fn deleted_manifests(tx: &mut Tx, repository: i64) -> Result<Vec<DeletedManifest>> {
    let rows = sqlx::query(
        "SELECT digest, media_type, image_size, created_at, deleted_at FROM deleted_manifests
         WHERE repository = ? ORDER BY deleted_at, id",
    )
    .bind(repository)
    .fetch_all(tx.conn())
    .await?;
    let shown = |row: &sqlx::sqlite::SqliteRow| {
        Ok(DeletedManifest {
            digest: row.cell("digest")?,
            media_type: row.cell("media_type")?,
            image_size: row.cell("image_size")?,
            created_at: row.time("created_at")?,
            deleted_at: row.time("deleted_at")?,
        })
    };
    rows.iter().map(shown).collect()
}

/// The tags of a repository in the bin, the first deleted first.
pub async fn deleted_tags(tx: &mut Tx, repository: i64) -> Result<Vec<DeletedTag>> {
    let rows =
        sqlx::query("SELECT name, digest, deleted_at FROM deleted_tags WHERE repository = ? ORDER BY deleted_at, name")
            .bind(repository)
            .fetch_all(tx.conn())
            .await?;
    let shown = |row: &sqlx::sqlite::SqliteRow| {
        let (name, digest) = (row.cell("name")?, row.cell("digest")?);
        Ok(DeletedTag { name, digest, deleted_at: row.time("deleted_at")? })
    };
    rows.iter().map(shown).collect()
}

/// Whether a digest lies in the bin.
pub async fn is_deleted(tx: &mut Tx, repository: i64, digest: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM deleted_manifests WHERE repository = ? AND digest = ?)")
        .bind(repository)
        .bind(digest)
        .fetch_one(tx.conn())
        .await?)
}

/// Takes a manifest out of the bin, as it was but without its tags. `None`: it is not there.
pub async fn restore(tx: &mut Tx, repository: i64, digest: &str, now: Timestamp) -> Result<Option<i64>> {
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO manifests (repository, digest, media_type, size, image_size, sealed, about, subject,
           quarantine, quarantine_details, created_at, updated_at)
         SELECT repository, digest, media_type, size, image_size, sealed, about, subject,
           quarantine, quarantine_details, created_at, ?3
         FROM deleted_manifests WHERE repository = ?1 AND digest = ?2 RETURNING id",
    )
    .bind(repository)
    .bind(digest)
    .bind(now.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(id) = id else { return Ok(None) };
    sqlx::query(
        "INSERT OR IGNORE INTO manifest_references (manifest, digest)
         SELECT ?3, j.value FROM deleted_manifests d, json_each(d.named) j WHERE d.repository = ?1 AND d.digest = ?2",
    )
    .bind(repository)
    .bind(digest)
    .bind(id)
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM deleted_manifests WHERE repository = ? AND digest = ?")
        .bind(repository)
        .bind(digest)
        .execute(tx.conn())
        .await?;
    Ok(Some(id))
}

/// Takes a tag of a digest out of the bin. `false`: it is not there.
pub async fn forget_deleted_tag(tx: &mut Tx, repository: i64, name: &str, digest: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM deleted_tags WHERE repository = ? AND name = ? AND digest = ?")
        .bind(repository)
        .bind(name)
        .bind(digest)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}
