//! One resource that a template wants, and the body that is sent to create it.
//! Must not know: how a template's resources hang together.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use super::eval::{Copy, Eval};
use super::scope::Stop;
use super::values::{Text, get};
use crate::domain::world::json::{self, VALUE};

/// The type of deployments within a template.
pub const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";
/// Members of a resource that say how to deploy it and are not sent.
const DIRECTIONS: &[&str] = &[
    "type",
    "apiVersion",
    "name",
    "condition",
    "copy",
    "dependsOn",
    "scope",
    "resources",
    "comments",
    "existing",
    "metadata",
    "resourceGroup",
    "subscriptionId",
    "import",
    "provider",
];
/// Bytes of a resource's definition at most, and of a template within a template [docs].
const BODY_LIMIT: usize = 1024 * 1024;
const TEMPLATE_LIMIT: usize = 4 * 1024 * 1024;

/// Line, column and path of an object of the template; zeros where it is about none.
pub type Place = (usize, usize, Arc<str>);

/// One resource that a template wants, or reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its name, with its parents' names.
    pub name: String,
    /// The api-version it is sent with.
    pub api_version: String,
    /// It is there already and only read.
    pub existing: bool,
    /// Its condition holds.
    pub wanted: bool,
    /// Which resources have to be done before it, by their place in the list.
    pub depends_on: Vec<usize>,
    /// Where it stands.
    pub place: Place,
    pub(super) copies: Vec<Copy>,
    /// The template's words for it, its children left out; shared by all iterations of a loop.
    pub(super) raw: Arc<Value>,
    /// Whether it uses a key of a vault.
    pub(super) uses_key: bool,
}

/// Whether a member of a resource is sent.
pub(super) fn is_sent(member: &str) -> bool {
    !DIRECTIONS.iter().any(|direction| direction.eq_ignore_ascii_case(member))
}

impl Resource {
    /// Whether it is a template within the template.
    #[must_use]
    pub fn is_deployment(&self) -> bool {
        self.kind.eq_ignore_ascii_case(DEPLOYMENTS)
    }

    /// Whether its own expressions are evaluated only within it.
    pub(super) fn is_inner(&self) -> bool {
        let options = get(&self.raw, "properties").and_then(|p| get(p, "expressionEvaluationOptions"));
        let scope = options.and_then(|o| get(o, "scope")).and_then(Value::as_str);
        scope.is_some_and(|s| s.eq_ignore_ascii_case("inner"))
    }

    /// Evaluates what is sent.
    pub(super) fn evaluated(&self, eval: &mut Eval<'_>) -> Result<Part<'_>, Stop> {
        let mut made = Vec::new();
        for (key, value) in self.raw.as_object().into_iter().flatten().filter(|(key, _)| is_sent(key)) {
            let value = match value {
                Value::Object(properties) if self.is_deployment() && key.eq_ignore_ascii_case("properties") => {
                    self.nested(properties, eval)?
                }
                other => Part::Made(eval.value(other)?),
            };
            made.push((eval.key(key)?, value));
        }
        Ok(Part::Members(made))
    }

    /// The properties of a template within the template. With inner scope its expressions are its own affair;
    /// with outer scope they are evaluated here, and what comes out must not be taken for expressions again.
    fn nested<'r>(&self, properties: &'r Map<String, Value>, eval: &mut Eval<'_>) -> Result<Part<'r>, Stop> {
        let mut made = Vec::new();
        for (key, value) in properties {
            let value = match (key.eq_ignore_ascii_case("template"), self.is_inner()) {
                (true, true) => Part::Raw(value),
                (true, false) => Part::Made(outer(value, self.copies.is_empty(), eval)?),
                (false, _) => Part::Made(eval.value(value)?),
            };
            made.push((key.clone(), value));
        }
        Ok(Part::Members(made))
    }

    /// Bytes that its body may have.
    pub(super) fn limit(&self) -> usize {
        if self.is_deployment() { TEMPLATE_LIMIT } else { BODY_LIMIT }
    }
}

fn outer(value: &Value, no_loop: bool, eval: &mut Eval<'_>) -> Result<Value, Stop> {
    match value {
        // Its own loops give it its own iterations.
        Value::String(text) if no_loop && text.to_ascii_lowercase().contains("copyindex(") => eval.copy(value),
        Value::String(text) => {
            let done = eval.string(text)?;
            let literal =
                done.as_str().filter(|made| *made != text && made.starts_with('[')).map(|made| format!("[{made}"));
            Ok(literal.map_or(done, Value::from))
        }
        Value::Array(items) => {
            eval.hold(VALUE)?;
            items.iter().map(|item| outer(item, no_loop, eval)).collect()
        }
        Value::Object(map) => {
            eval.hold(VALUE)?;
            let mut made = Map::new();
            for (key, item) in map {
                let key = eval.key(key)?;
                eval.hold(json::entry(made.len(), &key))?;
                made.insert(key, outer(item, no_loop, eval)?);
            }
            Ok(Value::Object(made))
        }
        other => eval.copy(other),
    }
}

/// A part of a body: what was made, and what is sent as the template has it, of which no copy is made.
pub(super) enum Part<'r> {
    Made(Value),
    Raw(&'r Value),
    Members(Vec<(String, Part<'r>)>),
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Made(value) => value.serialize(to),
            Self::Raw(value) => value.serialize(to),
            Self::Members(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, part)| map.serialize_entry(name, part))?;
                map.end()
            }
        }
    }
}

impl Part<'_> {
    /// As JSON of at most so many bytes.
    pub(super) fn text(&self, limit: usize) -> Result<String, Stop> {
        let mut text = Text::up_to(limit);
        serde_json::to_writer(&mut text, self)
            .map_err(|_| Stop::Fail(format!("the resource's definition is larger than '{limit}' bytes")))?;
        Ok(text.text()?)
    }

    /// As a value. What is sent as the template has it is a text there, which deployments take too.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Made(value) => value,
            Self::Raw(value) => Value::String(value.to_string()),
            Self::Members(members) => members.into_iter().map(|(name, part)| (name, part.value())).collect(),
        }
    }
}
