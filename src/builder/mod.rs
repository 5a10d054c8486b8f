//! A container builder of the machine at work for runs of tasks: buildah, podman or docker, as processes that end with
//! their run. What it works in is kept in memory where the machine has a place for that, and goes with the run.
//! Must not know: registries' rules, the store, HTTP.

mod agent;
mod process;
mod source;
pub mod supervisor;
mod tool;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

use crate::app::registry::tasks::builder::{Agent, Builder};
use crate::app::temporary::{self, Temporary};
use tool::Tool;

/// What builders of the machine are given to reach the emulator by.
#[derive(Debug, Clone)]
pub struct Way {
    /// The proxy.
    pub url: String,
    /// What they are to trust.
    pub bundle: PathBuf,
}

/// The builder that is used, and the folder that its agents work in.
pub struct Machine {
    tool: Option<Tool>,
    /// Somebody chose it.
    is_named: bool,
    way: Way,
    /// Made when it is first needed.
    folder: Mutex<Option<Arc<Temporary>>>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("tool", &self.tool).finish_non_exhaustive()
    }
}

/// Folders that are kept in memory, if there are any.
fn parents() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    let memory = PathBuf::from("/dev/shm");
    runtime.into_iter().chain([memory, std::env::temp_dir()]).filter(|p| p.is_dir()).collect()
}

impl Machine {
    /// The builder that `asked` names, or the first one that the machine has.
    #[must_use]
    pub fn new(asked: Option<&Path>, way: Way) -> Self {
        Self { tool: Tool::find(asked), is_named: asked.is_some(), way, folder: Mutex::default() }
    }

    /// Removes what builders of killed emulators have left.
    pub fn sweep() {
        parents().iter().for_each(|parent| temporary::sweep(parent));
    }

    fn folder(&self) -> Result<Arc<Temporary>, String> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*folder {
            return Ok(folder.clone());
        }
        let made = parents().iter().find_map(|parent| Temporary::make(parent, false).ok());
        let made = Arc::new(made.ok_or("there is no folder that a builder could work in")?);
        *folder = Some(made.clone());
        Ok(made)
    }
}

impl Builder for Machine {
    fn is_for_others(&self) -> bool {
        self.is_named
    }

    fn agent(&self) -> BoxFuture<'_, Result<Box<dyn Agent>, String>> {
        Box::pin(async move {
            let tool = self.tool.clone().ok_or(
                "No container builder was found on this machine: runs cannot be carried out. Install buildah (apt-get install buildah), podman or docker, or name one with --builder, and start acrite again.",
            )?;
            let folder = self.folder()?;
            let made = agent::Worker::new(tool, self.way.clone(), folder).await?;
            Ok(Box::new(made) as Box<dyn Agent>)
        })
    }
}
