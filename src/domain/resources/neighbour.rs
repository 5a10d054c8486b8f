//! A resource that stands around registries and vaults and is kept as a document.
//! Must not know: what its type requires.

use serde_json::{Map, Value};

/// A resource kept as a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    pub id: String,
    /// The resource type, in Azure's case.
    pub kind: &'static str,
    pub name: String,
    /// The id of the group that it lies in, or of the resource that it is about.
    pub scope: String,
    /// All that is shown beside id, name and type.
    pub document: Map<String, Value>,
}

impl Neighbour {
    /// One without a document yet, at `{scope}/providers/{kind}/{name}`.
    #[must_use]
    pub fn new(scope: &str, kind: &'static str, name: &str) -> Self {
        let (scope, name) = (scope.trim_end_matches('/'), name.to_owned());
        Self {
            id: format!("{scope}/providers/{kind}/{name}"),
            kind,
            name,
            scope: scope.to_owned(),
            document: Map::new(),
        }
    }

    /// One without a document yet, in another: `{parent}/{last part of the kind}/{name}`.
    #[must_use]
    pub fn child(parent: &str, kind: &'static str, name: &str) -> Self {
        let word = kind.rsplit('/').next().unwrap_or_default();
        let id = format!("{parent}/{word}/{name}");
        Self { id, kind, name: name.to_owned(), scope: parent.to_owned(), document: Map::new() }
    }

    /// One without a document yet, at a scope or, of a type below another, in that.
    #[must_use]
    pub fn at(scope: &str, kind: &'static str, name: &str) -> Self {
        let within = kind.matches('/').count() > 1;
        if within { Self::child(scope, kind, name) } else { Self::new(scope, kind, name) }
    }

    /// Its `properties`.
    #[must_use]
    pub fn properties(&self) -> &Value {
        self.document.get("properties").unwrap_or(&Value::Null)
    }

    /// As resource management shows it.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut shown = self.document.clone();
        for (name, value) in [("id", self.id.as_str()), ("name", &self.name), ("type", self.kind)] {
            shown.insert(name.to_owned(), value.into());
        }
        Value::Object(shown)
    }
}
