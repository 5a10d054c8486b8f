//! What a world must not leave behind: internal errors in its log, upload sessions, files without a row, rows without
//! a file, counts that are wrong. Reads a copy of the data folder's database, so that whoever opens the folder next finds it untouched.
//! Must not know what is tested.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

/// The rows that speak of files, and the files.
#[derive(Debug)]
pub struct Leftovers {
    /// Files below the data folder that no row names. There are none at any instant, whatever was killed.
    pub orphans: BTreeSet<String>,
    /// Blobs whose file is missing.
    pub missing: BTreeSet<String>,
    /// Upload sessions that did not end.
    pub uploads: BTreeSet<String>,
    /// Files that are to be removed and are still there.
    pub doomed: BTreeSet<String>,
    /// Registries and repositories that hold more or less than is counted for them.
    pub miscounted: BTreeSet<String>,
    /// Blobs with their files.
    pub blobs: usize,
}

/// The data folder of a process that has ended. `None`: it holds no database.
pub fn of(folder: &Path) -> Option<Leftovers> {
    let names = ["acrite.db", "acrite.db-wal"];
    if !folder.join(names[0]).exists() {
        return None;
    }
    let copy = tempfile::tempdir().unwrap();
    for name in names.iter().filter(|name| folder.join(name).exists()) {
        std::fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    // Worlds end in the middle of other runtimes, which must not be blocked by this one.
    let database = copy.path().join(names[0]);
    let [blobs, uploads, doomed, miscounted] = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(rows(&database))
    })
    .join()
    .unwrap();

    let files: BTreeSet<String> = ["blobs", "uploads"].into_iter().flat_map(|name| below(folder, name)).collect();
    let blobs: BTreeSet<String> = blobs.into_iter().map(|file| format!("blobs/{file}")).collect();
    // The file of a session lies under `blobs` for the moment before it becomes one.
    let of_uploads = uploads.iter().flat_map(|id| [format!("uploads/{id}"), format!("blobs/{id}")]).collect();
    let named: BTreeSet<String> = [&blobs, &of_uploads, &doomed].into_iter().flatten().cloned().collect();
    Some(Leftovers {
        orphans: files.difference(&named).cloned().collect(),
        missing: blobs.difference(&files).cloned().collect(),
        doomed: doomed.intersection(&files).cloned().collect(),
        uploads,
        miscounted,
        blobs: blobs.intersection(&files).count(),
    })
}

const MISCOUNTED: &str = "
    SELECT 'repository ' || name FROM repositories r
    WHERE manifest_count <> (SELECT count(*) FROM manifests WHERE repository = r.id)
       OR tag_count <> (SELECT count(*) FROM tags WHERE repository = r.id)
       OR bytes <> (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = r.id)
    UNION ALL
    SELECT 'registry ' || name FROM registries r
    WHERE (SELECT bytes FROM usages WHERE registry = r.id) IS NOT
          (SELECT coalesce(sum(size), 0) FROM blobs WHERE registry = r.id) +
          (SELECT coalesce(sum(m.size), 0) FROM manifests m JOIN repositories p ON p.id = m.repository WHERE p.registry = r.id)";

/// The files of blobs, the ids of upload sessions, the paths of files that are to be removed, and what is miscounted.
async fn rows(database: &Path) -> [BTreeSet<String>; 4] {
    let options = SqliteConnectOptions::new().filename(database);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let mut all = Vec::new();
    for sql in ["SELECT file FROM blobs", "SELECT uuid FROM uploads", "SELECT path FROM doomed_files", MISCOUNTED] {
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut database).await.unwrap();
        all.push(found.into_iter().collect());
    }
    database.close().await.unwrap();
    all.try_into().unwrap()
}

fn below(folder: &Path, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(name)).unwrap();
    entries.map(|entry| format!("{name}/{}", entry.unwrap().file_name().into_string().unwrap())).collect()
}

/// The lines of a log that tell of an internal error, but those that hold one of `provoked`.
pub fn errors(log: &[String], provoked: &[&str]) -> Vec<String> {
    let told = |line: &&String| line.contains("ERROR") && !provoked.iter().any(|part| line.contains(part));
    log.iter().filter(told).cloned().collect()
}
