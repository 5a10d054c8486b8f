//! JSON within bounds: how much memory a value takes, and reading that stops where a document would take too much.
//! Must not know: what a document says, who sent it.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Bytes of the text of a document at most: ARM's and Graph's 4 MB [issue] [docs].
pub const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// Memory that one document may take once it is read. A dense text takes up to seventy times its own length.
pub const DOCUMENT_LIMIT: usize = 8 * 1024 * 1024;
/// Arrays and objects within each other, at most. More would overflow the stack of whoever walks through them.
pub const DEPTH_LIMIT: usize = 100;

/// A value, without what it points to.
pub const VALUE: usize = size_of::<Value>();
/// An entry of an object: hash, name and value.
const ENTRY: usize = size_of::<usize>() + size_of::<String>() + VALUE;
/// What the allocator adds to every string or list.
const ALLOCATION: usize = 16;

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It would take more memory than it may.
    TooLarge,
    /// It is not JSON. A sentence with line and column.
    Malformed(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is too large"),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

/// Reads a text that may take `limit` bytes of memory.
pub fn read(text: &[u8], limit: usize) -> Result<Value, Unread> {
    let meter = Meter::new(limit);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Bounded(&meter).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| if meter.is_full() { Unread::TooLarge } else { Unread::Malformed(error.to_string()) })
}

/// Reads some members of an object, which may take `limit` bytes of memory, and passes over the others.
pub fn members(text: &[u8], names: &[&str], limit: usize) -> Result<Map<String, Value>, Unread> {
    let meter = Meter::new(limit);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = Members { names, meter: &meter }.deserialize(&mut reader);
    let found = found.and_then(|found| reader.end().map(|()| found));
    found.map_err(|error| if meter.is_full() { Unread::TooLarge } else { Unread::Malformed(error.to_string()) })
}

/// How much memory a value takes. `None`: it nests too deep.
#[must_use]
pub fn size(value: &Value) -> Option<usize> {
    Some(VALUE.saturating_add(points_to(value, 0)?))
}

/// Whether a document that is kept, and grows change by change, takes no more than `limit` bytes of memory.
#[must_use]
pub fn may_be_kept(members: &Map<String, Value>, limit: usize) -> bool {
    let size = members.iter().try_fold(map_size(members.len()), |sum, (name, value)| {
        Some(sum + text_size(name.len()) + points_to(value, 1)?)
    });
    size.is_some_and(|size| size <= limit)
}

fn points_to(value: &Value, depth: usize) -> Option<usize> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    Some(match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text_size(text.len()),
        Value::Array(items) => {
            let own = ALLOCATION + items.len() * VALUE;
            items.iter().try_fold(own, |sum, item| Some(sum + points_to(item, depth + 1)?))?
        }
        Value::Object(map) => map.iter().try_fold(map_size(map.len()), |sum, (key, item)| {
            Some(sum + text_size(key.len()) + points_to(item, depth + 1)?)
        })?,
    })
}

/// What one more entry takes in an object that has `entries` so far, its value included but not what that points to.
#[must_use]
pub fn entry(entries: usize, name: &str) -> usize {
    map_size(entries + 1) - map_size(entries) + text_size(name.len())
}

/// What a string of so many bytes points to.
#[must_use]
pub fn text_size(length: usize) -> usize {
    if length == 0 { 0 } else { length + ALLOCATION }
}

/// What an object of so many entries takes: room for the entries, and a table to find them by.
fn map_size(entries: usize) -> usize {
    let buckets = match entries {
        0 => return 0,
        1..=3 => 4,
        more => (more * 8).div_ceil(7).next_power_of_two(),
    };
    let room = if buckets == 4 { 3 } else { buckets / 8 * 7 };
    room * ENTRY + buckets * 9 + 2 * ALLOCATION
}

/// Counts the memory of values while they are made, up to a limit.
#[derive(Debug)]
pub struct Meter {
    left: Cell<usize>,
    full: Cell<bool>,
}

/// There is no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Meter {
    /// With so many bytes left.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { left: Cell::new(limit), full: Cell::new(false) }
    }

    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// Whether more was wanted than was left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.get()
    }

    /// Takes bytes.
    pub fn take(&self, bytes: usize) -> Result<(), Full> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => self.left.set(left),
            None => self.full.set(true),
        }
        if self.full.get() { Err(Full) } else { Ok(()) }
    }

    /// Gives bytes back.
    pub fn give(&self, bytes: usize) {
        self.left.set(self.left.get() + bytes);
    }

    /// What a string of so many bytes points to.
    pub fn text(&self, length: usize) -> Result<(), Full> {
        self.take(text_size(length))
    }

    /// One more entry of an object that has `entries` so far. Its value, without what that points to, is counted here.
    pub fn entry(&self, entries: usize, name: &str) -> Result<(), Full> {
        self.take(entry(entries, name))
    }

    /// Adds an item to a list, whose room grows by steps. The item's own value is counted here.
    pub fn push(&self, list: &mut Vec<Value>, item: Value) -> Result<(), Full> {
        if list.len() == list.capacity() {
            let more = list.len().max(4);
            self.take(more * VALUE)?;
            list.reserve_exact(more);
        }
        list.push(item);
        Ok(())
    }

    /// Ends a list: the room that it does not need is given back.
    pub fn finish(&self, list: &mut Vec<Value>) {
        let spare = list.capacity() - list.len();
        list.shrink_to_fit();
        self.give(spare * VALUE);
    }
}

/// Reads what a value points to; the value itself is counted by what holds it.
struct Bounded<'m>(&'m Meter);

fn full<E: serde::de::Error>(_: Full) -> E {
    E::custom("too large")
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.text(text.len()).map_err(full)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Bounded(self.0))? {
            self.0.push(&mut list, item).map_err(full)?;
        }
        self.0.finish(&mut list);
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            self.0.entry(map.len(), &name).map_err(full)?;
            map.insert(name, entries.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(map))
    }
}

struct Members<'m> {
    names: &'m [&'m str],
    meter: &'m Meter,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !self.names.contains(&name.as_str()) {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            self.meter.entry(map.len(), &name).map_err(full)?;
            map.insert(name, entries.next_value_seed(Bounded(self.meter))?);
        }
        Ok(map)
    }
}

/// A value that is true or false. Words for them are taken too, as Azure's reader of JSON does [inferred].
#[must_use]
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(word) => word.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = r#" {"b": [1, -2, 2.5, true, null, "x"], "a": {"": []}, "b2": 18446744073709551615} "#;
        let found = read(text.as_bytes(), DOCUMENT_LIMIT).unwrap();
        assert_eq!(found.to_string(), serde_json::from_str::<Value>(text).unwrap().to_string());
        for bad in ["", "{", "[1,]", "{} {}", "\"\\x\""] {
            assert!(matches!(read(bad.as_bytes(), 1000), Err(Unread::Malformed(_))), "{bad}");
        }
        assert!(matches!(read("[".repeat(200).as_bytes(), DOCUMENT_LIMIT), Err(Unread::Malformed(_))));
    }

    #[test]
    fn a_dense_text_stops_at_the_limit() {
        for piece in ["[],", "1,", "{\"\":0},", "\"\",", "{\"a\":{\"b\":[{}]}},"] {
            let text = format!("[{}0]", piece.repeat(200_000));
            assert_eq!(read(text.as_bytes(), DOCUMENT_LIMIT), Err(Unread::TooLarge), "{piece}");
            let text = format!("[{}0]", piece.repeat(1_000));
            let value = read(text.as_bytes(), DOCUMENT_LIMIT).unwrap();
            let needs = size(&value).unwrap();
            assert_eq!(read(text.as_bytes(), needs / 2), Err(Unread::TooLarge), "{piece}");
        }
        let long = format!("\"{}\"", "x".repeat(1000));
        assert_eq!(read(long.as_bytes(), 999), Err(Unread::TooLarge));
    }

    #[test]
    fn only_the_members_that_are_wanted_are_read() {
        let text = format!("{{\"a\": 1, \"many\": [{}0], \"b\": {{\"c\": []}}}}", "[],".repeat(100_000));
        let found = members(text.as_bytes(), &["b", "a", "none"], 1000).unwrap();
        assert_eq!(Value::Object(found), json!({"a": 1, "b": {"c": []}}));
        assert_eq!(members(text.as_bytes(), &["many"], 100_000), Err(Unread::TooLarge));
        assert!(matches!(members(b"[]", &[], 100), Err(Unread::Malformed(_))));
    }

    #[test]
    fn the_size_of_a_value_counts_all_it_points_to() {
        assert_eq!(size(&json!(1)), Some(VALUE));
        assert!(size(&json!("x".repeat(1000))) > Some(VALUE + 1000));
        assert!(size(&json!([1, 2, 3])) >= Some(4 * VALUE));
        assert!(size(&json!({"a": 1})) > Some(VALUE + 3 * ENTRY));
        let mut deep = json!(1);
        for _ in 0..DEPTH_LIMIT {
            deep = json!([deep]);
        }
        assert!(size(&deep).is_some());
        assert_eq!(size(&json!([deep])), None);
    }
}
