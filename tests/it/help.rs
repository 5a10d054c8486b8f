//! What the command line says of itself: help that fits a screen, completions and manual pages from the same definition.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Serving, acrite, err, out, run};

const COMMANDS: [&str; 16] = [
    "",
    "serve",
    "exec",
    "env",
    "status",
    "wait",
    "mark",
    "doctor",
    "audit",
    "logs",
    "fault",
    "snapshot",
    "reset",
    "clock",
    "completions",
    "man",
];

#[test]
fn help_fits_a_screen_and_shows_examples() {
    let home = TempDir::new().unwrap();
    let top = out(&run(home.path(), &["--help"]));
    for command in COMMANDS {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = out(&run(home.path(), &arguments));
        assert!(help.lines().count() <= 40, "{command}: {} lines\n{help}", help.lines().count());
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(command.is_empty() || top.contains(&format!("  {command} ")), "{command} is not listed: {top}");
    }
    assert!(top.contains("Exit codes: 0"), "{top}");
    // What is nearly right is recognised.
    let typed = run(home.path(), &["statsu"]);
    assert!(err(&typed).contains("'status'"), "{}", err(&typed));
    // Options of `serve` may stand alone, though its help tells them.
    assert_eq!(run(home.path(), &["--listen", "nowhere"]).status.code(), Some(2));
}

#[test]
fn completions_and_manual_pages_come_from_the_definition() {
    let home = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let text = out(&run(home.path(), &["completions", shell]));
        assert!(["doctor", "revocation-delay", "completions"].iter().all(|word| text.contains(word)), "{shell}");
    }
    std::fs::write(home.path().join("acrite.bash"), out(&run(home.path(), &["completions", "bash"]))).unwrap();
    let script = ". ./acrite.bash && COMP_WORDS=(acrite aud) && COMP_CWORD=1 && _acrite acrite aud acrite && echo ${COMPREPLY[*]}";
    let completed = Command::new("bash").args(["-c", script]).current_dir(home.path()).output().unwrap();
    assert_eq!(out(&completed).trim(), "audit", "{}", err(&completed));

    let page = out(&run(home.path(), &["man"]));
    assert!(page.starts_with(".ie") || page.contains(".TH acrite 1"), "{page}");
    assert!(run(home.path(), &["man", "pages"]).status.success());
    for page in ["acrite.1", "acrite-serve.1", "acrite-clock-advance.1"] {
        assert!(home.path().join("pages").join(page).exists(), "{page}");
    }
}

#[test]
fn every_command_speaks_json() {
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0"]);
    for arguments in [
        &["env", "--json"][..],
        &["status", "--json"],
        &["mark", "here", "--json"],
        &["clock", "--json"],
        &["clock", "advance", "1h", "--json"],
        &["fault", "list", "--json"],
        &["audit", "--expect", "* >= 0", "--json"],
        &["doctor", "--json"],
        &["snapshot", "save", "one", "--json"],
        &["reset", "--json"],
    ] {
        let ran = run(home.path(), arguments);
        let value: Value = serde_json::from_str(&out(&ran)).unwrap_or_else(|_| panic!("{arguments:?}: {}", err(&ran)));
        assert!(value.is_object(), "{arguments:?}: {value}");
    }
    assert_eq!(serving.end("TERM"), Some(0));
}

#[test]
fn a_watched_status_shows_changes_and_ends_with_the_instance() {
    use std::io::{BufRead as _, BufReader};
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0"]);
    let mut watch = acrite(home.path(), &["status", "--watch"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "no registries");
    assert_eq!(serving.end("TERM"), Some(0));
    assert!(watch.wait().unwrap().success());
    assert_eq!(lines.filter(|line| line == "no registries").count(), 0, "nothing changed");
}

#[test]
fn the_log_of_an_instance_is_shown_and_followed() {
    use std::io::{BufRead as _, BufReader};
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--log-requests"]);
    assert!(run(home.path(), &["status"]).status.success());
    let shown = out(&run(home.path(), &["logs"]));
    assert!(shown.lines().any(|line| line.contains("/acrite/v1/status")), "{shown}");
    assert!(!shown.contains('\x1b'), "no colours in what is kept: {shown}");
    let json = out(&run(home.path(), &["logs", "--json"]));
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["number"], 1);
    assert!(first["line"].is_string());

    let mut follow = acrite(home.path(), &["logs", "--follow"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("/acrite/v1/status")));
    assert!(run(home.path(), &["clock", "freeze"]).status.success());
    assert!(lines.any(|line| line.contains("/acrite/v1/clock")), "what comes later is shown too");
    assert_eq!(serving.end("TERM"), Some(0));
    assert!(follow.wait().unwrap().success());
}

/// What a command writes to a terminal.
fn at_terminal(home: &TempDir, line: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_acrite");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{binary} {line}"), "/dev/null"]).current_dir(home.path());
    let ran = command.env_remove("NO_COLOR").env("TERM", "xterm").stdin(std::process::Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{line}: {}", out(&ran));
    out(&ran)
}

#[test]
fn colours_and_progress_are_for_terminals_alone() {
    let home = TempDir::new().unwrap();
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cmk.json");
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--template", template]);
    assert!(at_terminal(&home, "status").contains("\x1b[32m open "), "{}", at_terminal(&home, "status"));
    let piped = out(&run(home.path(), &["status"]));
    assert!(piped.contains(" open ") && !piped.contains('\x1b'), "{piped}");
    assert!(run(home.path(), &["snapshot", "save", "one"]).status.success());
    assert!(at_terminal(&home, "snapshot export one shown.tar").contains("writing shown.tar"));
    assert!(at_terminal(&home, "snapshot load one").contains("loading one"));
    let quiet = run(home.path(), &["snapshot", "export", "one", "quiet.tar"]);
    assert!(quiet.status.success() && err(&quiet).is_empty(), "{}", err(&quiet));
    assert_eq!(serving.end("TERM"), Some(0));
}
