//! The functions over arrays and objects.
//! Must not know: templates, resources, deployments.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::strings::{lower, position, slice as slice_text};
use super::values::{
    List, Object, Result, Text, copy, equal, expects, int, list, measured, member_of, object, shown, text,
};

/// Items of `range`, at most [docs].
const RANGE_LIMIT: i64 = 10_000;

pub(super) fn array(a: &[Value]) -> Result {
    if a[0].is_array() { copy(&a[0]) } else { List::of(&a[..1]) }
}

pub(super) fn create_array(a: &[Value]) -> Result {
    List::of(a)
}

pub(super) fn flatten(a: &[Value]) -> Result {
    let mut made = List::new();
    for part in list(&a[0])? {
        list(part)?.iter().try_for_each(|item| made.copy(item))?;
    }
    Ok(made.done())
}

pub(super) fn items(a: &[Value]) -> Result {
    let mut entries: Vec<(&String, &Value)> = object(&a[0])?.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut made = List::new();
    for (key, value) in entries {
        made.push(json!({"key": key, "value": copy(value)?}))?;
    }
    Ok(made.done())
}

pub(super) fn keys(a: &[Value]) -> Result {
    let mut keys: Vec<&String> = object(&a[0])?.keys().collect();
    keys.sort();
    let mut made = List::new();
    keys.into_iter().try_for_each(|key| made.push(json!(key)))?;
    Ok(made.done())
}

pub(super) fn shallow_merge(a: &[Value]) -> Result {
    let mut merged = Object::new();
    for part in list(&a[0])? {
        object(part)?.iter().try_for_each(|(key, value)| merged.put(key, value))?;
    }
    Ok(merged.done())
}

pub(super) fn create_object(a: &[Value]) -> Result {
    if !a.len().is_multiple_of(2) {
        return Err("the function expects an even number of parameters".to_owned());
    }
    let mut made = Object::new();
    a.chunks(2).try_for_each(|pair| made.put(text(&pair[0])?, &pair[1]))?;
    Ok(made.done())
}

pub(super) fn concat(a: &[Value]) -> Result {
    let mixed = || "the provided parameters must all be of type literal or of type array".to_owned();
    if a.iter().any(Value::is_array) {
        let mut made = List::new();
        for part in a {
            list(part).map_err(|_| mixed())?.iter().try_for_each(|item| made.copy(item))?;
        }
        return Ok(made.done());
    }
    if a.iter().any(Value::is_object) {
        return Err(mixed());
    }
    let mut made = Text::default();
    a.iter().try_for_each(|part| made.show(part))?;
    made.done()
}

pub(super) fn contains(a: &[Value]) -> Result {
    let found = match &a[0] {
        Value::String(all) => all.contains(&shown(&a[1])?),
        Value::Array(items) => items.iter().any(|i| equal(i, &a[1])),
        Value::Object(_) => member_of(&a[0], &json!(text(&a[1])?)).is_some(),
        other => return Err(expects("an array, an object, or a string", other)),
    };
    Ok(json!(found))
}

pub(super) fn end_of(value: &Value, last: bool) -> Result {
    match value {
        Value::String(t) => {
            let c = if last { t.chars().next_back() } else { t.chars().next() };
            Ok(json!(c.map(String::from).unwrap_or_default()))
        }
        Value::Array(items) => copy(if last { items.last() } else { items.first() }.unwrap_or(&Value::Null)),
        other => Err(expects("an array or a string", other)),
    }
}

pub(super) fn length(value: &Value) -> Result<i64> {
    Ok(i64::try_from(list(value)?.len()).unwrap_or(i64::MAX))
}

/// An item of a list, counted from its end.
pub(super) fn from_end(a: &[Value]) -> Result<Option<&Value>> {
    let (items, back) = (list(&a[0])?, int(&a[1])?);
    Ok(usize::try_from(back).ok().and_then(|back| items.len().checked_sub(back)).and_then(|at| items.get(at)))
}

pub(super) fn try_get(a: &[Value]) -> Result {
    copy(a[1..].iter().try_fold(&a[0], |at, key| member_of(at, key)).unwrap_or(&Value::Null))
}

pub(super) fn starts(a: &[Value]) -> Result {
    Ok(json!(lower(&a[0])?.starts_with(&lower(&a[1])?)))
}

pub(super) fn ends(a: &[Value]) -> Result {
    Ok(json!(lower(&a[0])?.ends_with(&lower(&a[1])?)))
}

pub(super) fn index_of(all: &Value, wanted: &Value, last: bool) -> Result {
    let at = match all {
        Value::Array(items) if last => items.iter().rposition(|i| equal(i, wanted)),
        Value::Array(items) => items.iter().position(|i| equal(i, wanted)),
        _ => position(all, wanted, last)?,
    };
    Ok(at.map_or(json!(-1), Value::from))
}

pub(super) fn extreme(a: &[Value], pick: fn(std::vec::IntoIter<i64>) -> Option<i64>) -> Result {
    let numbers = match a {
        [Value::Array(items)] => items.iter().map(int).collect::<Result<Vec<_>>>()?,
        _ => a.iter().map(int).collect::<Result<Vec<_>>>()?,
    };
    pick(numbers.into_iter()).map(Value::from).ok_or_else(|| "the array is empty".to_owned())
}

fn alike() -> String {
    "the parameters must all be arrays or all be objects".to_owned()
}

pub(super) fn union(a: &[Value]) -> Result {
    if a.iter().all(Value::is_object) {
        let mut all = Object::new();
        for part in a {
            object(part)?.iter().try_for_each(|(key, value)| all.merge(key, value))?;
        }
        return Ok(all.done());
    }
    let mut all = List::new();
    let mut seen = HashSet::new();
    for part in a {
        for item in list(part).map_err(|_| alike())? {
            if seen.insert(item) {
                all.copy(item)?;
            }
        }
    }
    Ok(all.done())
}

/// The members of an object by their names in lower case.
fn folded(map: &Map<String, Value>) -> HashMap<String, &Value> {
    map.iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect()
}

pub(super) fn intersection(a: &[Value]) -> Result {
    if a.iter().all(Value::is_object) {
        measured(&a[0])?;
        let mut kept = object(&a[0])?.clone();
        for other in &a[1..] {
            let other = folded(object(other)?);
            kept.retain(|k, v| other.get(&k.to_ascii_lowercase()).is_some_and(|found| equal(found, v)));
        }
        return Ok(Value::Object(kept));
    }
    let first = list(&a[0]).map_err(|_| alike())?;
    let mut kept: HashSet<&Value> = first.iter().collect();
    for other in &a[1..] {
        let other: HashSet<&Value> = list(other).map_err(|_| alike())?.iter().collect();
        kept.retain(|item| other.contains(item));
    }
    // In the order of the first, each once.
    List::of(first.iter().filter(|item| kept.remove(item)))
}

pub(super) fn range(a: &[Value]) -> Result {
    let (start, count) = (int(&a[0])?, int(&a[1])?);
    if !(0..=RANGE_LIMIT).contains(&count) || start.checked_add(count).is_none() {
        return Err(format!("the count must be from '0' to '{RANGE_LIMIT}'"));
    }
    Ok((start..start + count).map(Value::from).collect())
}

pub(super) fn slice(value: &Value, count: i64, take: bool) -> Result {
    let count = usize::try_from(count).unwrap_or(0);
    match value {
        Value::String(t) => slice_text(t, count, take),
        Value::Array(items) if take => List::of(items.iter().take(count)),
        Value::Array(items) => List::of(items.iter().skip(count)),
        other => Err(expects("an array or a string", other)),
    }
}
