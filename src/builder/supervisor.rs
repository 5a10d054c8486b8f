//! What stands between the emulator and a process of a run: it ends the process, and all that came of it, when the run lets
//! go (its end of the pipe closes, also when the emulator is killed), and tidies up after a process that ended by itself.
//! Must not know: which process it is. It is a program of its own: `acrite supervise`.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

/// The exit code that shells give to what cannot be started.
const NOT_STARTED: u8 = 127;
/// Between two looks for what is left. Processes die in their own time.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a command to its end. Returns its exit code.
#[must_use]
pub fn run(command: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else { return ExitCode::from(NOT_STARTED) };
    // A session of its own: what is typed at the emulator's terminal is none of its business.
    let _ = rustix::process::setsid();
    // Whatever the command leaves behind becomes a child of ours.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let let_go = Arc::new(AtomicBool::new(false));
    let told = let_go.clone();
    let started = Command::new(program).args(arguments).stdin(Stdio::null()).spawn();
    let child = match started {
        Ok(child) => Pid::from_child(&child),
        Err(_) => return ExitCode::from(NOT_STARTED),
    };
    std::thread::spawn(move || {
        // It says nothing; only its end is waited for.
        let _ = std::io::stdin().lock().read(&mut [0]);
        told.store(true, Ordering::Release);
        // Wakes the wait below, in which all else is ended.
        let _ = rustix::process::kill_process(child, Signal::KILL);
    });
    let mut code = 1;
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => {
                code = status.exit_status().or_else(|| status.terminating_signal().map(|s| 128 + s)).unwrap_or(1);
                break;
            }
            // Orphans of the command that ended before it.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    end_the_rest();
    let code = if let_go.load(Ordering::Acquire) { 137 } else { code };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Kills what is left below this process, until nothing is.
fn end_the_rest() {
    loop {
        for pid in below(rustix::process::getpid().as_raw_nonzero().get()) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => std::thread::sleep(LOOK),
            // No children any more.
            Err(_) => return,
        }
    }
}

/// The processes below one, as `/proc` tells. Elsewhere only the child itself is ended.
fn below(root: i32) -> Vec<i32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name may hold anything; what follows its last parenthesis are a state and the parent.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == found[at]).map(|(pid, _)| *pid);
        let children: Vec<i32> = children.filter(|pid| !found.contains(pid)).collect();
        found.extend(children);
        at += 1;
    }
    found.split_off(1)
}
