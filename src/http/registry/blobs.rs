//! `/v2/{repository}/blobs/{digest}`: HEAD, GET with ranges, DELETE; reads on dedicated data endpoints.
//! Must not know: how a blob is stored.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::routes::{self, Of, Route};
use super::{caller, enter, enter_to_write, not_allowed, reads, region_of, wire};
use crate::app::App;
use crate::app::registry::content::blobs::{self, Blob};
use crate::app::registry::content::{Inside, links};
use crate::app::registry::copying::pull_through;
use crate::app::registry::rights::Need;
use crate::domain::Result;
use crate::domain::error::{ContentError, RequestError};
use crate::domain::registry::content::Digest;
use crate::domain::registry::rights::Right;
use crate::http::call::Call;

/// Answers.
pub async fn answer(app: &Arc<App>, call: &mut Call, repository: &str, digest: &str) -> Result<Response> {
    if call.method == Method::DELETE {
        let writing = enter_to_write(app, call, &Need::only(repository, &[Right::Delete])).await?;
        blobs::delete(app, writing, repository, &Digest::parse(digest)?).await?;
        return Ok(wire::empty(StatusCode::ACCEPTED));
    }
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &Need::pull(repository)).await?;
    let digest = Digest::parse(digest)?;
    let elsewhere = links::host_of(&mut cx, &inside, region_of(&call.host)).await?;
    let blob = pull_through::blob(app, cx, &inside, repository, &digest).await?;
    if call.method == Method::HEAD {
        blobs::expect_use(app, &inside, &blob).await?;
    } else if let Some(host) = elsewhere {
        let signature = links::sign(app, &inside, &blob, &digest)?;
        let mut answer = wire::empty(StatusCode::TEMPORARY_REDIRECT);
        let location = format!("https://{host}/v2/{repository}/blobs/{digest}?sp=r&sig={signature}");
        wire::put(&mut answer, "location", &location);
        wire::put(&mut answer, "docker-content-digest", digest.as_str());
        return Ok(answer);
    }
    send(app, call, &inside, &blob, &digest).await
}

/// The same on a dedicated data endpoint: only with a link that the login server gave, only to read.
pub async fn by_link(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    let unknown = || RequestError::RouteUnknown(call.path.clone());
    let Route::Repository(repository, Of::Blob(digest)) = routes::parse(&call.path)? else {
        return Err(unknown().into());
    };
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let digest = Digest::parse(&digest)?;
    let signature = call.query("sig").unwrap_or_default();
    let (inside, blob) = links::open(app, caller(call), &call.host, &signature, &repository, &digest).await?;
    send(app, call, &inside, &blob, &digest).await
}

/// A blob, or the range asked for.
async fn send(app: &Arc<App>, call: &mut Call, inside: &Inside, blob: &Blob, digest: &Digest) -> Result<Response> {
    let (status, wanted) = match call.header("range").and_then(|r| range(r, blob.size)) {
        None => (StatusCode::OK, 0..blob.size),
        Some(Ok(wanted)) => (StatusCode::PARTIAL_CONTENT, wanted),
        Some(Err(error)) => return Err(error),
    };
    let body = if call.method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(blobs::read(app, inside, blob, wanted.clone()).await?)
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(wanted.end - wanted.start));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{}", wanted.start, wanted.end - 1, blob.size);
        wire::put(&mut answer, "content-range", &range);
    }
    wire::put(&mut answer, "docker-content-digest", digest.as_str());
    wire::put(&mut answer, "etag", &format!("\"{digest}\""));
    Ok(answer)
}

/// The one range of a `Range` header. `None`: the header is to be ignored (RFC 9110, 14.2), as it is with
/// another unit, several ranges, or bad syntax.
fn range(header: &str, size: u64) -> Option<Result<Range<u64>>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let wanted = if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        size.saturating_sub(count)..size
    } else {
        let first: u64 = first.parse().ok()?;
        let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(size)
    };
    // Empty or beyond the end: nothing can be sent.
    if wanted.start >= wanted.end {
        return Some(Err(ContentError::RangeUnsatisfiable { size }.into()));
    }
    Some(Ok(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let is = |header: &str, wanted: Range<u64>| assert_eq!(range(header, 10), Some(Ok(wanted)), "{header}");
        is("bytes=0-3", 0..4);
        is("bytes=3-", 3..10);
        is("bytes=-4", 6..10);
        is("bytes=-40", 0..10);
        is("bytes=9-100", 9..10);
        for ignored in ["bytes=5-4", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=-", ""] {
            assert_eq!(range(ignored, 10), None, "{ignored}");
        }
        for refused in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert!(matches!(range(refused, 10), Some(Err(_))), "{refused}");
        }
        assert!(matches!(range("bytes=0-", 0), Some(Err(_))));
    }
}
