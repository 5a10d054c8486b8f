//! What a run is asked to do: the four requests, and a task's own definition [spec].
//! Must not know: what is in a source, how a step is carried out.

use serde_json::{Map, Value};

use crate::domain::error::{RequestError, Result};
use crate::domain::world::crypto;

/// Seconds that a run may take unless it says otherwise, and at most [docs].
const TIMEOUT: u64 = 3600;
const LONGEST: u64 = 28_800;
const SHORTEST: u64 = 300;

/// A value that is given to a build or a task file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    pub value: String,
    /// It is shown nowhere.
    pub secret: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// One build, and its pushes.
    Docker {
        images: Vec<String>,
        push: bool,
        no_cache: bool,
        file: String,
        target: Option<String>,
        arguments: Vec<Argument>,
    },
    /// A task file in the source.
    File { path: String, values_path: Option<String>, values: Vec<Argument> },
    /// A task file that came with the request.
    Encoded { text: String, values_text: Option<String>, values: Vec<Argument> },
}

/// How to sign in to another registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub server: String,
    /// Text, or the identifier of a vault's secret.
    pub user: Option<(String, bool)>,
    pub password: Option<(String, bool)>,
    /// `[system]`, or a client id of an identity of the task.
    pub identity: Option<String>,
}

/// What a run is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub what: What,
    /// Where the source is: a path in the storage account, or an address.
    pub source: Option<String>,
    pub source_token: Option<String>,
    /// Seconds.
    pub timeout: u64,
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
    /// Whether it signs in to the registry that it runs in.
    pub signs_in: bool,
    pub logins: Vec<Login>,
    pub log_template: Option<String>,
}

fn invalid(property: &str, message: impl Into<String>) -> crate::domain::Error {
    RequestError::InvalidValue { property: property.to_owned(), message: message.into() }.into()
}

/// A member of an object, its name in any case; null is none.
fn member<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    let object = body.as_object()?;
    object.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).filter(|v| !v.is_null())
}

fn text(body: &Value, name: &str) -> Result<Option<String>> {
    match member(body, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|t| !t.is_empty())),
        Some(_) => Err(invalid(name, "it is not a text")),
    }
}

fn needed(body: &Value, name: &str) -> Result<String> {
    text(body, name)?.ok_or_else(|| invalid(name, "it is required"))
}

fn flag(body: &Value, name: &str) -> Result<Option<bool>> {
    match member(body, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(invalid(name, "it is neither true nor false")),
    }
}

fn arguments(body: &Value, name: &str) -> Result<Vec<Argument>> {
    let Some(listed) = member(body, name) else { return Ok(Vec::new()) };
    let listed = listed.as_array().ok_or_else(|| invalid(name, "it is not a list"))?;
    let argument = |one: &Value| {
        let name = needed(one, "name")?;
        let value = text(one, "value")?.unwrap_or_default();
        Ok(Argument { name, value, secret: flag(one, "isSecret")?.unwrap_or(false) })
    };
    listed.iter().map(argument).collect()
}

fn texts(body: &Value, name: &str) -> Result<Vec<String>> {
    let Some(listed) = member(body, name) else { return Ok(Vec::new()) };
    let listed = listed.as_array().ok_or_else(|| invalid(name, "it is not a list"))?;
    let read = |one: &Value| one.as_str().map(str::to_owned).ok_or_else(|| invalid(name, "it holds more than texts"));
    listed.iter().map(read).collect()
}

fn encoded(body: &Value, name: &str) -> Result<Option<String>> {
    let Some(encoded) = text(body, name)? else { return Ok(None) };
    let decoded = crypto::from_base64(&encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map(Some).ok_or_else(|| invalid(name, "it is not text in base64"))
}

/// What a step or a request of a kind asks for. `kind` is the type's first word: a request is of the same kinds as a step.
fn what(kind: &str, body: &Value) -> Result<What> {
    Ok(match kind {
        "Docker" => What::Docker {
            images: texts(body, "imageNames")?,
            push: flag(body, "isPushEnabled")?.unwrap_or(true),
            no_cache: flag(body, "noCache")?.unwrap_or(false),
            file: needed(body, "dockerFilePath")?,
            target: text(body, "target")?,
            arguments: arguments(body, "arguments")?,
        },
        "FileTask" => What::File {
            path: needed(body, "taskFilePath")?,
            values_path: text(body, "valuesFilePath")?,
            values: arguments(body, "values")?,
        },
        _ => What::Encoded {
            text: encoded(body, "encodedTaskContent")?
                .ok_or_else(|| invalid("encodedTaskContent", "it is required"))?,
            values_text: encoded(body, "encodedValuesContent")?,
            values: arguments(body, "values")?,
        },
    })
}

fn logins(credentials: &Value) -> Result<Vec<Login>> {
    let Some(custom) = member(credentials, "customRegistries") else { return Ok(Vec::new()) };
    let custom = custom.as_object().ok_or_else(|| invalid("customRegistries", "it is not an object"))?;
    let secret = |one: &Value, name: &str| -> Result<Option<(String, bool)>> {
        let Some(object) = member(one, name) else { return Ok(None) };
        let vault = text(object, "type")?.is_some_and(|t| t.eq_ignore_ascii_case("Vaultsecret"));
        Ok(text(object, "value")?.map(|value| (value, vault)))
    };
    let given = custom.iter().filter(|(_, one)| !one.is_null());
    let login = |(server, one): (&String, &Value)| {
        Ok(Login {
            server: server.to_ascii_lowercase(),
            user: secret(one, "userName")?,
            password: secret(one, "password")?,
            identity: text(one, "identity")?,
        })
    };
    given.map(login).collect()
}

/// Seconds that a run may take.
fn timeout(body: &Value) -> Result<u64> {
    let Some(asked) = member(body, "timeout") else { return Ok(TIMEOUT) };
    let seconds = asked.as_u64().filter(|s| (SHORTEST..=LONGEST).contains(s));
    // [spec: the bounds]
    seconds.ok_or_else(|| invalid("timeout", format!("it is not a number from {SHORTEST} to {LONGEST}")))
}

fn order(what: What, body: &Value, source: Option<String>, source_token: Option<String>) -> Result<Order> {
    let nothing = Value::Null;
    let platform = member(body, "platform").unwrap_or(&nothing);
    let credentials = member(body, "credentials").unwrap_or(&nothing);
    let source_registry = member(credentials, "sourceRegistry").unwrap_or(&nothing);
    let os = text(platform, "os")?.unwrap_or_else(|| "linux".to_owned());
    if !["linux", "windows"].iter().any(|known| os.eq_ignore_ascii_case(known)) {
        return Err(invalid("platform", format!("'{os}' is no operating system")));
    }
    Ok(Order {
        what,
        source,
        source_token,
        timeout: timeout(body)?,
        os: os.to_ascii_lowercase(),
        architecture: text(platform, "architecture")?.unwrap_or_else(|| "amd64".to_owned()).to_ascii_lowercase(),
        variant: text(platform, "variant")?,
        signs_in: !text(source_registry, "loginMode")?.is_some_and(|mode| mode.eq_ignore_ascii_case("None")),
        logins: logins(credentials)?,
        log_template: text(body, "logTemplate")?,
    })
}

impl Order {
    /// What a request other than that for a task's run asks for.
    pub fn of_request(body: &Value) -> Result<Self> {
        let kind = text(body, "type")?.unwrap_or_default();
        let kinds = [
            ("DockerBuildRequest", "Docker"),
            ("FileTaskRunRequest", "FileTask"),
            ("EncodedTaskRunRequest", "EncodedTask"),
        ];
        let kind = kinds.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| invalid("type", "it is no type of a run request"))?;
        order(what(kind, body)?, body, text(body, "sourceLocation")?, None)
    }

    /// What a run of a task does: its `properties`, and what the run overrides of its step.
    pub fn of_task(properties: &Map<String, Value>, overrides: &Value) -> Result<Self> {
        let mut properties = Value::Object(properties.clone());
        let mut step = properties["step"].take();
        if let Some(step) = step.as_object_mut() {
            let file = match step.get("type").and_then(Value::as_str) {
                Some("Docker") => "dockerFilePath",
                _ => "taskFilePath",
            };
            for (from, to) in [("contextPath", "contextPath"), ("file", file), ("target", "target")] {
                if let Some(value) = member(overrides, from) {
                    step.insert(to.to_owned(), value.clone());
                }
            }
            for list in ["arguments", "values"] {
                let over = member(overrides, list).and_then(Value::as_array).cloned().unwrap_or_default();
                if over.is_empty() {
                    continue;
                }
                let named = |one: &Value| text(one, "name").ok().flatten();
                let kept = step.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
                let kept = kept.into_iter().filter(|k| !over.iter().any(|o| named(o) == named(k)));
                step.insert(list.to_owned(), Value::Array(kept.chain(over.iter().cloned()).collect()));
            }
        }
        let kind = step_kind(&step)?;
        order(what(kind, &step)?, &properties, text(&step, "contextPath")?, text(&step, "contextAccessToken")?)
    }

    /// Whether it is one build.
    #[must_use]
    pub fn is_build(&self) -> bool {
        matches!(self.what, What::Docker { .. })
    }

    /// The values that are to be shown nowhere.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let (What::Docker { arguments: given, .. }
        | What::File { values: given, .. }
        | What::Encoded { values: given, .. }) = &self.what;
        let opaque = self.logins.iter().filter_map(|l| l.password.clone()).filter(|(_, vault)| !vault).map(|(p, _)| p);
        given
            .iter()
            .filter(|a| a.secret)
            .map(|a| a.value.clone())
            .chain(opaque)
            .chain(self.source_token.clone())
            .collect()
    }
}

/// The kind of a task's step.
pub fn step_kind(step: &Value) -> Result<&'static str> {
    let kind = text(step, "type")?.unwrap_or_default();
    let known = ["Docker", "FileTask", "EncodedTask"].into_iter().find(|k| k.eq_ignore_ascii_case(&kind));
    known.ok_or_else(|| invalid("step", format!("'{kind}' is no type of a step")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_read() {
        let body = json!({
            "type": "DockerBuildRequest", "imageNames": ["a:1"], "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"},
            "arguments": [{"name": "A", "value": "b", "isSecret": true}], "sourceLocation": "source/x.tar.gz",
            "credentials": {"sourceRegistry": {"loginMode": "None"}, "customRegistries": {"Other.azurecr.io": {
                "userName": {"type": "Opaque", "value": "u"}, "password": {"type": "Vaultsecret", "value": "https://v"}}}},
        });
        let order = Order::of_request(&body).unwrap();
        assert!(order.is_build() && !order.signs_in && order.timeout == 3600 && order.os == "linux");
        assert_eq!(order.secrets(), ["b"]);
        assert_eq!(order.logins[0].server, "other.azurecr.io");
        assert_eq!(order.logins[0].password, Some(("https://v".to_owned(), true)));
    }

    #[test]
    fn wrong_requests_name_what_is_wrong() {
        let good = json!({"type": "EncodedTaskRunRequest", "encodedTaskContent": "YQ==", "platform": {"os": "Linux"}});
        assert!(Order::of_request(&good).is_ok());
        for (name, value) in [
            ("type", json!("TaskRun")),
            ("encodedTaskContent", json!("!")),
            ("encodedTaskContent", Value::Null),
            ("timeout", json!(1)),
            ("timeout", json!("3600")),
            ("values", json!({})),
            ("platform", json!({"os": "plan9"})),
        ] {
            let mut body = good.clone();
            body[name] = value.clone();
            let refused = Order::of_request(&body).unwrap_err();
            let crate::domain::Error::Request(RequestError::InvalidValue { property, .. }) = refused else {
                panic!("{name}: {refused}")
            };
            assert_eq!(property, name, "{value}");
        }
    }

    #[test]
    fn a_run_overrides_what_it_names_of_its_task() {
        let task = json!({"timeout": 600, "step": {
            "type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": "https://a/b.git", "imageNames": ["a"],
            "arguments": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        }});
        let over =
            json!({"file": "Other", "contextPath": null, "target": "t", "arguments": [{"name": "B", "value": "3"}]});
        let order = Order::of_task(task.as_object().unwrap(), &over).unwrap();
        assert_eq!((order.source.as_deref(), order.timeout), (Some("https://a/b.git"), 600));
        let What::Docker { file, target, arguments, .. } = order.what else { panic!() };
        assert_eq!((file.as_str(), target.as_deref()), ("Other", Some("t")));
        assert_eq!(arguments.iter().map(|a| a.value.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    }
}
