//! Every feature that is claimed names a test that exists.

use std::path::PathBuf;

#[test]
fn every_claimed_feature_names_its_proof() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let proof = std::fs::read_to_string(root.join("docs/proof.md")).unwrap();
    let table = proof.split("| feature | proof |").nth(1).expect("the table of features");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|l| l.starts_with('|')).collect();
    assert!(rows.len() >= 20, "{} rows", rows.len());
    for row in rows {
        let proof = row.rsplit('|').nth(1).unwrap().trim().trim_matches('`');
        let (file, test) = proof.split_once("::").map_or((proof, None), |(f, t)| (f, Some(t)));
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{file} does not exist: {row}"));
        if let Some(test) = test {
            assert!(text.contains(&format!("fn {test}()")), "{file} has no test {test}");
            let module = file.trim_start_matches("tests/it/").trim_end_matches(".rs");
            let main = std::fs::read_to_string(root.join("tests/it/main.rs")).unwrap();
            assert!(main.contains(&format!("mod {module};")), "{module} is not part of the tests");
        }
    }
}
