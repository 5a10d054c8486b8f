//! Values as functions take and make them. Whatever a function makes, it makes by [`Text`], [`List`], [`Object`] or
//! [`copy`], which stop before it is larger than a value may be.
//! Must not know: which functions there are.

use std::collections::HashMap;
use std::io;

use serde_json::{Map, Value};

use crate::domain::world::json::{self, Meter};

/// Memory that a value which a function makes may take. Azure's own limit is that of the whole template, 4 MB of text
/// [docs].
pub const VALUE_LIMIT: usize = json::DOCUMENT_LIMIT;
/// Bytes of a message at most: what it quotes may be as long as a template.
const MESSAGE_LIMIT: usize = 8 * 1024;

pub(super) type Result<T = Value> = std::result::Result<T, String>;

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

/// A message, cut where it quotes too much.
#[must_use]
pub fn clipped(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT {
        let end = (0..=MESSAGE_LIMIT).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
        message.push('…');
    }
    message
}

pub(super) fn expects(what: &str, found: &Value) -> String {
    format!("the function expects its parameter to be {what}. The provided value is of type '{}'", kind(found))
}

pub(super) fn too_large() -> String {
    format!("the result is larger than '{VALUE_LIMIT}'")
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

/// A value's property or item, if it is there. Names in any case.
pub(super) fn member_of<'v>(value: &'v Value, key: &Value) -> Option<&'v Value> {
    match (value, key) {
        (Value::Object(map), Value::String(name)) => find(map, name),
        (Value::Array(items), Value::Number(index)) => items.get(usize::try_from(index.as_i64()?).ok()?),
        _ => None,
    }
}

/// A property of an object, name in any case.
#[must_use]
pub fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    find(value.as_object()?, name)
}

/// The same of a map.
pub(super) fn find<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Takes a property out of an object, name in any case.
pub fn take(value: &mut Value, name: &str) -> Option<Value> {
    let map = value.as_object_mut()?;
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    map.shift_remove(&key)
}

/// Equality of values: numbers by value, strings with case.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
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

/// A value as text: strings bare, booleans as .NET writes them, the rest as JSON.
pub(super) fn shown(value: &Value) -> Result<String> {
    let mut text = Text::default();
    text.show(value)?;
    text.text()
}

/// How much memory a value takes; refused where it takes more than a value may, or nests too deep.
pub(super) fn measured(value: &Value) -> Result<usize> {
    match json::size(value) {
        None => Err(format!("the result nests deeper than '{}' levels", json::DEPTH_LIMIT)),
        Some(size) if size > VALUE_LIMIT => Err(too_large()),
        Some(size) => Ok(size),
    }
}

/// A copy.
pub(super) fn copy(value: &Value) -> Result {
    measured(value)?;
    Ok(value.clone())
}

/// A string in the making.
pub(super) struct Text {
    made: Vec<u8>,
    limit: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self::up_to(VALUE_LIMIT)
    }
}

impl Text {
    /// One that may be so long.
    pub(super) fn up_to(limit: usize) -> Self {
        Self { made: Vec::new(), limit }
    }

    fn fits(&self, more: usize) -> bool {
        self.made.len().saturating_add(more) <= self.limit
    }

    pub(super) fn push(&mut self, more: &str) -> Result<()> {
        if !self.fits(more.len()) {
            return Err(too_large());
        }
        self.made.extend_from_slice(more.as_bytes());
        Ok(())
    }

    pub(super) fn push_char(&mut self, more: char) -> Result<()> {
        self.push(more.encode_utf8(&mut [0; 4]))
    }

    /// Bytes that are meant to be UTF-8; what is none becomes a replacement character.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.utf8_chunks() {
            self.push(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                self.push_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }

    /// A value as [`shown`].
    pub(super) fn show(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => Ok(()),
            Value::Bool(true) => self.push("True"),
            Value::Bool(false) => self.push("False"),
            Value::String(text) => self.push(text),
            other => serde_json::to_writer(&mut *self, other).map_err(|_| too_large()),
        }
    }

    pub(super) fn text(self) -> Result<String> {
        String::from_utf8(self.made).map_err(|_| "the result is not a text".to_owned())
    }

    pub(super) fn done(self) -> Result {
        self.text().map(Value::String)
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.fits(bytes.len()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.made.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A list in the making.
pub(super) struct List {
    items: Vec<Value>,
    meter: Meter,
}

impl List {
    pub(super) fn new() -> Self {
        Self { items: Vec::new(), meter: Meter::new(VALUE_LIMIT) }
    }

    pub(super) fn push(&mut self, item: Value) -> Result<()> {
        self.meter.take(measured(&item)?).map_err(|_| too_large())?;
        self.items.push(item);
        Ok(())
    }

    /// Adds a copy.
    pub(super) fn copy(&mut self, item: &Value) -> Result<()> {
        self.meter.take(measured(item)?).map_err(|_| too_large())?;
        self.items.push(item.clone());
        Ok(())
    }

    /// Copies of some values.
    pub(super) fn of<'v>(items: impl IntoIterator<Item = &'v Value>) -> Result {
        let mut list = Self::new();
        items.into_iter().try_for_each(|item| list.copy(item))?;
        Ok(list.done())
    }

    pub(super) fn done(self) -> Value {
        Value::Array(self.items)
    }
}

/// An object in the making, whose names differ by more than case.
pub(super) struct Object {
    map: Map<String, Value>,
    /// Each name by its lower case.
    names: HashMap<String, String>,
    meter: Meter,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { map: Map::new(), names: HashMap::new(), meter: Meter::new(VALUE_LIMIT) }
    }

    /// Sets a property.
    pub(super) fn put(&mut self, name: &str, value: &Value) -> Result<()> {
        self.meter.take(measured(value)?).map_err(|_| too_large())?;
        self.set(name, value.clone())
    }

    /// Adds all that another object has to this one's property, objects within both alike.
    pub(super) fn merge(&mut self, name: &str, value: &Value) -> Result<()> {
        let known = self.get(name);
        if let (Some(Value::Object(known)), Value::Object(more)) = (known, value) {
            let mut merged = Self::new();
            known.iter().try_for_each(|(name, value)| merged.put(name, value))?;
            more.iter().try_for_each(|(name, value)| merged.merge(name, value))?;
            return self.put(name, &merged.done());
        }
        self.put(name, value)
    }

    /// Adds an item to the list that is a property.
    pub(super) fn group(&mut self, name: &str, item: &Value) -> Result<()> {
        if self.get(name).is_none() {
            self.set(name, Value::Array(Vec::new()))?;
        }
        self.meter.take(measured(item)?).map_err(|_| too_large())?;
        let key = self.names.get(&name.to_ascii_lowercase());
        if let Some(group) = key.and_then(|key| self.map.get_mut(key)).and_then(Value::as_array_mut) {
            group.push(item.clone());
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(self.names.get(&name.to_ascii_lowercase())?)
    }

    fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let lower = name.to_ascii_lowercase();
        if let Some(known) = self.names.get(&lower) {
            let before = self.map.insert(known.clone(), value);
            self.meter.give(before.as_ref().and_then(json::size).unwrap_or(0));
            return Ok(());
        }
        // The name lies in both maps.
        self.meter.entry(self.map.len(), name).and_then(|()| self.meter.text(name.len())).map_err(|_| too_large())?;
        self.names.insert(lower, name.to_owned());
        self.map.insert(name.to_owned(), value);
        Ok(())
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.map)
    }
}
