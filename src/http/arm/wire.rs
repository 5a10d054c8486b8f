//! Answers of resource management: status, JSON, the headers ARM always sends.
//! Must not know: which resource it is about.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::domain::error::RequestError;
use crate::domain::resources::template::clipped;
use crate::domain::world::json;
use crate::domain::{Error, Result, Timestamp};
use crate::http::call::Code;

/// What marks ARM's own refusals, which no provider has seen [recorded].
pub const GATEWAY: (&str, &str) = ("x-ms-failure-cause", "gateway");

/// A body: made here, or kept as text, which is not read again to be sent.
#[derive(Debug)]
enum Content {
    Nothing,
    Value(Value),
    Text(String),
    Refusal(Error),
}

/// What a handler answers.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Content,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// 200 with a body.
    pub fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// A status with a body.
    pub fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Content::Value(body), headers: Vec::new() }
    }

    /// A status without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: Content::Nothing, headers: Vec::new() }
    }

    /// 200 with JSON that is text already.
    pub fn text(body: String) -> Self {
        Self { status: StatusCode::OK, body: Content::Text(body), headers: Vec::new() }
    }

    /// A page of a list whose items are text already, and where it goes on.
    pub fn texts(items: &[String], next: Option<&str>) -> Self {
        let next = next.map(|link| format!(",\"nextLink\":{}", json!(link))).unwrap_or_default();
        Self::text(format!("{{\"value\":[{}]{next}}}", items.join(",")))
    }

    /// A refusal that leaves something which lasts: what was changed before it is committed all the same.
    pub fn refused(error: Error) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: Content::Refusal(error), headers: Vec::new() }
    }

    /// Itself, or what it refuses with.
    pub fn or_refusal(self) -> Result<Self> {
        match self.body {
            Content::Refusal(error) => Err(error),
            Content::Nothing | Content::Value(_) | Content::Text(_) => Ok(self),
        }
    }

    /// `{"value": […]}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::ok(json!({ "value": items }))
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether it is ARM's own refusal.
    pub fn is_the_gateways(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.as_str() == GATEWAY.0)
    }

    /// Its body, for calls within calls.
    pub fn into_body(self) -> Value {
        match self.body {
            Content::Nothing | Content::Refusal(_) => Value::Null,
            Content::Value(body) => body,
            Content::Text(text) => json::read(text.as_bytes(), json::DOCUMENT_LIMIT).unwrap_or_default(),
        }
    }

    /// With a body.
    #[must_use]
    pub fn saying(mut self, body: Value) -> Self {
        self.body = Content::Value(body);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// As an HTTP response with the headers of [recorded] provider answers.
    pub fn into_response(self, correlation: Option<String>, client_request: Option<String>) -> Response {
        let request_id = uuid::Uuid::new_v4().to_string();
        let (text, code) = match self.body {
            Content::Nothing | Content::Refusal(_) => (None, None),
            Content::Value(body) => {
                let code = body["error"]["code"].as_str().map(|code| Code(code.to_owned()));
                (Some(body.to_string()), code)
            }
            Content::Text(text) => (Some(text), None),
        };
        let has_body = text.is_some();
        let mut response = Response::new(text.map_or_else(Body::empty, Body::from));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if has_body {
            set(header::CONTENT_TYPE, "application/json; charset=utf-8");
        }
        set(header::CACHE_CONTROL, "no-cache");
        set(header::PRAGMA, "no-cache");
        set(header::EXPIRES, "-1");
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(HeaderName::from_static("x-ms-request-id"), &request_id);
        set(HeaderName::from_static("x-ms-correlation-request-id"), correlation.as_deref().unwrap_or(&request_id));
        set(HeaderName::from_static("x-ms-routing-request-id"), &format!("EMULATOR:{request_id}"));
        set(HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes"), "1199");
        // What was asked for is done before it is answered: HashiCorp's clients need not wait ten seconds for it.
        set(HeaderName::from_static("x-go-azure-sdk-skip-polling-delay"), "true");
        if let Some(id) = client_request {
            set(HeaderName::from_static("x-ms-client-request-id"), &id);
        }
        for (name, value) in self.headers {
            set(name, &value);
        }
        if let Some(code) = code {
            response.extensions_mut().insert(code);
        }
        response
    }
}

/// `systemData`, for an application as creator.
pub fn system_data(
    created_by: &str,
    created: Timestamp,
    modified_by: &str,
    modified: Timestamp,
    stamp: fn(Timestamp) -> String,
) -> Value {
    json!({
        "createdBy": created_by, "createdByType": "Application", "createdAt": stamp(created),
        "lastModifiedBy": modified_by, "lastModifiedByType": "Application", "lastModifiedAt": stamp(modified),
    })
}

/// Refuses tags beyond Azure's limits: 50 of them, names of 512 characters, values of 256 [docs].
pub fn check_tags(tags: Option<&Value>) -> Result<()> {
    let Some(Value::Object(tags)) = tags else { return Ok(()) };
    let wrong = |message: String| RequestError::InvalidValue { property: "tags".to_owned(), message };
    if tags.len() > 50 {
        return Err(wrong(format!("there are {} tags, and at most 50 are allowed", tags.len())).into());
    }
    for (name, value) in tags {
        let fits = match value {
            Value::String(text) => text.chars().count() <= 256,
            Value::Array(_) | Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        };
        if name.chars().count() > 512 || !fits {
            let name = clipped(name.clone());
            return Err(
                wrong(format!("the tag '{name}' is not a text of at most 512 characters with one of 256")).into()
            );
        }
    }
    Ok(())
}

/// Tags of a body: `None` where it has none.
pub fn tags(body: &Value) -> Option<Value> {
    match body.get("tags") {
        Some(tags @ Value::Object(_)) => Some(tags.clone()),
        Some(Value::Null) | None => None,
        Some(_) => Some(json!({})),
    }
}
