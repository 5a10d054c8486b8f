//! What the command line says of itself: help that fits a screen, completions and manual pages from the same definition.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Serving, acrite, err, out, run};

const COMMANDS: [&str; 15] = [
    "",
    "serve",
    "exec",
    "env",
    "status",
    "wait",
    "mark",
    "doctor",
    "audit",
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
