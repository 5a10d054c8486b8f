//! How faults that a test asked for show in answers: the words that Azure's services share for a status, and the end of
//! the answer itself.
//! Must not know: which faults there are, who asked for them.

use std::io;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;

use crate::app::faults::{Fate, cut};
use crate::domain::error::Unavailable;
use crate::domain::fault::End;

/// Status, code and message of a call that cannot be answered at the moment, as resource management and Key Vault say
/// it. Those of faults are the codes that Azure's services share; the texts are ours [inferred].
#[must_use]
pub fn words(why: Unavailable) -> (StatusCode, &'static str, String) {
    let Unavailable::Fault(status) = why else {
        return (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", why.to_string());
    };
    let code = match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        408 => "RequestTimeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        501 => "NotImplemented",
        502 => "BadGateway",
        503 => "ServiceUnavailable",
        504 => "GatewayTimeout",
        ..=499 => "BadRequest",
        _ => "InternalServerError",
    };
    (status_of(why), code, text(status).to_owned())
}

/// The status of a call that cannot be answered at the moment.
#[must_use]
pub fn status_of(why: Unavailable) -> StatusCode {
    match why {
        Unavailable::Fault(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a status says in words.
#[must_use]
pub fn text(status: u16) -> &'static str {
    match status {
        401 => "The request could not be authenticated.",
        403 => "The request is not authorized.",
        404 => "The resource was not found.",
        409 => "The request conflicts with another operation. Please retry later.",
        429 => "The request is being throttled because too many requests were received. Please retry later.",
        408 | 504 => "The request did not complete within the time allowed.",
        503 => "The service is temporarily unavailable. Please retry later.",
        500.. => "An unexpected error occurred while processing the request. Please retry later.",
        _ => "The request cannot be processed.",
    }
}

/// The answer to a call whose fate this is. An I/O error beside an answer says that no answer is to be sent.
#[must_use]
pub fn ended(fate: &Fate, mut answer: Response) -> Response {
    match fate.end() {
        None | Some(End::Full) => answer,
        Some(End::Drop) => {
            answer.extensions_mut().insert(io::ErrorKind::ConnectionAborted);
            answer
        }
        Some(End::Status { retry_after, .. }) => {
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            answer
        }
        Some(End::Cut(bytes)) => {
            // The client is to see how much is missing.
            if let Some(length) = answer.body().size_hint().exact() {
                answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
            }
            answer.map(|body| {
                let parts = body.into_data_stream().map(|part| part.map_err(|error| error.to_string()));
                Body::from_stream(cut(parts.boxed(), bytes))
            })
        }
    }
}
