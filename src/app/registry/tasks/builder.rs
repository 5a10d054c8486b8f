//! What carries out the steps of runs: a container builder of the machine, behind a trait.
//! Must not know: processes, files, which builder it is.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc::Sender;
use zeroize::Zeroizing;

/// How to sign in to a registry.
#[derive(Debug, Clone)]
pub struct Login {
    pub server: String,
    pub user: String,
    pub password: Zeroizing<String>,
}

/// A build.
#[derive(Debug, Clone, Default)]
pub struct Build {
    pub tags: Vec<String>,
    /// Below the source.
    pub file: String,
    /// Below the source.
    pub context: String,
    pub target: Option<String>,
    pub arguments: Vec<(String, Zeroizing<String>)>,
    pub labels: Vec<String>,
    pub no_cache: bool,
    pub pull: bool,
    /// `os/architecture` or `os/architecture/variant`.
    pub platform: String,
}

/// An image that is run over the source.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub image: String,
    pub arguments: Vec<String>,
    pub entry_point: Option<String>,
    /// `NAME=VALUE`
    pub env: Vec<String>,
    pub user: Option<String>,
    pub directory: Option<String>,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Work {
    Build(Build),
    /// Pushes an image by its name.
    Push(String),
    Run(Run),
}

/// What a builder says while it works, line by line.
pub type Said = Sender<String>;

/// Finds agents for runs.
pub trait Builder: Send + Sync + std::fmt::Debug {
    /// Whether it may work for clients of other machines too: what they ask for is run on this one.
    fn is_for_others(&self) -> bool;

    /// An agent for one run, in a folder of its own. An error says why there is none, and what to do about it.
    fn agent(&self) -> BoxFuture<'_, Result<Box<dyn Agent>, String>>;
}

/// Works for one run. Its errors are for the run's log. Dropped or ended, it leaves neither a process nor a file.
pub trait Agent: Send + Sync {
    /// Keeps what it signs in to registries with.
    fn sign_in<'a>(&'a mut self, logins: &'a [Login]) -> BoxFuture<'a, Result<(), String>>;

    /// Takes in a source as an archive: tar, maybe compressed.
    fn unpack<'a>(&'a mut self, archive: BoxStream<'a, Result<Bytes, String>>) -> BoxFuture<'a, Result<(), String>>;

    /// Takes in a source from a git repository.
    fn clone_from<'a>(
        &'a mut self,
        url: &'a str,
        reference: Option<&'a str>,
        said: Said,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Goes on in a folder of the source as if it were all of it.
    fn enter(&mut self, folder: &str) -> Result<(), String>;

    /// A file of the source.
    fn read<'a>(&'a mut self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>>;

    /// Does a piece of work. Of a push: the digest of what was pushed.
    fn carry_out<'a>(&'a mut self, work: &'a Work, said: Said) -> BoxFuture<'a, Result<Option<String>, String>>;

    /// Ends all that is under way, and removes what it worked in.
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}
