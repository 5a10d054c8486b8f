//! The data folder as others on the machine find it: who may read it, what killed processes left in it and beside it,
//! and what is said of one that is not whole.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::process::{acrite, err, is_clean, out, paste, run, send};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// The rights of everything in a folder.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), mode(&path));
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// A short life on the data folder `d`.
fn live(home: &Path) -> Output {
    run(home, &["exec", "--offline", "--data-dir", "d", "--", "true"])
}

#[test]
fn it_is_for_its_owner_alone_whatever_the_umask() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("d");
    let listing = |shared: &str| {
        let script = format!("umask 0; exec acrite exec --offline --data-dir d {shared} -- cp -a d copy");
        let own = Path::new(env!("CARGO_BIN_EXE_acrite")).parent().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(home.path());
        shell.env("PATH", format!("{}:{}", own.display(), std::env::var("PATH").unwrap()));
        assert!(shell.status().unwrap().success());
        // While it ran, for some files are only there then.
        let copy = home.path().join("copy");
        let found = modes(&copy);
        fs::remove_dir_all(copy).unwrap();
        found
    };
    let is_public = |name: &str| matches!(name, "ca.pem" | "ca-bundle.pem" | "ca-bundle.jks");
    let check = |found: &BTreeMap<String, u32>| {
        for name in ["acrite.db", "acrite.db-wal", "audit.jsonl", "ca.key", "lock", "master.key", "azure/config"] {
            assert!(found.contains_key(name), "{name} of {found:?}");
        }
        for (name, mode) in found {
            let right = match folder.join(name).is_dir() {
                true => 0o700,
                false if is_public(name) => 0o644,
                false => 0o600,
            };
            assert_eq!(*mode, right, "{name}");
        }
    };
    check(&listing(""));
    assert_eq!(mode(&folder), 0o700);
    assert!(fs::read_to_string(folder.join(".gitignore")).unwrap().lines().any(|line| line == "*"));
    // One that was made before anybody looked at its rights.
    fs::remove_file(folder.join(".gitignore")).unwrap();
    for (name, _) in modes(&folder).into_iter().chain([(String::new(), 0)]) {
        let path = folder.join(&name);
        if !name.starts_with("azure/") {
            let mode = if path.is_dir() { 0o755 } else { 0o644 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
    }
    check(&listing(""));
    assert_eq!(mode(&folder), 0o700);
    // Others may read what they know by name, and that is the certificates.
    check(&listing("--share-ca"));
    assert_eq!(mode(&folder), 0o711);
    for (share, right) in [("true", "711\n"), ("0", "700\n"), ("", "700\n")] {
        let mut command = acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", "stat -c %a $ACRITE_DATA_DIR"]);
        assert_eq!(out(&command.env("ACRITE_SHARE_CA", share).output().unwrap()), right, "{share}");
    }
}

#[test]
fn what_killed_processes_left_is_swept_by_the_next() {
    let home = TempDir::new().unwrap();
    let mut killed = acrite(home.path(), &["exec", "--offline", "--", "sh", "-c", "echo ready; exec sleep 600"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(killed.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    // Another that runs at the same time leaves it alone.
    assert!(run(home.path(), &["exec", "--offline", "--", "true"]).status.success());
    let temporary = home.path().join("tmp");
    let left = fs::read_dir(&temporary).unwrap().next().unwrap().unwrap().path();
    assert!(left.join("ca.key").exists());
    send("KILL", killed.id());
    killed.wait().unwrap();
    assert!(left.join("ca.key").exists());

    fs::create_dir(temporary.join("acrite-theirs")).unwrap();
    assert!(run(home.path(), &["exec", "--offline", "--", "true"]).status.success());
    assert!(!left.exists());
    fs::remove_dir(temporary.join("acrite-theirs")).unwrap();
    assert!(is_clean(home.path()));
}

#[test]
fn a_start_that_was_killed_is_begun_again() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("d");
    fs::create_dir_all(folder.join("azure")).unwrap();
    let left = [".tmpa1B2c3", "azure/.tmpa1B2c3"];
    for name in left.into_iter().chain(["lock", "acrite.db", "ca.key"]) {
        File::create(folder.join(name)).unwrap();
    }
    fs::write(folder.join("instance.json"), r#"{"url": "http://127.0.0.1:1", "pid": 1}"#).unwrap();
    let ran = live(home.path());
    assert!(ran.status.success(), "{}", err(&ran));
    assert!(left.iter().all(|name| !folder.join(name).exists()));
}

#[test]
fn a_folder_that_is_not_whole_is_said_to_be_so_and_left_alone() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("d");
    assert!(live(home.path()).status.success());
    let broken = |name: &str, content: Option<&str>, said: &[&str]| {
        let path = folder.join(name);
        let whole = fs::read(&path).unwrap();
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let before = modes(&folder);
        let ran = live(home.path());
        assert_eq!(ran.status.code(), Some(1), "{name}");
        for word in said {
            assert!(err(&ran).contains(word), "{name}: {}", err(&ran));
        }
        let made: Vec<_> = modes(&folder).into_keys().filter(|name| !before.contains_key(name)).collect();
        assert!(made.iter().all(|made| made == "acrite.db" || made.starts_with("acrite.db-")), "{name}: {made:?}");
        let pasted = paste(home.path(), &ran);
        assert!(pasted.status.success(), "{name}: {}\n{}", err(&ran), err(&pasted));
        // What was pasted begins another world, or a new authority.
        if !name.starts_with("ca.") {
            fs::write(&path, whole).unwrap();
        }
        assert!(live(home.path()).status.success(), "{name}: nothing else was spoilt");
    };
    broken("master.key", None, &["master.key", "it is missing"]);
    broken("master.key", Some("short"), &["master.key", "32 bytes"]);
    broken("acrite.db", None, &["keys of a world whose database is gone"]);
    broken("acrite.db", Some(""), &["keys of a world whose database is gone"]);
    broken("acrite.db", Some("SQLite, but not quite"), &["acrite.db that is no database"]);
    broken("ca.key", None, &["ca.key is missing"]);
    broken("ca.pem", None, &["ca.pem is missing"]);
    broken("ca.pem", Some("-----BEGIN NONSENSE"), &["cannot be read"]);
    let other = TempDir::new().unwrap();
    assert!(live(other.path()).status.success());
    let theirs = fs::read_to_string(other.path().join("d/ca.key")).unwrap();
    broken("ca.key", Some(&theirs), &["do not belong together"]);

    for name in ["ca.pem", "ca.key"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    let anew = live(home.path());
    assert!(anew.status.success() && err(&anew).contains("clients must be given the new ca.pem"), "{}", err(&anew));
}

#[test]
fn a_lock_that_is_about_to_be_free_is_waited_for() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("d");
    fs::create_dir(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = acrite(home.path(), &["exec", "--offline", "--data-dir", "d", "--", "true"])
        .env("ACRITE_LOG", "acrite=debug")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(waiting.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.contains("in use; trying again")));
    drop(lock);
    log.for_each(drop);
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn the_copy_of_the_audit_log_is_a_private_file_of_its_own() {
    let home = TempDir::new().unwrap();
    assert!(live(home.path()).status.success());
    std::os::unix::fs::symlink("d/master.key", home.path().join("link")).unwrap();
    fs::hard_link(home.path().join("d/acrite.db"), home.path().join("hard")).unwrap();
    assert!(Command::new("mkfifo").arg(home.path().join("pipe")).status().unwrap().success());
    let copying = |to: &str| run(home.path(), &["exec", "--data-dir", "d", "--audit-log", to, "--", "true"]);
    let key = fs::read(home.path().join("d/master.key")).unwrap();
    for (to, why) in [
        ("d/acrite.db", "own files"),
        ("d/audit.jsonl.1", "own files"),
        ("./d/../d/blobs/x", "own files"),
        ("link", "own files"),
        ("hard", "own files"),
        ("d", "is a folder"),
        ("pipe", "not a regular file"),
        ("/dev/full", "not a regular file"),
    ] {
        let ran = copying(to);
        assert_eq!(ran.status.code(), Some(1), "{to}");
        assert!(err(&ran).contains(why), "{to}: {}", err(&ran));
        assert!(paste(home.path(), &ran).status.success(), "{to}");
    }
    assert_eq!(fs::read(home.path().join("d/master.key")).unwrap(), key);
    assert!(copying("d/copy.jsonl").status.success());
    assert_eq!(mode(&home.path().join("d/copy.jsonl")), 0o600);
}

#[test]
fn failures_end_in_a_command_that_works() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("file"), "no folder").unwrap();
    fs::write(home.path().join("template.json"), "[").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    fs::create_dir(home.path().join("held")).unwrap();
    let held = File::create(home.path().join("held/lock")).unwrap();
    held.lock().unwrap();
    for (arguments, code) in [
        (["exec", "--listen", &taken, "--", "true"].as_slice(), 1),
        (&["exec", "--data-dir", "held", "--", "true"], 1),
        (&["exec", "--data-dir", "file", "--", "true"], 1),
        (&["exec", "--template", "nowhere/t.json", "--", "true"], 1),
        (&["exec", "--offline", "--", "no-such-command"], 127),
        (&["exec", "--offline", "--", "./file"], 126),
        (&["exec", "--offline", "--image", "reg/app:v1=file", "--", "true"], 1),
    ] {
        let ran = run(home.path(), arguments);
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {}", err(&ran));
        let pasted = paste(home.path(), &ran);
        assert!(pasted.status.success(), "{arguments:?}: {}{}", err(&ran), err(&pasted));
    }
    // These are right again only when somebody has done something about them.
    let ran = run(home.path(), &["exec", "--template", "template.json", "--", "true"]);
    fs::write(home.path().join("template.json"), "{}").unwrap();
    assert!(err(&ran).contains("is not JSON"), "{}", err(&ran));
    let pasted = paste(home.path(), &ran);
    assert!(err(&pasted).contains("was not deployed"), "it was the same command: {}", err(&pasted));

    let wrong = run(home.path(), &["clock", "advance"]);
    let help = err(&wrong).trim_end().rsplit_once(": ").unwrap().1.to_owned();
    assert!(help.ends_with("clock advance --help"), "{help}");
    let shown = Command::new("sh").args(["-c", &help]).output().unwrap();
    assert!(out(&shown).contains("acrite clock advance"), "{}", out(&shown));
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let home = TempDir::new().unwrap();
    let mut command = acrite(home.path(), &["exec", "--data-dir"]);
    let name = std::ffi::OsStr::from_bytes(b"d\xff");
    let ran = command.arg(name).args(["--", "true"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", err(&ran));
    assert!(!home.path().join(name).exists());
}
