//! SQL over one transaction, and sealed bytes on disk. The only room that knows sqlx.
//! Must not know: who asks, what is allowed, what time it is.

pub mod access;
pub mod archive;
pub mod directory;
pub mod registry;
pub mod resources;
pub mod snapshot;
pub mod vault;
pub mod world;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr as _, Sqlite, SqliteConnection};
use sqlx_core::transaction::TransactionManager as _;

use crate::domain::{Error, Result};
use world::generation::Generation;

/// How transactions begin and end on a connection that stays ours: sqlx's own `Transaction` gives a connection back to
/// the pool whatever became of its commit.
type Transactions = <Sqlite as sqlx::Database>::TransactionManager;

/// The data folder's database. Readers and the one writer have pools of their own, so that readers
/// never wait for a writer.
#[derive(Debug)]
pub struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    generation: Arc<Generation>,
    dir: PathBuf,
    #[cfg(test)]
    faults: Arc<world::faults::Faults>,
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
        world::schema::bring_up_to_date(&writer).await?;
        let readers = pool(4).connect_lazy_with(options);
        Ok(Self {
            readers,
            writer,
            generation: Arc::default(),
            dir: dir.to_owned(),
            #[cfg(test)]
            faults: Arc::default(),
        })
    }

    /// A transaction that sees one state and changes nothing.
    pub async fn read(&self) -> Result<Tx> {
        #[cfg(test)]
        self.faults.read();
        self.tx(Open::begin(&self.readers, "BEGIN DEFERRED").await?, None).await
    }

    /// A transaction that takes the write lock at once. Keep it short: no RSA, no bodies inside.
    pub async fn write(&self) -> Result<Tx> {
        #[cfg(test)]
        self.faults.write();
        let open = Open::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        self.tx(open, Some(self.generation.clone())).await
    }

    /// The same with another database beside it, attached under a name; without foreign keys, which nothing is to follow
    /// from table to table there. Its connection is closed afterwards.
    async fn begin_beside(&self, other: &str, name: &'static str) -> Result<Tx> {
        let mut open = Open { connection: self.writer.acquire().await?, ended: true };
        open.discard();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *open.connection).await?;
        let attach = sqlx::AssertSqlSafe(format!("ATTACH ? AS {name}"));
        sqlx::query(attach).bind(other).execute(&mut *open.connection).await?;
        open.ended = false;
        Transactions::begin(&mut open.connection, Some("BEGIN IMMEDIATE".into_sql_str())).await?;
        self.tx(open, Some(self.generation.clone())).await
    }

    #[cfg(not(test))]
    async fn tx(&self, open: Open, raises: Option<Arc<Generation>>) -> Result<Tx> {
        Ok(Tx { open, raises, then: Vec::new(), seen: HashSet::new(), written: HashSet::new() })
    }

    #[cfg(test)]
    async fn tx(&self, mut open: Open, raises: Option<Arc<Generation>>) -> Result<Tx> {
        self.faults.watch(&mut open.connection).await?;
        Ok(Tx {
            open,
            raises,
            then: Vec::new(),
            seen: HashSet::new(),
            written: HashSet::new(),
            faults: self.faults.clone(),
        })
    }

    /// What is to fail.
    #[cfg(test)]
    pub fn faults(&self) -> &world::faults::Faults {
        &self.faults
    }

    /// Raised by every write. What was computed from reads under another number is stale.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.now()
    }

    /// Raised by every write too, and not before it has ended: for what only wants to know that there was one.
    #[must_use]
    pub fn settled_generation(&self) -> u64 {
        self.generation.settled()
    }

    /// What [`Store::settled_generation`] is after one more write.
    #[must_use]
    pub fn generation_after(settled: u64) -> u64 {
        Generation::after(settled)
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

/// The newest version of the schema that this program knows.
#[must_use]
pub fn schema_version() -> i64 {
    world::schema::newest()
}

/// A connection in a transaction. Dropped before the end, it rolls back.
#[derive(Debug)]
struct Open {
    connection: PoolConnection<Sqlite>,
    ended: bool,
}

impl Open {
    /// Begins a transaction. SQLite ends a transaction by itself when the disk is full or fails, and the connection
    /// then still believes that it is in one: it can begin no other, so it is thrown away and another one is tried.
    async fn begin(pool: &SqlitePool, statement: &'static str) -> Result<Self> {
        let mut left = pool.options().get_max_connections();
        loop {
            // Made before it begins: a caller that goes away meanwhile leaves no transaction behind.
            let mut open = Self { connection: pool.acquire().await?, ended: false };
            let error = match Transactions::begin(&mut open.connection, Some(statement.into_sql_str())).await {
                Ok(()) => return Ok(open),
                Err(error) => error,
            };
            open.discard();
            let spoilt = matches!(error, sqlx::Error::InvalidSavePointStatement | sqlx::Error::WorkerCrashed);
            if !spoilt || left == 0 {
                return Err(error.into());
            }
            left -= 1;
        }
    }

    /// Closes the connection instead of giving it back.
    fn discard(&mut self) {
        self.connection.close_on_drop();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            Transactions::start_rollback(&mut self.connection);
        }
    }
}

/// Something to be done when a transaction has been committed.
type Then = Box<dyn FnOnce() + Send>;

/// One transaction. Dropped without [`Tx::commit`], it never was.
pub struct Tx {
    open: Open,
    raises: Option<Arc<Generation>>,
    then: Vec<Then>,
    /// The rows that were looked up, by table and key, where they could be written back.
    seen: HashSet<(&'static str, String)>,
    /// Tables that others follow, where they were written.
    written: HashSet<&'static str>,
    #[cfg(test)]
    faults: Arc<world::faults::Faults>,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("writes", &self.raises.is_some()).finish_non_exhaustive()
    }
}

impl Tx {
    /// The connection, for the files of this room.
    fn conn(&mut self) -> &mut SqliteConnection {
        #[cfg(test)]
        self.faults.statement();
        &mut self.open.connection
    }

    /// Notes that a row was looked up, or added.
    fn saw(&mut self, table: &'static str, key: impl ToString) {
        if self.raises.is_some() {
            self.seen.insert((table, key.to_string()));
        }
    }

    /// Requires that a row that is to be written back whole was looked up in this very transaction: one that was read
    /// before would undo what others have written to it since.
    fn require_seen(&self, table: &'static str, key: impl ToString) -> Result<()> {
        let key = key.to_string();
        if self.seen.contains(&(table, key.clone())) {
            return Ok(());
        }
        Err(Error::Internal(format!("row {key} of {table} was not read in the transaction that writes it back")))
    }

    /// Notes that a table was written that others follow.
    fn wrote(&mut self, table: &'static str) {
        self.written.insert(table);
    }

    /// Whether the transaction wrote a table of those that note it.
    #[must_use]
    pub fn has_written(&self, table: &'static str) -> bool {
        self.written.contains(table)
    }

    /// Has something done once the changes last: whatever becomes of the request meanwhile, in the order of the
    /// commits, and before anybody else can write. It must be short, and cannot fail.
    pub fn then(&mut self, act: impl FnOnce() + Send + 'static) {
        self.then.push(Box::new(act));
    }

    /// Makes the changes last, and does what must follow. In a task of its own: SQLite commits even where nobody
    /// waits for it any more, so what follows must not depend on anybody waiting either.
    pub async fn commit(self) -> Result<()> {
        let Self { mut open, raises, then, .. } = self;
        let ending = tokio::spawn(async move {
            if let Some(generation) = &raises {
                generation.begun();
            }
            let committed = Transactions::commit(&mut open.connection).await;
            open.ended = committed.is_ok();
            if let Some(generation) = raises {
                generation.ended();
            }
            match committed {
                Ok(()) => then.into_iter().for_each(|act| act()),
                Err(error) => {
                    open.discard();
                    return Err(Error::from(error));
                }
            }
            Ok(())
        });
        ending.await.map_err(Error::internal)?
    }
}

#[cfg(test)]
mod tests {
    use super::resources::groups;
    use super::*;
    use crate::domain::Timestamp;

    #[tokio::test]
    async fn a_row_is_written_back_only_by_the_transaction_that_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), false).await.unwrap();
        let group = |tag: &str| groups::Group {
            name: "g".to_owned(),
            location: "eastus".to_owned(),
            tags: serde_json::json!({ "tag": tag }),
            managed_by: None,
            created_at: Timestamp(0),
        };
        let mut tx = store.write().await.unwrap();
        assert!(groups::find(&mut tx, "g").await.unwrap().is_none());
        groups::save(&mut tx, &group("first")).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.read().await.unwrap();
        let before = groups::find(&mut tx, "G").await.unwrap().unwrap();
        drop(tx);
        let mut tx = store.write().await.unwrap();
        assert!(matches!(groups::save(&mut tx, &before).await, Err(Error::Internal(_))));
        groups::find(&mut tx, "G").await.unwrap();
        groups::save(&mut tx, &group("second")).await.unwrap();
        tx.commit().await.unwrap();
    }
}
