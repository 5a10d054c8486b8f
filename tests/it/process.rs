//! Processes of the real binary as scripts and people start them: their output, their signals, their end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// `acrite` in a world of its own: no variables of the machine, `TMPDIR` and the current folder within `home`.
pub fn acrite(home: &Path, arguments: &[&str]) -> Command {
    let temporary = home.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_acrite"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TMPDIR", temporary)
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

pub fn run(home: &Path, arguments: &[&str]) -> Output {
    acrite(home, arguments).output().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs the command that a failure ends in, as somebody who pastes it into the same shell.
pub fn paste(home: &Path, failed: &Output) -> Output {
    let text = err(failed);
    assert!(!failed.status.success() && text.lines().count() == 2, "{text}");
    let command = text.trim_end().rsplit_once(": ").expect("it ends in a command").1;
    let shell = acrite(home, &[]);
    let mut pasted = Command::new("sh");
    pasted.args(["-c", command]).current_dir(home).stdin(Stdio::null()).env_clear();
    pasted.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?)))).output().unwrap()
}

/// Whether nothing is left in the folder for temporary things.
pub fn is_clean(home: &Path) -> bool {
    fs::read_dir(home.join("tmp")).unwrap().next().is_none()
}

/// A started `acrite serve` with the lines that it printed; ended with a signal, as a person would.
pub struct Serving {
    pub child: Child,
    pub greeting: Vec<String>,
}

impl Serving {
    pub fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut child = acrite(home, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let greeting = lines.take(3).map(Result::unwrap).collect();
        Self { child, greeting }
    }

    pub fn url(&self) -> &str {
        self.greeting[0].strip_prefix("acrite listening on ").unwrap()
    }

    pub fn end(mut self, signal: &str) -> Option<i32> {
        send(signal, self.child.id());
        self.child.wait().unwrap().code()
    }
}

pub fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap().success());
}
