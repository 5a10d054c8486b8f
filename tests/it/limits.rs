//! What answers "not emulated" has its row in the README's table of limits, which these answers and the log point to.
//! Reads source text and the README; knows nothing of how the answers are given.

use std::path::{Path, PathBuf};

/// How answers and lines of the log name what is not emulated, and the words of the table for it.
const ROWS: [(&str, &str); 15] = [
    ("The tags of a resource within another", "tags of resources within others"),
    ("Certificates", "certificates"),
    ("Secure key release", "secure key release"),
    ("Key type {kty}", "Managed HSM and its symmetric keys"),
    ("Keys wrapped for an HSM", "keys wrapped for an HSM"),
    ("A cache rule with an identity of its own", "cache rules with an identity of their own"),
    ("A login server with a generated name", "login servers with generated names"),
    ("A deployment by {link}", "linked templates by URI, template specs"),
    ("Exporting a template", "`exportTemplate` of a group"),
    ("code", "people signing in"),
    ("this feature of registries is not emulated", "artifact streaming"),
    ("this resource provider is not emulated on other resources", "every other resource provider"),
    ("this resource provider is not emulated", "every other resource provider"),
    ("this resource type is not emulated", "connected registries"),
    ("not emulated: tokens of {issuer}", "tokens of other issuers"),
];

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned()));
        }
    }
}

/// The first string literal of a text.
fn literal(text: &str) -> &str {
    text.split('"').nth(1).unwrap_or_default()
}

#[test]
fn what_is_not_emulated_has_its_row() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let table = readme.split("\n## Limits\n").nth(1).expect("the table of limits");
    let mut sources = Vec::new();
    walk(&root.join("src/http"), &mut sources);
    walk(&root.join("src/domain"), &mut sources);
    let mut seen = 0;
    for (file, text) in sources {
        let answers = text.split("NotEmulated(").skip(1).filter(|rest| rest.starts_with(['"', 'f']));
        let logged = text.split("tracing::warn!(").skip(1).filter(|rest| {
            let said = literal(rest);
            said.contains("is not emulated") || said.starts_with("not emulated: tokens")
        });
        for said in answers.chain(logged).map(literal) {
            seen += 1;
            let row = ROWS.iter().find(|(answer, _)| said.starts_with(answer));
            let (_, words) = row.unwrap_or_else(|| panic!("{}: no row is named for: {said}", file.display()));
            assert!(table.contains(words), "the README's table of limits says nothing of: {words}");
        }
    }
    assert!(seen >= 10, "{seen} answers were found");
}
