//! How Storage says no: a code in a header, and XML [docs: the lists of error codes].
//! Must not know: routes.

#![deny(clippy::wildcard_enum_match_arm)]

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::app::registry::tasks::blobs::Refusal;
use crate::domain::error::{ContentError, INTERNAL, RequestError};
use crate::domain::registry::tasks::sas::Unsigned;
use crate::domain::{Error, Timestamp};
use crate::http::call::Code;

/// The version that answers name where the request names none.
pub const VERSION: &str = "2021-12-02";

/// A refusal.
#[derive(Debug)]
pub enum Said {
    /// The path names no blob: the account and its containers cannot be asked for anything.
    Account,
    Verb,
    Comp,
    Parameter(&'static str),
    Header(&'static str),
    HeaderMissing(&'static str),
    Length,
    Xml,
    /// Of a blob of so many bytes.
    Range(u64),
    Refused(Refusal),
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

type Words = (StatusCode, &'static str, String, Option<(&'static str, String)>);

fn words(status: StatusCode, code: &'static str, message: impl Into<String>) -> Words {
    (status, code, message.into(), None)
}

const UNAUTHENTIC: &str = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";

fn say(said: &Said, now: Timestamp) -> Words {
    use StatusCode as S;
    match said {
        Said::Account => words(S::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist."),
        Said::Verb => {
            words(S::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
        }
        Said::Comp => (
            S::BAD_REQUEST,
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid.".to_owned(),
            Some(("QueryParameterName", "comp".to_owned())),
        ),
        Said::Parameter(name) => (
            S::BAD_REQUEST,
            "MissingRequiredQueryParameter",
            "A query parameter that's mandatory for this request is not specified.".to_owned(),
            Some(("QueryParameterName", (*name).to_owned())),
        ),
        Said::Header(name) => (
            S::BAD_REQUEST,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format.".to_owned(),
            Some(("HeaderName", (*name).to_owned())),
        ),
        Said::HeaderMissing(name) => (
            S::BAD_REQUEST,
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified.".to_owned(),
            Some(("HeaderName", (*name).to_owned())),
        ),
        Said::Length => {
            words(S::LENGTH_REQUIRED, "MissingContentLengthHeader", "Content-Length HTTP header is missing.")
        }
        Said::Xml => words(S::BAD_REQUEST, "InvalidXmlDocument", "XML specified is not syntactically valid."),
        Said::Range(_) => words(
            S::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        ),
        Said::Refused(refusal) => refused(refusal, now),
    }
}

fn refused(refusal: &Refusal, now: Timestamp) -> Words {
    use StatusCode as S;
    match refusal {
        Refusal::Unsigned(why) => unsigned(why, now),
        Refusal::ContainerNotFound => {
            words(S::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
        }
        Refusal::BlobNotFound => words(S::NOT_FOUND, "BlobNotFound", "The specified blob does not exist."),
        Refusal::InvalidBlockList => words(S::BAD_REQUEST, "InvalidBlockList", "The specified block list is invalid."),
        Refusal::InvalidBlockId => {
            words(S::BAD_REQUEST, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        }
        Refusal::TooLarge => words(
            S::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            "The request body is too large and exceeds the maximum permissible limit.",
        ),
        Refusal::WrongKind => words(S::CONFLICT, "InvalidBlobType", "The blob type is invalid for this operation."),
        Refusal::Failed(error) => failed(error),
    }
}

/// Errors that are no refusal of Storage's own. How it would say that a registry's key is gone is not known. [inferred]
fn failed(error: &Error) -> Words {
    use StatusCode as S;
    match error {
        Error::Content(ContentError::KeyForbidden | ContentError::IdentityInactive) => {
            words(S::FORBIDDEN, "AuthorizationFailure", crate::app::registry::tasks::reason::reason(error))
        }
        Error::Content(ContentError::BlobUnknown(_)) => {
            words(S::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
        }
        Error::Request(RequestError::TooLarge { .. }) => refused(&Refusal::TooLarge, Timestamp(0)),
        Error::Request(_) => words(S::BAD_REQUEST, "InvalidInput", "One of the request inputs is not valid."),
        Error::Unavailable(why) => words(S::SERVICE_UNAVAILABLE, "ServerBusy", why.to_string()),
        Error::Token(_)
        | Error::SignIn(_)
        | Error::Access(_)
        | Error::Resource(_)
        | Error::Neighbour(_)
        | Error::Directory(_)
        | Error::Vault(_)
        | Error::Key(_)
        | Error::Registry(_)
        | Error::Content(_)
        | Error::Internal(_) => {
            tracing::error!(%error, "the storage account of tasks failed");
            words(S::INTERNAL_SERVER_ERROR, "InternalError", INTERNAL)
        }
    }
}

fn unsigned(why: &Unsigned, now: Timestamp) -> Words {
    use StatusCode as S;
    let detail = |text: String| {
        (S::FORBIDDEN, "AuthenticationFailed", UNAUTHENTIC.to_owned(), Some(("AuthenticationErrorDetail", text)))
    };
    match why {
        Unsigned::Missing => words(S::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist."),
        Unsigned::Malformed(name) => detail(format!("{name} is not in the correct format")),
        Unsigned::Wrong => detail("Signature did not match.".to_owned()),
        Unsigned::NotNow { start, expiry } => detail(format!(
            "Signature not valid in the specified time frame: Start [{start}] - Expiry [{expiry}] - Current [{}]",
            now.zulu()
        )),
        Unsigned::Permission => words(
            S::FORBIDDEN,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        ),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Renders a refusal. Answers to HEAD have no body, and say the code in a header alone.
pub fn refusal(said: &Said, head: bool, now: Timestamp) -> Response {
    let (status, code, message, detail) = say(said, now);
    let id = uuid::Uuid::new_v4();
    let message = format!("{message}\nRequestId:{id}\nTime:{}", now.zulu7());
    let detail = detail.map(|(name, text)| format!("<{name}>{}</{name}>", escaped(&text))).unwrap_or_default();
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}</Message>{detail}</Error>",
        escaped(&message)
    );
    let mut answer = Response::new(if head { Body::empty() } else { Body::from(body) });
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert("x-ms-error-code", HeaderValue::from_static(code));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-ms-request-id", id);
    }
    if !head {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    if let Said::Range(size) = said
        && let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}"))
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    answer.extensions_mut().insert(Code(code.to_owned()));
    answer
}
