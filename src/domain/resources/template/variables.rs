//! A template's variables and functions, and the walk over its expressions.
//! Must not know: resources.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::eval::Eval;
use super::invalid::{Invalid, validation};
use super::scope::{Scope, Stop, UserFunction};
use super::syntax::{self, Expr, Text};
use super::values::{get, take};

/// Variables of a template at most [docs].
pub(super) const LIMIT: usize = 512;

/// Calls `see` with every expression within the strings of a value, and with those within these.
pub(super) fn visit(value: &Value, see: &mut dyn FnMut(&Expr)) -> Result<(), String> {
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

/// The functions that a template defines.
pub(super) fn user_functions(functions: Option<Value>) -> Result<HashMap<String, UserFunction>, Invalid> {
    let mut all = HashMap::new();
    let Some(Value::Array(groups)) = functions else { return Ok(all) };
    for mut group in groups {
        let namespace = get(&group, "namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Value::Object(members)) = take(&mut group, "members") else { continue };
        for (name, mut member) in members {
            let parameters = get(&member, "parameters").and_then(Value::as_array).into_iter().flatten();
            let parameters: Vec<String> =
                parameters.filter_map(|p| get(p, "name")?.as_str()).map(str::to_owned).collect();
            let output = take(&mut member, "output").and_then(|mut output| take(&mut output, "value"));
            let output = output.ok_or_else(|| {
                validation(format!("The template function '{namespace}.{name}' has no output value. Please see https://aka.ms/arm-syntax-functions for usage details."))
            })?;
            all.insert(format!("{namespace}.{name}").to_ascii_lowercase(), UserFunction { parameters, output });
        }
    }
    Ok(all)
}

fn failed(name: &str, why: &str) -> Invalid {
    validation(format!(
        "The template variable '{name}' is not valid: {why}.. Please see https://aka.ms/arm-functions for usage details."
    ))
}

/// Evaluates the variables, each after those that it names. Each is gone from the template when it has its value.
pub(super) fn settle(scope: &mut Scope, variables: Option<Value>) -> Result<(), Invalid> {
    let raw = named(variables);
    if raw.len() > LIMIT {
        return Err(validation(format!(
            "The number of template variables limit exceeded. Limit: '{LIMIT}' and actual: '{}'. Please see https://aka.ms/arm-template/#variables for usage details.",
            raw.len()
        )));
    }
    let waits = raw.iter().map(|(name, value)| waits_for(name, value, &raw)).collect::<Result<Vec<_>, _>>()?;
    let mut left: Vec<Option<(String, Value)>> = raw.into_iter().map(Some).collect();
    while left.iter().any(Option::is_some) {
        let ready = |at: &usize| left[*at].is_some() && waits[*at].iter().all(|w| left[*w].is_none());
        let Some(next) = (0..left.len()).find(ready) else {
            let name = left.iter().flatten().map(|(name, _)| name.as_str()).next().unwrap_or_default();
            return Err(validation(format!(
                "Circular dependency detected on variable: '{name}'. Please see https://aka.ms/arm-syntax-variables for usage details."
            )));
        };
        let Some((name, value)) = left[next].take() else { continue };
        let done = Eval::early(scope, &[]).value(&value).map_err(|stop| match stop {
            Stop::Fail(why) => failed(&name, &why),
            Stop::Need(_) => failed(&name, "the template function 'reference' is not expected at this location"),
        })?;
        let done = if is_loop(&value) { only_member(&name, done) } else { done };
        scope.set_variable(name.clone(), done).map_err(|stop| failed(&name, &stop.why()))?;
    }
    Ok(())
}

/// Names and values, loops in the place of what they make.
fn named(variables: Option<Value>) -> Vec<(String, Value)> {
    let Some(Value::Object(variables)) = variables else { return Vec::new() };
    let mut raw = Vec::new();
    for (name, value) in variables {
        match value {
            Value::Array(entries) if name.eq_ignore_ascii_case("copy") => {
                raw.extend(entries.into_iter().filter_map(|entry| {
                    let name = get(&entry, "name")?.as_str()?.to_owned();
                    Some((name, json!({ "copy": [entry] })))
                }));
            }
            value => raw.push((name, value)),
        }
    }
    raw
}

/// The variables, by their place in the list, that one has to be evaluated after.
fn waits_for(name: &str, value: &Value, raw: &[(String, Value)]) -> Result<HashSet<usize>, Invalid> {
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
    .map_err(|why| failed(name, &why))?;
    Ok(named)
}

/// Whether a variable is made by a loop: the one member of what it was wrapped in.
fn is_loop(value: &Value) -> bool {
    get(value, "copy").is_some_and(|c| c.as_array().is_some_and(|c| c.len() == 1))
        && value.as_object().is_some_and(|m| m.len() == 1)
}

fn only_member(name: &str, value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.contains_key(name) => map.remove(name).unwrap_or_default(),
        other => other,
    }
}
