//! For tests: a database that fails at a statement or a commit of the test's choice, by SQLite's own means.
//! Must not know: what is written.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::SqliteConnection;

use crate::domain::Result;

/// Counts statements and commits, and says which of them fail.
#[derive(Debug, Default)]
pub struct Faults {
    statements: AtomicI64,
    commits: AtomicI64,
    reads: AtomicI64,
    writes: AtomicI64,
    fails: Mutex<Option<Fault>>,
    broken: AtomicBool,
}

/// What fails: counted from 0 since [`Faults::arm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    Statement(i64),
    Commit(i64),
}

impl Faults {
    /// Begins to count anew. `None`: nothing fails.
    pub fn arm(&self, fault: Option<Fault>) {
        self.statements.store(0, Ordering::SeqCst);
        self.commits.store(0, Ordering::SeqCst);
        self.broken.store(false, Ordering::SeqCst);
        *self.fails.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn is(&self, fault: Fault) -> bool {
        *self.fails.lock().unwrap_or_else(PoisonError::into_inner) == Some(fault)
    }

    /// To be called before each statement.
    pub(in crate::store) fn statement(&self) {
        let number = self.statements.fetch_add(1, Ordering::SeqCst);
        self.broken.store(self.is(Fault::Statement(number)), Ordering::SeqCst);
    }

    /// To be called when a transaction that reads is about to begin.
    pub(in crate::store) fn read(&self) {
        self.reads.fetch_add(1, Ordering::SeqCst);
    }

    /// How many transactions that read began since the start.
    pub fn reads(&self) -> i64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// To be called when a write is about to begin.
    pub(in crate::store) fn write(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
    }

    /// How many writes began, or wait to begin, since the start.
    pub fn writes(&self) -> i64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// How many there were: statements and commits.
    pub fn counted(&self) -> (i64, i64) {
        (self.statements.load(Ordering::SeqCst), self.commits.load(Ordering::SeqCst))
    }

    /// Has a connection fail as it is told. An interrupted write ends its transaction, as a full disk does.
    pub(in crate::store) async fn watch(self: &Arc<Self>, connection: &mut SqliteConnection) -> Result<()> {
        let mut handle = connection.lock_handle().await?;
        let faults = self.clone();
        handle.set_progress_handler(1, move || !faults.broken.load(Ordering::SeqCst));
        let faults = self.clone();
        handle.set_commit_hook(move || {
            let number = faults.commits.fetch_add(1, Ordering::SeqCst);
            !faults.is(Fault::Commit(number))
        });
        Ok(())
    }
}
