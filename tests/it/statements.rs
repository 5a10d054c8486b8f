//! Every SQL statement of the store is prepared against the migrated schema, so that a wrong table or column fails
//! here and not in the one request that uses it. Reads the store's source text; knows nothing of what the statements
//! are for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// What stands in the gaps of statements that are put together: by file and gap, all that can stand there.
/// A constant of the same file needs no row.
const GAPS: &[(&str, &str, &[&str])] = &[
    ("registry/ageing.rs", "DAY", &["1"]),
    ("registry/ageing.rs", "GRACE", &["1"]),
    ("registry/ageing.rs", "UPLOAD_AGE", &["1"]),
    ("registry/ageing.rs", "table", &["deleted_manifests", "deleted_tags"]),
    ("vault/object.rs", "objects", &["keys", "secrets"]),
    ("vault/object.rs", "versions_of", &["key_versions WHERE key", "secret_versions WHERE secret"]),
    ("vault/keys.rs", "column", &["near_expiry_at", "rotate_at"]),
    ("directory/mod.rs", "column", &["object_id", "app_id"]),
    ("registry/content/manifests.rs", "after", &["x.digest > ?2", "(x.updated_at, x.digest) > (?2, ?2)"]),
    ("registry/content/manifests.rs", "", &["x.digest ASC", "x.updated_at DESC, x.digest DESC"]),
    ("registry/content/tags.rs", "of", &["?4 IS NULL", "x.manifest = (SELECT id FROM manifests WHERE digest = ?4)"]),
    ("registry/content/tags.rs", "after", &["x.name > ?2", "(x.updated_at, x.name) > (?2, ?2)"]),
    // The database of a snapshot is attached under another name.
    ("mod.rs", "name", &["other"]),
    ("snapshot.rs", "OTHER", &["main"]),
    ("snapshot.rs", "table", &["vaults"]),
    ("registry/content/tags.rs", "", &["x.name ASC", "x.updated_at DESC, x.name DESC"]),
];

/// The files of the store without their unit tests.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text);
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

/// The string literals of a source text with the place where each begins, as the compiler reads them.
fn literals(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &text[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            at += 1 + rest[1..].find('\'').map_or(0, |end| end + 1);
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let end = if rest.starts_with("r#") { "\"#" } else { "\"" };
            let from = at + rest.find('"').unwrap() + 1;
            let to = from + text[from..].find(end).unwrap();
            found.push((at, text[from..to].to_owned()));
            at = to + end.len();
        } else if let Some(inner) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = inner.char_indices().peekable();
            let end = loop {
                match chars.next().unwrap() {
                    (end, '"') => break end,
                    (_, '\\') => match chars.next().unwrap().1 {
                        '\n' => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                        'n' => value.push('\n'),
                        other => value.push(other),
                    },
                    (_, c) => value.push(c),
                }
            };
            found.push((at, value));
            at += end + 2;
        } else {
            at += rest.chars().next().unwrap().len_utf8();
        }
    }
    found
}

fn is_statement(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "REPLACE", "PRAGMA", "VACUUM", "ATTACH"].contains(&word)
}

/// The gap that a format string has first, with what stands before and after it.
fn gap(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Whether the literal that begins there is put together by `format!`.
fn is_format(source: &str, at: usize) -> bool {
    let comment = |line: &&str| line.trim_start().starts_with("//");
    let before: Vec<&str> = source[..at].trim_end().lines().rev().skip_while(comment).take(1).collect();
    before.concat().trim_end().ends_with("format!(")
}

/// A statement with its gaps filled in every way. What fills one has no gaps of its own.
fn filled(file: &str, source: &str, statement: &str) -> Vec<String> {
    let Some((before, name, after)) = gap(statement) else { return vec![statement.to_owned()] };
    let listed = GAPS.iter().find(|(of, gap, _)| *of == file && *gap == name);
    let values: Vec<String> = match listed {
        Some((_, _, values)) => values.iter().map(|&value| value.to_owned()).collect(),
        None => {
            let declared = source.find(&format!("const {name}: &str ="));
            let at = declared.unwrap_or_else(|| panic!("{file}: nobody says what {{{name}}} is: {statement}"));
            vec![literals(&source[at..]).swap_remove(0).1]
        }
    };
    let rest = filled(file, source, after);
    values.iter().flat_map(|value| rest.iter().map(move |rest| format!("{before}{value}{rest}"))).collect()
}

async fn migrated() -> SqliteConnection {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::migrate!("./migrations").run(&mut database).await.unwrap();
    database
}

async fn refusal(database: &mut SqliteConnection, statement: &str) -> Option<String> {
    // Compiled as it would be run, and not run.
    let explained = format!("EXPLAIN {statement}");
    sqlx::query(AssertSqlSafe(explained)).fetch_all(database).await.err().map(|error| error.to_string())
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let mut database = migrated().await;
    assert!(refusal(&mut database, "SELECT no_such_column FROM registries").await.is_some(), "a wrong one is refused");
    let (mut seen, mut calls, mut wrong) = (0, 0, Vec::new());
    for (file, source) in sources() {
        let literals = literals(&source);
        for (at, _) in source.match_indices("sqlx::query").filter(|(at, _)| !source[*at..].starts_with("sqlx::query!"))
        {
            let argument = at + source[at..].find('(').unwrap() + 1;
            let argument = argument + (source[argument..].len() - source[argument..].trim_start().len());
            calls += 1;
            if let Some((_, literal)) = literals.iter().find(|(at, _)| *at == argument) {
                assert!(is_statement(literal), "{file}: this is not known as a statement: {literal}");
            }
        }
    }
    for (file, statement) in statements() {
        seen += 1;
        if let Some(why) = refusal(&mut database, &statement).await {
            wrong.push(format!("{file}: {why}\n{statement}"));
        }
    }
    eprintln!("{seen} statements of {calls} calls");
    assert!(seen >= calls && calls > 150, "{seen} statements of {calls} calls");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Every statement with the file that it stands in.
fn statements() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (file, source) in sources() {
        for (at, literal) in literals(&source).into_iter().filter(|(_, literal)| is_statement(literal)) {
            let whole = || vec![literal.clone()];
            let filled = if is_format(&source, at) { filled(&file, &source, &literal) } else { whole() };
            all.extend(filled.into_iter().map(|statement| (file.clone(), statement)));
        }
    }
    all
}

/// Statements that read whole tables, by file and table, each with the reason. Requests for one thing are none of them.
const SCANS: &[(&str, &str, &str)] = &[
    ("access/mod.rs", "role_assignments", "the list of all, and a scope that goes with all below it"),
    ("access/mod.rs", "role_definitions", "the list of all"),
    ("directory/deleted.rs", "deleted_objects", "the list of all"),
    ("directory/mod.rs", "applications", "the list of all"),
    ("directory/mod.rs", "principals", "the list of all"),
    ("directory/mod.rs", "up", "the groups of one principal, found by an index"),
    ("registry/ageing.rs", "d", "the bin, looked through when something in it is due"),
    ("registry/content/manifests.rs", "h", "what hangs on one manifest, found by an index"),
    ("registry/content/manifests.rs", "m", "what hangs on one manifest, found by an index"),
    ("registry/content/uploads.rs", "doomed_files", "files to remove: all of them"),
    ("registry/content/uploads.rs", "uploads", "sessions that go on after a start: all of them"),
    ("registry/tasks/blobs.rs", "b", "logs, looked through when one is due"),
    ("registry/tasks/blobs.rs", "task_blocks", "what broke off before a start"),
    ("registry/tasks/runs.rs", "r", "runs that a start finds under way"),
    ("registry/tasks/runs.rs", "task_runs", "runs, looked through when one is due"),
    ("resources/neighbours.rs", "neighbours", "what goes with a scope and all below it"),
    ("snapshot.rs", "", "a snapshot reads the whole world"),
    ("world/outbox.rs", "untold_records", "what is not announced yet: all of it"),
];

/// What grows with the world is found by an index: a table that is read from end to end is in the list above.
#[tokio::test]
async fn statements_go_by_an_index() {
    let mut database = migrated().await;
    let (mut found, mut seen) = (BTreeSet::new(), 0);
    for (file, statement) in statements() {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let Ok(plan) = sqlx::query(explained).fetch_all(&mut database).await else { continue };
        for step in plan.iter().map(|row| sqlx::Row::try_get::<String, _>(row, "detail").unwrap()) {
            seen += 1;
            let words: Vec<&str> = step.split(' ').collect();
            let whole = words[0] == "SCAN" && !step.contains("INDEX") && !step.contains("VIRTUAL TABLE");
            if whole && words[1] != "CONSTANT" {
                eprintln!("{file}: {step}: {}", statement.split_whitespace().collect::<Vec<_>>().join(" "));
                let table = if file == "snapshot.rs" { "" } else { words[1] };
                found.insert((file.clone(), table.to_owned()));
            }
        }
    }
    let allowed = SCANS.iter().map(|(file, table, _)| ((*file).to_owned(), (*table).to_owned())).collect();
    eprintln!("{seen} steps, {} tables read from end to end", found.len());
    assert!(seen > 150, "{seen}");
    assert_eq!(found, allowed, "left: what is read from end to end; right: what the list allows");
}

/// What rows are asked for by name is a column of some table, or named by a statement of the same file.
#[tokio::test]
async fn every_cell_that_is_read_is_a_column() {
    let mut database = migrated().await;
    let sql = "SELECT DISTINCT c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'";
    let columns: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut database).await.unwrap();
    let mut seen = 0;
    for (file, source) in sources() {
        let literals = literals(&source);
        let aliases: BTreeSet<String> = literals
            .iter()
            .flat_map(|(_, literal)| literal.split(" AS ").skip(1))
            .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
            .collect();
        for (at, _) in source.match_indices("row.") {
            let call = &source[at..source[at..].find(['\n', ';']).map_or(source.len(), |end| at + end)];
            let Some(argument) = call.find("(\"").map(|end| at + end + 1) else { continue };
            if !source[at + 4..argument - 1].chars().all(|c| c.is_alphanumeric() || "_:<>&".contains(c)) {
                continue;
            }
            let (_, name) = literals.iter().find(|(at, _)| *at == argument).unwrap();
            seen += 1;
            assert!(columns.contains(name) || aliases.contains(name), "{file}: no statement gives {name}");
        }
    }
    assert!(seen > 100, "{seen} cells were found");
}
