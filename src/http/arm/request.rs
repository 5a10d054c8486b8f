//! A request about a resource, as its handler needs it.
//! Must not know: rows, handlers.

use axum::http::Method;
use serde_json::Value;

use super::query::{self, Asked};
use super::wire::Answer;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::listing::Part;
use crate::domain::{Error, Result};
use crate::http::odata::{Filter, Language};

/// The names in a path after its provider. What was quoted in one could stand for more of the path.
pub(super) fn names(rest: &[String], kind: &str) -> Result<Vec<String>> {
    let names = rest.iter().skip(1).step_by(2);
    match names.clone().find(|name| name.contains(['/', '\\']) || name.len() > 260) {
        Some(name) => Err(ResourceError::NameInvalid { name: name.clone(), kind: kind.to_owned() }.into()),
        None => Ok(names.cloned().collect()),
    }
}

/// A request, as its handler needs it.
pub(super) struct Request {
    /// Names in the path as sent: of the resource, after those of all that it lies in.
    pub(super) names: Vec<String>,
    pub(super) group: Option<String>,
    /// What the provider's name in the path comes after: the scope of types that lie on any.
    pub(super) scope: String,
    pub(super) query: String,
    pub(super) method: Method,
    pub(super) api_version: String,
    /// The host as sent, with its port if it has one.
    pub(super) authority: String,
    pub(super) path: String,
    /// The URL as sent.
    pub(super) url: String,
    pub(super) body: Value,
}

impl Request {
    /// The resource's own name, or that of what lists are asked for.
    pub(super) fn name(&self) -> &str {
        self.names.last().map(String::as_str).unwrap_or_default()
    }

    /// The name of the resource at the top, in which the others lie.
    pub(super) fn top(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }

    /// The name of the resource in which it lies.
    pub(super) fn parent(&self) -> &str {
        self.names.iter().rev().nth(1).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn unknown_route(&self) -> Error {
        RequestError::RouteUnknown(self.path.clone()).into()
    }

    /// The group in the path, of types that lie in groups.
    pub(super) fn group(&self) -> &str {
        self.group.as_deref().unwrap_or_default()
    }

    /// The group of a list; `None`: the whole subscription's.
    pub(super) fn listed_group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    fn asked(&self) -> Asked<'_> {
        Asked { host: &self.authority, path: &self.path, query: &self.query }
    }

    /// The part of the list that is asked for, and one more, which tells whether it goes on.
    pub(super) fn part(&self, most: usize) -> Result<Part<'_>> {
        let (most, after) = self.asked().page(most)?;
        let after = after.map(|id| (id.name, id.group)).unwrap_or_default();
        Ok(Part { group: self.listed_group(), after, most: most + 1 })
    }

    /// The answer to it.
    pub(super) fn page(&self, part: &Part<'_>, mut items: Vec<Value>) -> Answer {
        let more = items.len() == part.most;
        items.truncate(part.most - 1);
        self.asked().answer(items, more)
    }

    /// A parameter of the query that has a value.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        query::option(&self.query, name)
    }

    /// The filter that was sent.
    pub(super) fn filter(&self, language: Language<'_>) -> Result<Option<Filter>> {
        query::filter(&self.query, language)
    }

    pub(super) fn is_patch(&self) -> bool {
        self.method == Method::PATCH
    }
}
