//! The table of docs/keyvault.md: every operation has its row, and every row's proof exists.

use std::collections::BTreeSet;
use std::path::PathBuf;

fn read(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{file} does not exist"))
}

/// The cells of the rows below a heading that begins with `first`.
fn rows(document: &str, first: &str) -> Vec<Vec<String>> {
    let table = document.split(&format!("| {first} |")).nth(1).unwrap_or_else(|| panic!("no table '{first}'"));
    let lines = table.lines().skip(2).take_while(|l| l.starts_with('|'));
    let rows = lines.map(|l| l.trim_matches('|').split(" | ").map(|c| c.trim().trim_matches('`').to_owned()).collect());
    rows.collect()
}

/// `file::function`: the file has that test, and the file is compiled into the tests.
fn assert_test(proof: &str) {
    let (file, test) = proof.split_once("::").unwrap_or_else(|| panic!("no test is named: {proof}"));
    let text = read(file);
    let at = text.find(&format!("fn {test}()")).unwrap_or_else(|| panic!("{file} has no test {test}"));
    let attribute = text[..at].trim_end().trim_end_matches("async").trim_end();
    assert!(attribute.ends_with("test]"), "{proof} is no test");
    if let Some(module) = file.strip_prefix("tests/it/").and_then(|f| f.strip_suffix(".rs")) {
        assert!(read("tests/it/main.rs").contains(&format!("mod {module};")), "{module} is not part of the tests");
    }
}

#[test]
fn every_operation_and_every_rule_of_access_has_its_proof() {
    let document = read("docs/keyvault.md");
    let mut clients = 0;
    for table in ["operation", "access rule", "over resource management", "audit"] {
        let rows = rows(&document, table);
        assert!(rows.len() >= 4, "{table}: {} rows", rows.len());
        for row in rows {
            assert_test(&row[1]);
            let [_, _, client, does] = row.as_slice() else { continue };
            if client == "-" {
                continue;
            }
            clients += 1;
            assert!(read(client).contains(does.as_str()), "{client} does no {does}");
            // What a suite does not run proves nothing.
            let name = client.rsplit('/').next().unwrap();
            let is_suite = client.starts_with("tests/clients/suites/");
            let suites = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
            let run = std::fs::read_dir(suites.join("suites"))
                .unwrap()
                .any(|suite| std::fs::read_to_string(suite.unwrap().path()).unwrap().contains(name));
            let built = read("tests/clients/run").contains(name);
            assert!(is_suite || run || built, "no suite runs {client}");
        }
    }
    assert!(clients > 30, "{clients} rows with a client");
}

#[test]
fn no_operation_of_the_front_end_is_missing() {
    let document = read("docs/keyvault.md");
    let told: BTreeSet<String> = rows(&document, "operation").into_iter().map(|r| r[0].clone()).collect();
    let mut known = BTreeSet::from(["Authentication".to_owned(), "InvalidRequest".to_owned()]);
    known.extend(acrite::http::keyvault::operations().into_iter().map(str::to_owned));
    assert!(known.len() > 35, "operations were found: {known:?}");
    assert_eq!(told, known);
}
