//! The shapes of answers: headers that every answer has, JSON, pages.
//! Must not know: what is answered.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::app::registry::content::repositories::Page;
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::world::crypto;
use crate::http::call::Call;

/// What stays as it is inside a query's value.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Rows of a page where the client names no number, and at most [inferred: the client's own is 100].
pub const PAGE: u64 = 100;
/// Rows of a page at most.
const PAGE_LIMIT: u64 = 1000;

/// Sets a header; a value that cannot stand in one is left out.
pub fn put(answer: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        answer.headers_mut().insert(name, value);
    }
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    answer
}

/// An answer of JSON.
pub fn json(status: StatusCode, body: &Value) -> Response {
    bytes(status, "application/json; charset=utf-8", body.to_string())
}

/// An answer of JSON: an object, and in it a list whose items are JSON already.
pub fn list<'i>(about: &Value, name: &str, items: impl Iterator<Item = &'i str>) -> Response {
    bytes(StatusCode::OK, "application/json; charset=utf-8", listed(about, name, items))
}

/// The text of such an object.
pub fn listed<'i>(about: &Value, name: &str, items: impl Iterator<Item = &'i str>) -> String {
    let mut text = about.to_string();
    text.pop();
    text.push_str(&format!(",{}:[", json!(name)));
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push_str("]}");
    text
}

/// An answer of plain text.
pub fn text(status: StatusCode, body: &'static str) -> Response {
    bytes(status, "text/plain; charset=utf-8", body)
}

/// An answer of bytes.
pub fn bytes(status: StatusCode, content_type: &str, body: impl Into<axum::body::Bytes>) -> Response {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    put(&mut answer, "content-type", content_type);
    answer.headers_mut().insert(header::CONTENT_LENGTH, length);
    answer
}

/// The headers that every answer of a login server has (acr.md C.1) [recorded].
pub fn dress(answer: &mut Response, correlation: &str) {
    let headers = answer.headers_mut();
    let mut fixed = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    fixed("server", "AzureContainerRegistry");
    fixed("docker-distribution-api-version", "registry/2.0");
    fixed("strict-transport-security", "max-age=31536000; includeSubDomains");
    fixed("x-content-type-options", "nosniff");
    fixed(
        "access-control-expose-headers",
        "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id",
    );
    put(answer, "x-ms-correlation-request-id", correlation);
}

/// `0-{last}`: what a session has received. Of nothing Azure says `0-0` too.
pub fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

/// Where a session goes on. Clients treat the query as opaque; nothing is read back from it.
pub fn upload_location(repository: &str, uuid: &str, size: u64, started_at: &str) -> String {
    let state = json!({"Name": repository, "UUID": uuid, "Offset": size, "StartedAt": started_at});
    let state = crypto::base64url(state.to_string().as_bytes());
    format!("/v2/{repository}/blobs/uploads/{uuid}?_nouploadcache=false&_state={state}")
}

/// The page a request asks for. `default`: rows where it names no number.
pub fn page(call: &Call, default: u64) -> Result<Page> {
    let limit = match call.query("n") {
        None => default,
        Some(n) => n.parse::<u64>().map(|n| n.min(PAGE_LIMIT)).map_err(|_| RequestError::InvalidValue {
            property: "n".to_owned(),
            message: "invalid number of results requested".to_owned(),
        })?,
    };
    Ok(Page { limit, last: call.query("last").unwrap_or_default() })
}

/// The `Link` to the next page (acr.md C.3) [recorded].
pub fn link(answer: &mut Response, path: &str, page: &Page, last: &str, order: &str) {
    let last = utf8_percent_encode(last, QUERY);
    let limit = page.limit.min(PAGE_LIMIT);
    put(answer, "link", &format!("<{path}?last={last}&n={limit}&orderby={order}>; rel=\"next\""));
}

/// The `Link` to the next page of a list with a query of its own.
pub fn link_on(answer: &mut Response, path: &str, query: &[(&str, &str)]) {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY))).collect();
    put(answer, "link", &format!("<{path}?{}>; rel=\"next\"", pairs.join("&")));
}
