//! `acrite exec -- COMMAND`: a private instance around one command.
//! Owns the child: its environment, its signals and its exit code.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::instance::{Instance, Options};
use super::variables::{REMOVED, variables};

pub(super) async fn run(
    mut options: Options,
    identity_endpoint: bool,
    command: Vec<OsString>,
) -> Result<ExitCode, Failure> {
    super::log("acrite=warn");
    options.listen.get_or_insert(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    options.ephemeral = options.data_dir.is_none();
    // Before anything is made, so that no signal can leave it behind.
    let mut signals = Signals::hear()?;
    let instance = Instance::start(&options).await?;
    let ended = match spawn(&instance, identity_endpoint, &command) {
        Ok(mut child) => wait(&mut child, &mut signals).await,
        Err(failure) => Err(failure),
    };
    instance.stop().await?;
    ended
}

fn spawn(instance: &Instance, identity_endpoint: bool, command: &[OsString]) -> Result<Child, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("no command was given", "write it after `--`").with_code(2));
    };
    let mut child = Command::new(program);
    child.args(arguments);
    for name in REMOVED {
        child.env_remove(name);
    }
    let header = identity_endpoint.then(|| instance.identity_header());
    child.envs(variables(&instance.place, header.as_deref(), |name| std::env::var(name).ok()));
    child.spawn().map_err(|error| {
        let name = program.to_string_lossy();
        // The codes that shells use.
        match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(format!("{name} was not found"), "check its spelling and PATH").with_code(127)
            }
            _ => Failure::new(format!("{name} could not be started: {error}"), "check that it may be executed")
                .with_code(126),
        }
    })
}

async fn wait(child: &mut Child, signals: &mut Signals) -> Result<ExitCode, Failure> {
    // Until `wait` has seen its end, the id cannot belong to another process.
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| {
                    Failure::new(format!("the command's end was missed: {error}"), "please report this")
                })?;
                return Ok(exit_code(status));
            }
            signal = signals.next() => {
                if let (Some(signal), Some(id)) = (signal, id) {
                    // It may have ended in this very moment.
                    let _ = kill_process(id, signal);
                }
            }
        }
    }
}

/// The command's own code, or what a shell says of one that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The signals that are meant for the command.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    at_terminal: bool,
}

impl Signals {
    fn hear() -> Result<Self, Failure> {
        let hear = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(format!("signals cannot be heard: {error}"), "please report this"))
        };
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hang_up: hear(SignalKind::hangup())?,
            at_terminal: io::stdin().is_terminal(),
        })
    }

    /// The next one to pass on, if it is to be passed on.
    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            // Ctrl-C at a terminal reaches the command by itself; a second one would make many programs give up at once.
            _ = self.interrupt.recv() => (!self.at_terminal).then_some(Signal::INT),
            _ = self.terminate.recv() => Some(Signal::TERM),
            _ = self.hang_up.recv() => Some(Signal::HUP),
        }
    }
}
