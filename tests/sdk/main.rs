//! Rust clients that are configured by the environment alone, so this program runs itself again inside `acrite exec`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod arm;
mod images;
mod keys;

use std::process::{Command, ExitCode};

/// The tests by name.
const TESTS: [&str; 2] = ["keys_by_the_rust_sdk", "images_by_the_rust_oci_client"];

async fn run(test: &str) {
    match test {
        "keys_by_the_rust_sdk" => keys::keys_by_the_rust_sdk().await,
        "images_by_the_rust_oci_client" => images::images_by_the_rust_oci_client().await,
        other => panic!("no test {other}"),
    }
}

fn main() -> ExitCode {
    if std::env::var_os("ACRITE_URL").is_some() {
        let test = std::env::args().nth(1).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(run(&test));
        return ExitCode::SUCCESS;
    }
    // As `cargo test NAME` asks for tests of that name only.
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |test: &&str| filters.is_empty() || filters.iter().any(|f| test.contains(f.as_str()));
    let chosen: Vec<&str> = TESTS.into_iter().filter(wanted).collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = 0;
    for test in &chosen {
        let own = std::env::current_exe().unwrap();
        let inside = [own.as_os_str(), test.as_ref()];
        let done = Command::new(env!("CARGO_BIN_EXE_acrite")).args(["exec", "--offline", "--"]).args(inside).status();
        let good = done.unwrap().success();
        println!("test {test} ... {}", if good { "ok" } else { "FAILED" });
        failed += usize::from(!good);
    }
    let (passed, left) = (chosen.len() - failed, TESTS.len() - chosen.len());
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {left} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
