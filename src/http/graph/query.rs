//! What clients ask of lists and objects: the query options of OData. What an option means is said here once; one that
//! is not known, or not answered, is refused.
//! Must not know: which objects there are, how they are kept.

use std::cmp::Ordering;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::schema::{self, Entity};
use super::wire;
use crate::domain::Result;
use crate::domain::error::DirectoryError;
use crate::http::call::{Call, pairs};
use crate::http::odata::{Filter, Language};

/// Objects on one page, where the client does not say [docs].
const PAGE: usize = 100;
/// The most objects a client may ask for on one page [docs].
const MOST: usize = 999;

/// The options that OData has. Names without `$` are the client's own, and passed over [docs].
const OPTIONS: [&str; 11] = [
    "$filter",
    "$select",
    "$expand",
    "$orderby",
    "$top",
    "$skip",
    "$skiptoken",
    "$count",
    "$search",
    "$format",
    "$apply",
];
/// Those that only lists have.
const OF_LISTS: [&str; 7] = ["$filter", "$orderby", "$top", "$skip", "$skiptoken", "$count", "$search"];

/// Refuses options that OData does not have, whatever the call is about. [sdk-code: the words are those of Microsoft's
/// OData library]
pub(super) fn check(call: &Call) -> Result<()> {
    for (name, _) in pairs(&call.query) {
        if name.starts_with('$') && !OPTIONS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(invalid(format!(
                "The query specified in the URI is not valid. The query parameter '{name}' is not supported."
            )));
        }
    }
    Ok(())
}

fn invalid(message: String) -> crate::domain::Error {
    DirectoryError::QueryInvalid(message).into()
}

fn unsupported(option: &str, value: &str) -> crate::domain::Error {
    DirectoryError::QueryUnsupported(format!("{option}={value}")).into()
}

/// What a client asks of a list or an object.
pub(super) struct Query {
    entity: &'static Entity,
    pub filter: Option<Filter>,
    select: Option<Vec<String>>,
    /// Properties, and whether the last comes first.
    order: Vec<(String, bool)>,
    top: usize,
    skip: usize,
    count: bool,
    path: String,
    rest: Vec<(String, String)>,
    beta: bool,
}

impl Query {
    /// The options for one object.
    pub(super) fn one(call: &Call, entity: &'static Entity) -> Result<Self> {
        let of_list = |name: &str| OF_LISTS.contains(&name.to_ascii_lowercase().as_str());
        if pairs(&call.query).iter().any(|(name, _)| of_list(name)) {
            return Err(invalid(
                "The query specified in the URI is not valid. The requested resource is not a collection. Query options $filter, $orderby, $count, $skip, and $top can be applied only on collections.".to_owned(),
            ));
        }
        Self::list(call, entity)
    }

    /// The options for a list.
    pub(super) fn list(call: &Call, entity: &'static Entity) -> Result<Self> {
        let mut query = Self {
            entity,
            filter: None,
            select: None,
            order: Vec::new(),
            top: PAGE,
            skip: 0,
            count: false,
            path: call.path.clone(),
            rest: Vec::new(),
            beta: wire::is_beta(call),
        };
        for (name, value) in pairs(&call.query) {
            let name = if name.starts_with('$') { name.to_ascii_lowercase() } else { name };
            match name.as_str() {
                "$filter" => query.filter = Some(query.read_filter(&value)?),
                "$select" => query.select = Some(query.read_select(&value)?),
                "$orderby" => query.order = query.read_order(&value)?,
                "$top" => query.top = read_top(&value)?,
                "$skiptoken" => query.skip = value.parse().map_err(|_| unsupported(&name, &value))?,
                "$count" => query.count = read_flag(&name, &value)?,
                "$search" if !is_eventual(call) => {
                    return Err(DirectoryError::QueryRefused("Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'".to_owned()).into());
                }
                "$format" if value.eq_ignore_ascii_case("json") || value.starts_with("application/json") => {}
                other if OPTIONS.contains(&other) => return Err(unsupported(other, &value)),
                _ => continue,
            }
            if name != "$skiptoken" {
                query.rest.push((name, value));
            }
        }
        query.check_order(is_eventual(call))?;
        Ok(query)
    }

    fn unknown_property(&self, name: &str) -> String {
        format!("Could not find a property named '{name}' on type 'microsoft.graph.{}'.", self.entity.name)
    }

    /// Words of a filter that cannot be read are [inferred]; the others are as users paste them [issue].
    fn read_filter(&self, text: &str) -> Result<Filter> {
        let words = &["or", "not", "ne", "in", "startswith", "any"];
        if let Some(filter) = Filter::parse(text, Language { properties: self.entity.filterable, words }) {
            return Ok(filter);
        }
        let names = properties_of(text);
        if let Some(unknown) = names.iter().find(|name| !self.entity.knows(name)) {
            return Err(invalid(format!("Invalid filter clause: {}", self.unknown_property(unknown))));
        }
        let filterable = |name: &str| self.entity.filterable.iter().any(|f| f.eq_ignore_ascii_case(name));
        match names.iter().find(|name| !filterable(name)) {
            Some(name) => {
                let message = format!(
                    "Unsupported or invalid query filter clause specified for property '{name}' of resource '{}'.",
                    wire::capital(self.entity.name)
                );
                Err(DirectoryError::QueryRefused(message).into())
            }
            None => Err(DirectoryError::QueryUnsupported(text.to_owned()).into()),
        }
    }

    fn read_select(&self, text: &str) -> Result<Vec<String>> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().find(|name| *name != "*" && !self.entity.knows(name)) {
            Some(unknown) => {
                Err(invalid(format!("Parsing OData Select and Expand failed: {}", self.unknown_property(unknown))))
            }
            None => Ok(names),
        }
    }

    fn read_order(&self, text: &str) -> Result<Vec<(String, bool)>> {
        let mut order = Vec::new();
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            let name = words.next().unwrap_or_default();
            let last_first = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(unsupported("$orderby", text)),
            };
            if !self.entity.knows(name) {
                return Err(invalid(self.unknown_property(name)));
            }
            let property = self.entity.sortable.iter().find(|s| s.eq_ignore_ascii_case(name));
            order.push(((*property.ok_or_else(sorting)?).to_owned(), last_first));
        }
        Ok(order)
    }

    /// Users and groups are sorted; with a filter, and all else, only in advanced queries [docs].
    fn check_order(&self, eventual: bool) -> Result<()> {
        let plain = matches!(self.entity.name, "user" | "group") && self.filter.is_none();
        let allowed = self.order.is_empty() || plain || (eventual && self.count);
        if allowed { Ok(()) } else { Err(sorting()) }
    }

    /// An object as it is shown: what is selected, or what is shown unasked.
    pub(super) fn shown(&self, mut object: Value) -> Value {
        if let Some(members) = object.as_object_mut() {
            let entity = members.get("@odata.type").and_then(Value::as_str).and_then(schema::of_type);
            let entity = entity.unwrap_or(self.entity);
            let all = self.select.as_ref().is_some_and(|names| names.iter().any(|n| n == "*"));
            members.retain(|name, _| match &self.select {
                _ if name.starts_with('@') => true,
                Some(names) if !all => names.iter().any(|n| n.eq_ignore_ascii_case(name)),
                _ => entity.is_shown(name, self.beta) || name.starts_with("extension_"),
            });
        }
        object
    }

    /// The page of a list that is asked for.
    pub(super) fn page(&self, noun: &str, objects: Vec<Value>) -> Response {
        let mut matching: Vec<Value> =
            objects.into_iter().filter(|o| self.filter.as_ref().is_none_or(|f| f.holds(o))).collect();
        if !self.order.is_empty() {
            matching.sort_by(|a, b| self.compare(a, b));
        }
        let count = matching.len();
        let page: Vec<Value> = matching.into_iter().skip(self.skip).take(self.top).map(|o| self.shown(o)).collect();
        let mut body = json!({"@odata.context": wire::context(self.beta, noun)});
        if self.count {
            body["@odata.count"] = json!(count);
        }
        let shown = self.skip.saturating_add(page.len());
        if shown < count {
            let mut next = format!("https://graph.microsoft.com{}?", self.path);
            for (name, value) in &self.rest {
                let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                next.push_str(&format!("{name}={value}&"));
            }
            body["@odata.nextLink"] = json!(format!("{next}$skiptoken={shown}"));
        }
        body["value"] = Value::Array(page);
        Json(body).into_response()
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let text = |object: &Value, name: &str| object[name].as_str().unwrap_or_default().to_lowercase();
        let one = |(name, last_first): &(String, bool)| {
            let found = text(a, name).cmp(&text(b, name));
            if *last_first { found.reverse() } else { found }
        };
        self.order.iter().map(one).find(|found| *found != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

fn is_eventual(call: &Call) -> bool {
    call.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

fn sorting() -> crate::domain::Error {
    DirectoryError::QueryRefused("Sorting not supported for current query.".to_owned()).into()
}

fn read_flag(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(format!(
            "Invalid value '{value}' for {name} query option found. Valid values are 'true|false'."
        ))),
    }
}

/// [issue] for the words of a page that is too large, and of none; those of OData's library for what is no number.
fn read_top(value: &str) -> Result<usize> {
    let Ok(number) = value.parse::<usize>() else {
        return Err(invalid(format!(
            "Invalid value '{value}' for $top query option found. The $top query option requires a non-negative integer value."
        )));
    };
    if (1..=MOST).contains(&number) {
        return Ok(number);
    }
    let message = format!("Invalid page size specified: '{value}'. Must be between 1 and {MOST} inclusive.");
    Err(DirectoryError::QueryRefused(message).into())
}

/// The names that stand where a filter has properties: before an operator, as a function's first argument, before
/// `/any`. Texts in quotes hold none.
fn properties_of(text: &str) -> Vec<String> {
    let outside: Vec<&str> = text.split('\'').step_by(2).collect();
    let plain = outside.join(" ");
    let words: Vec<&str> =
        plain.split(|c: char| c.is_whitespace() || "(),".contains(c)).filter(|w| !w.is_empty()).collect();
    let operators = ["eq", "ne", "gt", "ge", "lt", "le", "in"];
    let functions = ["startswith", "endswith", "contains"];
    let is = |word: Option<&&str>, of: &[&str]| word.is_some_and(|w| of.iter().any(|o| o.eq_ignore_ascii_case(w)));
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let named = if let Some((name, "any" | "all" | "$count")) = word.split_once('/') {
            Some(name)
        } else if (is(words.get(at + 1), &operators) && !word.contains(':'))
            || (at > 0 && is(words.get(at - 1), &functions))
        {
            Some(*word)
        } else {
            None
        };
        // A lambda's variable, written apart from its colon, is no property.
        let variable = at > 0 && words[at - 1].ends_with(':');
        found.extend(named.filter(|_| !variable).map(|name| name.split('/').next().unwrap_or(name).to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_stand_before_operators_and_in_functions() {
        assert_eq!(properties_of("displayName eq 'a eq b' and not (mail ne null)"), ["displayName", "mail"]);
        assert_eq!(properties_of("startswith(nope,'a')"), ["nope"]);
        assert_eq!(properties_of("tags/any(t:t eq 'x') or tags/any(t: t eq 'y')"), ["tags", "tags"]);
        assert_eq!(properties_of("displayName eq"), ["displayName"]);
    }
}
