//! `acrite exec -- COMMAND`: a private instance around one command.
//! Owns the command's process: its environment, its signals and its exit code.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::cli::failure::{Failure, program, sh_word};
use crate::cli::instance::Instance;
use crate::cli::options::Options;
use crate::cli::signals::{self, Running, Signals};
use crate::cli::variables::{REMOVED, variables};
use crate::cli::{files, trust};

/// How long a command that was told to end may take.
const GRACE: Duration = Duration::from_secs(5);
/// This very program, even if its file was replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub(super) async fn run(
    mut options: Options,
    identity_endpoint: bool,
    command: Vec<OsString>,
) -> Result<ExitCode, Failure> {
    options.listen.get_or_insert(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    options.ephemeral = options.data_dir.is_none();
    // Before anything is made, so that no signal can leave it behind.
    let signals = Signals::hear()?;
    super::log("acrite=warn", &options)?;
    let instance = tokio::select! {
        biased;
        started = Instance::start(&options, &signals) => started?,
        signal = signals.asked() => return Ok(signals::exit_code(signal)),
    };
    let ended = match spawn(&instance, identity_endpoint, &command) {
        Ok(child) => attend(child, &signals).await,
        Err(failure) => Err(failure),
    };
    instance.stop().await?;
    ended
}

/// The command and whether it leads a process group. At a terminal it stays in ours, so that it may read from the
/// terminal, and Ctrl-C and Ctrl-Z mean both. Elsewhere one of its own lets a signal reach all that it started.
fn spawn(instance: &Instance, identity_endpoint: bool, command: &[OsString]) -> Result<(Child, bool), Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(no_command());
    };
    let is_linux = cfg!(target_os = "linux") && Path::new(THIS_PROGRAM).exists();
    let mut child = if is_linux { bound(command) } else { Command::new(program) };
    if !is_linux {
        child.args(arguments);
    }
    for name in REMOVED {
        child.env_remove(name);
    }
    let header = identity_endpoint.then(|| instance.identity_header());
    let inherited = |name: &str| std::env::var(name).ok();
    let bundle = trust::bundle(&instance.place.folder, inherited)?;
    child.envs(variables(&instance.place, &bundle, header.as_deref(), inherited));
    let leads = !signals::in_foreground();
    if leads {
        child.process_group(0);
    }
    child.spawn().map(|child| (child, leads)).map_err(|error| cannot_start(program, &error))
}

/// The command by way of [`become_command`]. Between the two calls of a spawn only unsafe code could run.
fn bound(command: &[OsString]) -> Command {
    let mut child = Command::new(THIS_PROGRAM);
    child.arg0("acrite").arg("become").arg(std::process::id().to_string()).arg("--").args(command);
    child
}

/// Makes this process end with its parent, even if that is killed, and become the command.
pub(super) fn become_command(parent: u32, command: &[OsString]) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return no_command();
    };
    #[cfg(target_os = "linux")]
    {
        // Where it is refused, the command starts all the same. The parent may have ended before it was asked for.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
        let now = rustix::process::getppid().map(|id| id.as_raw_nonzero().get().cast_unsigned());
        if now != Some(parent) {
            return Failure::nobody_reads();
        }
    }
    cannot_start(program, &std::process::Command::new(program).args(arguments).exec())
}

fn no_command() -> Failure {
    Failure::new("no command was given", "write it after `--`", &format!("{} exec -- env", program())).with_code(2)
}

fn cannot_start(command: &OsString, error: &io::Error) -> Failure {
    let name = command.to_string_lossy();
    let look = |by_name: String| if name.contains('/') { files::look_at(Path::new(command)) } else { by_name };
    // The codes that shells use.
    match error.kind() {
        io::ErrorKind::NotFound => {
            let what = format!("{name} was not found");
            let look = look("echo \"$PATH\"".to_owned());
            Failure::new(what, "check its spelling, and where it is looked for", &look).with_code(127)
        }
        _ => {
            let what = format!("{name} could not be started: {error}");
            let look = look(format!("type -a {}", sh_word(&name)));
            Failure::new(what, "check that it may be executed", &look).with_code(126)
        }
    }
}

/// Waits for the command's end. A signal is passed on to it, and is not waited for without bounds.
async fn attend((mut child, leads): (Child, bool), signals: &Signals) -> Result<ExitCode, Failure> {
    // Until `wait` has seen its end, the id cannot belong to another process.
    let command = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(|id| Running { id, leads });
    signals.runs(command);
    let (ended, signal) = tokio::select! {
        ended = child.wait() => (ended, None),
        signal = signals.asked() => {
            if let Some(command) = command {
                command.send(signal);
            }
            match tokio::time::timeout(GRACE, child.wait()).await {
                Ok(ended) => (ended, Some(signal)),
                Err(_) => {
                    if let Some(command) = command {
                        command.send(Signal::KILL);
                    }
                    (child.wait().await, Some(signal))
                }
            }
        }
    };
    signals.runs(None);
    // Who asked for the end of the command meant all that it started.
    if let Some(command) = command.filter(|command| command.leads && signal.is_some()) {
        command.send(Signal::KILL);
    }
    let status = ended.map_err(|error| Failure::of_machine(format!("the command's end was missed: {error}")))?;
    Ok(exit_code(status, signal))
}

/// The command's own code, or what a shell says of one that a signal ended: the signal that we passed on, if any.
fn exit_code(status: ExitStatus, asked: Option<Signal>) -> ExitCode {
    match (status.code(), asked) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => signals::exit_code(signal),
        (None, None) => ExitCode::from(status.signal().and_then(|signal| u8::try_from(128 + signal).ok()).unwrap_or(1)),
    }
}
