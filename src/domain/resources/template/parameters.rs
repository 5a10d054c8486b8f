//! Parameters of a template: which values they may have, and which they get.
//! Must not know: what is done with them.

use serde_json::{Map, Value};

use super::eval::{Eval, Facts, Guids, Scope, Stop, get};
use super::functions::{equal, kind, shown};
use super::json::Places;

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, as the template writes it.
    pub name: String,
    /// Its type, as Azure writes it: `String`, `SecureString`, …
    pub kind: &'static str,
    /// Its value.
    pub value: Value,
}

/// The types, as Azure writes them.
const KINDS: &[&str] = &["String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array"];

/// A type as Azure writes it.
#[must_use]
pub fn canonical(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|k| k.eq_ignore_ascii_case(kind)).copied()
}

/// Follows `$ref` to the template's own definitions; what stands beside it comes first.
#[must_use]
pub fn resolved(template: &Value, definition: &Value) -> Value {
    let mut made = definition.clone();
    // A chain of references can be a circle.
    for _ in 0..16 {
        let reference = get(&made, "$ref").and_then(Value::as_str).unwrap_or_default();
        let name = reference.strip_prefix("#/definitions/").map(str::to_owned);
        let found = name.and_then(|n| get(get(template, "definitions")?, &n)).and_then(Value::as_object);
        let (Some(found), Some(map)) = (found, made.as_object_mut()) else { break };
        map.shift_remove("$ref");
        for (key, value) in found {
            map.entry(key).or_insert_with(|| value.clone());
        }
    }
    made
}

/// Gives each parameter its value: the one that came with the request, or its default.
pub fn settle(
    template: &Value,
    given: &Value,
    places: &Places,
    base: &str,
    facts: &Facts,
    guids: Guids<'_>,
) -> Result<Vec<Parameter>, String> {
    let none = Map::new();
    let defined = get(template, "parameters").and_then(Value::as_object).unwrap_or(&none);
    let given = given.as_object().unwrap_or(&none);
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
    let mut scope = Scope::new(facts.clone());
    let mut settled = Vec::new();
    for (name, definition) in defined {
        let definition = resolved(template, definition);
        let (line, column) = places.of(&format!("{base}parameters.{name}"));
        let word = get(&definition, "type").and_then(Value::as_str).unwrap_or_default();
        let kind = canonical(word).ok_or_else(|| {
            format!("The template parameter '{name}' at line '{line}' and column '{column}' has an invalid type '{word}'. Please see https://aka.ms/arm-syntax-parameters for usage details.")
        })?;
        let sent = given.iter().find(|(g, _)| g.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        if sent.is_some_and(|s| get(s, "reference").is_some()) {
            return Err(format!(
                "The template parameter '{name}' is a reference to a Key Vault secret, which is not emulated. Pass its value instead."
            ));
        }
        let nullable = get(&definition, "nullable").and_then(Value::as_bool).unwrap_or(false);
        let value = match (sent.and_then(|s| get(s, "value")), get(&definition, "defaultValue")) {
            (Some(value), _) if !value.is_null() || nullable => value.clone(),
            (_, Some(default)) => Eval::of_default(&scope, guids).value(default).map_err(|stop| match stop {
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
        scope.parameters.insert(name.clone(), value.clone());
        settled.push(Parameter { name: name.clone(), kind, value });
    }
    Ok(settled)
}

fn check(name: &str, wanted: &str, definition: &Value, value: &Value, place: (usize, usize)) -> Result<(), String> {
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
    if let Some(allowed) = get(definition, "allowedValues").and_then(Value::as_array) {
        let among = match value {
            // Each item of an array may be one of the allowed.
            Value::Array(items) => allowed.contains(value) || items.iter().all(|i| allowed.contains(i)),
            _ => allowed.iter().any(|a| equal(a, value)),
        };
        if !among {
            let shown: Vec<String> = allowed.iter().map(shown).collect();
            return Err(format!(
                "The provided value for the template parameter '{name}' at line '{line}' and column '{column}' is not valid. The value '{}' is not part of the allowed value(s): '{}'.",
                self::shown(value),
                shown.join(",")
            ));
        }
    }
    let limit = |name: &str| get(definition, name).and_then(Value::as_i64);
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
