//! The words that a task file may use: `{{.Run.ID}}` and `{{.Values.x}}`, and the short `$ID`. Of the template language
//! this alone is understood; what goes beyond it is refused by name.
//! Must not know: what a step does.

use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::registry::Registry;

/// What a run says of itself.
#[derive(Debug, Clone)]
pub struct Words {
    /// `Run.X` and its value.
    pub run: Vec<(&'static str, String)>,
    /// `Values.x.y`.
    pub values: Value,
    /// `Secrets.id` and its value. `None`: they are not known yet, and the words stay.
    pub secrets: Option<Vec<(String, String)>>,
}

/// The short words, and what of the run they stand for [docs].
const SHORT: [(&str, &str); 12] = [
    ("RegistryName", "RegistryName"),
    ("Registry", "Registry"),
    ("SharedVolume", "SharedVolume"),
    ("Architecture", "Architecture"),
    ("TaskName", "TaskName"),
    ("Version", "Version"),
    ("Commit", "Commit"),
    ("Branch", "Branch"),
    ("Date", "Date"),
    ("ID", "ID"),
    ("OS", "OS"),
    ("TriggeredBy", "TriggeredBy"),
];

/// Images that have a short name as the first word of `cmd` [docs: the names; where they come from is inferred].
const TOOLS: [(&str, &str); 5] = [
    ("acr", "mcr.microsoft.com/acr/acr-cli:latest"),
    ("az", "mcr.microsoft.com/acr/azure-cli:latest"),
    ("bash", "mcr.microsoft.com/acr/bash:latest"),
    ("curl", "mcr.microsoft.com/acr/curl:latest"),
    ("cssc", "mcr.microsoft.com/acr/cssc:latest"),
];

/// The image that the first word of `cmd` stands for.
#[must_use]
pub fn tool(word: &str) -> &str {
    TOOLS.iter().find(|(short, _)| *short == word).map_or(word, |(_, image)| image)
}

impl Words {
    /// Those of a run that begins at an instant.
    #[must_use]
    pub fn new(
        registry: &Registry,
        run: &str,
        task: Option<&str>,
        by: &str,
        (os, architecture): (&str, &str),
        at: Timestamp,
    ) -> Self {
        let date = at.zulu();
        let digits: String = date.chars().filter(char::is_ascii_digit).collect();
        let run = vec![
            ("ID", run.to_owned()),
            ("SharedVolume", "/workspace".to_owned()),
            ("Registry", registry.login_server()),
            ("RegistryName", registry.name.to_ascii_lowercase()),
            ("Date", format!("{}-{}z", &digits[..8], &digits[8..])),
            ("OS", os.to_owned()),
            ("Architecture", architecture.to_owned()),
            ("Commit", String::new()),
            ("Branch", String::new()),
            ("GitTag", String::new()),
            ("TaskName", task.unwrap_or("quicktask").to_owned()),
            ("TriggeredBy", by.to_owned()),
            ("Version", String::new()),
        ];
        Self { run, values: Value::Null, secrets: None }
    }

    fn of_run(&self, name: &str) -> Option<&str> {
        self.run.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// Puts values in the place of words. An error says which word has none.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (word, more) = after.split_once("}}").ok_or("an action '{{' is not closed")?;
            out.push_str(before);
            let inner = word.trim_start_matches('-').trim_end_matches('-').trim();
            out.push_str(&self.value(inner)?);
            rest = more;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, word: &str) -> Result<String, String> {
        let beyond = || format!("'{{{{{word}}}}}' is not understood here: only .Run, .Values and .Secrets are");
        let path = word.strip_prefix('.').ok_or_else(beyond)?;
        if path.is_empty()
            || path.split('.').any(|p| p.is_empty() || !p.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-'))
        {
            return Err(beyond());
        }
        let none =
            || format!("map has no entry for key \"{}\" in '{{{{{word}}}}}'", path.rsplit('.').next().unwrap_or(path));
        match path.split_once('.') {
            Some(("Run", name)) => self.of_run(name).map(str::to_owned).ok_or_else(none),
            Some(("Secrets", id)) => match &self.secrets {
                None => Ok(format!("{{{{{word}}}}}")),
                Some(known) => known.iter().find(|(n, _)| n == id).map(|(_, value)| value.clone()).ok_or_else(none),
            },
            Some(("Values", path)) => {
                let found = path.split('.').try_fold(&self.values, |at, part| at.get(part)).ok_or_else(none)?;
                match found {
                    Value::String(text) => Ok(text.clone()),
                    Value::Null | Value::Array(_) | Value::Object(_) => Err(none()),
                    other => Ok(other.to_string()),
                }
            }
            // Older task files leave the first word out.
            None => self.of_run(path).map(str::to_owned).ok_or_else(beyond),
            Some(_) => Err(beyond()),
        }
    }

    /// Puts values in the place of short words, and of those that the task file gives names.
    #[must_use]
    pub fn shorten(&self, text: &str, own: &[(String, String)]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let word = &after[..length];
            let own = own.iter().find(|(name, _)| name == word).map(|(_, value)| value.as_str());
            let short = || SHORT.iter().find(|(name, _)| *name == word).and_then(|(_, run)| self.of_run(run));
            match own.or_else(short) {
                Some(value) => {
                    out.push_str(value);
                    rest = &after[length..];
                }
                None => {
                    out.push('$');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words() -> Words {
        Words {
            run: vec![("ID", "cf1".into()), ("Registry", "r.azurecr.io".into()), ("RegistryName", "r".into())],
            values: json!({"a": {"b": "c"}, "n": 1, "list": []}),
            secrets: Some(vec![("s".into(), "hidden".into())]),
        }
    }

    #[test]
    fn words_have_values() {
        let text = "{{.Run.Registry}}/x:{{ .Run.ID }} {{- .Values.a.b -}} {{.Values.n}} {{.Secrets.s}} {{.ID}} plain";
        assert_eq!(words().fill(text).unwrap(), "r.azurecr.io/x:cf1 c 1 hidden cf1 plain");
        for wrong in [
            "{{",
            "{{.Run.Nothing}}",
            "{{.Values.list}}",
            "{{.Values.z}}",
            "{{if .Run.ID}}x{{end}}",
            "{{}}",
            "{{.}}",
            "{{.Run}}",
            "{{.Other.x}}",
            "{{.Run.ID | upper}}",
            "{{.Values..a}}",
            "{{.Secrets.t}}",
        ] {
            assert!(words().fill(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn short_words_have_values_and_others_stay() {
        let own = [("Registry2".to_owned(), "own".to_owned())];
        let text = "$Registry/x:$ID $RegistryName $HOME $$ $Registry2 $ID_2 $";
        assert_eq!(words().shorten(text, &own), "r.azurecr.io/x:cf1 r $HOME $$ own $ID_2 $");
        assert_eq!(tool("bash"), "mcr.microsoft.com/acr/bash:latest");
        assert_eq!(tool("r.azurecr.io/bash"), "r.azurecr.io/bash");
    }
}
