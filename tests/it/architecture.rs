//! The rooms' rules of direction: in one crate the compiler holds no walls, so this test does.
//! See ARCHITECTURE.md for why each rule is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 40, "the sources were found");
    found
}

/// The code of a file without comments, strings aside, and without its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn module(file: &str) -> String {
    file.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib").replace('/', "::")
}

/// The modules of this crate that a file names by `crate::…` or `super::…`, as paths.
fn imports(file: &str, text: &str) -> BTreeSet<String> {
    let code = code(text);
    let here: Vec<String> = module(file).split("::").map(str::to_owned).collect();
    // `super` in a mod.rs and in a leaf file both mean the parent of the module.
    let parent = here[..here.len() - 1].join("::");
    let mut found = BTreeSet::new();
    let words: Vec<(usize, &str, &str)> = [("crate::", ""), ("super::", parent.as_str())]
        .iter()
        .flat_map(|(w, base)| code.match_indices(w).map(move |(i, w)| (i, w, *base)))
        .collect();
    for (at, word, base) in words {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + word.len()..];
        let base = if base.is_empty() { String::new() } else { format!("{base}::") };
        for path in expand(rest) {
            found.insert(format!("{base}{path}"));
        }
    }
    found
}

/// `a::{b, c::d}` becomes `a::b`, `a::c::d`; anything after a path ends it.
fn expand(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let head = text[..end].trim_end_matches(':').to_owned();
    if !text[end..].starts_with('{') {
        return vec![head];
    }
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in text[end..].chars() {
        match c {
            '{' => {
                depth += 1;
                if depth > 1 {
                    items.last_mut().unwrap().push(c);
                }
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
                items.last_mut().unwrap().push(c);
            }
            ',' if depth == 1 => items.push(String::new()),
            c if c.is_whitespace() => {}
            c => items.last_mut().unwrap().push(c),
        }
    }
    let join = |item: &str| if head.is_empty() { item.to_owned() } else { format!("{head}::{item}") };
    items.iter().filter(|i| !i.is_empty()).flat_map(|i| expand(i)).map(|i| join(&i)).collect()
}

fn room(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

#[test]
fn rooms_import_downwards_only() {
    let allowed: &[(&str, &[&str])] = &[
        ("domain", &["domain"]),
        ("store", &["store", "domain"]),
        ("app", &["app", "store", "domain"]),
        ("http", &["http", "app", "domain"]),
        ("net", &["net"]),
        ("builder", &["builder", "app", "domain"]),
        ("cli", &["cli", "net", "http", "app", "builder", "domain"]),
    ];
    let mut seen = 0;
    for (file, text) in sources() {
        let own = room(&module(&file)).to_owned();
        let Some((_, may)) = allowed.iter().find(|(r, _)| *r == own) else { continue };
        for import in imports(&file, &text) {
            seen += 1;
            let other = room(&import);
            assert!(
                !allowed.iter().any(|(r, _)| *r == other) || may.contains(&other),
                "{file} imports {import}: {own} may not know {other}"
            );
        }
    }
    assert!(seen > 200, "imports were found: {seen}");
}

#[test]
fn no_front_end_imports_another() {
    let front_ends = ["arm", "entra", "graph", "keyvault", "registry", "control", "portal", "storage"];
    for (file, text) in sources() {
        let own = module(&file);
        let Some(own) = own.strip_prefix("http::").map(|o| room(o).to_owned()) else { continue };
        for import in imports(&file, &text) {
            let Some(other) = import.strip_prefix("http::").map(room) else { continue };
            assert!(own == other || !front_ends.contains(&other), "{file} imports {import}");
        }
    }
}

/// The wings, the same on every floor. What is not in one is the floor's roof, which may use every wing.
const WINGS: [&str; 6] = ["world", "directory", "access", "resources", "vault", "registry"];

/// The floors that have wings.
const FLOORS: [&str; 4] = ["domain", "store", "app", "http::arm"];

/// What a wing may know of the others. All may know the world.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("world", &[]),
    ("directory", &["access", "resources"]),
    ("access", &["directory", "vault"]),
    ("resources", &["access"]),
    ("vault", &["access", "resources"]),
    ("registry", &["access", "directory", "resources"]),
];

/// Files that cross where their wing may not, each with what it crosses to and why.
const CROSSINGS: [(&str, &str); 3] = [
    // A registry asks its vault as its own principal, through the gate that outside callers meet.
    ("app/registry/cmk.rs", "vault"),
    ("app/registry/cmk/looks.rs", "vault"),
    // A credential set reads its secrets as its own identity, the same way.
    ("app/registry/copying/cache_rules.rs", "vault"),
];

/// The wing of a module; `None`: it lies under the roof, or on a floor without wings.
fn wing(module: &str) -> Option<&'static str> {
    let rest = FLOORS.iter().find_map(|f| module.strip_prefix(f)?.strip_prefix("::"))?;
    let first = room(rest);
    WINGS.into_iter().find(|w| *w == first)
}

/// The arrows between wings, and the files that draw them.
fn arrows() -> BTreeMap<(&'static str, &'static str), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources() {
        let Some(own) = wing(&module(&file)) else { continue };
        for import in imports(&file, &text) {
            if let Some(other) = wing(&import).filter(|other| *other != own) {
                found.entry((own, other)).or_default().insert(file.clone());
            }
        }
    }
    found
}

#[test]
fn wings_import_only_what_the_design_allows() {
    let arrows = arrows();
    assert!(arrows.contains_key(&("registry", "vault")) && arrows.len() > 8, "arrows were found: {arrows:?}");
    for ((from, to), files) in &arrows {
        let (_, may) = ALLOWED.iter().find(|(wing, _)| wing == from).unwrap();
        for file in files {
            let crosses = CROSSINGS.iter().any(|(f, wings)| f == file && wings.split(", ").any(|w| w == *to));
            assert!(*to == "world" || may.contains(to) || crosses, "{file}: the wing {from} may not know {to}");
        }
    }
    let sources = sources();
    for (file, wings) in CROSSINGS {
        assert!(sources.contains_key(file), "{file} is listed as a crossing and is not there");
        let used = |w: &str| arrows.iter().any(|((_, to), files)| *to == w && files.contains(file));
        assert!(wings.split(", ").all(used), "{file} no longer crosses to all of {wings}");
    }
}

#[test]
fn every_floor_has_the_same_wings() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    for floor in FLOORS {
        for wing in WINGS {
            let folder = root.join(floor.replace("::", "/")).join(wing);
            // The ground of ARM's front end is its own root: the wire and the dialect.
            let none = floor == "http::arm" && wing == "world";
            assert_eq!(folder.is_dir(), !none, "{}", folder.display());
        }
    }
    for folder in ["http/keyvault", "http/registry", "http/entra", "http/graph", "http/control", "net", "cli"] {
        assert!(root.join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn key_vault_does_not_know_that_registries_exist() {
    let mut seen = 0;
    for (file, text) in sources() {
        let own = module(&file);
        if wing(&own) != Some("vault") && !own.starts_with("http::keyvault") {
            continue;
        }
        seen += 1;
        for import in imports(&file, &text) {
            let registries = wing(&import) == Some("registry") || import.starts_with("http::registry");
            assert!(!registries, "{file} imports {import}");
        }
        let code = code(&text);
        for word in ["ContainerRegistry", "azurecr"] {
            assert!(!code.contains(word), "{file} names {word}");
        }
    }
    assert!(seen > 15, "{seen} files of Key Vault were found");
}

/// Whoever changes what lies in a registry goes through `Inside::write`, which asks again whether it may. Beside it
/// only the emulator's own tidying begins transactions that write.
#[test]
fn content_is_written_only_where_leave_is_asked() {
    let own = [("app/registry/content/entry.rs", 1), ("app/registry/content/uploads.rs", 1)];
    let mut seen = 0;
    for (file, text) in sources() {
        let copies = [
            "app/registry/copying/sources.rs",
            "app/registry/copying/pull_through.rs",
            "app/registry/copying/imports.rs",
        ]
        .contains(&file.as_str());
        if !copies && !file.starts_with("app/registry/content/") && !file.starts_with("http/registry/") {
            continue;
        }
        seen += 1;
        let code = code(&text);
        let begun = code.matches("app.write(").count() + code.matches(".write_now(").count();
        let allowed = own.iter().find(|(f, _)| *f == file).map_or(0, |(_, count)| *count);
        assert_eq!(begun, allowed, "{file} begins transactions that write");
    }
    assert!(seen > 15, "the files were found: {seen}");
}

/// What is read in one transaction and written back in another undoes what was written between them. So a request
/// changes things in the one context that `App::write_for` or `App::change` gives it, after the gate was asked in it;
/// verbs take that context and open none.
#[test]
fn requests_change_things_in_one_transaction() {
    let others: &[(&str, &[&str])] = &[
        // What became of a deployment.
        ("http/", &["http/arm/resources/deployments.rs"]),
        // What happens by itself, at the start, because time passed, or beside requests; and content (see above).
        (
            "app/",
            &[
                "app/mod.rs",
                "app/change.rs",
                "app/world/clock.rs",
                "app/registry/content/",
                "app/directory/identities.rs",
                "app/resources/operations.rs",
                "app/poller.rs",
                // A whole world in the place of another.
                "app/snapshot.rs",
                "app/testbed.rs",
                "app/timeline.rs",
                "app/directory/tokens.rs",
                "app/registry/webhooks.rs",
                // Runs go on beside requests; what is put into their storage account comes piece by piece, each with
                // the link and the key asked again.
                "app/registry/tasks/runner.rs",
                "app/registry/tasks/log.rs",
                "app/registry/tasks/blobs.rs",
            ],
        ),
    ];
    let mut seen = 0;
    for (file, text) in sources() {
        let code = code(&text);
        let words = ["app.write(", "self.write(", "write_now(", "app.begin(", "self.begin(", "store.write("];
        let opens = words.iter().any(|word| code.contains(word));
        if !opens || file.ends_with("/tests.rs") {
            continue;
        }
        seen += 1;
        let Some((_, may)) = others.iter().find(|(room, _)| file.starts_with(room)) else { continue };
        assert!(may.iter().any(|m| file.starts_with(m)), "{file} opens a transaction that writes");
    }
    assert!(seen > 10, "such files were found: {seen}");
}

/// Handlers of resource management are called in the context that their row's gate was asked in. What asks or opens
/// one itself is listed here, and may only shrink.
#[test]
fn handlers_of_rows_neither_ask_the_gate_nor_open_contexts() {
    let own = [
        // The table, and what it works with.
        "http/arm/table.rs",
        "http/arm/mod.rs",
        // Conditions of role assignments ask for what only the handler knows.
        "http/arm/access/mod.rs",
        // What goes on beside its request.
        "http/arm/registry/import.rs",
        "http/arm/vault/vaults.rs",
        // Paths that are no rows.
        "http/arm/resources/subscriptions.rs",
        "http/arm/resources/deployments.rs",
        "http/arm/resources/asked.rs",
        "http/arm/resources/what_if.rs",
    ];
    let words = [".require(", "access::require(", "gate::require(", "app.read(", "arm.read(", "arm.write(", ".change("];
    let mut seen = BTreeSet::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| file.starts_with("http/arm/")) {
        let code = code(&text);
        if words.iter().any(|word| code.contains(word)) {
            assert!(own.contains(&file.as_str()), "{file} asks the gate or opens a context by itself");
            seen.insert(file);
        }
    }
    assert!(own.iter().all(|file| seen.contains(*file)), "only these ask or open themselves: {seen:?}");
}

#[test]
fn each_dangerous_crate_has_one_owner() {
    let owners: &[(&str, &[&str])] = &[
        ("sqlx::", &["store/"]),
        // `chaos.rs` is a test of this crate, through the front ends without sockets.
        ("axum::", &["http/", "net/", "cli/control.rs", "chaos.rs"]),
        ("hyper::", &["http/", "net/", "cli/control.rs"]),
        ("aes_gcm::", &["domain/world/crypto"]),
        ("rsa::", &["domain/world/crypto"]),
        ("aws_lc_rs::", &["domain/world/crypto", "net/certificates.rs"]),
        ("sha2::", &["domain/world/crypto"]),
        ("tokio::net", &["net/", "cli/"]),
        ("TcpStream", &["net/", "cli/"]),
        ("SystemTime::now", &["app/world/clock.rs", "net/certificates.rs", "cli/trust.rs"]),
        ("Instant::now", &["net/"]),
        ("Timestamp::now", &["app/world/clock.rs"]),
    ];
    for (file, text) in sources() {
        let code = code(&text);
        for (word, allowed) in owners {
            let named = code.match_indices(word).any(|(at, _)| {
                !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            assert!(
                !named || allowed.iter().any(|a| file.starts_with(a)),
                "{file} names {word}; it belongs to {allowed:?}"
            );
        }
    }
}

/// Text for programmers has no place in an answer: what says no is said by `Display`, in words.
#[test]
fn no_answer_is_made_of_debug_text() {
    let own = [
        // Names what a computation depends on; it is compared, never shown.
        "app/vault/keys.rs",
    ];
    for (file, text) in sources() {
        let speaks = ["app/", "domain/", "http/"].iter().any(|floor| file.starts_with(floor));
        let debug = code(&text).contains(":?}");
        assert!(!speaks || debug == own.contains(&file.as_str()), "{file}: text for programmers");
    }
}

#[test]
fn the_import_graph_of_files_has_no_cycle() {
    let sources = sources();
    let modules: BTreeMap<String, String> = sources.keys().map(|f| (module(f), f.clone())).collect();
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, text) in &sources {
        let own = module(file);
        // A folder's mod.rs names its children to publish them; its children may use what it defines.
        // Siblings must not go in circles.
        let mut targets = BTreeSet::new();
        for import in imports(file, text) {
            let mut path = import.as_str();
            while !modules.contains_key(path) {
                let Some((shorter, _)) = path.rsplit_once("::") else { break };
                path = shorter;
            }
            if let Some((name, _)) = modules.get_key_value(path)
                && *name != own
                && !name.starts_with(&format!("{own}::"))
                && !own.starts_with(&format!("{name}::"))
            {
                targets.insert(name.as_str());
            }
        }
        graph.insert(modules.get_key_value(&own).unwrap().0, targets);
    }
    fn visit<'a>(
        at: &'a str,
        graph: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) {
        if let Some(from) = path.iter().position(|p| *p == at) {
            panic!("a cycle: {} -> {at}", path[from..].join(" -> "));
        }
        if !done.insert(at) {
            return;
        }
        path.push(at);
        for next in graph.get(at).into_iter().flatten() {
            visit(next, graph, path, done);
        }
        path.pop();
    }
    let mut done = BTreeSet::new();
    for at in graph.keys() {
        visit(at, &graph, &mut Vec::new(), &mut done);
    }
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    for (file, text) in sources() {
        let head = text.lines().take_while(|l| l.starts_with("//!")).count();
        assert!((1..=5).contains(&head), "{file} opens with {head} lines of //!");
    }
}

/// The most lines that a file may have, and a function.
const FILE_LIMIT: usize = 500;
const FUNCTION_LIMIT: usize = 80;

/// The functions of a file and their lengths, by the indentation that the formatter gives.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = line.split("fn ").nth(1).filter(|_| line.trim_start().starts_with(['f', 'p', 'a', 'c', 'u']))
        else {
            continue;
        };
        let before = line.split("fn ").next().unwrap().trim();
        let signature = ["", "pub", "async", "const", "pub async", "pub const"];
        if !signature.contains(&before) && !before.starts_with("pub(") {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[at..].iter().position(|l| *l == format!("{indent}}}"));
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.push((name, end.map_or(1, |e| e + 1)));
    }
    found
}

#[test]
fn files_and_functions_are_short() {
    let mut long = BTreeMap::new();
    let mut counted = 0;
    for (file, text) in sources() {
        let lines = text.lines().count();
        if lines > FILE_LIMIT {
            long.insert(file.clone(), lines);
        }
        for (name, lines) in functions(&text) {
            counted += 1;
            if lines > FUNCTION_LIMIT {
                long.insert(format!("{file}: {name}"), lines);
            }
        }
    }
    assert!(counted > 1000, "functions were found: {counted}");
    assert!(long.is_empty(), "over {FILE_LIMIT} lines, or {FUNCTION_LIMIT} of a function: {long:?}");
}

/// Printed by `cargo test --test it architecture::the_house -- --nocapture`.
#[test]
fn the_house() {
    let sources = sources();
    let files = |folder: &str| sources.keys().filter(|file| file.starts_with(folder)).count();
    eprintln!("Files by floor and wing (roof: in no wing)");
    eprintln!("  {:<10}{}{:>10}", "floor", WINGS.map(|wing| format!("{wing:>10}")).concat(), "roof");
    for floor in FLOORS {
        let folder = floor.replace("::", "/");
        let counts = WINGS.map(|wing| files(&format!("{folder}/{wing}/")));
        let roof = files(&format!("{folder}/")) - counts.iter().sum::<usize>();
        eprintln!("  {folder:<10}{}{roof:>10}", counts.map(|count| format!("{count:>10}")).concat());
    }
    let others = ["http/keyvault", "http/registry", "http/entra", "http/graph", "http/control", "net", "cli"];
    let others = others.map(|folder| format!("{folder} {}", files(&format!("{folder}/"))));
    eprintln!("Files of the other front ends and floors: {}", others.join(", "));
    let (lines, file) = sources.iter().map(|(file, text)| (text.lines().count(), file)).max().unwrap();
    eprintln!("Longest file: src/{file}, {lines} lines");
    let all = sources.iter().flat_map(|(file, text)| functions(text).into_iter().map(move |(n, l)| (l, n, file)));
    let (lines, name, file) = all.max().unwrap();
    eprintln!("Longest function: {name} in src/{file}, {lines} lines");
    eprintln!("Arrows between wings, and how many files draw them");
    for ((from, to), files) in arrows() {
        eprintln!("  {from} -> {to}: {}", files.len());
    }
}

/// What stands in backticks in a text and is a path of this repository.
fn paths(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let roots = ["src/", "tests/", "docs/", "migrations/", "fixtures/", "bench/", "benches/"];
    quoted.filter(|q| roots.iter().any(|root| q.starts_with(root)) && !q.contains([' ', '*'])).collect()
}

#[test]
fn the_pages_name_files_that_are_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/using.md"] {
        for path in paths(&std::fs::read_to_string(root.join(page)).unwrap()) {
            // Words in capitals stand for a name of the reader's.
            if path.split('/').any(|part| ["WING", "X"].contains(&part)) {
                continue;
            }
            seen += 1;
            assert!(root.join(&path).exists(), "{page} names {path}");
        }
    }
    assert!(seen > 40, "paths were found: {seen}");
}

/// Who has never seen the house finds these in a minute.
#[test]
fn what_strangers_ask_for_has_a_row() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for question in
        ["Where does a registry block", "Who may do what?", "How do I add an ARM type?", "Where is time moved?"]
    {
        let row = page.lines().find(|line| line.starts_with(&format!("| {question}")));
        assert!(!paths(row.unwrap_or_else(|| panic!("no row answers: {question}"))).is_empty(), "{question}");
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap().to_lowercase();
    for words in ["where does a registry block", "who may do what", "how do i add an arm type", "where is time moved"] {
        assert!(readme.contains(words), "the README does not lead on: {words}");
    }
}
