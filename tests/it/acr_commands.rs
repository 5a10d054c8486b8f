//! The table of `az acr` commands in docs/az-acr.md: each row names tests that really run the command.

use std::path::Path;

/// The rows: command, the files that run it, remark.
fn rows() -> Vec<(String, Vec<String>, String)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/az-acr.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `az acr ")).map(|line| {
        let (command, rest) = line.split_once("` |").unwrap();
        let mut cells = rest.trim_end_matches('|').split('|').map(str::trim);
        let files = cells.next().unwrap().split(", ").filter(|f| !f.is_empty() && *f != "–");
        let files = files.map(|f| f.trim_matches('`').to_owned()).collect();
        (command.to_owned(), files, cells.next().unwrap_or_default().to_owned())
    });
    rows.collect()
}

/// Whether a script runs `az acr {command}` itself: the words stand in it, and no other word goes on.
fn runs(script: &str, command: &str) -> bool {
    let words = format!("az acr {command}");
    script
        .match_indices(&words)
        .any(|(at, _)| !script[at + words.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-'))
}

#[test]
fn every_az_acr_command_is_run_by_a_test_or_says_why_not() {
    let rows = rows();
    assert!(rows.len() >= 150, "the table has {} rows", rows.len());
    let mut without = 0;
    for (command, files, remark) in &rows {
        if files.is_empty() {
            assert!(!remark.is_empty(), "az acr {command}: no test, and no reason");
            without += 1;
        }
        for file in files {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file);
            let script = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(runs(&script, command), "{file} does not run az acr {command}");
        }
    }
    // May only shrink.
    assert!(without <= MOST_WITHOUT, "{without} commands are run by no test");
}

/// Commands that no test runs; each says why in the table.
const MOST_WITHOUT: usize = 2;
