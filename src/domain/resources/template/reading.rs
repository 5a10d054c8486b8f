//! Reads the resources of a template: their words, shared by the iterations of their loops, and each iteration's name,
//! id and condition.
//! Must not know: in which order resources are created.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::budget::Held;
use super::eval::{COPY_LIMIT, Copy, Eval, count_of};
use super::ids;
use super::invalid::{Invalid, about, validation};
use super::json::Places;
use super::resource::{DEPLOYMENTS, Place, Resource};
use super::scope::{Scope, Stop};
use super::values::{get, kind, shown, take};
use crate::domain::world::name;

/// The template's words for a resource.
pub(super) struct Node {
    /// Its symbolic name.
    symbol: Option<String>,
    raw: Arc<Value>,
    place: Place,
    uses_key: bool,
    children: Vec<Self>,
}

/// Bytes of a symbolic name or of a loop's at most. [inferred: as of an id]
const NAME_LIMIT: usize = ids::LENGTH_LIMIT;
/// Bytes of an api-version at most.
const VERSION_LIMIT: usize = 64;

fn too_many(count: usize) -> Invalid {
    validation(format!(
        "The number of template resources limit exceeded. Limit: '{COPY_LIMIT}' and actual: '{count}'. Please see https://aka.ms/arm-template/#resources for usage details."
    ))
}

fn too_long(what: &str) -> Stop {
    Stop::Fail(format!("the {what} is longer than '{NAME_LIMIT}' characters"))
}

/// Reads the words.
pub(super) struct Words<'a> {
    pub(super) places: &'a Places,
    pub(super) count: usize,
}

impl Words<'_> {
    /// The resources below a path, moved out of the template.
    pub(super) fn read(&mut self, resources: Option<Value>, path: &str) -> Result<Vec<Node>, Invalid> {
        match resources {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let items = items.into_iter().enumerate();
                items.map(|(at, raw)| self.node(raw, &format!("{path}[{at}]"), None)).collect()
            }
            Some(Value::Object(map)) => {
                map.into_iter().map(|(symbol, raw)| self.node(raw, &format!("{path}.{symbol}"), Some(symbol))).collect()
            }
            Some(_) => Err(validation(
                "The template resources must be an array or an object. Please see https://aka.ms/arm-syntax-resources for usage details.",
            )),
        }
    }

    fn node(&mut self, mut raw: Value, path: &str, symbol: Option<String>) -> Result<Node, Invalid> {
        self.count += 1;
        if i64::try_from(self.count).is_ok_and(|count| count > COPY_LIMIT) {
            return Err(too_many(self.count));
        }
        let (line, column) = self.places.of(path);
        if !raw.is_object() {
            return Err(validation(format!(
                "The template resource at line '{line}' and column '{column}' is not an object. Please see https://aka.ms/arm-syntax-resources for usage details."
            )));
        }
        let place = (line, column, Arc::from(path));
        if symbol.as_ref().is_some_and(|symbol| symbol.len() > NAME_LIMIT) {
            return Err(about("The template resource", &place, too_long("symbolic name")));
        }
        let children = take(&mut raw, "resources");
        let children = self.read(children, &format!("{path}.resources"))?;
        Ok(Node { symbol, uses_key: mentions_key(&raw), raw: Arc::new(raw), place, children })
    }
}

fn mentions_key(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(key, value)| key.eq_ignore_ascii_case("keyVaultProperties") || mentions_key(value))
        }
        Value::Array(items) => items.iter().any(mentions_key),
        _ => false,
    }
}

/// What a resource has to wait for: what its `dependsOn` says, and in a serial loop the batch before its own.
pub(super) struct Before {
    pub(super) words: Vec<String>,
    pub(super) batch: Arc<[usize]>,
}

/// The iterations of all resources.
pub(super) struct Reading<'a> {
    /// Names and their meaning.
    pub(super) scope: &'a Scope,
    /// The id of the subscription or group that the template is deployed to.
    pub(super) deployed_to: &'a str,
    /// What was read holds.
    pub(super) held: Held,
    pub(super) resources: Vec<Resource>,
    /// For each of them.
    pub(super) before: Vec<Before>,
    /// Resources by symbolic name, lower case.
    pub(super) symbols: HashMap<String, Vec<usize>>,
}

impl Reading<'_> {
    /// A resource, all its iterations, and its children.
    pub(super) fn read(&mut self, node: &Node, parent: Option<(&str, &str)>) -> Result<(), Invalid> {
        let raw = &node.raw;
        let raw_name = get(raw, "name").and_then(Value::as_str).unwrap_or_default();
        let what = format!("The template resource '{raw_name}'");
        let failed = |stop: Stop| about(&what, &node.place, stop);
        let copy = get(raw, "copy").filter(|c| c.is_object());
        let (rounds, copy_name) = match copy {
            Some(copy) => {
                let name = get(copy, "name").and_then(Value::as_str).or(node.symbol.as_deref()).unwrap_or_default();
                if name.len() > NAME_LIMIT {
                    return Err(failed(too_long("name of the loop")));
                }
                let count = get(copy, "count").unwrap_or(&Value::Null);
                let count = Eval::early(self.scope, &[]).value(count).and_then(|c| count_of(&c)).map_err(failed)?;
                (count, Some(name))
            }
            None => (1, None),
        };
        let batch = copy.and_then(serial_batch);
        // Children stand among the iterations, so these are noted one by one.
        let (mut earlier, mut current): (Arc<[usize]>, Vec<usize>) = (Arc::default(), Vec::new());
        for round in 0..rounds {
            if batch == Some(current.len()) {
                earlier = std::mem::take(&mut current).into();
            }
            let copies = copy_name.iter().map(|name| ((*name).to_owned(), round)).collect();
            let (resource, words) = self.instance(node, parent, copies).map_err(|e| match e {
                Ok(stop) => failed(stop),
                Err(invalid) => invalid,
            })?;
            let before = Before { words, batch: earlier.clone() };
            let at = self.resources.len();
            current.push(at);
            if i64::try_from(at).is_ok_and(|at| at >= COPY_LIMIT) {
                return Err(too_many(at + 1));
            }
            self.hold(&resource, &before)?;
            if let Some(symbol) = &node.symbol {
                self.symbols.entry(symbol.to_ascii_lowercase()).or_default().push(at);
            }
            let (kind, name) = (resource.kind.clone(), resource.name.clone());
            self.resources.push(resource);
            self.before.push(before);
            node.children.iter().try_for_each(|child| self.read(child, Some((&kind, &name))))?;
        }
        Ok(())
    }

    /// Holds the memory of a resource, whose names come to lie in several tables.
    fn hold(&mut self, resource: &Resource, before: &Before) -> Result<(), Invalid> {
        let names = resource.id.len() + resource.kind.len() + resource.name.len() + resource.api_version.len();
        let words: usize = before.words.iter().map(|word| word.len() + size_of::<String>() + 16).sum();
        Ok(self.held.more(1024 + 8 * names + words)?)
    }

    /// One resource, or one iteration of it, and what its `dependsOn` says.
    fn instance(
        &self,
        node: &Node,
        parent: Option<(&str, &str)>,
        copies: Vec<Copy>,
    ) -> Result<(Resource, Vec<String>), Result<Stop, Invalid>> {
        let raw = &node.raw;
        let (line, column, _) = &node.place;
        let evaluated = |value: &Value| Eval::early(self.scope, &copies).value(value).map_err(Ok);
        let word = |name: &str| -> Result<Option<String>, Result<Stop, Invalid>> {
            let Some(raw) = get(raw, name).filter(|v| !v.is_null()) else { return Ok(None) };
            let word = shown(&evaluated(raw)?).map_err(|why| Ok(why.into()))?;
            if word.len() > NAME_LIMIT {
                return Err(Ok(too_long(name)));
            }
            Ok(Some(word))
        };
        let missing = |name: &str| {
            Err(validation(format!(
                "The template resource at line '{line}' and column '{column}' is missing the property '{name}'. Please see https://aka.ms/arm-syntax-resources for usage details."
            )))
        };
        let wanted = match get(raw, "condition") {
            None | Some(Value::Null) => true,
            Some(condition) => truth(&evaluated(condition)?).map_err(Ok)?,
        };
        // What is conditioned away need not have a value: its expressions may be about what is not there.
        let unwanted = |word: Result<Option<String>, _>| if wanted { word } else { Ok(word.unwrap_or_default()) };
        // Some templates end a type with a slash [recorded].
        let kind = word("type")?.map(|kind| kind.trim_end_matches('/').to_owned());
        let mut kind = kind.filter(|k| !k.is_empty()).ok_or_else(|| missing("type"))?;
        let name = unwanted(word("name"))?.filter(|n| !n.is_empty());
        let unnamed = || (!wanted).then(|| vec!["-"; kind.matches('/').count().max(1)].join("/"));
        let mut name = name.or_else(unnamed).ok_or_else(|| missing("name"))?;
        let existing = get(raw, "existing").and_then(Value::as_bool).unwrap_or(false);
        let api_version = word("apiVersion")?.unwrap_or_default();
        if api_version.is_empty() && !existing {
            return Err(missing("apiVersion"));
        }
        if api_version.len() > VERSION_LIMIT {
            return Err(Ok(too_long("apiVersion")));
        }
        if let Some((parent_kind, parent_name)) =
            parent.filter(|_| !kind.split('/').next().is_some_and(|n| n.contains('.')))
        {
            kind = format!("{parent_kind}/{kind}");
            name = format!("{parent_name}/{name}");
        }
        let part = |name: &str| unwanted(word(name));
        let scope = self.scope_of(&kind, part("scope")?, part("subscriptionId")?, part("resourceGroup")?);
        let id = ids::below(&scope, &kind, &name).ok_or_else(|| {
            let (types, names) = (kind.split('/').count() - 1, name.split('/').count());
            Err(validation(format!(
                "The template resource '{name}' for type '{kind}' at line '{line}' and column '{column}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name ('{types}' and '{names}'). Please see https://aka.ms/arm-syntax-resources for usage details."
            )))
        })?;
        if id.len() > NAME_LIMIT {
            return Err(Ok(too_long("id")));
        }
        let before = match get(raw, "dependsOn") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) if !wanted => Vec::new(),
            Some(list) => words(evaluated(list)?).map_err(Ok)?,
        };
        let resource = Resource {
            id,
            kind,
            name,
            api_version,
            existing,
            wanted,
            depends_on: Vec::new(),
            place: node.place.clone(),
            copies,
            raw: raw.clone(),
            uses_key: node.uses_key,
        };
        Ok((resource, before))
    }

    /// The id that a resource's own id goes on from.
    fn scope_of(
        &self,
        kind: &str,
        scope: Option<String>,
        subscription: Option<String>,
        group: Option<String>,
    ) -> String {
        if let Some(scope) = scope {
            return match scope.strip_prefix('/') {
                Some("") => String::new(),
                Some(_) => scope,
                // `Microsoft.KeyVault/vaults/v`: relative to where the template is deployed.
                None => format!("{}/providers/{scope}", self.deployed_to),
            };
        }
        if !kind.eq_ignore_ascii_case(DEPLOYMENTS) || (subscription.is_none() && group.is_none()) {
            return self.deployed_to.to_owned();
        }
        let own = name::subscription_id();
        let subscription = subscription.map_or(own, |s| format!("/subscriptions/{s}"));
        group.map_or(subscription.clone(), |group| format!("{subscription}/resourceGroups/{group}"))
    }
}

/// How many iterations of a serial loop run at a time; `None`: all.
fn serial_batch(copy: &Value) -> Option<usize> {
    get(copy, "mode").and_then(Value::as_str).filter(|m| m.eq_ignore_ascii_case("serial"))?;
    let batch = get(copy, "batchSize").and_then(Value::as_u64).and_then(|b| usize::try_from(b).ok());
    Some(batch.unwrap_or(1).max(1))
}

/// A condition's value.
fn truth(value: &Value) -> Result<bool, Stop> {
    match value {
        Value::Bool(wanted) => Ok(*wanted),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(Stop::Fail(format!("the condition is expected to be a boolean and is of type '{}'", kind(other)))),
    }
}

/// The entries of a `dependsOn`, each once.
fn words(list: Value) -> Result<Vec<String>, Stop> {
    let entries = match list {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut words = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in entries.iter().filter(|entry| !entry.is_null()) {
        let word = shown(entry)?;
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    Ok(words)
}
