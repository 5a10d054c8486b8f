//! The files that stand for storage accounts and workspaces, into which diagnostic settings have records written. An
//! account holds them as Azure lays them out in its own, by category, resource and hour; a workspace has one file for
//! each category.
//! Must not know: what a record says beside its category, resource and time; where settings are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::trouble::file as failed;
use crate::domain::Result;

/// Bytes that are written at once.
const BATCH: usize = 64 * 1024;
/// Bytes that may wait in memory while a file cannot be written.
const WAITING: usize = 8 * 1024 * 1024;
/// Letters of a folder's name.
const LONGEST: usize = 200;

/// What a setting names as the place of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    Storage,
    Workspace,
}

/// Where records of one resource go.
#[derive(Debug, Clone)]
pub struct Route {
    /// The resource's id.
    pub resource: String,
    pub categories: Vec<&'static str>,
    pub sink: Sink,
    /// The id of the account or workspace.
    pub place: String,
}

#[derive(Deserialize)]
struct Head<'a> {
    time: &'a str,
    category: &'a str,
    #[serde(rename = "resourceId")]
    resource: &'a str,
}

/// Writes records where the settings want them.
#[derive(Debug)]
pub struct Diagnostics {
    folder: PathBuf,
    routes: Vec<Route>,
    waiting: BTreeMap<PathBuf, Vec<u8>>,
}

impl Diagnostics {
    #[must_use]
    pub fn new(folder: PathBuf, routes: Vec<Route>) -> Self {
        Self { folder, routes, waiting: BTreeMap::new() }
    }

    /// From now on records go by these.
    pub fn follow(&mut self, routes: Vec<Route>) {
        self.routes = routes;
    }

    /// Adds a record wherever it is wanted. It is in the files after [`Diagnostics::flush`]. `false`: there was no place
    /// for it.
    pub fn add(&mut self, line: &str) -> bool {
        let mut all = true;
        for path in self.places(line) {
            all &= self.put(path, line);
        }
        all
    }

    /// Adds a record to those of its files that do not hold it.
    pub fn add_missing(&mut self, line: &str) {
        for path in self.places(line) {
            let mut text = String::new();
            let read = std::fs::File::open(&path).and_then(|mut file| file.read_to_string(&mut text));
            if read.is_err() || !text.lines().any(|there| there == line) {
                self.put(path, line);
            }
        }
    }

    fn put(&mut self, path: PathBuf, line: &str) -> bool {
        let waiting = |batches: &BTreeMap<PathBuf, Vec<u8>>| batches.values().map(Vec::len).sum::<usize>() + line.len();
        // Many may come in one go, between two flushes.
        if waiting(&self.waiting) >= BATCH && self.flush(false).is_err() && waiting(&self.waiting) >= WAITING {
            return false;
        }
        let batch = self.waiting.entry(path).or_default();
        batch.extend_from_slice(line.as_bytes());
        batch.push(b'\n');
        true
    }

    /// The files that a record belongs into.
    fn places(&self, line: &str) -> BTreeSet<PathBuf> {
        if self.routes.is_empty() {
            return BTreeSet::new();
        }
        let Ok(head) = serde_json::from_str::<Head<'_>>(line) else { return BTreeSet::new() };
        let wanted = self.routes.iter().filter(|route| {
            route.resource.eq_ignore_ascii_case(head.resource) && route.categories.contains(&head.category)
        });
        wanted.map(|route| self.folder.join(name_of(&route.place)).join(within(route.sink, &head))).collect()
    }

    /// Writes what was added; `sync`: so that it survives power loss. Where that fails, it stays added.
    pub fn flush(&mut self, sync: bool) -> Result<()> {
        let mut outcome = Ok(());
        self.waiting.retain(|path, batch| match append(path, batch, sync) {
            Ok(()) => false,
            Err(error) => {
                outcome = Err(failed(path, &error));
                true
            }
        });
        outcome
    }
}

/// The last part of an id, as the name of a folder.
fn name_of(id: &str) -> String {
    let name = id.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    format!(
        "{}{}",
        if name.starts_with('.') { "-" } else { "" },
        name.chars().take(LONGEST).map(plain).collect::<String>()
    )
}

fn within(sink: Sink, head: &Head<'_>) -> PathBuf {
    if sink == Sink::Workspace {
        return format!("{}.json", head.category).into();
    }
    // `2026-01-31T12:…`
    let part = |from: usize, to: usize| head.time.get(from..to).unwrap_or_default();
    let mut path = PathBuf::from(format!("insights-logs-{}", head.category.to_ascii_lowercase())).join("resourceId=");
    path.extend(head.resource.split('/').filter(|part| !["", ".", ".."].contains(part)));
    let (year, month, day, hour) = (part(0, 4), part(5, 7), part(8, 10), part(11, 13));
    path.join(format!("y={year}/m={month}/d={day}/h={hour}/m=00/PT1H.json"))
}

/// Appends all of it or nothing. A piece of a line, which a killed process left, becomes a line of its own.
fn append(path: &Path, batch: &[u8], sync: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let before = file.metadata()?.len();
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::Start(before - 1))?;
        file.read_exact(&mut last)?;
    }
    let end: &[u8] = if last == *b"\n" { b"" } else { b"\n" };
    let done = file
        .write_all(end)
        .and_then(|()| file.write_all(batch))
        .and_then(|()| if sync { file.sync_data() } else { Ok(()) });
    if done.is_err() {
        file.set_len(before)?;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: &str = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V";

    fn line(resource: &str, category: &str, what: &str) -> String {
        serde_json::json!({"time": "2026-01-31T09:30:00.0Z", "category": category, "resourceId": resource, "what": what})
            .to_string()
    }

    fn route(sink: Sink, place: &str) -> Route {
        Route { resource: VAULT.to_lowercase(), categories: vec!["AuditEvent"], sink, place: place.to_owned() }
    }

    #[test]
    fn records_go_where_they_are_wanted_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let routes = vec![route(Sink::Storage, "/x/storageAccounts/account"), route(Sink::Workspace, "/x/../a b")];
        let mut files = Diagnostics::new(dir.path().to_owned(), routes.clone());
        let wanted = line(VAULT, "AuditEvent", "one");
        for other in [line("/OTHER", "AuditEvent", "x"), line(VAULT, "Other", "x"), "no record".to_owned()] {
            assert!(files.add(&other));
        }
        files.add(&wanted);
        files.flush(true).unwrap();
        let hour = dir
            .path()
            .join(format!("account/insights-logs-auditevent/resourceId={VAULT}/y=2026/m=01/d=31/h=09/m=00/PT1H.json"));
        let workspace = dir.path().join("a-b/AuditEvent.json");
        for file in [&hour, &workspace] {
            assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{wanted}\n"), "{}", file.display());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);

        // After a crash what is there is not written again, and what is missing is.
        std::fs::remove_file(&workspace).unwrap();
        let mut files = Diagnostics::new(dir.path().to_owned(), routes);
        files.add_missing(&wanted);
        files.flush(false).unwrap();
        for file in [&hour, &workspace] {
            assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{wanted}\n"), "{}", file.display());
        }
        files.follow(Vec::new());
        files.add(&wanted);
        files.flush(false).unwrap();
        assert_eq!(std::fs::read_to_string(&hour).unwrap(), format!("{wanted}\n"));
    }

    #[test]
    fn many_at_once_are_written_and_a_piece_of_a_line_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("all/AuditEvent.json");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{\"time\":").unwrap();
        let mut files = Diagnostics::new(dir.path().to_owned(), vec![route(Sink::Workspace, "all")]);
        let wanted = line(VAULT, "AuditEvent", &"x".repeat(1000));
        for _ in 0..WAITING / 1000 + 100 {
            assert!(files.add(&wanted));
        }
        files.flush(false).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().filter(|there| *there == wanted).count(), WAITING / 1000 + 100);
        assert_eq!(text.lines().next(), Some("{\"time\":"));
    }

    #[test]
    fn what_cannot_be_written_waits() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("account");
        std::fs::write(&blocked, "a file where a folder must be").unwrap();
        let mut files = Diagnostics::new(dir.path().to_owned(), vec![route(Sink::Workspace, "account")]);
        files.add(&line(VAULT, "AuditEvent", "one"));
        assert!(files.flush(false).is_err());
        std::fs::remove_file(&blocked).unwrap();
        files.flush(false).unwrap();
        assert_eq!(std::fs::read_to_string(blocked.join("AuditEvent.json")).unwrap().lines().count(), 1);
    }
}
