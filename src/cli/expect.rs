//! `acrite audit --expect`: a number of audit records as an assertion. Owns how one is written, what it counts, and which
//! records come nearest to it.
//! Must not know where the records come from.

use serde_json::Value;

/// `OPERATION [OBJECT] [COMPARISON NUMBER]`, and whom and what result it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    operation: String,
    object: Option<String>,
    comparison: Comparison,
    number: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

const WORDS: [(&str, Comparison); 7] = [
    ("==", Comparison::Equal),
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::AtMost),
    (">", Comparison::More),
    (">=", Comparison::AtLeast),
];

/// As people write it.
pub(super) fn parse(text: &str) -> Result<Expectation, String> {
    let wrong = || format!("`{text}` is not OPERATION [OBJECT] [>= NUMBER], such as 'KeyUnwrap myvault/mykey >= 1'");
    let signs = ['<', '>', '=', '!'];
    let (what, comparison) = text.split_at(text.find(signs).unwrap_or(text.len()));
    let (comparison, number) = match comparison.trim() {
        "" => (Comparison::AtLeast, 1),
        comparison => {
            let number = comparison.trim_start_matches(signs);
            let word = &comparison[..comparison.len() - number.len()];
            let (_, found) = WORDS.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?;
            (*found, number.trim().parse().map_err(|_| wrong())?)
        }
    };
    let (operation, object) = match what.split_whitespace().collect::<Vec<_>>().as_slice() {
        [operation] => ((*operation).to_owned(), None),
        [operation, object] => ((*operation).to_owned(), Some(place(object))),
        _ => return Err(wrong()),
    };
    Ok(Expectation { operation, object, comparison, number })
}

/// `vault/key/version` of an identifier, or of what is written so already.
fn place(id: &str) -> String {
    let path = id.trim_start_matches("https://").to_ascii_lowercase();
    let parts = path.split(['/', '?']).filter(|part| !part.is_empty());
    let host = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
    let kinds = ["keys", "secrets", "certificates"];
    let parts = parts.enumerate().filter(|(at, part)| *at != 1 || !kinds.contains(part));
    parts.map(|(at, part)| if at == 0 { host(part) } else { part.to_owned() }).collect::<Vec<_>>().join("/")
}

/// The record of an entry: of a vault or of a registry.
pub(super) fn record(entry: &Value) -> Option<&Value> {
    entry.get("audit").or_else(|| entry.get("registry"))
}

/// What a record is about: an identifier of a vault's object, a vault, `registry/repository:tag`, or a registry.
fn object_of(record: &Value) -> String {
    let properties = &record["properties"];
    if let Some(repository) = properties["repository"].as_str() {
        let server = properties["loginServer"].as_str().unwrap_or_default();
        let tag = properties["tag"].as_str().map_or(String::new(), |tag| format!(":{tag}"));
        return format!("{server}/{repository}{tag}");
    }
    let named = properties["id"].as_str().or_else(|| record["resourceId"].as_str()?.rsplit('/').next());
    named.unwrap_or_default().to_owned()
}

/// Whom and what result is meant; nothing: whoever and whatever.
#[derive(Default)]
pub(super) struct Meant<'a> {
    pub caller: Option<&'a str>,
    pub result: Option<&'a str>,
}

impl Expectation {
    /// How well an entry fits: in all four respects, or in how many.
    fn fit(&self, entry: &Value, meant: &Meant<'_>) -> (bool, usize) {
        let record = record(entry).unwrap_or(&Value::Null);
        let is = |value: &Value, wanted: &str| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        let operation = self.operation == "*" || is(&record["operationName"], &self.operation);
        let at = place(&object_of(record));
        let object = self.object.as_ref().is_none_or(|wanted| {
            at.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
        });
        let vault = self.object.as_ref().is_some_and(|wanted| wanted.split('/').next() == at.split('/').next());
        let claim = &record["identity"]["claim"];
        let names = [&entry["caller"], &claim["appid"], &claim["oid"], &record["identity"]];
        let caller = meant.caller.is_none_or(|who| names.iter().any(|name| is(name, who)));
        let results = [&record["resultSignature"], &record["resultDescription"]];
        let result = meant.result.is_none_or(|wanted| results.iter().any(|result| is(result, wanted)));
        let points = 3 * usize::from(operation) + 2 * usize::from(object) + usize::from(vault);
        (operation && object && caller && result, points + usize::from(caller) + usize::from(result))
    }

    /// How many entries it counts.
    pub fn count(&self, entries: &[&Value], meant: &Meant<'_>) -> usize {
        entries.iter().filter(|entry| self.fit(entry, meant).0).count()
    }

    pub fn is_met(&self, count: usize) -> bool {
        match self.comparison {
            Comparison::Equal => count == self.number,
            Comparison::NotEqual => count != self.number,
            Comparison::Less => count < self.number,
            Comparison::AtMost => count <= self.number,
            Comparison::More => count > self.number,
            Comparison::AtLeast => count >= self.number,
        }
    }

    /// The three entries that fit best, of those that fit alike the newest.
    pub fn nearest<'a>(&self, entries: &[&'a Value], meant: &Meant<'_>) -> Vec<&'a Value> {
        let mut all: Vec<(usize, &Value)> =
            entries.iter().rev().map(|entry| (self.fit(entry, meant).1, *entry)).collect();
        all.sort_by_key(|(points, _)| std::cmp::Reverse(*points));
        all.into_iter().take(3).map(|(_, entry)| entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expectations_as_people_write_them() {
        for (text, comparison, number) in [
            ("KeyUnwrap", Comparison::AtLeast, 1),
            ("KeyUnwrap v/k >= 1", Comparison::AtLeast, 1),
            ("KeyUnwrap v/k==2", Comparison::Equal, 2),
            ("KeyUnwrap v/k =2", Comparison::Equal, 2),
            ("* v != 0", Comparison::NotEqual, 0),
            ("KeyUnwrap < 3", Comparison::Less, 3),
        ] {
            let read = parse(text).unwrap();
            assert_eq!((read.comparison, read.number), (comparison, number), "{text}");
        }
        assert_eq!(parse("KeyUnwrap https://V.vault.azure.net/keys/K").unwrap().object.as_deref(), Some("v/k"));
        assert_eq!(parse("KeyUnwrap v/keys").unwrap().object.as_deref(), Some("v"), "as the vault's list of keys");
        for bad in ["", ">= 1", "a b c", "KeyUnwrap v/k >=", "KeyUnwrap >=< 1", "KeyUnwrap >= -1", "KeyUnwrap ~ 1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_fits_is_counted_and_what_nearly_fits_is_shown() {
        let entry = |operation: &str, id: &str, caller: &str, result: &str| {
            json!({"caller": caller, "audit": {"operationName": operation, "resultSignature": result,
                "identity": {"claim": {"oid": "o"}}, "properties": {"id": id}}})
        };
        let entries = [
            entry("KeyUnwrap", "https://v.vault.azure.net/keys/k/1", "id1", "OK"),
            entry("KeyUnwrap", "https://v.vault.azure.net/keys/k/2", "id1", "Forbidden"),
            entry("KeyUnwrap", "https://v.vault.azure.net/keys/kk/1", "id1", "OK"),
            entry("KeyWrap", "https://v.vault.azure.net/keys/k/1", "id2", "OK"),
            entry("KeyCreate", "https://w.vault.azure.net/keys/x/1", "me", "OK"),
        ];
        let pull = json!({"registry": {"operationName": "Pull", "resultDescription": "403", "identity": "robot",
            "properties": {"loginServer": "r.azurecr.io", "repository": "team/app", "tag": "v1"}}});
        let entries: Vec<&Value> = entries.iter().chain([&pull]).collect();
        let count = |text: &str, caller: Option<&str>, result: Option<&str>| {
            parse(text).unwrap().count(&entries, &Meant { caller, result })
        };
        assert_eq!(count("KeyUnwrap v/k", None, None), 2);
        assert_eq!(count("KeyUnwrap v/k/1", None, None), 1);
        assert_eq!(count("keyunwrap v", Some("ID1"), None), 3);
        assert_eq!(count("KeyUnwrap v", Some("id2"), None), 0);
        assert_eq!(count("* v/k", Some("o"), Some("Forbidden")), 1);
        for object in ["r", "r/team", "r/team/app", "r.azurecr.io/team/app:v1"] {
            assert_eq!(count(&format!("Pull {object}"), Some("robot"), Some("403")), 1, "{object}");
        }
        assert_eq!(count("Pull r/team/ap", None, None), 0);
        assert!(
            parse("KeyUnwrap v/k >= 3").unwrap().nearest(&entries, &Meant::default())[2]["audit"]["operationName"]
                == "KeyUnwrap"
        );
        let nearest = parse("KeyWrap v/kk").unwrap().nearest(&entries, &Meant::default());
        assert_eq!(nearest.len(), 3);
        assert_eq!(nearest[0], entries[3], "the operation, in the same vault");
    }
}
