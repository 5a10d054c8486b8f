//! The command blocks of pages under `docs`: each runs as it stands, in a world of its own.
//! Must not know what a page is about.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::process::{err, out, run};

/// The blocks of a page that are for a shell.
fn blocks(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs the blocks of a page, each in an instance of its own.
fn runs(page: &str) {
    let blocks = blocks(page);
    assert!(!blocks.is_empty(), "{page} has blocks");
    for block in blocks {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("test.sh");
        std::fs::write(&own, "#!/bin/sh\nacrite status\n").unwrap();
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ran = run(home.path(), &["exec", "--", "sh", "-ec", &block]);
        assert!(ran.status.success(), "{page}:\n{block}\n{}{}", out(&ran), err(&ran));
    }
}

#[test]
fn faults() {
    runs("faults.md");
}

#[test]
fn snapshots() {
    runs("snapshots.md");
}

#[test]
fn evidence() {
    runs("evidence.md");
}
