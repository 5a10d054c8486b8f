//! The query options of lists, `$filter` and its like: which an operation takes, and pages of what it lists.
//! Must not know: which operations there are.

use serde_json::{Value, json};

use super::wire::Answer;
use crate::domain::error::RequestError;
use crate::domain::world::crypto;
use crate::domain::world::name::ResourceId;
use crate::domain::{Error, Result};
use crate::http::call::pairs;
use crate::http::odata::{Filter, Language};

/// Options that are passed over wherever they are not taken. Whatever else begins with a dollar is refused, for an answer
/// that takes no notice of it would be a wrong one; options without a dollar are passed over, as Azure does [issue].
const PASSED_OVER: [(&str, &str); 1] = [
    // It asks for more to be shown: az sends it with every list of resources. The times that it asks for are not kept.
    ("$expand", "it adds fields, and takes none away"),
];

/// What an operation that pages its list takes.
pub(super) const PAGED: &[&str] = &["$top", "$skiptoken"];
/// What an operation takes that pages its list by itself.
pub(super) const GOING_ON: &[&str] = &["$skiptoken"];
/// How many resources a provider lists on a page, if it is not asked for another number [inferred].
pub(super) const PAGE: usize = 100;
/// The most that a list of all resources has on a page [docs: resources/list].
pub(super) const RESOURCES_PAGE: usize = 1000;
/// What an operation that pages its list takes with a filter.
pub(super) const FILTERED: &[&str] = &["$filter", "$top", "$skiptoken"];
/// A filter alone.
pub(super) const FILTER: &[&str] = &["$filter"];

/// The refusal of an option's value.
pub(super) fn invalid(name: &str, value: &str) -> Error {
    RequestError::InvalidValue { property: name.to_owned(), message: value.to_owned() }.into()
}

/// Refuses options that an operation does not take. One without a value is one that was not sent.
pub(super) fn check(query: &str, taken: &[&str]) -> Result<()> {
    for (name, value) in pairs(query) {
        let passed_over = || PASSED_OVER.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name));
        let known = taken.iter().any(|known| known.eq_ignore_ascii_case(&name));
        if name.starts_with('$') && !value.is_empty() && !known && !passed_over() {
            return Err(invalid(&name, &value));
        }
    }
    Ok(())
}

/// An option as sent; one without a value is absent.
pub(super) fn option(query: &str, name: &str) -> Option<String> {
    let found = pairs(query).into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// The filter that was sent.
pub(super) fn filter(query: &str, language: Language<'_>) -> Result<Option<Filter>> {
    let Some(text) = option(query, "$filter").filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    Filter::parse(&text, language).map(Some).ok_or_else(|| invalid("$filter", &text))
}

/// The fields, in lower case, and the values that they must have, of a filter that says nothing else.
pub(super) fn equals(text: &str, properties: &[&str]) -> Option<Vec<(String, String)>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let parts = match Filter::parse(text, Language { properties, words: &[] })? {
        Filter::All(parts) => parts,
        one => vec![one],
    };
    let equal = |part| match part {
        Filter::Equal(property, Value::String(value)) => Some((property.to_ascii_lowercase(), value)),
        _ => None,
    };
    parts.into_iter().map(equal).collect()
}

/// `$top`: a number from 1 on.
pub(super) fn top(query: &str) -> Result<Option<usize>> {
    let Some(text) = option(query, "$top") else { return Ok(None) };
    text.parse().ok().filter(|top| *top > 0).map(Some).ok_or_else(|| invalid("$top", &text))
}

/// The address of a list's next page: the same request with another token.
pub(super) fn next_link(host: &str, path: &str, query: &str, token: &str) -> String {
    let kept = pairs(query).into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"));
    // Options keep their dollar as it is: clients compare such addresses with what they sent.
    let written = kept.map(|(name, value)| format!("{name}={}&", encoded(&value))).collect::<String>();
    format!("https://{host}{path}?{written}$skiptoken={}", encoded(token))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Where a list was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

impl Asked<'_> {
    /// How many resources a page is to have, and the id of that after which it begins.
    pub(super) fn page(self, most: usize) -> Result<(usize, Option<ResourceId>)> {
        let most = top(self.query)?.unwrap_or(most).min(RESOURCES_PAGE);
        let Some(token) = option(self.query, "$skiptoken") else { return Ok((most, None)) };
        let id = crypto::from_base64url(&token).and_then(|bytes| String::from_utf8(bytes).ok());
        let id = id.as_deref().and_then(ResourceId::parse).ok_or_else(|| invalid("$skiptoken", &token))?;
        Ok((most, Some(id)))
    }

    /// A page, and where it goes on, if it does.
    pub(super) fn answer(self, items: Vec<Value>, more: bool) -> Answer {
        let next = items
            .last()
            .and_then(|item| item["id"].as_str())
            .filter(|_| more)
            .map(|last| next_link(self.host, self.path, self.query, &crypto::base64url(last.as_bytes())));
        let mut body = json!({ "value": items });
        if let Some(next) = next {
            body["nextLink"] = json!(next);
        }
        Answer::ok(body)
    }
}

/// The page of a list that was asked for. It goes on after the last item of the one before, or from its place on, if that
/// has gone.
pub(super) fn paged(answer: Answer, host: &str, path: &str, query: &str) -> Result<Answer> {
    let (top, token) = (top(query)?, option(query, "$skiptoken"));
    if top.is_none() && token.is_none() {
        return Ok(answer);
    }
    let status = answer.status();
    let mut body = answer.into_body();
    let items = body["value"].as_array().cloned().unwrap_or_default();
    let from = match &token {
        None => 0,
        Some(token) => begins(&items, token).ok_or_else(|| invalid("$skiptoken", token))?,
    };
    let until = items.len().min(from.saturating_add(top.unwrap_or(usize::MAX)));
    if let Some(last) = items[..until].last().filter(|_| until < items.len()) {
        let token = crypto::base64url(format!("{until}!{}", last["id"].as_str().unwrap_or_default()).as_bytes());
        body["nextLink"] = json!(next_link(host, path, query, &token));
    }
    body["value"] = Value::from(items[from..until].to_vec());
    Ok(Answer::new(status, body))
}

fn begins(items: &[Value], token: &str) -> Option<usize> {
    let text = String::from_utf8(crypto::from_base64url(token)?).ok()?;
    let (place, id) = text.split_once('!')?;
    let place: usize = place.parse().ok()?;
    let found = items.iter().position(|item| item["id"].as_str() == Some(id));
    Some(found.map_or(place, |at| at + 1).min(items.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_taken_are_refused() {
        assert!(check("api-version=1&$filter=&other=x&$expand=createdTime", &[]).is_ok());
        assert!(check("%24Top=1", PAGED).is_ok());
        for wrong in ["$filter=name eq 'a'", "$top=1", "$orderby=name", "%24select=name", "$nonsense=1"] {
            assert!(check(wrong, &[]).is_err(), "{wrong}");
        }
        for wrong in ["$top=0", "$top=-1", "$top=many"] {
            assert!(top(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_go_on_where_the_last_ended() {
        let all = |ids: &[&str]| Answer::list(ids.iter().map(|id| json!({ "id": id })).collect());
        let page = |ids: &[&str], query: &str| paged(all(ids), "host", "/list", query).unwrap().into_body();
        let first = page(&["a", "b", "c", "d"], "api-version=1&$filter=name eq 'x'&$top=2");
        assert_eq!(first["value"], json!([{"id": "a"}, {"id": "b"}]));
        let next = first["nextLink"].as_str().unwrap();
        assert!(next.starts_with("https://host/list?api-version=1&$filter=name%20eq%20%27x%27&$top=2&$skiptoken="));
        let query = next.split_once('?').unwrap().1;
        assert_eq!(page(&["a", "b", "c", "d"], query), json!({"value": [{"id": "c"}, {"id": "d"}]}));
        // What comes or goes meanwhile moves nothing.
        assert_eq!(page(&["0", "a", "b", "c"], query), json!({"value": [{"id": "c"}]}));
        assert_eq!(page(&["a", "c"], query), json!({"value": []}));
        assert!(paged(all(&["a"]), "host", "/list", "$skiptoken=nonsense").is_err());
    }
}
