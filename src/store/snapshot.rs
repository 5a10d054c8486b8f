//! Snapshots as folders: a copy of the database, and links to the files of its blobs. Saved beside the world they were
//! taken of, and loaded into it in one transaction.
//! Must not know: who asks, what a name may be, what is told of it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::registry::blobs::BLOBS;
use super::resources::neighbours;
use super::world::folder::MASTER_KEY;
use super::world::trouble::file as failed;
use super::{Store, Tx};
use crate::domain::{Error, Result};

/// The folder of all snapshots, in the data folder.
pub const SNAPSHOTS: &str = "snapshots";
/// The database of a snapshot, named as that of a data folder.
pub const DATABASE: &str = "acrite.db";
/// The name under which a snapshot's database is attached.
const OTHER: &str = "other";

/// Tables that belong to the process and not to the world: what it still has to tell and to remove, single values.
const OWN: [&str; 3] = ["world", "untold_records", "doomed_files"];
/// Tables that a loaded world begins without: what was going on when it was saved has ended since.
const ENDED: [&str; 2] = ["uploads", "untold_events"];

/// Tables that triggers of others count in: their rows come last, with counts that are right already.
const COUNTED: [&str; 2] = ["repositories", "usages"];

/// Makes a folder for its owner alone.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| failed(path, &e))
}

impl Store {
    /// Copies the database as it was last committed. The folder that the copy goes to is there, the copy is not.
    pub async fn copy_into(&self, path: &Path) -> Result<()> {
        let Some(text) = path.to_str() else { return Err(Error::Internal(format!("{path:?} is not text"))) };
        let mut reader = self.readers.acquire().await?;
        sqlx::query("VACUUM INTO ?").bind(text).execute(&mut *reader).await?;
        drop(reader);
        let settled =
            fs::set_permissions(path, Permissions::from_mode(0o600)).and_then(|()| File::open(path)?.sync_all());
        settled.map_err(|e| failed(path, &e))
    }

    /// A transaction that writes, with the database of a snapshot beside it. Its connection is of no use afterwards.
    pub async fn write_beside(&self, other: &Path) -> Result<Tx> {
        let Some(text) = other.to_str() else { return Err(Error::Internal(format!("{other:?} is not text"))) };
        self.begin_beside(text, OTHER).await
    }
}

/// A single value of the snapshot that is beside the transaction.
pub async fn value(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = format!("SELECT value FROM {OTHER}.world WHERE name = ?");
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(name).fetch_optional(tx.conn()).await?)
}

/// The files of the blobs of the snapshot that is beside the transaction.
pub async fn blob_files_beside(tx: &mut Tx) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(AssertSqlSafe(format!("SELECT file FROM {OTHER}.blobs"))).fetch_all(tx.conn()).await?)
}

/// The files of all blobs, and their bytes before they were sealed.
pub async fn blob_files(tx: &mut Tx) -> Result<(Vec<String>, i64)> {
    let files = sqlx::query_scalar("SELECT file FROM blobs").fetch_all(tx.conn()).await?;
    let bytes: Option<i64> = sqlx::query_scalar("SELECT sum(size) FROM blobs").fetch_one(tx.conn()).await?;
    Ok((files, bytes.unwrap_or_default()))
}

/// Puts the rows of the snapshot that is beside the transaction in the place of all rows. Ids that were given stay given.
pub async fn take_over(tx: &mut Tx) -> Result<()> {
    tx.wrote(neighbours::TABLE);
    let mut all = tables(tx).await?;
    all.sort_by_key(|table| COUNTED.contains(&table.as_str()));
    // Rows come before those that they belong to; whether all do is checked when this is committed.
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(tx.conn()).await?;
    for table in &all {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM main.{table}"))).execute(tx.conn()).await?;
    }
    for table in all.iter().filter(|table| !ENDED.contains(&table.as_str())) {
        // Triggers may have begun to count.
        if COUNTED.contains(&table.as_str()) {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM main.{table}"))).execute(tx.conn()).await?;
        }
        let copy = format!("INSERT INTO main.{table} SELECT * FROM {OTHER}.{table}");
        sqlx::query(AssertSqlSafe(copy)).execute(tx.conn()).await?;
    }
    // What was pushed before the snapshot still arrives in other regions, and is announced there.
    let due = format!(
        "INSERT INTO main.untold_events (webhook, sealed, due_at)
         SELECT webhook, sealed, due_at FROM {OTHER}.untold_events WHERE due_at IS NOT NULL"
    );
    sqlx::query(AssertSqlSafe(due)).execute(tx.conn()).await?;
    // What is named again is to stay.
    sqlx::query("DELETE FROM doomed_files WHERE path IN (SELECT 'blobs/' || file FROM blobs)")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The tables of the world.
async fn tables(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               AND name <> '_sqlx_migrations' ORDER BY rowid";
    let all: Vec<String> = sqlx::query_scalar(sql).fetch_all(tx.conn()).await?;
    Ok(all.into_iter().filter(|table| !OWN.contains(&table.as_str())).collect())
}

/// Links files of one data folder's blobs, or of a snapshot's, into another's. Where the disk cannot link, copies them.
/// What is there already stays.
pub fn link_blobs(from: &Path, to: &Path, files: &[String]) -> Result<()> {
    let (from, to) = (from.join(BLOBS), to.join(BLOBS));
    make_folder(&to)?;
    let there: BTreeSet<_> = match fs::read_dir(&to) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect(),
        Err(error) => return Err(failed(&to, &error)),
    };
    for name in files.iter().filter(|name| !there.contains(name.as_str().as_ref() as &std::ffi::OsStr)) {
        let (old, new) = (from.join(name), to.join(name));
        link(&old, &new).map_err(|e| failed(&old, &e))?;
    }
    File::open(&to).and_then(|folder| folder.sync_all()).map_err(|e| failed(&to, &e))
}

fn link(old: &Path, new: &Path) -> io::Result<()> {
    match fs::hard_link(old, new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let copied = fs::copy(old, new).and_then(|_| File::open(new)?.sync_all());
            if copied.is_err() {
                // A piece of a file is worse than none.
                let _ = fs::remove_file(new);
            }
            copied
        }
        done => done,
    }
}

/// Brings the database of a snapshot that an older version saved up to date.
pub async fn update(folder: &Path) -> Result<()> {
    let store = Store::open(folder, true).await?;
    store.close().await;
    Ok(())
}

/// The version of the schema of a database on disk, without changing it.
pub async fn schema_of(database: &Path) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).immutable(true);
    let mut connection = options.connect().await?;
    let version = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

/// Removes what killed saves left: folders without a name.
pub fn tidy(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir.join(SNAPSHOTS)) else { return };
    for entry in entries.filter_map(std::result::Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(".tmp") {
            remove(&entry.path());
        }
    }
}

/// Gives a whole folder its name, so that it is there whole or not at all.
pub fn name_folder(from: &Path, to: &Path) -> Result<()> {
    let above = to.parent().unwrap_or(to);
    let named = fs::rename(from, to).and_then(|()| File::open(above)?.sync_all());
    named.map_err(|e| failed(to, &e))
}

/// Writes a file for its owner alone, and has it last.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| failed(path, &e))
}

pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| failed(path, &e))
}

/// The names of the snapshots in a folder.
#[must_use]
pub fn folders(all: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(all) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Removes what a save has left, if it has.
pub fn remove_if_there(folder: &Path) {
    if folder.exists() {
        remove(folder);
    }
}

/// Removes the folder of a snapshot. What cannot be removed now is removed at the next start.
pub fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!("{} stays: {error}", folder.display());
    }
}

/// Puts the world of a snapshot into a new data folder: its database, its blobs, and the key of the folder `key_in` that
/// both are sealed under.
pub async fn lay_out(snapshot: &Path, key_in: &Path, dir: &Path) -> Result<()> {
    let copy = |from: &Path, name: &str| -> Result<PathBuf> {
        let to = dir.join(name);
        let mode = |_| fs::set_permissions(&to, Permissions::from_mode(0o600));
        fs::copy(from, &to).and_then(mode).map_err(|e| failed(from, &e))?;
        Ok(to)
    };
    let database = copy(&snapshot.join(DATABASE), DATABASE)?;
    copy(&key_in.join(MASTER_KEY), MASTER_KEY)?;
    let options = SqliteConnectOptions::new().filename(&database).read_only(true).immutable(true);
    let mut connection = options.connect().await?;
    let files: Vec<String> = sqlx::query_scalar("SELECT file FROM blobs").fetch_all(&mut connection).await?;
    connection.close().await?;
    link_blobs(snapshot, dir, &files)
}

/// What there is, for comparing two worlds: things, what is told of each, and its value. Empty: the thing is all there is
/// to tell.
pub async fn things(tx: &mut Tx) -> Result<Vec<(String, String, String)>> {
    Ok(sqlx::query_as(
        "SELECT 'resource group ' || name, '', '' FROM resource_groups
         UNION ALL SELECT 'resource group ' || name, 'tags', tags FROM resource_groups
         UNION ALL SELECT 'identity ' || name, 'client', client_id FROM identities
         UNION ALL SELECT 'principal ' || display_name || ' (' || object_id || ')', 'properties', doc FROM principals
         UNION ALL SELECT 'role assignment ' || name || ' on ' || scope, 'role', role_id || ' of ' || principal_id
            FROM role_assignments
         UNION ALL SELECT 'vault ' || name, 'properties', properties FROM vaults
         UNION ALL SELECT 'vault ' || name, 'tags', tags FROM vaults
         UNION ALL SELECT 'vault ' || name, 'deleted', '' FROM vaults WHERE deleted_at IS NOT NULL
         UNION ALL SELECT 'key ' || v.name || '/' || k.name, 'deleted', '' FROM keys k JOIN vaults v ON v.id = k.vault
            WHERE k.deleted_at IS NOT NULL
         UNION ALL SELECT 'key ' || v.name || '/' || k.name, 'version ' || x.version,
            CASE WHEN x.enabled THEN 'enabled' ELSE 'disabled' END
            || coalesce(', not before ' || datetime(x.not_before, 'unixepoch'), '')
            || coalesce(', expires ' || datetime(x.expires, 'unixepoch'), '')
            FROM key_versions x JOIN keys k ON k.id = x.key JOIN vaults v ON v.id = k.vault
         UNION ALL SELECT 'secret ' || v.name || '/' || s.name, 'version ' || x.version,
            CASE WHEN x.enabled THEN 'enabled' ELSE 'disabled' END
            FROM secret_versions x JOIN secrets s ON s.id = x.secret JOIN vaults v ON v.id = s.vault
         UNION ALL SELECT 'registry ' || name, 'sku', sku FROM registries
         UNION ALL SELECT 'registry ' || name, 'properties', properties FROM registries
         UNION ALL SELECT 'registry ' || name, 'tags', tags FROM registries
         UNION ALL SELECT 'registry ' || r.name || ' ' || c.kind || ' ' || c.name, 'properties', c.properties
            FROM registry_children c JOIN registries r ON r.id = c.registry
         UNION ALL SELECT 'repository ' || r.name || '/' || p.name, '', ''
            FROM repositories p JOIN registries r ON r.id = p.registry
         UNION ALL SELECT 'repository ' || r.name || '/' || p.name, 'tag ' || t.name, m.digest
            FROM tags t JOIN manifests m ON m.id = t.manifest JOIN repositories p ON p.id = t.repository
            JOIN registries r ON r.id = p.registry
         UNION ALL SELECT 'repository ' || r.name || '/' || p.name, 'manifest ' || m.digest, ''
            FROM manifests m JOIN repositories p ON p.id = m.repository JOIN registries r ON r.id = p.registry",
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Copies what is needed to look at a snapshot's rows into a folder: its database and the key of the data folder.
pub fn copy_rows(snapshot: &Path, data_dir: &Path, to: &Path) -> Result<()> {
    make_folder(to)?;
    for (from, name) in [(snapshot, DATABASE), (data_dir, MASTER_KEY)] {
        let from = from.join(name);
        fs::copy(&from, to.join(name)).map_err(|e| failed(&from, &e))?;
    }
    Ok(())
}
