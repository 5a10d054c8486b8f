//! A request as the front ends read it: path, query, headers, and a body not yet read.
//! Must not know: any protocol's routes or errors.

use std::net::IpAddr;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::form_urlencoded;

use crate::app::faults::Fate;
use crate::domain::error::RequestError;
use crate::domain::world::json::{self, Unread};
use crate::domain::{Error, Result};

pub use crate::domain::world::json::BODY_LIMIT;

/// Bytes of a form at most. [inferred: twice what a request's head may hold, where its largest member goes next]
const FORM_LIMIT: usize = 128 * 1024;

/// One request.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// Path as sent, still percent-encoded.
    pub path: String,
    /// Query as sent, without `?`.
    pub query: String,
    pub headers: HeaderMap,
    /// Host asked for: lower case, no port.
    pub host: String,
    /// Host as sent, with its port if it has one.
    pub authority: String,
    /// Where it comes from.
    pub address: IpAddr,
    /// How it is to end, if a fault was asked for.
    pub fate: Fate,
    /// The body, not read yet.
    pub body: Body,
}

/// The code of a refusal, beside the answer that says it: for the log.
#[derive(Debug, Clone)]
pub struct Code(pub String);

/// Beside a request that a front end makes of another.
#[derive(Debug, Clone, Copy)]
pub struct Within;

impl Call {
    /// Takes a request apart.
    #[must_use]
    pub fn new(request: Request, address: IpAddr) -> Self {
        let (parts, body) = request.into_parts();
        let host = parts.uri.authority().map(|a| a.as_str().to_owned());
        let host = host.or_else(|| parts.headers.get(header::HOST).and_then(|h| h.to_str().ok()).map(str::to_owned));
        let authority = host.unwrap_or_default().to_ascii_lowercase();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host.to_owned(),
            _ => authority.clone(),
        };
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            host,
            authority,
            address,
            fate: Fate::default(),
            body,
        }
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The path's segments, decoded; empty ones left out.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|s| !s.is_empty()).map(decode).collect()
    }

    /// A query parameter, name in any case, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        pairs(&self.query).into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Reads the whole body, up to a limit in bytes.
    pub async fn bytes(&mut self, limit: usize) -> Result<Bytes> {
        let mut body = std::mem::take(&mut self.body);
        let too_large = || Error::from(RequestError::TooLarge { limit });
        let declared = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        if declared.is_some_and(|declared| declared > limit) {
            return Err(too_large());
        }
        // Into one buffer as it comes: collected frames would lie there twice.
        let mut read = Vec::with_capacity(declared.unwrap_or(0));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| RequestError::CutOff)?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > limit {
                return Err(too_large());
            }
            read.extend_from_slice(&data);
        }
        Ok(read.into())
    }

    /// Reads the body as JSON. An empty body is `null`.
    pub async fn json(&mut self) -> Result<Value> {
        let bytes = self.bytes(BODY_LIMIT).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        // Some clients begin with a byte-order mark.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        json::read(text, json::DOCUMENT_LIMIT).map_err(|unread| {
            match unread {
                Unread::TooLarge => RequestError::TooLarge { limit: BODY_LIMIT },
                Unread::Malformed(why) => RequestError::Malformed(why),
            }
            .into()
        })
    }

    /// Reads the body as a form.
    pub async fn form(&mut self) -> Result<Vec<(String, String)>> {
        let bytes = self.bytes(FORM_LIMIT).await?;
        let text = std::str::from_utf8(&bytes).map_err(|e| RequestError::Malformed(e.to_string()))?;
        Ok(pairs(text))
    }
}

/// Decodes percent-encoding.
#[must_use]
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `a=1&b=2`, decoded.
#[must_use]
pub fn pairs(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
