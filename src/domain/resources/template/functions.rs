//! The template functions whose value follows from their arguments alone.
//! Must not know: templates, resources, deployments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{cidr, dates, json as reader};

/// Characters of a string, or items of an array, that a function may make at most.
const SIZE_LIMIT: usize = 1_000_000;
/// Items of `range`, at most [docs].
const RANGE_LIMIT: i64 = 10_000;

type Result<T = Value> = std::result::Result<T, String>;
type Function = fn(&[Value]) -> Result;

/// Name, fewest and most arguments, what it does.
const TABLE: &[(&str, usize, usize, Function)] = &[
    ("add", 2, 2, |a| arithmetic(a, i64::checked_add)),
    ("array", 1, 1, |a| Ok(if a[0].is_array() { a[0].clone() } else { json!([a[0]]) })),
    ("base64", 1, 1, |a| Ok(json!(BASE64.encode(text(&a[0])?)))),
    ("base64ToJson", 1, 1, |a| parse_json(&from_base64(&a[0])?)),
    ("base64ToString", 1, 1, |a| from_base64(&a[0]).map(Value::from)),
    ("bool", 1, 1, |a| to_bool(&a[0])),
    ("buildUri", 1, 1, |a| build_uri(&a[0])),
    ("cidrHost", 2, 2, |a| cidr::host(text(&a[0])?, int(&a[1])?).map(Value::from)),
    ("cidrSubnet", 3, 3, |a| cidr::subnet(text(&a[0])?, int(&a[1])?, int(&a[2])?).map(Value::from)),
    ("concat", 1, usize::MAX, concat),
    ("contains", 2, 2, contains),
    ("createArray", 0, usize::MAX, |a| Ok(Value::Array(a.to_vec()))),
    ("createObject", 0, usize::MAX, create_object),
    ("dataUri", 1, 1, |a| Ok(json!(format!("data:text/plain;charset=utf8;base64,{}", BASE64.encode(text(&a[0])?))))),
    ("dataUriToString", 1, 1, |a| from_data_uri(text(&a[0])?).map(Value::from)),
    ("dateTimeAdd", 2, 3, |a| dates::add(text(&a[0])?, text(&a[1])?, a.get(2).map(text).transpose()?).map(Value::from)),
    ("dateTimeFromEpoch", 1, 1, |a| dates::from_epoch(int(&a[0])?).map(Value::from)),
    ("dateTimeToEpoch", 1, 1, |a| dates::to_epoch(text(&a[0])?).map(Value::from)),
    ("div", 2, 2, |a| match int(&a[1])? {
        0 => Err("the divisor is zero".to_owned()),
        _ => arithmetic(a, i64::checked_div),
    }),
    ("empty", 1, 1, |a| length(&a[0]).map(|n| json!(n == 0))),
    ("endsWith", 2, 2, |a| Ok(json!(fold(&a[0])?.ends_with(&fold(&a[1])?)))),
    ("equals", 2, 2, |a| Ok(json!(equal(&a[0], &a[1])))),
    ("false", 0, 0, |_| Ok(json!(false))),
    ("first", 1, 1, |a| end_of(&a[0], false)),
    ("flatten", 1, 1, |a| {
        let parts = list(&a[0])?.iter().map(|part| list(part).cloned()).collect::<Result<Vec<_>>>()?;
        Ok(Value::Array(parts.concat()))
    }),
    ("float", 1, 1, |a| {
        let number = a[0].as_f64().or_else(|| a[0].as_str().and_then(|t| t.trim().parse().ok()));
        number.filter(|n| n.is_finite()).map(Value::from).ok_or_else(|| expects("an integer or a string", &a[0]))
    }),
    ("format", 1, usize::MAX, format_text),
    ("greater", 2, 2, |a| order(a).map(|o| json!(o.is_gt()))),
    ("greaterOrEquals", 2, 2, |a| order(a).map(|o| json!(o.is_ge()))),
    ("guid", 1, usize::MAX, |a| {
        let namespace = uuid::Uuid::from_u128(0x11fb06fb_712d_4ddd_98c7_e71bbd588830);
        Ok(json!(uuid::Uuid::new_v5(&namespace, joined(a)?.as_bytes()).to_string()))
    }),
    ("indexFromEnd", 2, 2, |a| item(list(&a[0])?, list(&a[0])?.len() as i64 - int(&a[1])?)),
    ("indexOf", 2, 2, |a| index_of(&a[0], &a[1], false)),
    ("int", 1, 1, |a| to_int(&a[0])),
    ("intersection", 2, usize::MAX, intersection),
    ("items", 1, 1, |a| {
        let mut entries: Vec<(&String, &Value)> = object(&a[0])?.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        Ok(entries.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect())
    }),
    ("join", 2, 2, |a| {
        let parts = list(&a[0])?.iter().map(shown).collect::<Vec<_>>();
        sized(parts.join(text(&a[1])?)).map(Value::from)
    }),
    ("json", 1, 1, |a| parse_json(text(&a[0])?)),
    ("last", 1, 1, |a| end_of(&a[0], true)),
    ("lastIndexOf", 2, 2, |a| index_of(&a[0], &a[1], true)),
    ("length", 1, 1, |a| length(&a[0]).map(Value::from)),
    ("less", 2, 2, |a| order(a).map(|o| json!(o.is_lt()))),
    ("lessOrEquals", 2, 2, |a| order(a).map(|o| json!(o.is_le()))),
    ("max", 1, usize::MAX, |a| extreme(a, Iterator::max)),
    ("min", 1, usize::MAX, |a| extreme(a, Iterator::min)),
    ("mod", 2, 2, |a| match int(&a[1])? {
        0 => Err("the divisor is zero".to_owned()),
        _ => arithmetic(a, i64::checked_rem),
    }),
    ("mul", 2, 2, |a| arithmetic(a, i64::checked_mul)),
    ("not", 1, 1, |a| boolean(&a[0]).map(|b| json!(!b))),
    ("null", 0, 0, |_| Ok(Value::Null)),
    ("objectKeys", 1, 1, |a| {
        let mut keys: Vec<&String> = object(&a[0])?.keys().collect();
        keys.sort();
        Ok(json!(keys))
    }),
    ("padLeft", 2, 3, pad_left),
    ("parseCidr", 1, 1, |a| cidr::parse(text(&a[0])?)),
    ("parseUri", 1, 1, |a| parse_uri(text(&a[0])?)),
    ("range", 2, 2, range),
    ("replace", 3, 3, |a| {
        let (from, to) = (text(&a[1])?, text(&a[2])?);
        if from.is_empty() {
            return Err("the string to replace is empty".to_owned());
        }
        let all = text(&a[0])?;
        // Known before it is made: each occurrence may grow.
        if all.len().saturating_add(all.matches(from).count().saturating_mul(to.len())) > SIZE_LIMIT {
            return Err(too_large());
        }
        Ok(json!(all.replace(from, to)))
    }),
    ("shallowMerge", 1, 1, |a| {
        let mut merged = Map::new();
        for part in list(&a[0])? {
            for (key, value) in object(part)? {
                put(&mut merged, key, value.clone());
            }
        }
        Ok(Value::Object(merged))
    }),
    ("skip", 2, 2, |a| slice(&a[0], int(&a[1])?, false)),
    ("split", 2, 2, split),
    ("startsWith", 2, 2, |a| Ok(json!(fold(&a[0])?.starts_with(&fold(&a[1])?)))),
    ("string", 1, 1, |a| Ok(json!(shown(&a[0])))),
    ("sub", 2, 2, |a| arithmetic(a, i64::checked_sub)),
    ("substring", 2, 3, substring),
    ("take", 2, 2, |a| slice(&a[0], int(&a[1])?, true)),
    ("toLower", 1, 1, |a| Ok(json!(text(&a[0])?.to_lowercase()))),
    ("toUpper", 1, 1, |a| Ok(json!(text(&a[0])?.to_uppercase()))),
    ("trim", 1, 1, |a| Ok(json!(text(&a[0])?.trim()))),
    ("true", 0, 0, |_| Ok(json!(true))),
    ("tryGet", 2, usize::MAX, |a| {
        Ok(a[1..].iter().try_fold(&a[0], |at, key| member_of(at, key)).cloned().unwrap_or_default())
    }),
    ("tryIndexFromEnd", 2, 2, |a| Ok(item(list(&a[0])?, list(&a[0])?.len() as i64 - int(&a[1])?).unwrap_or_default())),
    ("union", 2, usize::MAX, union),
    ("uniqueString", 1, usize::MAX, |a| Ok(json!(unique(&joined(a)?)))),
    ("uri", 2, 2, |a| Ok(json!(uri(text(&a[0])?, text(&a[1])?)))),
    ("uriComponent", 1, 1, |a| Ok(json!(utf8_percent_encode(text(&a[0])?, COMPONENT).to_string()))),
    ("uriComponentToString", 1, 1, |a| Ok(json!(percent_decode_str(text(&a[0])?).decode_utf8_lossy()))),
    ("xor", 2, 2, |a| Ok(json!(boolean(&a[0])? != boolean(&a[1])?))),
];

/// The names of these functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name)
}

/// Calls a function, name in any case. `None`: there is no such function here.
pub fn call(name: &str, arguments: &[Value]) -> Option<Result> {
    let (name, fewest, most, function) = TABLE.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name))?;
    if let Err(error) = check_count(name, arguments.len(), *fewest, *most) {
        return Some(Err(error));
    }
    let done = function(arguments);
    Some(done.map_err(|why| format!("Unable to evaluate template language function '{name}': {why}")))
}

/// The error of a call with a wrong number of arguments, in Azure's words.
pub fn check_count(name: &str, given: usize, fewest: usize, most: usize) -> Result<()> {
    if (fewest..=most).contains(&given) {
        return Ok(());
    }
    let expected = match (fewest, most) {
        (fewest, usize::MAX) => format!("at least '{fewest}'"),
        (fewest, most) if fewest == most => format!("exactly '{fewest}'"),
        (fewest, most) => format!("'{fewest}' to '{most}'"),
    };
    Err(format!(
        "Unable to evaluate template language function '{name}': the function expects {expected} parameter(s) and was invoked with '{given}'"
    ))
}

/// A value's type as messages name it.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(n) if n.is_i64() => "Integer",
        Value::Number(_) => "Float",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

fn expects(what: &str, found: &Value) -> String {
    format!("the function expects its parameter to be {what}. The provided value is of type '{}'", kind(found))
}

fn too_large() -> String {
    format!("the result is larger than '{SIZE_LIMIT}'")
}

pub(super) fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| expects("a string", value))
}

pub(super) fn int(value: &Value) -> Result<i64> {
    value.as_i64().ok_or_else(|| expects("an integer", value))
}

pub(super) fn boolean(value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| expects("a boolean", value))
}

pub(super) fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| expects("an array", value))
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>> {
    value.as_object().ok_or_else(|| expects("an object", value))
}

/// Sets a key of an object, whose keys differ by more than case.
pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let known = map.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned();
    map.insert(known.unwrap_or_else(|| key.to_owned()), value);
}

fn sized(made: String) -> Result<String> {
    if made.len() > SIZE_LIMIT { Err(too_large()) } else { Ok(made) }
}

/// A value as text: strings bare, booleans as .NET writes them, the rest as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The arguments of `guid` and `uniqueString`: strings, joined by dashes.
fn joined(arguments: &[Value]) -> Result<String> {
    let parts = arguments.iter().map(text).collect::<Result<Vec<_>>>();
    parts.map(|p| p.join("-")).map_err(|_| "all parameters must be string literals".to_owned())
}

/// A value's property or item, if it is there. Names in any case.
pub(super) fn member_of<'v>(value: &'v Value, key: &Value) -> Option<&'v Value> {
    match (value, key) {
        (Value::Object(map), Value::String(name)) => {
            map.get(name).or_else(|| map.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v))
        }
        (Value::Array(items), Value::Number(index)) => items.get(usize::try_from(index.as_i64()?).ok()?),
        _ => None,
    }
}

fn item(items: &[Value], index: i64) -> Result {
    let found = usize::try_from(index).ok().and_then(|i| items.get(i));
    found.cloned().ok_or_else(|| format!("the array index '{index}' is out of bounds"))
}

fn arithmetic(a: &[Value], by: fn(i64, i64) -> Option<i64>) -> Result {
    by(int(&a[0])?, int(&a[1])?).map(Value::from).ok_or_else(|| "the result is not a 64-bit integer".to_owned())
}

fn from_base64(value: &Value) -> Result<String> {
    let bytes = BASE64.decode(text(value)?.trim()).map_err(|_| "the input is not a valid base-64 string".to_owned())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn from_data_uri(uri: &str) -> Result<String> {
    let wrong = || "the input is not a data URI".to_owned();
    let (kind, data) = uri.strip_prefix("data:").and_then(|rest| rest.split_once(',')).ok_or_else(wrong)?;
    if kind.to_ascii_lowercase().ends_with(";base64") {
        return from_base64(&json!(data));
    }
    Ok(percent_decode_str(data).decode_utf8_lossy().into_owned())
}

fn parse_json(text: &str) -> Result {
    reader::parse(text).map(|document| document.value)
}

fn to_bool(value: &Value) -> Result {
    let known = match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => n.as_i64().map(|n| n != 0),
        Value::String(t) if t.eq_ignore_ascii_case("true") || t == "1" => Some(true),
        Value::String(t) if t.eq_ignore_ascii_case("false") || t == "0" => Some(false),
        _ => None,
    };
    known.map(Value::from).ok_or_else(|| "the value cannot be converted to a boolean".to_owned())
}

fn to_int(value: &Value) -> Result {
    let number = match value {
        Value::Number(n) => n.as_i64(),
        Value::String(t) => t.trim().parse().ok(),
        _ => None,
    };
    number.map(Value::from).ok_or_else(|| "the value cannot be converted to an integer".to_owned())
}

fn concat(a: &[Value]) -> Result {
    if a.iter().any(Value::is_array) {
        let parts = a.iter().map(|part| list(part).cloned()).collect::<Result<Vec<_>>>();
        return parts
            .map(|p| Value::Array(p.concat()))
            .map_err(|_| "the provided parameters must all be of type literal or of type array".to_owned());
    }
    if a.iter().any(Value::is_object) {
        return Err("the provided parameters must all be of type literal or of type array".to_owned());
    }
    sized(a.iter().map(shown).collect()).map(Value::from)
}

fn contains(a: &[Value]) -> Result {
    let found = match &a[0] {
        Value::String(all) => all.contains(&shown(&a[1])),
        Value::Array(items) => items.iter().any(|i| equal(i, &a[1])),
        Value::Object(_) => member_of(&a[0], &json!(text(&a[1])?)).is_some(),
        other => return Err(expects("an array, an object, or a string", other)),
    };
    Ok(json!(found))
}

fn create_object(a: &[Value]) -> Result {
    if !a.len().is_multiple_of(2) {
        return Err("the function expects an even number of parameters".to_owned());
    }
    let mut made = Map::new();
    for pair in a.chunks(2) {
        put(&mut made, text(&pair[0])?, pair[1].clone());
    }
    Ok(Value::Object(made))
}

/// Equality of values: numbers by value, strings with case.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn length(value: &Value) -> Result<usize> {
    match value {
        Value::Null => Ok(0),
        Value::String(text) => Ok(text.chars().count()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(map) => Ok(map.len()),
        other => Err(expects("an array, an object, or a string", other)),
    }
}

fn end_of(value: &Value, last: bool) -> Result {
    Ok(match value {
        Value::String(t) => {
            let c = if last { t.chars().next_back() } else { t.chars().next() };
            json!(c.map(String::from).unwrap_or_default())
        }
        Value::Array(items) => if last { items.last() } else { items.first() }.cloned().unwrap_or_default(),
        other => return Err(expects("an array or a string", other)),
    })
}

/// Without case, as these comparisons are [docs].
fn fold(value: &Value) -> Result<String> {
    text(value).map(str::to_lowercase)
}

fn index_of(all: &Value, wanted: &Value, last: bool) -> Result {
    let at = match all {
        Value::Array(items) if last => items.iter().rposition(|i| equal(i, wanted)),
        Value::Array(items) => items.iter().position(|i| equal(i, wanted)),
        _ => {
            let (all, wanted) = (fold(all)?, fold(wanted)?);
            let at = if last { all.rfind(&wanted) } else { all.find(&wanted) };
            at.map(|byte| all[..byte].chars().count())
        }
    };
    Ok(at.map_or(json!(-1), Value::from))
}

/// Integers among each other, or strings among each other.
pub(super) fn order(a: &[Value]) -> Result<std::cmp::Ordering> {
    match (&a[0], &a[1]) {
        (Value::Number(x), Value::Number(y)) => x
            .as_f64()
            .zip(y.as_f64())
            .and_then(|(x, y)| x.partial_cmp(&y))
            .ok_or_else(|| "the numbers cannot be compared".to_owned()),
        (Value::String(x), Value::String(y)) => Ok(x.cmp(y)),
        _ => Err("the parameters must be either two integers or two strings".to_owned()),
    }
}

fn extreme(a: &[Value], pick: fn(std::vec::IntoIter<i64>) -> Option<i64>) -> Result {
    let numbers = match a {
        [Value::Array(items)] => items.iter().map(int).collect::<Result<Vec<_>>>()?,
        _ => a.iter().map(int).collect::<Result<Vec<_>>>()?,
    };
    pick(numbers.into_iter()).map(Value::from).ok_or_else(|| "the array is empty".to_owned())
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        let known = into.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned();
        match (known.as_ref().and_then(|k| into.get_mut(k)), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            _ => put(into, key, value.clone()),
        }
    }
}

fn union(a: &[Value]) -> Result {
    if a.iter().all(Value::is_object) {
        let mut all = Map::new();
        for part in a {
            merge(&mut all, object(part)?);
        }
        return Ok(Value::Object(all));
    }
    let mut all: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for part in a {
        for item in list(part).map_err(|_| "the parameters must all be arrays or all be objects".to_owned())? {
            if seen.insert(item.to_string()) {
                all.push(item.clone());
            }
        }
    }
    Ok(Value::Array(all))
}

fn intersection(a: &[Value]) -> Result {
    if a.iter().all(Value::is_object) {
        let first = object(&a[0])?.iter();
        let kept = first.filter(|(k, v)| {
            a[1..].iter().all(|other| member_of(other, &json!(k)).is_some_and(|found| equal(found, v)))
        });
        return Ok(Value::Object(kept.map(|(k, v)| (k.clone(), v.clone())).collect()));
    }
    let sets = a.iter().map(|part| {
        let items = list(part).map_err(|_| "the parameters must all be arrays or all be objects".to_owned())?;
        Ok(items.iter().map(Value::to_string).collect::<std::collections::HashSet<_>>())
    });
    let sets = sets.collect::<Result<Vec<_>>>()?;
    let mut seen = std::collections::HashSet::new();
    let kept = list(&a[0])?.iter().filter(|item| {
        let key = item.to_string();
        sets.iter().all(|set| set.contains(&key)) && seen.insert(key)
    });
    Ok(kept.cloned().collect())
}

fn pad_left(a: &[Value]) -> Result {
    let shown = match &a[0] {
        Value::String(_) | Value::Number(_) => shown(&a[0]),
        other => return Err(expects("a string or an integer", other)),
    };
    let fill = a.get(2).map(text).transpose()?.unwrap_or(" ");
    let mut characters = fill.chars();
    let (Some(fill), None) = (characters.next(), characters.next()) else {
        return Err("the padding must be a single character".to_owned());
    };
    let wanted = usize::try_from(int(&a[1])?).unwrap_or(0);
    if wanted > SIZE_LIMIT {
        return Err(too_large());
    }
    let missing = wanted.saturating_sub(shown.chars().count());
    Ok(json!(std::iter::repeat_n(fill, missing).collect::<String>() + &shown))
}

fn range(a: &[Value]) -> Result {
    let (start, count) = (int(&a[0])?, int(&a[1])?);
    if !(0..=RANGE_LIMIT).contains(&count) || start.checked_add(count).is_none() {
        return Err(format!("the count must be from '0' to '{RANGE_LIMIT}'"));
    }
    Ok((start..start + count).map(Value::from).collect())
}

fn slice(value: &Value, count: i64, take: bool) -> Result {
    let count = usize::try_from(count).unwrap_or(0);
    Ok(match value {
        Value::String(t) if take => t.chars().take(count).collect::<String>().into(),
        Value::String(t) => t.chars().skip(count).collect::<String>().into(),
        Value::Array(items) if take => items.iter().take(count).cloned().collect(),
        Value::Array(items) => items.iter().skip(count).cloned().collect(),
        other => return Err(expects("an array or a string", other)),
    })
}

fn split(a: &[Value]) -> Result {
    let all = text(&a[0])?;
    let delimiters = match &a[1] {
        Value::Array(items) => items.iter().map(text).collect::<Result<Vec<_>>>()?,
        one => vec![text(one)?],
    };
    let mut parts = Vec::new();
    let mut rest = all;
    let mut from = 0;
    while from < rest.len() {
        let hit = delimiters.iter().find(|d| !d.is_empty() && rest[from..].starts_with(**d));
        match hit {
            Some(delimiter) => {
                parts.push(json!(&rest[..from]));
                rest = &rest[from + delimiter.len()..];
                from = 0;
            }
            None => from += rest[from..].chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(json!(rest));
    Ok(Value::Array(parts))
}

fn substring(a: &[Value]) -> Result {
    let all: Vec<char> = text(&a[0])?.chars().collect();
    let out = || "the index and length parameters must refer to a location within the string".to_owned();
    let start = usize::try_from(int(&a[1])?).map_err(|_| out())?;
    let end = match a.get(2) {
        Some(length) => start.checked_add(usize::try_from(int(length)?).map_err(|_| out())?).ok_or_else(out)?,
        None => all.len(),
    };
    all.get(start..end).map(|part| json!(part.iter().collect::<String>())).ok_or_else(out)
}

/// .NET's composite format, as far as templates use it: `{0}`, `{0,5}`, `{0:D3}`, `{0:N2}`, `{0:X}`, `{{`.
fn format_text(a: &[Value]) -> Result {
    let bad = || "the format string is not valid".to_owned();
    let mut made = String::new();
    let mut rest = text(&a[0])?;
    while let Some(at) = rest.find(['{', '}']) {
        made.push_str(&rest[..at]);
        let sign = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(sign) {
            made.push_str(sign);
            rest = &rest[1..];
            continue;
        }
        if sign == "}" {
            return Err(bad());
        }
        let (hole, after) = rest.split_once('}').ok_or_else(bad)?;
        rest = after;
        let (hole, style) = hole.split_once(':').unwrap_or((hole, ""));
        let (index, width) = hole.split_once(',').unwrap_or((hole, "0"));
        let index: usize = index.trim().parse().map_err(|_| bad())?;
        let value = index
            .checked_add(1)
            .and_then(|i| a.get(i))
            .ok_or_else(|| "the index of a format item must be less than the number of arguments".to_owned())?;
        let shown = styled(value, style).ok_or_else(bad)?;
        let width: i16 = width.trim().parse().map_err(|_| bad())?;
        let missing = usize::from(width.unsigned_abs()).saturating_sub(shown.chars().count());
        let padding = " ".repeat(missing);
        made.push_str(&if width < 0 { shown + &padding } else { padding + &shown });
        if made.len() > SIZE_LIMIT {
            return Err(too_large());
        }
    }
    made.push_str(rest);
    sized(made).map(Value::from)
}

fn styled(value: &Value, style: &str) -> Option<String> {
    let Some(number) = value.as_i64().filter(|_| !style.is_empty()) else { return Some(shown(value)) };
    let kind = style.chars().next()?;
    let digits = style.get(kind.len_utf8()..)?;
    let places: usize = if digits.is_empty() { usize::MAX } else { digits.parse().ok().filter(|p| *p < 100)? };
    let sign = if number < 0 { "-" } else { "" };
    let plain = number.unsigned_abs().to_string();
    let decimals = |default: usize| match if places == usize::MAX { default } else { places } {
        0 => String::new(),
        places => format!(".{}", "0".repeat(places)),
    };
    match kind.to_ascii_uppercase() {
        'D' => Some(format!("{sign}{plain:0>places$}", places = if places == usize::MAX { 0 } else { places })),
        'X' => {
            let places = if places == usize::MAX { 0 } else { places };
            Some(if kind == 'X' { format!("{number:0>places$X}") } else { format!("{number:0>places$x}") })
        }
        'N' => {
            let grouped: Vec<&str> =
                plain.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
            Some(format!("{sign}{}{}", grouped.join(","), decimals(2)))
        }
        'F' => Some(format!("{sign}{plain}{}", decimals(2))),
        'G' => Some(format!("{sign}{plain}")),
        _ => None,
    }
}

/// What `uriComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Combines as the page of `uri` describes.
fn uri(base: &str, relative: &str) -> String {
    if relative.contains("://") {
        return relative.to_owned();
    }
    let relative = relative.trim_start_matches('/');
    let host_at = base.find("://").map_or(0, |at| at + 3);
    match base[host_at..].rfind('/') {
        Some(at) => format!("{}{relative}", &base[..=host_at + at]),
        None => format!("{base}/{relative}"),
    }
}

fn parse_uri(text: &str) -> Result {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| "the input is not an absolute URI".to_owned())?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = json!({"scheme": scheme, "host": host, "path": if path.is_empty() { "/" } else { path }});
    if let Ok(port) = port.parse::<u16>() {
        parts["port"] = json!(port);
    }
    if !query.is_empty() {
        parts["query"] = json!(query);
    }
    Ok(parts)
}

fn build_uri(parts: &Value) -> Result {
    let word = |name: &str| member_of(parts, &json!(name)).map(shown).unwrap_or_default();
    let (scheme, host, port, path, query) = (word("scheme"), word("host"), word("port"), word("path"), word("query"));
    if scheme.is_empty() || host.is_empty() {
        return Err("the properties 'scheme' and 'host' are required".to_owned());
    }
    let port = if port.is_empty() { port } else { format!(":{port}") };
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let query = if query.is_empty() { query } else { format!("?{query}") };
    Ok(json!(format!("{scheme}://{host}{port}{path}{query}")))
}

/// The service's own 64-bit variant of Murmur hash; checked against published values of `uniqueString`.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    const A: u32 = 0x239b_961b;
    const B: u32 = 0xab0e_9789;
    let word = |part: &[u8]| part.iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte));
    let first = |k: u32| k.wrapping_mul(A).rotate_left(15).wrapping_mul(B);
    let second = |k: u32| k.wrapping_mul(B).rotate_left(17).wrapping_mul(A);
    let (mut h1, mut h2) = (0u32, 0u32);
    let blocks = bytes.chunks_exact(8);
    let tail = blocks.remainder();
    for block in blocks {
        h1 = (h1 ^ first(word(&block[..4]))).rotate_left(19).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x561c_cd1b);
        h2 = (h2 ^ second(word(&block[4..]))).rotate_left(13).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x0bca_a747);
    }
    let (low, high) = tail.split_at(tail.len().min(4));
    h1 ^= first(word(low));
    h2 ^= second(word(high));
    #[allow(clippy::cast_possible_truncation)]
    let length = bytes.len() as u32;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    let mix = |mut h: u32| {
        h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
        h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
        h ^ h >> 16
    };
    h1 = mix(h1);
    h2 = mix(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    u64::from(h2) << 32 | u64::from(h1)
}

/// The hash as thirteen letters and digits.
fn unique(text: &str) -> String {
    let hash = hash(text.as_bytes());
    (0..13)
        .map(|at| {
            let five = (hash << (at * 5)) >> 59;
            char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::try_from(five).unwrap_or(0)])
        })
        .collect()
}
