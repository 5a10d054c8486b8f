//! Verbs: load, ask the rules, save. Each is a free function over a [`Cx`].
//! Must not know: HTTP, JSON dialects, SQL.

pub mod access;
pub mod audit;
pub mod cascade;
pub mod change;
mod diagnostics;
pub mod directory;
pub mod faults;
pub mod poller;
pub mod private_endpoints;
pub mod registry;
pub mod resources;
pub mod seen;
pub mod snapshot;
pub mod status;
#[cfg(test)]
pub(crate) mod testbed;
pub mod timeline;
pub mod vault;
pub mod world;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rand::rngs::ThreadRng;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::domain::access::Caller;
use crate::domain::directory::token::Signer;
use crate::domain::fault::{Faults, Service, Touch};
use crate::domain::registry::Registry;
use crate::domain::world::crypto;
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::world::diagnostics::Diagnostics;
use crate::store::{Store, Tx};
// The command line makes and holds data folders, and does not see the rest of the store.
pub use crate::store::world::{folder, temporary};

/// How an instance is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder. It exists.
    pub data_dir: PathBuf,
    /// Nothing needs to survive: skip the disk's own guarantees.
    pub ephemeral: bool,
    /// Simulated microseconds for which a data key, once unwrapped, may be used without asking the vault
    /// again. 0: every request asks.
    pub revocation_delay: i64,
    /// Simulated microseconds that a push takes to the registry's other regions.
    pub replication_delay: i64,
    /// What the clock is to show from the start; `None` leaves it as it was.
    pub clock: Option<world::clock::Start>,
    /// A file to which audit records are appended besides the data folder's own.
    pub audit_log: Option<PathBuf>,
    /// The folder for what diagnostic settings have written, unless it is the data folder's own.
    pub diagnostics: Option<PathBuf>,
}

/// One emulator: its state and what it keeps in memory.
#[derive(Debug)]
pub struct App {
    store: Store,
    /// Seals private keys at rest, and is the platform key of registries without a customer-managed one.
    master: Zeroizing<[u8; 32]>,
    clock: world::clock::Clock,
    signer: OnceCell<Signer>,
    poll: poller::Due,
    unwrapped: registry::cmk::Unwrapped,
    parsed: vault::keys::Parsed,
    permitted: vault::keys::Permitted,
    known: directory::tokens::Known,
    revocation_delay: i64,
    replication_delay: i64,
    blobs: store::registry::blobs::Blobs,
    uploads: registry::content::uploads::Sessions,
    audit: audit::Log,
    seen: seen::Seen,
    webhooks: registry::webhooks::Sender,
    tasks: registry::tasks::Tasks,
    entrances: registry::content::Entrances,
    /// Not there in unit tests.
    way_out: OnceLock<Arc<dyn world::outgoing::Outgoing>>,
    turns: world::turns::Turns,
    faults: Arc<Faults>,
    snapshots: snapshot::Turn,
    running: resources::operations::Running,
    deployments: resources::deployments::Active,
    /// What was to be there from the start is there.
    ready: AtomicBool,
    notes: timeline::Notes,
}

impl App {
    /// Opens the state in the data folder, or makes a new world there.
    pub async fn open(options: Options) -> Result<Arc<Self>> {
        let store = Store::open(&options.data_dir, !options.ephemeral).await?;
        store::snapshot::tidy(&options.data_dir);
        let faults = Arc::<Faults>::default();
        let blobs = store::registry::blobs::Blobs::open(&options.data_dir, !options.ephemeral)?.failing(faults.clone());
        let sealed = store::world::values::get(&mut store.read().await?, "seal").await?.is_some();
        let master = folder::master_key(&options.data_dir, sealed)?;
        let clock = world::clock::Clock::load(&store, options.clock).await?;
        let unwritten = store::world::outbox::records(&mut store.read().await?).await?;
        let folder = options.diagnostics.unwrap_or_else(|| options.data_dir.join("diagnostics"));
        let diagnostics = Diagnostics::new(folder, diagnostics::routes(&mut store.read().await?).await?);
        let audit = audit::Log::open(options.data_dir.join("audit.jsonl"), options.audit_log, diagnostics, unwritten)?;
        let app = Arc::new(Self {
            store,
            master,
            clock,
            signer: OnceCell::new(),
            poll: poller::Due::default(),
            unwrapped: registry::cmk::Unwrapped::new(registry::cmk::UNWRAPPED_LIMIT),
            parsed: vault::keys::Parsed::new(vault::keys::PARSED_LIMIT),
            permitted: vault::keys::Permitted::new(vault::keys::PERMITTED_LIMIT),
            known: directory::tokens::Known::default(),
            revocation_delay: options.revocation_delay,
            replication_delay: options.replication_delay,
            blobs,
            uploads: registry::content::uploads::sessions(),
            audit,
            seen: seen::Seen::default(),
            webhooks: registry::webhooks::Sender::default(),
            tasks: registry::tasks::Tasks::default(),
            entrances: registry::content::Entrances::new(registry::content::ENTRANCES),
            way_out: OnceLock::new(),
            turns: world::turns::Turns::remembering(1),
            faults,
            snapshots: snapshot::Turn::default(),
            running: resources::operations::Running::default(),
            deployments: resources::deployments::Active::default(),
            ready: AtomicBool::new(false),
            notes: timeline::Notes::default(),
        });
        seal_world(&app).await?;
        registry::content::settle_in(&app).await?;
        registry::tasks::runner::settle_in(&app).await?;
        directory::identities::settle_in(&app).await?;
        // The tenant's signing key takes a tenth of a second to make: begin now, wait only where it is needed.
        let early = app.clone();
        tokio::spawn(async move { early.signer().await.map(|_| ()) });
        Ok(app)
    }

    /// Gives the emulator its way out, and begins to send what webhooks are told.
    pub fn lead_out(self: &Arc<Self>, way: Arc<dyn world::outgoing::Outgoing>) {
        let way: Arc<dyn world::outgoing::Outgoing> = Arc::new(faults::Faulty { way, faults: self.faults.clone() });
        registry::webhooks::start(self, way.clone());
        let _ = self.way_out.set(way);
    }

    /// Gives the emulator what builds images, and begins to carry out the runs of tasks.
    pub fn employ(self: &Arc<Self>, builder: Arc<dyn registry::tasks::builder::Builder>) {
        registry::tasks::runner::start(self, builder);
    }

    /// A context that reads one state. Catches up with the clock first.
    pub async fn read(self: &Arc<Self>, caller: Caller) -> Result<Cx> {
        poller::catch_up(self).await?;
        self.read_now(caller).await
    }

    /// A context that may write. Catches up with the clock first.
    pub async fn write(self: &Arc<Self>, caller: Caller) -> Result<Cx> {
        poller::catch_up(self).await?;
        self.write_now(caller).await
    }

    /// Catches up with the clock: for what needs no transaction.
    async fn catch_up(self: &Arc<Self>) -> Result<()> {
        poller::catch_up(self).await
    }

    async fn read_now(self: &Arc<Self>, caller: Caller) -> Result<Cx> {
        Ok(Cx::new(self, self.store.read().await?, caller))
    }

    async fn write_now(self: &Arc<Self>, caller: Caller) -> Result<Cx> {
        Ok(Cx::new(self, self.begin().await?, caller))
    }

    /// A transaction that may write. Whoever asks for one is carried to its end.
    async fn begin(&self) -> Result<Tx> {
        world::carry::begun_to_write();
        faults::meet(self, &faults::Fate::default(), &Touch::of(Service::Disk, &["Write"])).await?;
        self.store.write().await
    }

    /// The same, with the database of a snapshot beside it.
    async fn begin_beside(&self, other: &std::path::Path) -> Result<Tx> {
        world::carry::begun_to_write();
        faults::meet(self, &faults::Fate::default(), &Touch::of(Service::Disk, &["Write"])).await?;
        self.store.write_beside(other).await
    }

    /// The tenant's signing key.
    pub async fn signer(self: &Arc<Self>) -> Result<&Signer> {
        self.signer.get_or_try_init(|| directory::tokens::load_signer(self)).await
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Raised by every write. What is to be remembered of a request must have this from before its first read.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        self.store.dir()
    }

    /// What a test asked to fail.
    #[must_use]
    pub fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// What is to fail in the store.
    #[cfg(test)]
    pub fn store_faults(&self) -> &store::world::faults::Faults {
        self.store.faults()
    }

    /// How many events wait to be sent.
    #[cfg(test)]
    pub async fn unsent_events(&self) -> Result<usize> {
        Ok(store::world::outbox::events(&mut self.store.read().await?, 0, i64::MAX).await?.len())
    }

    /// Says that what was to be there from the start is there.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether what was to be there from the start is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &audit::Log {
        &self.audit
    }

    /// The last requests that were answered.
    #[must_use]
    pub fn seen(&self) -> &seen::Seen {
        &self.seen
    }

    /// Ends the audit log when it is written, and closes the database.
    pub async fn close(&self) {
        registry::tasks::runner::stop(self).await;
        self.audit.close();
        if let Err(error) = self.forget_written().await {
            // They stay; the next start finds them in the files.
            tracing::warn!("audit records that were written are kept in the database too: {error}");
        }
        self.store.close().await;
    }

    async fn forget_written(&self) -> Result<()> {
        let Some(written) = self.audit.forgettable() else { return Ok(()) };
        let mut tx = self.begin().await?;
        store::world::outbox::forget_records(&mut tx, written).await?;
        tx.commit().await
    }
}

/// What a verb works in: one transaction, who asks, and the one `now` of this request.
#[derive(Debug)]
pub struct Cx {
    tx: Tx,
    app: Arc<App>,
    /// Who asks.
    pub caller: Caller,
    /// Simulated time, the same throughout the request.
    pub now: Timestamp,
    /// What the audit log is to record once this is committed.
    records: Vec<audit::Record>,
    /// What the emulator asks for its own displays leaves no audit records.
    unaudited: bool,
    /// What webhooks are to be told once this is committed.
    events: Vec<(Registry, registry::webhooks::Event)>,
    /// Until when all that was decided here would be decided alike, if nothing is written.
    until: Timestamp,
    /// There while [`App::change`] makes a change in it.
    aside: Option<change::Aside>,
    /// What happened by itself, for who lets time pass.
    notes: Vec<timeline::Note>,
}

impl Cx {
    fn new(app: &Arc<App>, tx: Tx, caller: Caller) -> Self {
        let now = app.clock.now();
        Self {
            tx,
            app: app.clone(),
            caller,
            now,
            records: Vec::new(),
            unaudited: false,
            events: Vec::new(),
            until: Timestamp(i64::MAX),
            aside: None,
            notes: Vec::new(),
        }
    }

    /// Notes what happens in this transaction because time passed.
    fn passing(&mut self, what: impl Into<String>) {
        self.notes.push(timeline::Note { at: self.now, what: what.into() });
    }

    /// Makes the changes last. What the audit log and webhooks are to learn of them is written with them, and
    /// reported afterwards.
    pub async fn commit(mut self) -> Result<()> {
        audit::write_out(&mut self).await?;
        diagnostics::write_out(&mut self).await?;
        registry::tasks::triggers::look(&mut self).await?;
        registry::webhooks::write_out(&mut self).await?;
        let (app, notes) = (self.app, self.notes);
        self.tx.commit().await?;
        app.notes.add(notes);
        Ok(())
    }

    /// Randomness. Not to be held across an await.
    #[must_use]
    pub fn rng(&self) -> ThreadRng {
        rand::rng()
    }

    /// A new random GUID.
    #[must_use]
    pub fn guid(&self) -> String {
        guid()
    }

    /// Any number of them, for work that goes on without the context.
    pub fn guids(&self) -> fn() -> String {
        guid
    }

    /// Notes that something was decided here that time alone may decide otherwise at `at`. Who remembers a decision
    /// remembers it until then.
    fn holds_until(&mut self, at: Timestamp) {
        self.until = self.until.min(at);
    }

    /// When what is pushed now is in all regions of its registry.
    fn replicated_at(&self) -> Timestamp {
        self.now.plus(self.app.replication_delay)
    }

    /// Goes on as another caller; returns the one before.
    fn act_as(&mut self, caller: Caller) -> Caller {
        std::mem::replace(&mut self.caller, caller)
    }
}

/// Randomness where no [`Cx`] is: on the blocking threads. Not to be held across an await.
fn rng() -> ThreadRng {
    rand::rng()
}

fn guid() -> String {
    let mut bytes = [0; 16];
    rand::Rng::fill_bytes(&mut rng(), &mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// On first use keeps a seal under the master key; later opens it, so that a wrong master key is told at
/// start and not by the first key that fails.
async fn seal_world(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    if let Some(sealed) = store::world::values::get(&mut tx, "seal").await? {
        return crypto::open(&app.master, b"world", &sealed).map(|_| ()).map_err(|_| {
            Error::Internal(
                "master.key is not the one this data folder was made with; restore it or use another folder".to_owned(),
            )
        });
    }
    drop(tx);
    let sealed = crypto::seal(&app.master, b"world", b"acrite", &mut rand::rng())?;
    let mut tx = app.begin().await?;
    store::world::values::set(&mut tx, "seal", &sealed).await?;
    tx.commit().await
}
