//! Reads a template: parameters, variables, functions, and which resources it wants in which order.
//! Must not know: how a resource is created, what a running cloud looks like.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::eval::{
    COPY_LIMIT, Copy, Eval, Facts, Guids, Known, Scope, Stop, Target, UserFunction, count_of, get, is_function,
    unknown_function,
};
use super::functions::shown;
use super::ids;
use super::json::Places;
use super::parameters::{self, Parameter, canonical, resolved};
use super::syntax::{self, Expr, Text};

/// The type of deployments within a template.
pub const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";
/// Limits of a template [docs]: a section, and how many entries it may have.
const SECTIONS: &[(&str, usize)] = &[("parameters", 256), ("variables", 512), ("outputs", 64)];
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

/// Why a template is not valid: what `InvalidTemplate` says, and about which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The whole message.
    pub message: String,
    /// Line, column and path of the resource it is about, or zeros.
    pub place: (usize, usize, String),
}

/// Everything a template is read with.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The template.
    pub template: &'a Value,
    /// Values for its parameters, as sent.
    pub parameters: &'a Value,
    /// Where its objects stand.
    pub places: &'a Places,
    /// The id of the subscription or group it is deployed to.
    pub scope: &'a str,
    /// What the scope functions tell.
    pub facts: &'a Facts,
    /// Makes the GUIDs of `newGuid()`.
    pub guids: Guids<'a>,
}

/// One resource that a template wants, or reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its id.
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
    /// Where it stands: line, column, path.
    pub place: (usize, usize, String),
    copies: Vec<Copy>,
    raw: Value,
}

impl Resource {
    /// Whether it is a template within the template.
    #[must_use]
    pub fn is_deployment(&self) -> bool {
        self.kind.eq_ignore_ascii_case(DEPLOYMENTS)
    }

    /// Whether its own expressions are evaluated only within it.
    fn is_inner(&self) -> bool {
        let options = get(&self.raw, "properties").and_then(|p| get(p, "expressionEvaluationOptions"));
        let scope = options.and_then(|o| get(o, "scope")).and_then(Value::as_str);
        scope.is_some_and(|s| s.eq_ignore_ascii_case("inner"))
    }
}

/// A template that was read: its resources in a list, and what their expressions mean.
#[derive(Debug)]
pub struct Program {
    /// The resources.
    pub resources: Vec<Resource>,
    /// The parameters and their values.
    pub parameters: Vec<Parameter>,
    scope: Scope,
    outputs: Map<String, Value>,
}

fn validation(message: impl AsRef<str>) -> Invalid {
    let message = format!("Deployment template validation failed: '{}'.", message.as_ref());
    Invalid { message, place: (0, 0, String::new()) }
}

/// A failed evaluation as a message about the thing it was for.
fn about(what: &str, place: &(usize, usize, String), stop: Stop) -> Invalid {
    let why = match stop {
        Stop::Fail(why) => why,
        Stop::Need(need) => format!("the state of '{}' is not expected at this location", need.id),
    };
    let (line, column, _) = place;
    let message = format!(
        "Deployment template validation failed: '{what} at line '{line}' and column '{column}' is not valid: {why}.. Please see https://aka.ms/arm-functions for usage details.'."
    );
    Invalid { message, place: place.clone() }
}

impl Program {
    /// Reads a template. Nothing of the running cloud is needed for that.
    pub fn read(source: Source<'_>) -> Result<Self, Invalid> {
        let template = source.template;
        if !template.is_object() {
            return Err(validation(
                "The template is missing or is not an object. Please see https://aka.ms/arm-syntax for usage details.",
            ));
        }
        if get(template, "resources").is_none_or(Value::is_null) {
            let (line, column) = source.places.of("properties.template");
            return Err(validation(format!(
                "Required property 'resources' not found in JSON. Path '', line {line}, position {column}."
            )));
        }
        for (section, limit) in SECTIONS {
            let count = get(template, section).and_then(Value::as_object).map_or(0, Map::len);
            if count > *limit {
                return Err(validation(format!(
                    "The number of template {section} limit exceeded. Limit: '{limit}' and actual: '{count}'. Please see https://aka.ms/arm-template/#{section} for usage details."
                )));
            }
        }
        let parameters = parameters::settle(
            template,
            source.parameters,
            source.places,
            "properties.template.",
            source.facts,
            source.guids,
        )
        .map_err(validation)?;
        let mut scope = Scope::new(source.facts.clone());
        for parameter in &parameters {
            scope.parameters.insert(parameter.name.clone(), parameter.value.clone());
        }
        scope.functions = user_functions(template)?;
        settle_variables(&mut scope, template)?;
        let outputs = get(template, "outputs").and_then(Value::as_object).into_iter().flatten();
        let outputs = outputs.map(|(name, output)| (name.clone(), resolved(template, output))).collect();
        let mut program = Self { resources: Vec::new(), parameters, scope, outputs };
        let mut reading = Reading { source, wanted_before: Vec::new(), symbols: HashMap::new() };
        reading.resources(&mut program, template, "properties.template.resources", None)?;
        program.name_targets(&reading.symbols);
        program.check()?;
        program.connect(&reading)?;
        Ok(program)
    }

    /// What is sent to create a resource.
    pub fn body(&self, resource: &Resource, known: &Known) -> Result<Value, Stop> {
        self.evaluated(resource, &mut Eval::running(&self.scope, &resource.copies, known))
    }

    /// As [`Program::body`], with the expressions left in whose needs are not known.
    pub fn prediction(&self, resource: &Resource, known: &Known) -> Result<(Value, Vec<super::Need>), Stop> {
        let mut eval = Eval::predicting(&self.scope, &resource.copies, known);
        let body = self.evaluated(resource, &mut eval)?;
        Ok((body, eval.needs))
    }

    fn evaluated(&self, resource: &Resource, eval: &mut Eval<'_>) -> Result<Value, Stop> {
        let mut made = Map::new();
        for (key, value) in resource.raw.as_object().into_iter().flatten() {
            if DIRECTIONS.iter().any(|d| d.eq_ignore_ascii_case(key)) {
                continue;
            }
            let value = match value {
                Value::Object(properties) if resource.is_deployment() && key.eq_ignore_ascii_case("properties") => {
                    nested(resource, properties, eval)?
                }
                other => eval.value(other)?,
            };
            made.insert(eval.key(key)?, value);
        }
        Ok(Value::Object(made))
    }

    /// The outputs: `{name: {"type": …, "value": …}}`.
    pub fn outputs(&self, known: &Known) -> Result<Map<String, Value>, Stop> {
        let mut made = Map::new();
        for (name, output) in &self.outputs {
            let in_output = |stop| match stop {
                Stop::Fail(why) => Stop::Fail(format!("The template output '{name}' is not valid: {why}")),
                need => need,
            };
            let mut eval = Eval::running(&self.scope, &[], known);
            let wanted = match get(output, "condition") {
                Some(condition) => eval.value(condition).map_err(in_output)?,
                None => json!(true),
            };
            if wanted == json!(false) {
                continue;
            }
            let value = match (get(output, "copy"), get(output, "value")) {
                (Some(copy), _) => {
                    let count = eval.value(get(copy, "count").unwrap_or(&Value::Null)).map_err(in_output)?;
                    eval.copied(name, &count, get(copy, "input").unwrap_or(&Value::Null))
                }
                (None, value) => eval.value(value.unwrap_or(&Value::Null)),
            };
            let kind = get(output, "type").and_then(Value::as_str).unwrap_or_default();
            let kind = canonical(kind).unwrap_or("Object");
            let mut shown = json!({ "type": kind });
            if !kind.starts_with("Secure") {
                shown["value"] = value.map_err(in_output)?;
            }
            made.insert(name.clone(), shown);
        }
        Ok(made)
    }

    /// Makes the resources known to `reference` by their names.
    fn name_targets(&mut self, symbols: &HashMap<String, Vec<usize>>) {
        for resource in &self.resources {
            let target = Target { id: resource.id.clone(), api_version: resource.api_version.clone() };
            self.scope.resources.insert(resource.id.to_ascii_lowercase(), target.clone());
            self.scope.resources.entry(resource.name.to_ascii_lowercase()).or_insert(target);
        }
        for (symbol, members) in symbols {
            let targets: Vec<Target> = members
                .iter()
                .filter_map(|at| self.resources.get(*at))
                .map(|r| Target { id: r.id.clone(), api_version: r.api_version.clone() })
                .collect();
            for (index, target) in targets.iter().enumerate() {
                self.scope.resources.insert(format!("{symbol}[{index}]"), target.clone());
            }
            if let [one] = targets.as_slice() {
                self.scope.resources.insert(symbol.clone(), one.clone());
            }
            self.scope.loops.insert(symbol.clone(), targets);
        }
    }

    /// Looks at every expression before anything is created: syntax, names, and all that can be evaluated.
    fn check(&self) -> Result<(), Invalid> {
        let unknown = Known::new();
        for resource in self.resources.iter().filter(|r| !r.existing) {
            let what = format!("The template resource '{}'", resource.name);
            let failed = |stop| about(&what, &resource.place, stop);
            for (key, value) in resource.raw.as_object().into_iter().flatten() {
                let sent = !DIRECTIONS.iter().any(|d| d.eq_ignore_ascii_case(key));
                if sent && !resource.is_deployment() {
                    self.check_expressions(value).map_err(|why| failed(Stop::Fail(why)))?;
                }
            }
            if resource.wanted {
                self.prediction(resource, &unknown).map_err(failed)?;
            }
        }
        for (name, output) in &self.outputs {
            let outputs = (0, 0, String::new());
            self.check_expressions(output)
                .map_err(|why| about(&format!("The template output '{name}'"), &outputs, Stop::Fail(why)))?;
        }
        Ok(())
    }

    fn check_expressions(&self, value: &Value) -> Result<(), String> {
        let mut wrong = None;
        visit(value, &mut |expr| {
            let Expr::Call(name, arguments) = expr else { return };
            let known = is_function(name) || self.scope.functions.contains_key(&name.to_ascii_lowercase());
            if !known {
                wrong.get_or_insert_with(|| unknown_function(name));
            }
            let literal = arguments.first().is_some_and(|a| matches!(a, Expr::Text(_)));
            if literal && ["parameters", "variables"].iter().any(|f| f.eq_ignore_ascii_case(name)) {
                let found = Eval::early(&self.scope, &[]).expr(expr);
                if let Err(Stop::Fail(why)) = found {
                    wrong.get_or_insert(why);
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// Puts the resources in order: what they name in `dependsOn`, what they refer to, and keys before their use.
    fn connect(&mut self, reading: &Reading<'_>) -> Result<(), Invalid> {
        let mut by_id: HashMap<String, usize> = HashMap::new();
        for (at, resource) in self.resources.iter().enumerate().filter(|(_, r)| r.wanted && !r.existing) {
            if by_id.insert(resource.id.to_ascii_lowercase(), at).is_some() {
                let (line, column, _) = &resource.place;
                return Err(validation(format!(
                    "The resource '{}' at line '{line}' and column '{column}' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.",
                    resource.id
                )));
            }
        }
        let meanings = self.meanings(reading);
        for at in 0..self.resources.len() {
            let mut before = Vec::new();
            for wanted in reading.wanted_before.get(at).into_iter().flatten() {
                let lower = wanted.trim_end_matches('/').to_ascii_lowercase();
                before.extend(meanings.iter().find_map(|m| m.get(&lower)).ok_or_else(|| {
                    validation(format!("The resource '{wanted}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."))
                })?);
            }
            let resource = &self.resources[at];
            if resource.wanted && !resource.existing {
                before.extend(self.referred(resource).iter().filter_map(|id| by_id.get(&id.to_ascii_lowercase())));
            }
            let parent = resource.name.rsplit_once('/').zip(resource.kind.rsplit_once('/'));
            if let Some(((parent, _), (kind, _))) = parent {
                let is_parent = |r: &Resource| r.name.eq_ignore_ascii_case(parent) && r.kind.eq_ignore_ascii_case(kind);
                before.extend(self.resources.iter().position(is_parent));
            }
            before.sort_unstable();
            before.dedup();
            self.resources[at].depends_on = before;
        }
        if let Some(at) = self.in_circle() {
            return Err(validation(format!(
                "Circular dependency detected on resource: '{}'. Please see https://aka.ms/arm-syntax-resources for usage details.",
                self.resources[at].id
            )));
        }
        self.keys_before_their_use();
        Ok(())
    }

    /// What an entry of `dependsOn` may mean: symbolic names, ids, ids below the scope, loops, names, in this
    /// order, all in lower case.
    fn meanings(&self, reading: &Reading<'_>) -> [HashMap<String, Vec<usize>>; 5] {
        let mut all: [HashMap<String, Vec<usize>>; 5] = Default::default();
        all[0].clone_from(&reading.symbols);
        for (at, resource) in self.resources.iter().enumerate() {
            let path = ids::interleave(&resource.kind, &resource.name).unwrap_or_default();
            let group = resource.copies.first().map(|(name, _)| name.as_str()).unwrap_or_default();
            let words = [resource.id.as_str(), path.as_str(), group, resource.name.as_str()];
            for (meaning, word) in all[1..].iter_mut().zip(words).filter(|(_, word)| !word.is_empty()) {
                meaning.entry(word.to_ascii_lowercase()).or_default().push(at);
            }
        }
        all
    }

    /// Ids that a resource's expressions refer to, as far as they can be told now.
    fn referred(&self, resource: &Resource) -> Vec<String> {
        let mut found = Vec::new();
        let skipped = resource.is_deployment() && resource.is_inner();
        for (key, value) in resource.raw.as_object().into_iter().flatten() {
            let value = match get(value, "template").filter(|_| skipped && key.eq_ignore_ascii_case("properties")) {
                Some(_) => get(value, "parameters").cloned().unwrap_or_default(),
                None => value.clone(),
            };
            if DIRECTIONS.iter().any(|d| d.eq_ignore_ascii_case(key)) {
                continue;
            }
            // A string that cannot be parsed was told before.
            let _ = visit(&value, &mut |expr| {
                let Expr::Call(name, arguments) = expr else { return };
                let lower = name.to_ascii_lowercase();
                let refers = lower == "reference" || lower == "references" || lower.starts_with("list");
                let (true, Some(first)) = (refers, arguments.first()) else { return };
                let Ok(Value::String(named)) = Eval::early(&self.scope, &resource.copies).expr(first) else { return };
                let named = named.trim_end_matches('/').to_ascii_lowercase();
                if let Some(members) = self.scope.loops.get(&named) {
                    found.extend(members.iter().map(|t| t.id.clone()));
                }
                found.extend(self.scope.resources.get(&named).map(|t| t.id.clone()));
            });
        }
        if let Ok((_, needs)) = self.prediction(resource, &Known::new()) {
            found.extend(needs.into_iter().map(|need| need.id));
        }
        found
    }

    /// A resource that waits for itself, if there is one.
    fn in_circle(&self) -> Option<usize> {
        let mut waiting: Vec<HashSet<usize>> =
            self.resources.iter().map(|r| r.depends_on.iter().copied().collect()).collect();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); waiting.len()];
        for (at, before) in waiting.iter().enumerate() {
            for other in before {
                after[*other].push(at);
            }
        }
        let mut ready: Vec<usize> = (0..waiting.len()).filter(|at| waiting[*at].is_empty()).collect();
        while let Some(done) = ready.pop() {
            for next in &after[done] {
                if waiting[*next].remove(&done) && waiting[*next].is_empty() {
                    ready.push(*next);
                }
            }
        }
        waiting.iter().position(|before| !before.is_empty())
    }

    /// The article's template starts the registry beside the access policy that its key needs; Azure gets
    /// away with it (acr.md B.4). Here whatever uses a key waits for all that does not wait for it.
    fn keys_before_their_use(&mut self) {
        let users: Vec<bool> = self.resources.iter().map(|r| mentions_key(&r.raw)).collect();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); users.len()];
        for (at, resource) in self.resources.iter().enumerate() {
            resource.depends_on.iter().for_each(|before| after[*before].push(at));
        }
        for user in (0..users.len()).filter(|at| users[*at]) {
            let mut waits = vec![false; users.len()];
            let mut next = vec![user];
            while let Some(at) = next.pop() {
                if !std::mem::replace(&mut waits[at], true) {
                    next.extend(&after[at]);
                }
            }
            let before = &mut self.resources[user].depends_on;
            for first in (0..users.len()).filter(|at| !users[*at] && !waits[*at]) {
                if !before.contains(&first) {
                    before.push(first);
                    after[first].push(user);
                }
            }
            before.sort_unstable();
        }
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

/// The properties of a template within the template. With inner scope its expressions are its own affair;
/// with outer scope they are evaluated here, and what comes out must not be taken for expressions again.
fn nested(resource: &Resource, properties: &Map<String, Value>, eval: &mut Eval<'_>) -> Result<Value, Stop> {
    let mut made = Map::new();
    for (key, value) in properties {
        let value = match (key.eq_ignore_ascii_case("template"), resource.is_inner()) {
            (true, true) => value.clone(),
            (true, false) => outer(value, resource.copies.is_empty(), eval)?,
            (false, _) => eval.value(value)?,
        };
        made.insert(key.clone(), value);
    }
    Ok(Value::Object(made))
}

fn outer(value: &Value, no_loop: bool, eval: &mut Eval<'_>) -> Result<Value, Stop> {
    match value {
        // Its own loops give it its own iterations.
        Value::String(text) if no_loop && text.to_ascii_lowercase().contains("copyindex(") => Ok(value.clone()),
        Value::String(text) => {
            let done = eval.string(text)?;
            let literal =
                done.as_str().filter(|made| *made != text && made.starts_with('[')).map(|made| format!("[{made}"));
            Ok(literal.map_or(done, Value::from))
        }
        Value::Array(items) => items.iter().map(|item| outer(item, no_loop, eval)).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, item)| Ok((eval.key(key)?, outer(item, no_loop, eval)?)));
            Ok(Value::Object(entries.collect::<Result<_, Stop>>()?))
        }
        other => Ok(other.clone()),
    }
}

/// Calls `see` with every expression within the strings of a value, and with those within these.
fn visit(value: &Value, see: &mut dyn FnMut(&Expr)) -> Result<(), String> {
    fn walk(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
        see(expr);
        match expr {
            Expr::Call(_, arguments) => arguments.iter().for_each(|a| walk(a, see)),
            Expr::Member(of, key) => {
                walk(of, see);
                walk(key, see);
            }
            Expr::Text(_) | Expr::Int(_) => {}
        }
    }
    match value {
        Value::String(text) => {
            if let Text::Expression(expression) = syntax::classify(text) {
                walk(&syntax::parse(expression)?, see);
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| visit(item, see)),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| {
            if let Text::Expression(expression) = syntax::classify(key) {
                walk(&syntax::parse(expression)?, see);
            }
            visit(item, see)
        }),
        _ => Ok(()),
    }
}

fn user_functions(template: &Value) -> Result<HashMap<String, UserFunction>, Invalid> {
    let mut all = HashMap::new();
    for group in get(template, "functions").and_then(Value::as_array).into_iter().flatten() {
        let namespace = get(group, "namespace").and_then(Value::as_str).unwrap_or_default();
        for (name, member) in get(group, "members").and_then(Value::as_object).into_iter().flatten() {
            let parameters = get(member, "parameters").and_then(Value::as_array).into_iter().flatten();
            let parameters: Vec<String> =
                parameters.filter_map(|p| get(p, "name")?.as_str()).map(str::to_owned).collect();
            let output = get(member, "output").and_then(|o| get(o, "value")).cloned();
            let output = output.ok_or_else(|| {
                validation(format!("The template function '{namespace}.{name}' has no output value. Please see https://aka.ms/arm-syntax-functions for usage details."))
            })?;
            all.insert(format!("{namespace}.{name}").to_ascii_lowercase(), UserFunction { parameters, output });
        }
    }
    Ok(all)
}

/// Evaluates the variables, each after those that it names.
fn settle_variables(scope: &mut Scope, template: &Value) -> Result<(), Invalid> {
    let mut raw: Vec<(String, Value)> = Vec::new();
    for (name, value) in get(template, "variables").and_then(Value::as_object).into_iter().flatten() {
        match value.as_array() {
            Some(entries) if name.eq_ignore_ascii_case("copy") => raw.extend(entries.iter().filter_map(|entry| {
                let name = get(entry, "name")?.as_str()?.to_owned();
                Some((name, json!({ "copy": [entry] })))
            })),
            _ => raw.push((name.clone(), value.clone())),
        }
    }
    let failed = |name: &str, why: String| {
        validation(format!(
            "The template variable '{name}' is not valid: {why}.. Please see https://aka.ms/arm-functions for usage details."
        ))
    };
    let mut waits: Vec<HashSet<usize>> = Vec::new();
    for (name, value) in &raw {
        let mut named = HashSet::new();
        visit(value, &mut |expr| {
            let Expr::Call(function, arguments) = expr else { return };
            if !function.eq_ignore_ascii_case("variables") {
                return;
            }
            match arguments.first() {
                Some(Expr::Text(text)) => {
                    named.extend(raw.iter().position(|(n, _)| n.eq_ignore_ascii_case(text)));
                }
                // Which one is not known yet: after all that is written before.
                _ => named.extend(0..raw.iter().position(|(n, _)| n == name).unwrap_or(0)),
            }
        })
        .map_err(|why| failed(name, why))?;
        waits.push(named);
    }
    let mut left: Vec<usize> = (0..raw.len()).collect();
    while !left.is_empty() {
        let Some(next) = left.iter().position(|at| waits[*at].iter().all(|w| !left.contains(w))) else {
            let (name, _) = &raw[left[0]];
            return Err(validation(format!(
                "Circular dependency detected on variable: '{name}'. Please see https://aka.ms/arm-syntax-variables for usage details."
            )));
        };
        let (name, value) = &raw[left.remove(next)];
        let done = Eval::early(scope, &[]).value(value).map_err(|stop| match stop {
            Stop::Fail(why) => failed(name, why),
            Stop::Need(_) => {
                failed(name, "the template function 'reference' is not expected at this location".to_owned())
            }
        })?;
        // A variable made by a loop is the one member of what it was wrapped in.
        let is_loop = get(value, "copy").is_some_and(|c| c.as_array().is_some_and(|c| c.len() == 1))
            && value.as_object().is_some_and(|m| m.len() == 1);
        let done = match done.get(name).filter(|_| is_loop) {
            Some(items) => items.clone(),
            None => done,
        };
        scope.variables.insert(name.clone(), done);
    }
    Ok(())
}

/// Reading the resources of a template.
struct Reading<'a> {
    source: Source<'a>,
    /// For each resource what its `dependsOn` says.
    wanted_before: Vec<Vec<String>>,
    /// Resources by symbolic name, lower case.
    symbols: HashMap<String, Vec<usize>>,
}

impl Reading<'_> {
    fn resources(
        &mut self,
        program: &mut Program,
        of: &Value,
        path: &str,
        parent: Option<(&str, &str)>,
    ) -> Result<(), Invalid> {
        match get(of, "resources") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .try_for_each(|(at, raw)| self.resource(program, raw, &format!("{path}[{at}]"), None, parent)),
            Some(Value::Object(map)) => map.iter().try_for_each(|(symbol, raw)| {
                self.resource(program, raw, &format!("{path}.{symbol}"), Some(symbol), parent)
            }),
            Some(_) => Err(validation(
                "The template resources must be an array or an object. Please see https://aka.ms/arm-syntax-resources for usage details.",
            )),
        }
    }

    fn resource(
        &mut self,
        program: &mut Program,
        raw: &Value,
        path: &str,
        symbol: Option<&str>,
        parent: Option<(&str, &str)>,
    ) -> Result<(), Invalid> {
        let (line, column) = self.source.places.of(path);
        let place = (line, column, path.to_owned());
        if !raw.is_object() {
            return Err(validation(format!(
                "The template resource at line '{line}' and column '{column}' is not an object. Please see https://aka.ms/arm-syntax-resources for usage details."
            )));
        }
        let raw_name = get(raw, "name").and_then(Value::as_str).unwrap_or_default();
        let what = format!("The template resource '{raw_name}'");
        let failed = |stop: Stop| about(&what, &place, stop);
        let copy = get(raw, "copy").filter(|c| c.is_object());
        let rounds = match copy {
            Some(copy) => {
                let name = get(copy, "name").and_then(Value::as_str).or(symbol).unwrap_or_default();
                let count = get(copy, "count").unwrap_or(&Value::Null);
                let count = Eval::early(&program.scope, &[]).value(count).and_then(|c| count_of(&c)).map_err(failed)?;
                (0..count).map(|at| vec![(name.to_owned(), at)]).collect()
            }
            None => vec![Vec::new()],
        };
        let serial =
            copy.and_then(|c| get(c, "mode")).and_then(Value::as_str).is_some_and(|m| m.eq_ignore_ascii_case("serial"));
        let batch =
            copy.and_then(|c| get(c, "batchSize")).and_then(Value::as_u64).and_then(|b| usize::try_from(b).ok());
        let batch = batch.unwrap_or(1).max(1);
        let first = program.resources.len();
        for (round, copies) in rounds.into_iter().enumerate() {
            let (resource, mut before) = self.instance(program, raw, &place, parent, copies).map_err(|e| match e {
                Ok(stop) => failed(stop),
                Err(invalid) => invalid,
            })?;
            if serial {
                let batch_start = first + round / batch * batch;
                before.extend(
                    program.resources[batch_start.saturating_sub(batch).max(first)..batch_start]
                        .iter()
                        .map(|r| r.id.clone()),
                );
            }
            let at = program.resources.len();
            if i64::try_from(at).is_ok_and(|at| at >= COPY_LIMIT) {
                return Err(validation(format!(
                    "The number of template resources limit exceeded. Limit: '{COPY_LIMIT}' and actual: '{}'. Please see https://aka.ms/arm-template/#resources for usage details.",
                    at + 1
                )));
            }
            if let Some(symbol) = symbol {
                self.symbols.entry(symbol.to_ascii_lowercase()).or_default().push(at);
            }
            let (kind, name) = (resource.kind.clone(), resource.name.clone());
            program.resources.push(resource);
            self.wanted_before.push(before);
            self.resources(program, raw, &format!("{path}.resources"), Some((&kind, &name)))?;
        }
        Ok(())
    }

    /// One resource, or one iteration of it, and what its `dependsOn` says.
    fn instance(
        &self,
        program: &Program,
        raw: &Value,
        place: &(usize, usize, String),
        parent: Option<(&str, &str)>,
        copies: Vec<Copy>,
    ) -> Result<(Resource, Vec<String>), Result<Stop, Invalid>> {
        let (line, column, _) = place;
        let word = |name: &str| -> Result<Option<String>, Result<Stop, Invalid>> {
            let Some(raw) = get(raw, name).filter(|v| !v.is_null()) else { return Ok(None) };
            let value = Eval::early(&program.scope, &copies).value(raw).map_err(Ok)?;
            Ok(Some(shown(&value)))
        };
        let missing = |name: &str| {
            Err(validation(format!(
                "The template resource at line '{line}' and column '{column}' is missing the property '{name}'. Please see https://aka.ms/arm-syntax-resources for usage details."
            )))
        };
        let mut kind = word("type")?.filter(|k| !k.is_empty()).ok_or_else(|| missing("type"))?;
        let mut name = word("name")?.filter(|n| !n.is_empty()).ok_or_else(|| missing("name"))?;
        let existing = get(raw, "existing").and_then(Value::as_bool).unwrap_or(false);
        let api_version = word("apiVersion")?.unwrap_or_default();
        if api_version.is_empty() && !existing {
            return Err(missing("apiVersion"));
        }
        if let Some((parent_kind, parent_name)) =
            parent.filter(|_| !kind.split('/').next().is_some_and(|n| n.contains('.')))
        {
            kind = format!("{parent_kind}/{kind}");
            name = format!("{parent_name}/{name}");
        }
        let scope = self.scope_of(&kind, word("scope")?, word("subscriptionId")?, word("resourceGroup")?);
        let id = ids::below(&scope, &kind, &name).ok_or_else(|| {
            let (types, names) = (kind.split('/').count() - 1, name.split('/').count());
            Err(validation(format!(
                "The template resource '{name}' for type '{kind}' at line '{line}' and column '{column}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name ('{types}' and '{names}'). Please see https://aka.ms/arm-syntax-resources for usage details."
            )))
        })?;
        let wanted = match get(raw, "condition") {
            None | Some(Value::Null) => true,
            Some(condition) => match Eval::early(&program.scope, &copies).value(condition).map_err(Ok)? {
                Value::Bool(wanted) => wanted,
                Value::String(text) if text.eq_ignore_ascii_case("true") => true,
                Value::String(text) if text.eq_ignore_ascii_case("false") => false,
                other => {
                    return Err(Ok(Stop::Fail(format!(
                        "the condition is expected to be a boolean and is of type '{}'",
                        crate::domain::resources::template::functions::kind(&other)
                    ))));
                }
            },
        };
        let before = match get(raw, "dependsOn") {
            None | Some(Value::Null) => Vec::new(),
            Some(list) => match Eval::early(&program.scope, &copies).value(list).map_err(Ok)? {
                Value::Array(items) => items.iter().filter(|i| !i.is_null()).map(shown).collect(),
                one => vec![shown(&one)],
            },
        };
        let resource = Resource {
            id,
            kind,
            name,
            api_version,
            existing,
            wanted,
            depends_on: Vec::new(),
            place: place.clone(),
            copies,
            raw: raw.clone(),
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
                None => format!("{}/providers/{scope}", self.source.scope),
            };
        }
        if !kind.eq_ignore_ascii_case(DEPLOYMENTS) || (subscription.is_none() && group.is_none()) {
            return self.source.scope.to_owned();
        }
        let own = crate::domain::world::name::subscription_id();
        let subscription = subscription.map_or(own, |s| format!("/subscriptions/{s}"));
        group.map_or(subscription.clone(), |group| format!("{subscription}/resourceGroups/{group}"))
    }
}
