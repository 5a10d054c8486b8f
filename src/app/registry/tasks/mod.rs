//! ACR Tasks: runs and what carries them out, the storage account that they use, tasks with their triggers, and what time
//! does to all of that.
//! Must not know: HTTP, processes (see builder), how a key is unwrapped (see cmk).

pub mod ageing;
pub mod artifact;
pub mod blobs;
pub mod builder;
pub mod documents;
mod log;
mod logins;
pub mod reason;
pub mod resources;
pub mod runner;
pub mod runs;
mod sources;
mod steps;
pub mod triggers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, watch};

use builder::Builder;

/// The runs of this process: who carries them out, and which are under way.
#[derive(Debug)]
pub struct Tasks {
    wake: Arc<Notify>,
    /// Not there in unit tests.
    builder: OnceLock<Arc<dyn Builder>>,
    /// The runs under way by their row ids, with their registry and agent pool.
    running: Mutex<HashMap<i64, Option<(i64, String)>>>,
    /// Told when a run is under way no more.
    ended: Notify,
    /// Whether the emulator is about to stop.
    stopping: watch::Sender<bool>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            wake: Arc::default(),
            builder: OnceLock::new(),
            running: Mutex::default(),
            ended: Notify::new(),
            stopping: watch::Sender::new(false),
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // So that who waits finds that there is no app any more.
        self.wake.notify_one();
    }
}

impl Tasks {
    fn running(&self) -> MutexGuard<'_, HashMap<i64, Option<(i64, String)>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
