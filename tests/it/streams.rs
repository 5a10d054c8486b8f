//! Standard streams that nobody reads, that were closed, or that are full: lines are lost, and nothing else.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{World, good};
use crate::process::{acrite, err, is_clean, out, send};

/// Asks for something that is refused, so that there is a line to be logged. Returns the answer's first line.
fn ask(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // Only so that an answer that never comes fails the test instead of holding it up.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let host = "management.azure.com";
    write!(stream, "GET http://{host}/subscriptions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A pipe that takes nothing more, for nobody reads it.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'x'; 64 * 1024]).unwrap();
    (reader, writer)
}

/// `acrite serve` that logs all there is, and its address.
fn serve(home: &TempDir, log: Stdio) -> (Child, String) {
    let mut child = acrite(home.path(), &["serve", "--ephemeral", "--offline", "--listen", "127.0.0.1:0"])
        .env("ACRITE_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let greeting = BufReader::new(child.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    let address = greeting.strip_prefix("acrite listening on http://").unwrap().to_owned();
    (child, address)
}

#[test]
fn a_log_whose_reader_left_costs_no_answer() {
    let home = TempDir::new().unwrap();
    let (mut child, address) = serve(&home, Stdio::piped());
    drop(child.stderr.take());
    for _ in 0..20 {
        assert_eq!(ask(&address), "HTTP/1.1 401 Unauthorized");
    }
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_clean(home.path()));
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_answer() {
    let home = TempDir::new().unwrap();
    let (_unread, full) = full_pipe();
    let (mut child, address) = serve(&home, full.into());
    for _ in 0..20 {
        assert_eq!(ask(&address), "HTTP/1.1 401 Unauthorized");
    }
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_clean(home.path()));
}

#[test]
fn a_greeting_that_nobody_reads_does_not_hold_up_the_end() {
    let home = TempDir::new().unwrap();
    let (_unread, full) = full_pipe();
    let mut child = acrite(home.path(), &["serve", "--ephemeral", "--offline", "--listen", "127.0.0.1:0"])
        .env("ACRITE_LOG", "acrite=debug")
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.ends_with(" answers")));
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_clean(home.path()));
}

#[test]
fn exec_goes_by_its_command_whatever_becomes_of_the_log() {
    let home = TempDir::new().unwrap();
    let script = "for n in 1 2 3 4 5; do acrite status > /dev/null || exit 9; done; exit 7";
    let (_unread, full) = full_pipe();
    // The first has no reader from its first line on.
    for log in [std::io::pipe().unwrap().1, full] {
        let ran = acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", script])
            .env("ACRITE_LOG", "trace")
            .stderr(log)
            .status();
        assert_eq!(ran.unwrap().code(), Some(7));
    }
    assert!(is_clean(home.path()));
}

#[test]
fn closed_streams_are_none_that_is_missed() {
    let home = TempDir::new().unwrap();
    let binary = env!("CARGO_BIN_EXE_acrite");
    let closed = |arguments: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec '{binary}' {arguments} <&- >&- 2>&-")]).current_dir(home.path());
        command.env("ACRITE_LOG", "trace").status().unwrap().code()
    };
    assert_eq!(closed("exec --offline -- sh -c 'acrite status && exit 5'"), Some(5));
    assert_eq!(closed("env --data-dir nowhere"), Some(1));
    assert_eq!(closed("--help"), Some(0));
}

#[test]
fn output_that_cannot_be_written_is_a_failure_unless_its_reader_left() {
    let home = TempDir::new().unwrap();
    let full = "acrite status > /dev/full; echo $?";
    let ran = acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", full]).output().unwrap();
    assert_eq!(out(&ran), "1\n");
    assert!(err(&ran).starts_with("acrite: standard output cannot be written: "), "{}", err(&ran));
    let left = "{ acrite env; echo $? >&2; } | true";
    let ran = acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", left]).output().unwrap();
    assert_eq!(err(&ran), "0\n");
}

#[tokio::test]
async fn a_follower_ends_with_its_reader() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-read", false).await;
    let mut follower = Command::new(env!("CARGO_BIN_EXE_acrite"))
        .args(["audit", "--follow", "--data-dir"])
        .arg(&world.dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heading = String::new();
    BufReader::new(follower.stdout.take().unwrap()).read_line(&mut heading).unwrap();
    assert!(heading.starts_with("TIME"), "{heading}");
    // The first line that nobody reads any more is the last.
    good(owner.vault(Method::POST, "v-read", "keys/k/create", json!({"kty": "EC", "crv": "P-256"})).await).await;
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_filter_that_makes_no_sense_is_said() {
    let home = TempDir::new().unwrap();
    let ran = acrite(home.path(), &["exec", "--offline", "--", "true"]).env("ACRITE_LOG", "acrite=loud").output();
    let ran = ran.unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(err(&ran).contains("ACRITE_LOG") && err(&ran).contains("acrite=loud"), "{}", err(&ran));
}
