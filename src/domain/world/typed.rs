//! JSON read into types. Members that a type does not name are passed over; a member of a wrong type is told by its name.
//! Must not know: what is read, how a refusal is said.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::json;

/// A JSON object. Derived types by themselves would take a list of their members too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads a JSON object. Refused with the name of the innermost member that is of a wrong type; empty: the object is.
pub fn read<T: DeserializeOwned>(object: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize::<_, Object<T>>(object).map(|read| read.0).map_err(|wrong| {
        let named = |segment: &Segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
        };
        wrong.path().iter().filter_map(named).next_back().unwrap_or_default()
    })
}

/// A flag, as [`json::flag`] reads it; null is none.
pub fn flag<'de, D: Deserializer<'de>>(member: D) -> Result<Option<bool>, D::Error> {
    let value = Option::<Value>::deserialize(member)?;
    value.map(|value| json::flag(&value).ok_or_else(|| D::Error::custom("it is neither true nor false"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Outer {
        words: Option<Vec<String>>,
        inner: Option<Object<Inner>>,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Inner {
        number: Option<i64>,
    }

    #[test]
    fn a_wrong_type_is_told_by_its_name() {
        let good = read::<Outer>(&json!({"inner": {"number": 1, "else": []}, "words": null, "more": 2})).unwrap();
        assert_eq!(good.inner, Some(Object(Inner { number: Some(1) })));
        for (object, name) in [
            (json!({"inner": {"number": "1"}}), "number"),
            (json!({"inner": {"number": 1.5}}), "number"),
            (json!({"inner": [1]}), "inner"),
            (json!({"words": ["a", 2]}), "words"),
            (json!({"words": {}}), "words"),
            (json!([]), ""),
            (json!(null), ""),
        ] {
            assert_eq!(read::<Outer>(&object).unwrap_err(), name, "{object}");
        }
    }
}
