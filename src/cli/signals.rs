//! The signals that end `serve` and `exec`: SIGINT, SIGTERM and SIGHUP. Owns the thread that hears them whatever the
//! rest of the program does: the first asks for a clean end, the second ends the program at once, and so does a
//! clean end that takes too long.
//! Must not know what a clean end takes.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};
use rustix::termios::tcgetpgrp;
use tokio::runtime;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;

use crate::app::temporary::remove;
use crate::cli::failure::Failure;

/// The most that a clean end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was heard so far.
pub(super) struct Signals {
    asked: watch::Receiver<Option<Signal>>,
    last: Arc<Mutex<Last>>,
}

/// What even an end at once does not leave behind.
#[derive(Default)]
struct Last {
    command: Option<Running>,
    folder: Option<PathBuf>,
}

/// A running command.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub id: Pid,
    /// Whether it leads a process group of its own.
    pub leads: bool,
}

impl Running {
    /// Sends a signal to the command, and to those it started if they are in a group of their own.
    pub fn send(self, signal: Signal) {
        // It may have ended in this very moment.
        let send = if self.leads { kill_process_group } else { kill_process };
        let _ = send(self.id, signal);
        // One that was stopped hears nothing else before it goes on.
        let _ = send(self.id, Signal::CONT);
    }
}

impl Signals {
    /// From now on the signals no longer end the program by themselves.
    pub fn hear() -> Result<Self, Failure> {
        let unheard = |error| Failure::of_machine(format!("signals cannot be heard: {error}"));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(unheard)?;
        let within = runtime.enter();
        let interrupt = unix::signal(SignalKind::interrupt()).map_err(unheard)?;
        let terminate = unix::signal(SignalKind::terminate()).map_err(unheard)?;
        // `nohup` asks for it to be ignored.
        let hang_up = if is_ignored(Signal::HUP) { None } else { Some(SignalKind::hangup()) };
        let hang_up = hang_up.map(unix::signal).transpose().map_err(unheard)?;
        drop(within);
        let (tell, asked) = watch::channel(None);
        let last = Arc::new(Mutex::new(Last::default()));
        let ears = Ears { interrupt, terminate, hang_up, tell, last: last.clone() };
        let thread = std::thread::Builder::new().name("signals".into());
        thread.spawn(move || runtime.block_on(ears.attend())).map_err(unheard)?;
        Ok(Self { asked, last })
    }

    /// Waits for the signal that asks for the end.
    pub async fn asked(&self) -> Signal {
        let mut asked = self.asked.clone();
        let heard = asked.wait_for(Option::is_some).await.ok().and_then(|heard| *heard);
        match heard {
            Some(signal) => signal,
            // The thread is gone, and with it everything that could be heard.
            None => std::future::pending().await,
        }
    }

    /// Says which command ends with the program.
    pub fn runs(&self, command: Option<Running>) {
        locked(&self.last).command = command;
    }

    /// Says which folder goes with the program.
    pub fn keeps(&self, temporary: PathBuf) {
        locked(&self.last).folder = Some(temporary);
    }
}

fn locked(last: &Mutex<Last>) -> MutexGuard<'_, Last> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's side.
struct Ears {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: Option<unix::Signal>,
    tell: watch::Sender<Option<Signal>>,
    last: Arc<Mutex<Last>>,
}

impl Ears {
    async fn attend(mut self) {
        let first = self.next().await;
        self.tell.send_replace(Some(first));
        let second = tokio::time::timeout(PATIENCE, self.next()).await;
        self.end(second.unwrap_or(first));
    }

    async fn next(&mut self) -> Signal {
        loop {
            let hang_up = async {
                match &mut self.hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::select! {
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.terminate.recv() => Signal::TERM,
                _ = hang_up => Signal::HUP,
            };
            // At a terminal Ctrl-C reaches the command by itself, and what it means is for the command to say.
            let reaches_command = locked(&self.last).command.is_some_and(|command| !command.leads) && in_foreground();
            if signal != Signal::INT || !reaches_command {
                return signal;
            }
        }
    }

    fn end(&self, signal: Signal) {
        let last = locked(&self.last);
        if let Some(command) = last.command {
            command.send(Signal::KILL);
        }
        if let Some(folder) = &last.folder {
            let _ = remove(folder);
        }
        std::process::exit(i32::from(code(signal)));
    }
}

/// What a shell says of a program that a signal ended.
pub(super) fn exit_code(signal: Signal) -> ExitCode {
    ExitCode::from(code(signal))
}

fn code(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(1)
}

/// Whether a terminal's Ctrl-C goes to this process and to those it starts.
pub(super) fn in_foreground() -> bool {
    File::open("/dev/tty").ok().and_then(|terminal| tcgetpgrp(terminal).ok()).is_some_and(|group| group == getpgrp())
}

/// Whether whoever started this process had it ignore a signal. Only Linux tells.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal.as_raw() - 1)) != 0
}
