//! Which answers carry no body, whatever their router says: those to HEAD, 1xx, 204, 205 and 304 (RFC 9110 6.4.1).
//! HTTP/1 drops such a body by itself; in HTTP/2 it would be sent, and clients end the stream with PROTOCOL_ERROR.
//! Must not know what an answer means.

use axum::body::{Body, HttpBody as _};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{Method, StatusCode};
use axum::response::Response;

/// Takes the body from an answer that may carry none. An answer to HEAD keeps the length that GET would tell.
pub(super) fn without_forbidden_body(asked: &Method, mut answer: Response) -> Response {
    let status = answer.status();
    let no_content = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    // What follows a successful CONNECT is no body (RFC 9110 9.3.6).
    let tunnel = asked == Method::CONNECT && status.is_success();
    if no_content || tunnel {
        // 8.6: such an answer has no length either.
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.headers_mut().remove(TRANSFER_ENCODING);
    } else if asked == Method::HEAD {
        // An empty body may only mean that the router knows HEAD: it says nothing about GET.
        if let Some(length) = answer.body().size_hint().exact().filter(|length| *length > 0) {
            answer.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
        }
    } else if status != StatusCode::NOT_MODIFIED {
        return answer;
    }
    *answer.body_mut() = Body::empty();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, length: Option<u64>, body: Body) -> Response {
        let mut answer = Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(length) = length {
            answer.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        answer
    }

    /// The length that is told, and whether a body follows.
    fn framed(method: Method, given: Response) -> (Option<String>, bool) {
        let framed = without_forbidden_body(&method, given);
        let length = framed.headers().get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
        (length, !framed.body().is_end_stream())
    }

    #[test]
    fn answers_to_head_tell_a_length_and_carry_nothing() {
        let head = |given| framed(Method::HEAD, given);
        assert_eq!(head(answer(200, None, Body::from("abc"))), (Some("3".into()), false));
        assert_eq!(head(answer(404, Some(3), Body::from("abc"))), (Some("3".into()), false));
        assert_eq!(head(answer(200, Some(3), Body::empty())), (Some("3".into()), false));
        assert_eq!(head(answer(200, None, Body::empty())), (None, false));
        assert_eq!(head(answer(204, Some(3), Body::from("abc"))), (None, false));
    }

    #[test]
    fn statuses_without_content_carry_nothing() {
        for status in [100, 103, 204, 205] {
            assert_eq!(framed(Method::GET, answer(status, Some(3), Body::from("abc"))), (None, false), "{status}");
        }
        assert_eq!(framed(Method::GET, answer(304, Some(3), Body::from("abc"))), (Some("3".into()), false));
        assert_eq!(framed(Method::CONNECT, answer(200, Some(3), Body::from("abc"))), (None, false));
        assert_eq!(framed(Method::GET, answer(200, Some(3), Body::from("abc"))), (Some("3".into()), true));
        assert_eq!(framed(Method::CONNECT, answer(502, None, Body::from("abc"))), (None, true));
    }
}
