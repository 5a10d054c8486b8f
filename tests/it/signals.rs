//! Signals end `serve` and `exec` in every state they can be in, and nothing is left behind.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::process::{Serving, acrite, is_clean, send};

/// `acrite exec` around a shell, once it has said that it is ready.
fn exec(home: &TempDir, script: &str) -> (Child, impl Read) {
    let mut child =
        acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, stdout)
}

/// Returns when no process is left that may write there.
fn read_to_end(mut stdout: impl Read) -> String {
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_command_that_does_not_listen_is_ended_with_all_it_started() {
    let home = TempDir::new().unwrap();
    let (mut child, stdout) = exec(&home, "trap '' TERM; sleep 600 & echo ready; wait; sleep 600");
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(read_to_end(stdout), "");
    assert!(is_clean(home.path()));
}

#[test]
fn a_second_signal_ends_at_once() {
    let home = TempDir::new().unwrap();
    let (mut child, mut stdout) = exec(&home, "trap 'echo heard' TERM; sleep 600 & echo ready; while :; do wait; done");
    send("TERM", child.id());
    let mut heard = [0; 6];
    stdout.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"heard\n");
    send("INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    read_to_end(stdout);
    assert!(is_clean(home.path()));

    // A request that never ends would be given some seconds.
    let serving = Serving::start(home.path(), &["serve", "--ephemeral", "--offline", "--listen", ":0"]);
    let address = serving.url().strip_prefix("http://").unwrap().to_owned();
    let mut unending = TcpStream::connect(&address).unwrap();
    write!(unending, "POST /acrite/v1/clock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n").unwrap();
    send("TERM", serving.child.id());
    // The first was heard when nobody is let in any more.
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(serving.end("INT"), Some(130));
    assert!(is_clean(home.path()));
}

#[test]
fn a_command_that_ends_by_itself_is_asked_for_its_code() {
    let home = TempDir::new().unwrap();
    let (mut child, stdout) = exec(&home, "trap 'echo ending; exit 3' TERM; echo ready; while :; do sleep 600; done");
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(read_to_end(stdout), "ending\n");
}

#[test]
fn a_command_that_was_stopped_hears_it_too() {
    let home = TempDir::new().unwrap();
    let script = "trap 'exit 3' TERM; echo ready; kill -STOP $$; while :; do sleep 600; done";
    let (mut child, stdout) = exec(&home, script);
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    read_to_end(stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_does_not_outlive_an_exec_that_is_killed() {
    let home = TempDir::new().unwrap();
    let (mut child, stdout) = exec(&home, "echo ready; exec sleep 600");
    send("KILL", child.id());
    child.wait().unwrap();
    assert_eq!(read_to_end(stdout), "");
}

#[test]
fn a_start_that_waits_for_its_template_can_be_ended() {
    let home = TempDir::new().unwrap();
    let pipe = home.path().join("template.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let template = pipe.to_str().unwrap();
    for (arguments, code) in [
        (["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--template", template].as_slice(), 0),
        (&["exec", "--template", template, "--", "true"], 143),
    ] {
        let mut child = acrite(home.path(), arguments).spawn().unwrap();
        // Returns when the other side reads.
        let template = fs::File::options().write(true).open(&pipe).unwrap();
        send("TERM", child.id());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
        drop(template);
        assert!(is_clean(home.path()), "{arguments:?}");
    }
}

#[test]
fn a_lost_terminal_ends_serve_unless_it_is_to_be_ignored() {
    let home = TempDir::new().unwrap();
    assert_eq!(Serving::start(home.path(), &["serve", "--ephemeral", "--listen", ":0"]).end("HUP"), Some(0));
    assert!(is_clean(home.path()));

    let mut child = Command::new("nohup")
        .args([env!("CARGO_BIN_EXE_acrite"), "serve", "--ephemeral", "--listen", ":0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("acrite listening on "), "{line}");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 1, 1, "{status}");
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
