//! A client within the process: asks a front end by its host, as clients outside do, without a socket.
//! Must not know: what is asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use url::{Position, Url};

use crate::app::App;
use crate::domain::{Error, Result};
use crate::http::call::Within;
use crate::http::service_for;

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    headers: axum::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request to the front end of the host in `url`. The body is small or a piece of something large.
pub async fn ask(
    app: &Arc<App>,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Result<Reply> {
    let host = Url::parse(url).map_err(Error::internal)?[Position::BeforeHost..Position::AfterPort].to_owned();
    let service = service_for(&host, app).ok_or_else(|| Error::Internal(format!("{host} is not emulated")))?;
    let body: Vec<u8> = body.into();
    let mut request = Request::builder().method(method).uri(url).header("content-length", body.len());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body)).map_err(Error::internal)?;
    request.extensions_mut().insert(Within);
    let answer = service.oneshot(request).await.map_err(Error::internal)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(Error::internal)?.to_bytes().to_vec();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}
