//! SQL over one transaction, and sealed bytes on disk. The only room that knows sqlx.
//! Must not know: who asks, what is allowed, what time it is.

pub mod access;
pub mod ageing;
pub mod blobs;
pub mod content;
pub mod deployments;
pub mod directory;
pub mod folder;
pub mod groups;
pub mod identities;
pub mod journal;
pub mod keys;
pub mod operations;
pub mod registries;
pub mod registry_children;
pub mod secrets;
pub mod vaults;
pub mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::domain::{Error, Result};

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(format!("database: {error}"))
    }
}

/// The data folder's database. Readers and the one writer have pools of their own, so that readers
/// never wait for a writer.
#[derive(Debug)]
pub struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    generation: Arc<AtomicU64>,
    dir: PathBuf,
}

impl Store {
    /// Opens or creates the database in `dir` and brings its schema up to date. `durable`: survive power
    /// loss, not only the end of the process.
    pub async fn open(dir: &Path, durable: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("acrite.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if durable { SqliteSynchronous::Full } else { SqliteSynchronous::Off })
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256);
        // Idle connections are kept: opening one costs a thread and a few milliseconds.
        let pool = |max| {
            SqlitePoolOptions::new()
                .max_connections(max)
                .acquire_timeout(Duration::from_secs(30))
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await.map_err(Error::internal)?;
        let readers = pool(4).connect_lazy_with(options);
        Ok(Self { readers, writer, generation: Arc::new(AtomicU64::new(1)), dir: dir.to_owned() })
    }

    /// A transaction that sees one state and changes nothing.
    pub async fn read(&self) -> Result<Tx> {
        Ok(Tx { inner: self.readers.begin().await?, raises: None })
    }

    /// A transaction that takes the write lock at once. Keep it short: no RSA, no bodies inside.
    pub async fn write(&self) -> Result<Tx> {
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { inner, raises: Some(self.generation.clone()) })
    }

    /// Raised by every committed write. What was computed from reads under an older number is stale.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes all connections and folds the write-ahead log into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// One transaction. Dropped without [`Tx::commit`], it never was.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    raises: Option<Arc<AtomicU64>>,
}

impl Tx {
    /// The connection, for the files of this room.
    fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await?;
        if let Some(generation) = self.raises {
            generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

/// A JSON column.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
