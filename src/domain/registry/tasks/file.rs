//! Task files: steps that build, push and run, in the order that their `when` gives [docs: the reference of task files].
//! Must not know: how a step is carried out, where the file comes from.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::words::Words;

/// Bytes of a task file at most. [inferred]
const LIMIT: usize = 1024 * 1024;
/// Steps at most. [inferred]
const STEPS: usize = 100;
/// Seconds that a step may take unless it says otherwise [docs].
const TIMEOUT: u64 = 600;

/// A secret that is read from a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub id: String,
    /// Its identifier.
    pub vault: String,
    /// Client id of the identity of the task that reads it; the system's where there is none.
    pub client: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Build(Build),
    Push(Vec<String>),
    /// An image, and the arguments that it is run with.
    Run(Vec<String>),
}

/// A build, as container tools write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    pub tags: Vec<String>,
    pub file: Option<String>,
    pub target: Option<String>,
    /// `NAME=VALUE`
    pub arguments: Vec<String>,
    pub labels: Vec<String>,
    pub no_cache: bool,
    pub pull: bool,
    pub platform: Option<String>,
    pub context: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub id: String,
    pub what: What,
    /// Seconds.
    pub timeout: u64,
    pub retries: u64,
    pub retry_delay: u64,
    pub repeat: u64,
    pub start_delay: u64,
    pub ignore_errors: bool,
    /// `NAME=VALUE`
    pub env: Vec<String>,
    pub entry_point: Option<String>,
    pub user: Option<String>,
    pub working_directory: Option<String>,
    /// Steps that have to be done before.
    pub when: Vec<String>,
}

/// A task file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub secrets: Vec<Secret>,
    /// In the order in which they are carried out.
    pub steps: Vec<Step>,
}

/// Properties of steps that the emulator carries out or that change nothing here.
const PROPERTIES: [&str; 25] = [
    "build",
    "push",
    "cmd",
    "id",
    "when",
    "timeout",
    "retries",
    "retryDelay",
    "repeat",
    "startDelay",
    "ignoreErrors",
    "env",
    "entryPoint",
    "user",
    "workingDirectory",
    "disableWorkingDirectoryOverride",
    "keep",
    "cache",
    "expose",
    "ports",
    "detach",
    "isolation",
    "network",
    "privileged",
    "pull",
];
/// Those of them that need what a builder does not give.
const NOT_CARRIED_OUT: [&str; 3] = ["detach", "network", "privileged"];
/// What a task file may say beside its steps.
const TOP: [&str; 10] = [
    "version",
    "stepTimeout",
    "totalTimeout",
    "workingDirectory",
    "env",
    "secrets",
    "networks",
    "volumes",
    "steps",
    "alias",
];

/// Reads YAML. What refers to itself or grows too large is refused.
pub fn yaml(text: &str) -> Result<Value, String> {
    if text.len() > LIMIT {
        return Err(format!("yaml: the document is larger than {LIMIT} bytes"));
    }
    // The last of what is said twice counts: older versions of az put a version before a file that has one [cli].
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|why| format!("yaml: {}", why.to_string().lines().next().unwrap_or_default()))
}

impl File {
    /// Reads a task file. Secrets have no values yet: they stay words in its steps.
    pub fn parse(text: &str, words: &Words) -> Result<Self, String> {
        let document = yaml(&words.fill(text)?)?;
        let Some(document) = document.as_object() else { return Err("the task file is no mapping".to_owned()) };
        if let Some(unknown) = document.keys().find(|k| !TOP.contains(&k.as_str())) {
            return Err(format!("field {unknown} not found in a task file"));
        }
        let version = document.get("version").map_or_else(|| "v1.0.0".to_owned(), string);
        if !["v1.0.0", "1.0-preview-1", "v1.1.0"].contains(&version.as_str()) {
            return Err(format!("invalid version specified: {version}"));
        }
        let own = aliases(document.get("alias"))?;
        let shorten = |text: String| if version == "v1.1.0" { words.shorten(&text, &own) } else { text };
        let env = strings(document.get("env"), "env")?;
        let directory = document.get("workingDirectory").map(string);
        let step_timeout = seconds(document.get("stepTimeout"), "stepTimeout")?.unwrap_or(TIMEOUT);
        let listed = document.get("steps").and_then(Value::as_array).filter(|s| !s.is_empty());
        let listed = listed.ok_or("task does not contain any steps")?;
        if listed.len() > STEPS {
            return Err(format!("task contains more than {STEPS} steps"));
        }
        let mut steps = Vec::new();
        for (at, step) in listed.iter().enumerate() {
            let step = step.as_object().ok_or_else(|| format!("step {at} is no mapping"))?;
            let mut step = parse_step(step, at, step_timeout, &shorten)?;
            step.env = env.iter().cloned().map(&shorten).chain(step.env).collect();
            step.working_directory = step.working_directory.or_else(|| directory.clone());
            if let What::Run(words) = &mut step.what
                && let Some(first) = words.first_mut()
            {
                *first = super::words::tool(first).to_owned();
            }
            steps.push(step);
        }
        Ok(Self { secrets: secrets(document.get("secrets"))?, steps: ordered(steps, listed)? })
    }
}

fn parse_step(
    step: &Map<String, Value>,
    at: usize,
    timeout: u64,
    shorten: &impl Fn(String) -> String,
) -> Result<Step, String> {
    if let Some(unknown) = step.keys().find(|k| !PROPERTIES.contains(&k.as_str())) {
        return Err(format!("field {unknown} not found in a step"));
    }
    let asks = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != "";
    if let Some(name) = NOT_CARRIED_OUT.iter().find(|n| step.get(**n).is_some_and(asks)) {
        return Err(format!("the step property '{name}' is not carried out by this emulator"));
    }
    let text = |name: &str| step.get(name).filter(|v| !v.is_null()).map(|v| shorten(string(v)));
    let what = match (text("build"), step.get("push"), text("cmd")) {
        (Some(build), None, None) => What::Build(parse_build(&split(&build)?)?),
        (None, Some(push), None) => {
            let images = match push {
                Value::String(one) => split(one)?,
                list => strings(Some(list), "push")?,
            };
            What::Push(images.into_iter().map(shorten).collect())
        }
        (None, None, Some(cmd)) => What::Run(split(&cmd)?),
        _ => return Err(format!("step {at} must have exactly one of build, push and cmd")),
    };
    if matches!(&what, What::Push(words) | What::Run(words) if words.is_empty()) {
        return Err(format!("step {at} names no image"));
    }
    let number = |name: &str| seconds(step.get(name), name).map(Option::unwrap_or_default);
    let id = step.get("id").map_or_else(|| format!("acb_step_{at}"), string);
    if id.is_empty() || id == "-" || id.contains(char::is_whitespace) {
        return Err(format!("'{id}' is not a valid step id"));
    }
    Ok(Step {
        id,
        what,
        timeout: seconds(step.get("timeout"), "timeout")?.filter(|t| *t > 0).unwrap_or(timeout),
        retries: number("retries")?,
        retry_delay: number("retryDelay")?,
        repeat: number("repeat")?,
        start_delay: number("startDelay")?,
        ignore_errors: step.get("ignoreErrors").and_then(Value::as_bool).unwrap_or(false),
        env: strings(step.get("env"), "env")?.into_iter().map(shorten).collect(),
        entry_point: text("entryPoint"),
        user: text("user"),
        working_directory: text("workingDirectory"),
        when: strings(step.get("when"), "when")?,
    })
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn strings(value: Option<&Value>, name: &str) -> Result<Vec<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(listed)) => Ok(listed.iter().map(string).collect()),
        Some(_) => Err(format!("'{name}' is not a list")),
    }
}

fn seconds(value: Option<&Value>, name: &str) -> Result<Option<u64>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("'{name}' is not a whole number")),
    }
}

fn aliases(value: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let Some(alias) = value.filter(|v| !v.is_null()) else { return Ok(Vec::new()) };
    if alias.get("src").is_some() {
        return Err("'alias.src' is not carried out by this emulator".to_owned());
    }
    let values = alias.get("values").and_then(Value::as_object);
    Ok(values.into_iter().flatten().map(|(name, value)| (name.clone(), string(value))).collect())
}

fn secrets(value: Option<&Value>) -> Result<Vec<Secret>, String> {
    let Some(Value::Array(listed)) = value else { return Ok(Vec::new()) };
    let secret = |one: &Value| {
        let word = |name: &str| {
            let found = one.as_object()?.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
            Some(string(found.1)).filter(|v| !v.is_empty())
        };
        let id = word("id").ok_or("a secret has no id")?;
        let vault = word("keyvault").ok_or_else(|| format!("the secret '{id}' names no keyvault"))?;
        Ok(Secret { id, vault, client: word("clientID") })
    };
    listed.iter().map(secret).collect()
}

/// Words of a command, as a shell takes them apart: quotes hold words together. Nothing else of a shell is there.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(letters.next().unwrap_or('\\')),
            (c @ ('"' | '\''), None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in '{text}'"));
    }
    words.extend(word);
    Ok(words)
}

fn parse_build(words: &[String]) -> Result<Build, String> {
    let mut build = Build::default();
    let mut context = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || {
            inline.clone().or_else(|| words.next().cloned()).ok_or_else(|| format!("flag needs an argument: {flag}"))
        };
        match flag {
            "-t" | "--tag" => build.tags.push(value()?),
            "-f" | "--file" => build.file = Some(value()?),
            "--target" => build.target = Some(value()?),
            "--build-arg" => build.arguments.push(value()?),
            "--label" => build.labels.push(value()?),
            "--platform" => build.platform = Some(value()?),
            "--no-cache" => build.no_cache = inline.as_deref() != Some("false"),
            "--pull" => build.pull = inline.as_deref() != Some("false"),
            // What they ask for is so anyway, or changes no image.
            "--rm" | "--force-rm" | "-q" | "--quiet" | "--compress" => {}
            "--isolation" | "--progress" | "-m" | "--memory" | "--shm-size" => drop(value()?),
            flag if flag.starts_with('-') && flag != "-" => return Err(format!("unknown flag: {flag}")),
            _ if context.is_some() => return Err("a build has one context".to_owned()),
            _ => context = Some(word.clone()),
        }
    }
    build.context = context.ok_or("a build needs a context, such as '.'")?;
    Ok(build)
}

/// Puts steps in the order in which they can be carried out: each after those that it waits for, which is the one before it
/// unless it says otherwise [docs].
fn ordered(steps: Vec<Step>, listed: &[Value]) -> Result<Vec<Step>, String> {
    let mut places = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        if places.insert(step.id.clone(), at).is_some() {
            return Err(format!("the step id '{}' is not unique", step.id));
        }
    }
    let mut waits: Vec<Vec<usize>> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let mut before = Vec::new();
        for id in step.when.iter().filter(|id| *id != "-") {
            let place =
                *places.get(id).ok_or_else(|| format!("step '{}' waits for '{id}', which is no step", step.id))?;
            before.push(place);
        }
        let says = listed[at].get("when").is_some_and(|w| !w.is_null());
        if !says && at > 0 {
            before.push(at - 1);
        }
        waits.push(before);
    }
    let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut order = Vec::new();
    while order.len() < steps.len() {
        let ready = (0..steps.len()).find(|at| steps[*at].is_some() && waits[*at].iter().all(|w| steps[*w].is_none()));
        let ready = ready.ok_or("the steps wait for each other in a circle")?;
        order.extend(steps[ready].take());
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words() -> Words {
        let run = vec![("ID", "cf7".into()), ("Registry", "r.azurecr.io".into())];
        Words { run, values: json!({"name": "app"}), secrets: None }
    }

    fn parse(text: &str) -> Result<File, String> {
        File::parse(text, &words())
    }

    #[test]
    fn a_task_file_says_what_is_done_in_which_order() {
        let text = "version: v1.1.0\nenv: [A=1]\nsecrets:\n  - id: s\n    keyvault: https://v.vault.azure.net/secrets/x\n    clientID: c\nsteps:\n  - id: last\n    when: [two, one]\n    push: [\"$Registry/{{.Values.name}}:$ID\"]\n  - id: one\n    when: ['-']\n    build: -t $Registry/app:{{.Run.ID}} -f Dockerfile --build-arg X='a b' --no-cache .\n  - id: two\n    cmd: bash -c \"echo $HOME {{.Secrets.s}}\"\n    env: [B=2]\n    timeout: 5\n    retries: 2\n";
        let file = parse(text).unwrap();
        assert_eq!(file.steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["one", "two", "last"]);
        let What::Build(build) = &file.steps[0].what else { panic!() };
        assert_eq!((build.tags.clone(), build.no_cache), (vec!["r.azurecr.io/app:cf7".to_owned()], true));
        assert_eq!((build.arguments.clone(), build.context.as_str()), (vec!["X=a b".to_owned()], "."));
        let What::Run(run) = &file.steps[1].what else { panic!() };
        assert_eq!(run, &["mcr.microsoft.com/acr/bash:latest", "-c", "echo $HOME {{.Secrets.s}}"]);
        assert_eq!(
            (file.steps[1].env.clone(), file.steps[1].timeout, file.steps[1].retries),
            (vec!["A=1".into(), "B=2".into()], 5, 2)
        );
        assert_eq!(file.steps[2].what, What::Push(vec!["r.azurecr.io/app:cf7".to_owned()]));
        assert_eq!(file.secrets[0].client.as_deref(), Some("c"));
    }

    #[test]
    fn what_is_no_task_file_is_refused_by_name() {
        for (text, why) in [
            ("", "no mapping"),
            ("a: [", "yaml"),
            ("- a", "no mapping"),
            ("steps: []", "any steps"),
            ("steps: [{cmd: a, build: .}]", "exactly one"),
            ("steps: [{id: a}]", "exactly one"),
            ("steps: [{cmd: a, colour: red}]", "field colour"),
            ("colour: red\nsteps: [{cmd: a}]", "field colour"),
            ("version: v9\nsteps: [{cmd: a}]", "invalid version"),
            ("steps: [{cmd: a, id: x}, {cmd: b, id: x}]", "not unique"),
            ("steps: [{cmd: a, id: x, when: [y]}, {cmd: b, id: y, when: [x]}]", "circle"),
            ("steps: [{cmd: a, when: [z]}]", "no step"),
            ("steps: [{cmd: a, detach: true}]", "detach"),
            ("steps: [{cmd: \"a 'b\"}]", "quote"),
            ("steps: [{build: --frob .}]", "unknown flag"),
            ("steps: [{build: -t a}]", "context"),
            ("steps: [{cmd: a, timeout: soon}]", "whole number"),
            ("steps: [{cmd: '{{if x}}'}]", "not understood"),
            ("steps: [{push: []}]", "no image"),
            ("a: &a [*a]\nsteps: [{cmd: a}]", "yaml"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn the_last_of_what_is_said_twice_counts() {
        let file = parse("version: v1.0.0\nversion: v1.1.0\nsteps: [{cmd: $ID}]").unwrap();
        assert_eq!(file.steps[0].what, What::Run(vec!["cf7".to_owned()]));
    }

    #[test]
    fn documents_that_grow_are_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let many = vec![format!("*a{}", n - 1); 9].join(",");
            text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
        }
        assert!(yaml(&text).is_err());
        assert!(yaml(&"[".repeat(100_000)).is_err());
    }
}
