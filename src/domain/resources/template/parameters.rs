//! Parameters of a template: which values they may have, and which they get.
//! Must not know: what is done with them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::budget::Budget;
use super::eval::{Eval, Guids};
use super::json::Places;
use super::scope::{Facts, Scope, Stop};
use super::syntax::Expr;
use super::values::{equal, get, kind, shown};
use super::variables::visit;

/// A parameter that has got its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, as the template writes it.
    pub name: String,
    /// Its type, as Azure writes it: `String`, `SecureString`, …
    pub kind: &'static str,
}

/// The types, as Azure writes them.
const KINDS: &[&str] = &["String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array"];

/// A type as Azure writes it.
#[must_use]
pub fn canonical(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|k| k.eq_ignore_ascii_case(kind)).copied()
}

/// A definition, and those of the template that its `$ref` leads to. What stands beside a reference comes first.
#[derive(Debug)]
pub struct Definition<'t>(Vec<&'t Value>);

impl<'t> Definition<'t> {
    /// Follows the references.
    #[must_use]
    pub fn of(definition: &'t Value, definitions: Option<&'t Value>) -> Self {
        let mut chain = vec![definition];
        // A chain of references can be a circle.
        while chain.len() < 17
            && let Some(reference) = chain.last().and_then(|last| get(last, "$ref")).and_then(Value::as_str)
            && let Some(name) = reference.strip_prefix("#/definitions/")
            && let Some(next) = definitions.and_then(|all| get(all, name))
        {
            chain.push(next);
        }
        Self(chain)
    }

    /// A member of it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'t Value> {
        self.0.iter().find_map(|definition| get(definition, name))
    }
}

/// What parameters get their values from.
pub struct Sources<'a> {
    pub template: &'a Value,
    /// The values sent, as `{name: {"value": …}}`.
    pub given: Value,
    /// Where the template's objects stand, below which path.
    pub places: (&'a Places, &'a str),
    /// What the scope functions tell.
    pub facts: &'a Facts,
    /// Makes the GUIDs of `newGuid()`.
    pub guids: Guids<'a>,
    /// What the request may still use.
    pub budget: &'a Arc<Budget>,
}

/// Gives each parameter its value: the one that came with the request, or its default. The scope that they make.
pub fn settle(sources: Sources<'_>) -> Result<(Vec<Parameter>, Scope), String> {
    let none = Map::new();
    let template = sources.template;
    let definitions = get(template, "definitions");
    let defined = get(template, "parameters").and_then(Value::as_object).unwrap_or(&none);
    let mut given = match sources.given {
        Value::Object(given) => given,
        _ => Map::new(),
    };
    let unknown: Vec<&str> =
        given.keys().filter(|g| !defined.keys().any(|d| d.eq_ignore_ascii_case(g))).map(String::as_str).collect();
    if !unknown.is_empty() {
        let names: Vec<&str> = defined.keys().map(String::as_str).collect();
        return Err(format!(
            "The following parameters were supplied, but do not correspond to any parameters defined in the template: '{}'. The parameters defined in the template are: '{}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.",
            unknown.join(", "),
            names.join(", ")
        ));
    }
    let mut scope = Scope::new(sources.facts.clone(), sources.budget);
    let mut settled = Vec::new();
    for name in in_order(defined, &given)? {
        let Some(definition) = defined.get(name) else { continue };
        let definition = Definition::of(definition, definitions);
        let (places, base) = sources.places;
        let (line, column) = places.of(&format!("{base}parameters.{name}"));
        let word = definition.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = canonical(word).ok_or_else(|| {
            format!("The template parameter '{name}' at line '{line}' and column '{column}' has an invalid type '{word}'. Please see https://aka.ms/arm-syntax-parameters for usage details.")
        })?;
        let sent = given.keys().find(|g| g.eq_ignore_ascii_case(name)).cloned();
        let mut sent = sent.and_then(|key| given.get_mut(&key));
        if sent.as_ref().is_some_and(|s| get(s, "reference").is_some()) {
            return Err(format!(
                "The template parameter '{name}' is a reference to a Key Vault secret, which is not emulated. Pass its value instead."
            ));
        }
        let nullable = definition.get("nullable").and_then(Value::as_bool).unwrap_or(false);
        let value = match (sent.as_mut().and_then(|s| super::values::take(s, "value")), definition.get("defaultValue")) {
            (Some(value), _) if !value.is_null() || nullable => value,
            (_, Some(default)) => Eval::of_default(&scope, sources.guids).value(default).map_err(|stop| match stop {
                Stop::Fail(why) => format!("The template parameter '{name}' at line '{line}' and column '{column}' is not valid: {why}.. Please see https://aka.ms/arm-functions for usage details."),
                Stop::Need(_) => format!("The default value of the template parameter '{name}' needs a resource"),
            })?,
            _ if nullable => Value::Null,
            _ => {
                return Err(format!(
                    "The value for the template parameter '{name}' at line '{line}' and column '{column}' is not provided. Please see https://aka.ms/arm-create-parameter-file for usage details."
                ));
            }
        };
        if !(nullable && value.is_null()) {
            check(name, kind, &definition, &value, (line, column))?;
        }
        let named = scope.set_parameter(name.to_owned(), value);
        named.map_err(|stop| format!("The template parameter '{name}' is not valid: {}", stop.why()))?;
        settled.push(Parameter { name: name.to_owned(), kind });
    }
    settled.sort_by_key(|parameter| defined.keys().position(|name| *name == parameter.name));
    Ok((settled, scope))
}

/// The parameters, each after those that its default names: the order of declarations means nothing.
fn in_order<'a>(defined: &'a Map<String, Value>, given: &Map<String, Value>) -> Result<Vec<&'a str>, String> {
    let is_sent = |name: &str| given.keys().any(|sent| sent.eq_ignore_ascii_case(name));
    let mut left: Vec<(&str, HashSet<String>)> = Vec::new();
    for (name, definition) in defined {
        let mut needs = HashSet::new();
        if let Some(default) = get(definition, "defaultValue").filter(|_| !is_sent(name)) {
            // One that cannot be read is refused when it is evaluated.
            let _ = visit(default, &mut |expr| {
                if let Expr::Call(function, arguments) = expr
                    && function.eq_ignore_ascii_case("parameters")
                    && let [Expr::Text(needed)] = arguments.as_slice()
                    && defined.keys().any(|known| known.eq_ignore_ascii_case(needed))
                {
                    needs.insert(needed.to_lowercase());
                }
            });
        }
        left.push((name, needs));
    }
    let mut order = Vec::new();
    while !left.is_empty() {
        let waiting: HashSet<String> = left.iter().map(|(name, _)| name.to_lowercase()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, needs)| needs.is_disjoint(&waiting));
        if ready.is_empty() {
            return Err(format!(
                "Circular dependency detected on parameter: '{}'. Please see https://aka.ms/arm-syntax-parameters for usage details.",
                rest.first().map(|(name, _)| *name).unwrap_or_default()
            ));
        }
        order.extend(ready.into_iter().map(|(name, _)| name));
        left = rest;
    }
    Ok(order)
}

fn check(
    name: &str,
    wanted: &str,
    definition: &Definition<'_>,
    value: &Value,
    place: (usize, usize),
) -> Result<(), String> {
    let fits = match wanted {
        "String" | "SecureString" => value.is_string(),
        "Int" => value.is_i64(),
        "Bool" => value.is_boolean(),
        "Object" | "SecureObject" => value.is_object(),
        _ => value.is_array(),
    };
    if !fits {
        let wanted = match wanted {
            "Int" => "Integer",
            "Bool" => "Boolean",
            "SecureString" => "String",
            "SecureObject" => "Object",
            other => other,
        };
        return Err(format!(
            "The provided value for the template parameter '{name}' is not valid. Expected a value of type '{wanted}', but received a value of type '{}'. Please see https://aka.ms/arm-create-parameter-file for usage details.",
            kind(value)
        ));
    }
    let (line, column) = place;
    if let Some(allowed) = definition.get("allowedValues").and_then(Value::as_array) {
        let known: HashSet<&Value> = allowed.iter().collect();
        let among = match value {
            // Each item of an array may be one of the allowed.
            Value::Array(items) => known.contains(value) || items.iter().all(|i| known.contains(i)),
            _ => allowed.iter().any(|a| equal(a, value)),
        };
        if !among {
            let all = allowed.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
            return Err(format!(
                "The provided value for the template parameter '{name}' at line '{line}' and column '{column}' is not valid. The value '{}' is not part of the allowed value(s): '{}'.",
                shown(value)?,
                all.join(",")
            ));
        }
    }
    let limit = |name: &str| definition.get(name).and_then(Value::as_i64);
    let length = match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        _ => None,
    };
    let wrong = |what: &str, relation: &str, limit: i64| {
        Err(format!(
            "The provided value for the template parameter '{name}' at line '{line}' and column '{column}' is not valid. {what} should be {relation} than or equal to '{limit}'. Please see https://aka.ms/arm-syntax-parameters for usage details."
        ))
    };
    if let Some(length) = length.and_then(|l| i64::try_from(l).ok()) {
        match (limit("minLength"), limit("maxLength")) {
            (Some(least), _) if length < least => return wrong("Length of the value", "greater", least),
            (_, Some(most)) if length > most => return wrong("Length of the value", "less", most),
            _ => {}
        }
    }
    if let Some(number) = value.as_i64() {
        match (limit("minValue"), limit("maxValue")) {
            (Some(least), _) if number < least => return wrong("The value", "greater", least),
            (_, Some(most)) if number > most => return wrong("The value", "less", most),
            _ => {}
        }
    }
    Ok(())
}
