//! Reads a template: parameters, variables, functions, and which resources it wants in which order.
//! Must not know: how a resource is created, what a running cloud looks like.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::budget::{Budget, Held, Spent};
use super::eval::{Eval, Guids, is_function, unknown_function};
use super::invalid::{Invalid, about, nowhere, validation};
use super::json::Places;
use super::order;
use super::parameters::{self, Definition, Parameter, Sources, canonical};
use super::reading::{Reading, Words};
use super::resource::{Resource, is_sent};
use super::scope::{Facts, Known, Need, Scope, Stop, Target, size_of_value};
use super::syntax::Expr;
use super::values::{VALUE_LIMIT, find, get, take};
use super::variables::{self, user_functions, visit};
use crate::domain::world::json;

/// Limits of a template [docs]: a section, and how many entries it may have.
const SECTIONS: &[(&str, usize)] = &[("parameters", 256), ("variables", variables::LIMIT), ("outputs", 64)];
/// Where the resources of a template stand.
const RESOURCES: &str = "properties.template.resources";

/// Everything a template is read with.
pub struct Source<'a> {
    /// The template. What is read of it is moved, not copied.
    pub template: Value,
    /// Values for its parameters, as sent.
    pub parameters: Value,
    /// Where its objects stand.
    pub places: &'a Places,
    /// The id of the subscription or group it is deployed to.
    pub scope: &'a str,
    /// What the scope functions tell.
    pub facts: &'a Facts,
    /// Makes the GUIDs of `newGuid()`.
    pub guids: Guids<'a>,
    /// What the request may use for it.
    pub budget: &'a Arc<Budget>,
}

/// A template that was read: its resources in a list, and what their expressions mean.
#[derive(Debug)]
pub struct Program {
    pub resources: Vec<Resource>,
    pub parameters: Vec<Parameter>,
    scope: Scope,
    outputs: Map<String, Value>,
    /// What `$ref` leads to.
    definitions: Option<Value>,
    /// Memory of what was read.
    _held: Held,
}

impl Program {
    /// Reads a template. Nothing of the running cloud is needed for that.
    pub fn read(source: Source<'_>) -> Result<Self, Invalid> {
        let mut template = source.template;
        check_shape(&template, source.places)?;
        let held = source.budget.hold(json::size(&template).ok_or(Spent)?)?;
        let sources = Sources {
            template: &template,
            given: source.parameters,
            places: (source.places, "properties.template."),
            facts: source.facts,
            guids: source.guids,
            budget: source.budget,
        };
        let (parameters, mut scope) = parameters::settle(sources).map_err(validation)?;
        scope.functions = user_functions(take(&mut template, "functions"))?;
        variables::settle(&mut scope, take(&mut template, "variables"))?;
        let outputs = match take(&mut template, "outputs") {
            Some(Value::Object(outputs)) => outputs,
            _ => Map::new(),
        };
        let resources = take(&mut template, "resources");
        let nodes = Words { places: source.places, count: 0 }.read(resources, RESOURCES)?;
        let mut reading = Reading {
            scope: &scope,
            deployed_to: source.scope,
            held,
            resources: Vec::new(),
            before: Vec::new(),
            symbols: HashMap::new(),
        };
        nodes.iter().try_for_each(|node| reading.read(node, None))?;
        let Reading { held, resources, before, symbols, .. } = reading;
        let definitions = take(&mut template, "definitions");
        let mut program = Self { resources, parameters, scope, outputs, definitions, _held: held };
        program.name_targets(&symbols);
        let uses = program.check()?;
        order::connect(&mut program.resources, &before, &symbols, &uses, source.budget)?;
        Ok(program)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.scope.parameters.get(name)
    }

    /// What the request may still use.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.scope.budget
    }

    /// What is sent to create a resource, as JSON.
    pub fn body(&self, resource: &Resource, known: &Known) -> Result<String, Stop> {
        let mut eval = Eval::running(&self.scope, &resource.copies, known);
        resource.evaluated(&mut eval)?.text(resource.limit())
    }

    /// What would be sent, with the expressions left in whose needs are not known, and these needs.
    pub fn prediction(&self, resource: &Resource, known: &Known) -> Result<(Value, Vec<Need>), Stop> {
        let mut eval = Eval::predicting(&self.scope, &resource.copies, known);
        let body = resource.evaluated(&mut eval)?.value();
        Ok((body, eval.needs))
    }

    /// The outputs: `{name: {"type": …, "value": …}}`. All together are no larger than a value may be.
    pub fn outputs(&self, known: &Known) -> Result<Map<String, Value>, Stop> {
        let mut made = Map::new();
        let mut size = 0;
        for (name, output) in &self.outputs {
            let shown = self.output(name, output, known).map_err(|stop| match stop {
                Stop::Fail(why) => Stop::Fail(format!("The template output '{name}' is not valid: {why}")),
                need => need,
            })?;
            let Some(shown) = shown else { continue };
            size += size_of_value(&shown)?;
            if size > VALUE_LIMIT {
                return Err(Spent.into());
            }
            made.insert(name.clone(), shown);
        }
        Ok(made)
    }

    fn output(&self, name: &str, output: &Value, known: &Known) -> Result<Option<Value>, Stop> {
        let output = Definition::of(output, self.definitions.as_ref());
        let mut eval = Eval::running(&self.scope, &[], known);
        if let Some(condition) = output.get("condition")
            && eval.value(condition)? == json!(false)
        {
            return Ok(None);
        }
        let value = match (output.get("copy"), output.get("value")) {
            (Some(copy), _) => {
                let count = eval.value(get(copy, "count").unwrap_or(&Value::Null))?;
                eval.copied(name, &count, get(copy, "input").unwrap_or(&Value::Null))
            }
            (None, value) => eval.value(value.unwrap_or(&Value::Null)),
        };
        let kind = output.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = canonical(kind).unwrap_or("Object");
        let mut shown = json!({ "type": kind });
        if !kind.starts_with("Secure") {
            shown["value"] = value?;
        }
        Ok(Some(shown))
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

    /// Looks at every expression before anything is created: syntax, names, and all that can be evaluated. For each
    /// resource, those of the template that its expressions are about, as far as they can be told now.
    fn check(&self) -> Result<Vec<BTreeSet<usize>>, Invalid> {
        let unknown = Known::new(self.budget());
        let places: HashMap<String, usize> =
            self.resources.iter().enumerate().map(|(at, r)| (r.id.to_ascii_lowercase(), at)).collect();
        let mut checked: Option<&Arc<Value>> = None;
        let mut uses = Vec::with_capacity(self.resources.len());
        for resource in &self.resources {
            let mut used = BTreeSet::new();
            if !resource.existing {
                let what = format!("The template resource '{}'", resource.name);
                let failed = |stop| about(&what, &resource.place, stop);
                // Iterations of a loop have the same words.
                if !checked.is_some_and(|raw| Arc::ptr_eq(raw, &resource.raw)) && !resource.is_deployment() {
                    self.check_words(&resource.raw).map_err(|why| failed(why.into()))?;
                    checked = Some(&resource.raw);
                }
                if resource.wanted {
                    let mut eval = Eval::predicting(&self.scope, &resource.copies, &unknown);
                    resource.evaluated(&mut eval).map_err(failed)?;
                    used.extend(eval.needs.iter().filter_map(|need| places.get(&need.id.to_ascii_lowercase())));
                    self.refers(resource, &places, &mut used).map_err(failed)?;
                }
            }
            uses.push(used);
        }
        for (name, output) in &self.outputs {
            self.check_expressions(output)
                .map_err(|why| about(&format!("The template output '{name}'"), &nowhere(), why.into()))?;
        }
        Ok(uses)
    }

    fn check_words(&self, raw: &Value) -> Result<(), String> {
        let sent = raw.as_object().into_iter().flatten().filter(|(key, _)| is_sent(key));
        sent.into_iter().try_for_each(|(_, value)| self.check_expressions(value))
    }

    fn check_expressions(&self, value: &Value) -> Result<(), String> {
        let mut wrong = None;
        visit(value, &mut |expr| {
            let Expr::Call(name, arguments) = expr else { return };
            let known = is_function(name) || self.scope.functions.contains_key(&name.to_ascii_lowercase());
            if !known {
                wrong.get_or_insert_with(|| unknown_function(name));
            }
            if let Some(Expr::Text(wanted)) = arguments.first() {
                let known = match name.to_ascii_lowercase().as_str() {
                    "parameters" => find(&self.scope.parameters, wanted).is_some(),
                    "variables" => find(&self.scope.variables, wanted).is_some(),
                    _ => true,
                };
                if !known {
                    let found = Eval::early(&self.scope, &[]).expr(expr);
                    if let Err(Stop::Fail(why)) = found {
                        wrong.get_or_insert(why);
                    }
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// Adds the resources that a resource's expressions refer to, as far as they can be told now.
    fn refers(
        &self,
        resource: &Resource,
        places: &HashMap<String, usize>,
        used: &mut BTreeSet<usize>,
    ) -> Result<(), Stop> {
        let skipped = resource.is_deployment() && resource.is_inner();
        let mut spent = Ok(());
        for (key, value) in resource.raw.as_object().into_iter().flatten().filter(|(key, _)| is_sent(key)) {
            let inner = get(value, "template").filter(|_| skipped && key.eq_ignore_ascii_case("properties"));
            let value = match inner {
                Some(_) => get(value, "parameters").unwrap_or(&Value::Null),
                None => value,
            };
            self.scope.budget.step(json::size(value).unwrap_or(0) / 32)?;
            // A string that cannot be parsed was told before.
            let _ = visit(value, &mut |expr| {
                let Expr::Call(name, arguments) = expr else { return };
                let lower = name.to_ascii_lowercase();
                let refers = lower == "reference" || lower == "references" || lower.starts_with("list");
                let (true, Some(first)) = (refers, arguments.first()) else { return };
                let Ok(Value::String(named)) = Eval::early(&self.scope, &resource.copies).expr(first) else { return };
                let named = named.trim_end_matches('/').to_ascii_lowercase();
                let members = self.scope.loops.get(&named).map(Vec::as_slice).unwrap_or_default();
                if spent.is_ok() {
                    spent = self.scope.budget.step(members.len());
                }
                let targets = members.iter().chain(self.scope.resources.get(&named));
                used.extend(targets.filter_map(|target| places.get(&target.id.to_ascii_lowercase())));
            });
        }
        Ok(spent?)
    }
}

/// Refuses what is no template, and one with too many parts.
fn check_shape(template: &Value, places: &Places) -> Result<(), Invalid> {
    if !template.is_object() {
        return Err(validation(
            "The template is missing or is not an object. Please see https://aka.ms/arm-syntax for usage details.",
        ));
    }
    if get(template, "resources").is_none_or(Value::is_null) {
        let (line, column) = places.of("properties.template");
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
    Ok(())
}
