//! Gives the program its version with the commit that it was built from: of release builds the checkout's own, or
//! what `ACRITE_COMMIT` says where there is no checkout, as in a container. Others would be built anew with each commit.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ACRITE_COMMIT");
    let told = std::env::var("ACRITE_COMMIT").ok().filter(|told| !told.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let found = || {
        let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
        println!("cargo:rerun-if-changed={log}");
        git(&["rev-parse", "--short=12", "HEAD"])
    };
    let commit = told.or_else(|| if release { found() } else { None });
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = commit.unwrap_or_else(|| if release { "unknown commit" } else { "development build" }.to_owned());
    println!("cargo:rustc-env=ACRITE_VERSION={version} ({commit})");
}

fn git(arguments: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(arguments).output().ok().filter(|ran| ran.status.success())?;
    Some(String::from_utf8(ran.stdout).ok()?.trim().to_owned())
}
