//! One running emulator inside this process: its folder, lock, certificates, listener and end.
//! The only place of the command line that composes the other rooms; must not know their insides.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app;
use crate::app::App;
use crate::app::folder::{Folder, FolderError, is_own};
use crate::app::snapshot::elsewhere;
use crate::app::temporary::{self, Temporary};
use crate::app::world::clock::Start;
use crate::builder::{self, Machine};
use crate::cli::failure::{Failure, again, beside, program, sh_path};
use crate::cli::moment::ClockStart;
use crate::cli::options::{Options, listen_address};
use crate::cli::seed;
use crate::cli::signals::Signals;
use crate::cli::{az, files, trust};
use crate::domain::{Error, Timestamp};
use crate::http;
use crate::net;
use crate::net::{Asker, CertificateError, Certificates, Config, Outbound, Services, Token};

/// Where an instance listens unless told otherwise.
pub(super) const DEFAULT_PORT: u16 = 4443;
/// The variable that says where `serve` listens.
const LISTEN: &str = "ACRITE_LISTEN";
/// The data folder unless told otherwise.
pub(super) const DEFAULT_FOLDER: &str = ".acrite";

/// How often, and after which pauses, a folder is tried that another process holds.
const LOOKS_AT_LOCK: (u32, Duration) = (40, Duration::from_millis(50));
/// How long the end of an instance waits for its database to be closed.
const CLOSING: Duration = Duration::from_secs(5);

/// Opens the state in the folder and says who answers for which host.
async fn services(
    folder: &Path,
    options: &Options,
    own: SocketAddr,
    begun: Option<Start>,
) -> Result<(Services, Arc<App>), Failure> {
    let failed = |error: Error| {
        let what = match error {
            Error::Internal(text) => text,
            other => other.to_string(),
        };
        elsewhere(folder, options, format!("cannot open the data folder {}: {what}", folder.display()))
    };
    if let Some(copy) = &options.audit_log {
        copy_to(copy, folder)?;
    }
    let asked = &options.clock;
    let clock = (*asked != ClockStart::default()).then(|| Start {
        at: asked.start.map(|t| Timestamp(t.as_microsecond())),
        rate: asked.rate.unwrap_or(1.0),
        frozen: asked.frozen,
    });
    let clock = clock.or(begun);
    let app = App::open(app::Options {
        data_dir: folder.to_owned(),
        ephemeral: options.ephemeral,
        revocation_delay: micros(options.revocation_delay),
        replication_delay: micros(options.replication_delay),
        clock,
        audit_log: options.audit_log.clone(),
        diagnostics: options.diagnostics.clone(),
    })
    .await
    .map_err(failed)?;
    app.lead_out(http::outgoing::outgoing(way_out(outbound(options), own), &app));
    let way = builder::Way { url: url(own), bundle: folder.join(trust::BUNDLE) };
    app.employ(Arc::new(Machine::new(options.builder.as_deref(), way)));
    let answering = app.clone();
    let services = Services::new(move |host, asker| match asker {
        Asker::Here => http::service_for(host, &answering),
        Asker::At(_) => http::service_for_others(host, &answering),
    });
    Ok((services, app))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// What clients of other machines show: what `ACRITE_TOKEN` says, else one that the data folder always gives. None
/// where no other machine can connect.
fn token(app: &App, own: SocketAddr) -> Option<String> {
    let token = || named_token().unwrap_or_else(|| app::directory::sign_in::instance_token(app));
    (!own.ip().is_loopback()).then(token)
}

fn check_named_token() -> Result<(), Failure> {
    if named_token().is_none_or(|token| Token::new(token).is_some()) {
        return Ok(());
    }
    let advice = "use letters, digits and punctuation without spaces, or none of your own";
    let without = format!("env -u ACRITE_TOKEN {}", again(&[]));
    Err(Failure::new("ACRITE_TOKEN holds what cannot be shown in a request", advice, &without))
}

/// The token that the environment names.
pub(super) fn named_token() -> Option<String> {
    std::env::var("ACRITE_TOKEN").ok().filter(|token| !token.is_empty())
}

/// A world that cannot be used is left as it is.
fn elsewhere(folder: &Path, options: &Options, what: String) -> Failure {
    let another = if options.ephemeral { again(&[]) } else { again(&[("--data-dir", &beside(folder))]) };
    Failure::new(what, "or begin a new world in another folder", &another)
}

/// Checks the file that audit records are copied to.
fn copy_to(copy: &Path, folder: &Path) -> Result<(), Failure> {
    let why = match std::fs::metadata(copy) {
        _ if is_own(folder, copy) => "is one of the data folder's own files",
        Ok(found) if found.is_dir() => "is a folder",
        Ok(found) if !found.is_file() => "is not a regular file",
        _ => return Ok(()),
    };
    let what = format!("audit records cannot be copied to {}: it {why}", copy.display());
    Err(Failure::new(what, "name a file of its own", &again(&[("--audit-log", "audit-copy.jsonl")])))
}

/// What becomes of hosts that are not emulated.
fn outbound(options: &Options) -> Outbound {
    if options.offline { Outbound::Offline } else { Outbound::from_environment() }
}

/// The emulator's own requests leave as its clients' do: by the same proxies, and not at all with `--offline`.
fn way_out(outbound: Outbound, own: SocketAddr) -> Arc<http::outgoing::Dial> {
    let outbound = Arc::new(outbound);
    Arc::new(move |to| {
        let outbound = outbound.clone();
        Box::pin(async move {
            let stream = outbound.reach(&to.host, to.port, to.tls, Asker::at(to.asker), own).await?;
            Ok(Box::new(stream) as Box<dyn http::outgoing::Wire>)
        })
    })
}

/// A running emulator.
pub(super) struct Instance {
    pub place: Place,
    /// What clients of other machines show, where there may be such.
    pub token: Option<String>,
    app: Arc<App>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
    /// Removes folders that killed instances left.
    sweep: JoinHandle<()>,
    // Held, not read: until the last file is written.
    _folder: Held,
}

/// What a client must know to reach an instance.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `http://address:port`
    pub url: String,
    /// Where its certificates and az's profile are, absolute: its data folder, or one that stands for that here.
    pub folder: PathBuf,
    /// The data folder is on another machine or in a container; what its control API wants to see, if anything.
    pub elsewhere: Option<Option<String>>,
}

impl Place {
    /// The profile folder for az.
    pub fn az_folder(&self) -> PathBuf {
        self.folder.join("azure")
    }
}

/// What an instance leaves in its data folder for other commands to find it by.
#[derive(Deserialize, Serialize)]
pub(super) struct Notice {
    pub url: String,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Notice {
    fn path(folder: &Path) -> PathBuf {
        folder.join("instance.json")
    }

    /// The notice in a folder, if an instance left one. It may have died since.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(folder)).ok()?).ok()
    }
}

impl Instance {
    /// Starts an instance; when this returns, it answers.
    pub async fn start(options: &Options, signals: &Signals) -> Result<Self, Failure> {
        check_named_token()?;
        let sweep = tokio::task::spawn_blocking(|| {
            temporary::sweep(&std::env::temp_dir());
            Machine::sweep();
        });
        let held = hold(options).await?;
        if let Held::Temporary(temporary) = &held {
            signals.keeps(temporary.folder().path().to_owned());
        }
        let folder = held.folder();
        let broken = |error: FolderError| folder_failure(error, folder.path(), options);
        let is_old = folder.has_world().map_err(broken)?;
        let path = folder.path().to_owned();
        // One of an instance that was killed.
        let _ = std::fs::remove_file(Notice::path(&path));
        let listener = listen(options).await?;
        let own = listener.local_addr().map_err(|error| unbindable(&error))?;
        let place = Place { url: url(own), folder: path, elsewhere: None };

        let certificates = authority(&place.folder, is_old, options)?;
        trust::write_stores(&place.folder, certificates.authority_der())?;
        az::sign_in(&place.az_folder())?;
        let begun = begin_with_snapshot(&place.folder, is_old, options).await?;
        let (services, app) = services(&place.folder, options, own, begun).await?;
        let outbound = outbound(options);
        let token = token(&app, own);

        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // An error means that the instance was dropped: a stop as well.
            let _ = stopped.await;
        };
        let config = Config { services, certificates, outbound, token: token.clone().and_then(Token::new) };
        let running = tokio::spawn(net::run(listener, config, shutdown));
        let instance = Self { place, token, app, stop, running, sweep, _folder: held };
        if let Err(failure) = instance.announce(options).await {
            // What is wrong is known already.
            let _ = instance.stop().await;
            return Err(failure);
        }
        Ok(instance)
    }

    /// Sows what is to be there from the start, and lets other commands find the instance.
    async fn announce(&self, options: &Options) -> Result<(), Failure> {
        seed::sow(&options.seed, &self.app).await?;
        self.app.ready();
        let (url, token) = (self.place.url.clone(), self.token.clone());
        let notice = serde_json::to_vec(&Notice { url, pid: std::process::id(), token }).unwrap_or_default();
        files::write(&Notice::path(&self.place.folder), &notice, files::PRIVATE)?;
        tracing::debug!("{} answers", self.place.url);
        Ok(())
    }

    /// What `IDENTITY_HEADER` must hold.
    pub fn identity_header(&self) -> String {
        app::directory::sign_in::identity_header(&self.app)
    }

    /// Lets running requests finish, then leaves nothing behind that says it runs.
    pub async fn stop(self) -> Result<(), Failure> {
        // Those who follow the audit log wait for something that may never come.
        self.app.audit().let_go();
        app::world::lines::lines().let_go();
        let _ = self.stop.send(());
        let ended = self.running.await;
        for fault in self.app.faults().list().iter().filter(|fault| fault.matched == 0) {
            tracing::warn!("a fault that was asked for never matched a call: {}", fault.rule);
        }
        // A request that was cut off may still hold the database, or the disk the audit log.
        let app = self.app;
        let closed = tokio::spawn(async move { app.close().await });
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("the data folder is still in use; what was answered is kept all the same");
        }
        let _ = std::fs::remove_file(Notice::path(&self.place.folder));
        let _ = tokio::time::timeout(CLOSING, self.sweep).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unbindable(&error)),
            Err(error) => Err(Failure::new(format!("the server failed: {error}"), "start again", &again(&[]))),
        }
    }
}

/// The data folder to look in when nobody named one.
pub(super) fn default_folder() -> PathBuf {
    std::env::var_os("ACRITE_DATA_DIR").filter(|dir| !dir.is_empty()).map_or(DEFAULT_FOLDER.into(), PathBuf::from)
}

/// A data folder that this process holds.
enum Held {
    Temporary(Temporary),
    Kept(Folder),
}

impl Held {
    fn folder(&self) -> &Folder {
        match self {
            Self::Temporary(temporary) => temporary.folder(),
            Self::Kept(folder) => folder,
        }
    }
}

/// Takes the data folder for this process. The system gives it back when the process ends, however it ends; after a
/// kill that may take a moment.
async fn hold(options: &Options) -> Result<Held, Failure> {
    if options.ephemeral {
        let parent = std::env::temp_dir();
        let made = Temporary::make(&parent, options.share_ca);
        return made.map(Held::Temporary).map_err(|error| folder_failure(error, &parent, options));
    }
    let path = options.data_dir.clone().unwrap_or_else(default_folder);
    if path.to_str().is_none() {
        let what = format!("{path:?} cannot be a data folder: variables and URLs cannot name it");
        return Err(Failure::new(what, "name another one", &again(&[("--data-dir", DEFAULT_FOLDER)])).with_code(2));
    }
    let (looks, pause) = LOOKS_AT_LOCK;
    for look in 0..looks {
        match Folder::take(&path, options.share_ca).map_err(|error| folder_failure(error, &path, options))? {
            Some(folder) => return Ok(Held::Kept(folder)),
            None if look == 0 => tracing::debug!("the data folder is in use; trying again"),
            None => {}
        }
        tokio::time::sleep(pause).await;
    }
    let by = Notice::read(&path).map_or(String::new(), |notice| format!(" at {} (process {})", notice.url, notice.pid));
    Err(Failure::new(
        format!("the data folder {} is in use by another acrite{by}", path.display()),
        "stop that one, or give this one its own",
        &again(&[("--data-dir", &beside(&path)), ("--listen", "127.0.0.1:0")]),
    ))
}

fn folder_failure(error: FolderError, folder: &Path, options: &Options) -> Failure {
    match error {
        FolderError::File { ref path, .. } => {
            let look = files::look_at(path);
            Failure::new(error.to_string(), "look whose it is, or choose another folder with --data-dir", &look)
        }
        FolderError::Broken(what) => elsewhere(folder, options, what),
    }
}

/// The authority that clients trust. In a world that is there already it is not made anew because a piece is missing.
fn authority(folder: &Path, is_old: bool, options: &Options) -> Result<Certificates, Failure> {
    let opened = if is_old { Certificates::open_kept(folder) } else { Certificates::open(folder) };
    opened.map(|made| made.speaking_http1(http::speaks_http1)).map_err(|error| match error {
        CertificateError::Unreadable(_) | CertificateError::Incomplete { .. } => {
            let files = [folder.join("ca.pem"), folder.join("ca.key")].map(|path| sh_path(&path)).join(" ");
            Failure::new(
                error.to_string(),
                "for a new one, which clients must then be given",
                &format!("rm -f {files}"),
            )
        }
        other => elsewhere(folder, options, other.to_string()),
    })
}

/// Begins a new world with a snapshot, if one was named. Returns what the clock is to show.
async fn begin_with_snapshot(folder: &Path, is_old: bool, options: &Options) -> Result<Option<Start>, Failure> {
    let Some(source) = &options.snapshot else { return Ok(None) };
    if is_old {
        let what = format!("{} holds a world already, and would lose it to the snapshot", folder.display());
        let load = format!("{} snapshot load {}", program(), sh_path(source));
        return Err(Failure::new(what, "load it there while that world runs", &load).with_code(2));
    }
    let other = default_folder();
    let begun = elsewhere::begin_with(source, &other, folder).await;
    begun.map(Some).map_err(|refusal| {
        let list = format!("ls {}", sh_path(&other.join("snapshots")));
        Failure::new(refusal.to_string(), "see which there are", &list)
    })
}

async fn listen(options: &Options) -> Result<TcpListener, Failure> {
    // Not for `exec`, which may run beside what the variable is meant for.
    let usual = std::env::var(LISTEN).ok().filter(|address| !address.is_empty());
    let address = match (options.listen, usual) {
        (Some(address), _) => address,
        (None, Some(named)) => listen_address(&named).map_err(|wrong| {
            let without = format!("env -u {LISTEN} {}", again(&[]));
            Failure::new(format!("{LISTEN}: {wrong}"), "without it", &without).with_code(2)
        })?,
        (None, None) => SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
    };
    TcpListener::bind(address).await.map_err(|error| {
        let free = again(&[("--listen", "127.0.0.1:0")]);
        Failure::new(format!("cannot listen on {address}: {error}"), "take any free port", &free)
    })
}

fn unbindable(error: &std::io::Error) -> Failure {
    let free = again(&[("--listen", "127.0.0.1:0")]);
    Failure::new(format!("the listener failed: {error}"), "take another port", &free)
}

/// The address as clients on this machine use it.
fn url(bound: SocketAddr) -> String {
    let ip = match bound.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, bound.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:4443".parse().unwrap()), "http://127.0.0.1:4443");
        assert_eq!(url("[::1]:4443".parse().unwrap()), "http://[::1]:4443");
    }
}
