//! The blob service of the one storage account that tasks use: sources are put here whole or in blocks, logs are read. Only
//! signed links let in. Everything else that Storage can do is refused in its own words.
//! Must not know: how a blob is sealed, what a run is.

mod dialect;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};

use crate::app::App;
use crate::app::registry::tasks::artifact;
use crate::app::registry::tasks::blobs::{self, Blob, Found, Listed, Place, Refusal};
use crate::domain::error::RequestError;
use crate::http::call::{Call, decode, pairs};
use dialect::{Said, VERSION};

/// Bytes of a list of blocks at most: 50,000 of the longest ids.
const LIST: usize = 8 * 1024 * 1024;

/// Answers a call.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    let version = call.header("x-ms-version").unwrap_or(VERSION).to_owned();
    let client = call.header("x-ms-client-request-id").map(str::to_owned);
    let head = call.method == Method::HEAD;
    let now = app.now();
    let mut answer = match route(&app, &mut call).await {
        Ok(answer) => answer,
        Err(said) => dialect::refusal(&said, head, now),
    };
    let headers = answer.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0");
    set("x-ms-version", &version);
    set("date", &now.http_date());
    if let Some(client) = client {
        set("x-ms-client-request-id", &client);
    }
    answer
}

async fn route(app: &Arc<App>, call: &mut Call) -> Result<Response, Said> {
    let path = call.path.trim_start_matches('/').to_owned();
    let (container, name) = path.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or(Said::Account)?;
    let place = Place { container: decode(container), name: decode(name), query: pairs(&call.query) };
    let comp = call.query("comp");
    match (&call.method, comp.as_deref()) {
        (&Method::PUT, None) => put(app, call, &place).await,
        (&Method::PUT, Some("block")) => put_block(app, call, &place).await,
        (&Method::PUT, Some("blocklist")) => put_list(app, call, &place).await,
        (&Method::GET | &Method::HEAD, None) => read(app, call, &place).await,
        (&Method::GET | &Method::HEAD, Some("metadata")) => {
            let found = blobs::find(app, &place).await?;
            Ok(described(Response::new(Body::empty()), &found.blob, None))
        }
        (&Method::GET | &Method::HEAD | &Method::PUT, Some(_)) => Err(Said::Comp),
        _ => Err(Said::Verb),
    }
}

/// The body as it comes.
fn body(call: &mut Call) -> impl futures_util::Stream<Item = crate::domain::Result<bytes::Bytes>> + Unpin + use<> {
    let body = std::mem::take(&mut call.body).into_data_stream();
    Box::pin(body.map_err(|_| RequestError::CutOff.into()))
}

/// What a client says of its blob: content headers, and metadata in the case that it has.
fn said_of(call: &Call) -> Map<String, Value> {
    let mut said = Map::new();
    for (name, given) in [
        ("Content-Type", "x-ms-blob-content-type"),
        ("Content-Encoding", "x-ms-blob-content-encoding"),
        ("Content-Language", "x-ms-blob-content-language"),
        ("Content-Disposition", "x-ms-blob-content-disposition"),
        ("Cache-Control", "x-ms-blob-cache-control"),
    ] {
        if let Some(value) = call.header(given) {
            said.insert(name.to_owned(), value.into());
        }
    }
    let metadata = call.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix("x-ms-meta-")?.to_owned(), Value::from(value.to_str().ok()?)))
    });
    let metadata: Map<String, Value> = metadata.collect();
    if !metadata.is_empty() {
        said.insert("metadata".to_owned(), Value::Object(metadata));
    }
    said
}

fn needs_length(call: &Call) -> Result<(), Said> {
    match call.header("content-length") {
        None => Err(Said::Length),
        Some(length) if length.parse::<u64>().is_ok_and(|l| l > blobs::LIMIT) => Err(Refusal::TooLarge.into()),
        Some(_) => Ok(()),
    }
}

async fn put(app: &Arc<App>, call: &mut Call, place: &Place) -> Result<Response, Said> {
    match call.header("x-ms-blob-type") {
        Some("BlockBlob") => {}
        None => return Err(Said::HeaderMissing("x-ms-blob-type")),
        Some(_) => return Err(Said::Header("x-ms-blob-type")),
    }
    if call.headers.contains_key("x-ms-copy-source") {
        return Err(Said::Header("x-ms-copy-source"));
    }
    needs_length(call)?;
    let blob = blobs::put(app, place, said_of(call), body(call)).await?;
    Ok(created(Some(&blob)))
}

async fn put_block(app: &Arc<App>, call: &mut Call, place: &Place) -> Result<Response, Said> {
    let id = call.query("blockid").ok_or(Said::Parameter("blockid"))?;
    needs_length(call)?;
    blobs::put_block(app, place, &id, body(call)).await?;
    Ok(created(None))
}

async fn put_list(app: &Arc<App>, call: &mut Call, place: &Place) -> Result<Response, Said> {
    let headers = said_of(call);
    let bytes = call.bytes(LIST).await.map_err(Refusal::Failed)?;
    let list = block_list(&String::from_utf8_lossy(&bytes)).ok_or(Said::Xml)?;
    let blob = blobs::put_list(app, place, headers, &list).await?;
    Ok(created(Some(&blob)))
}

/// Reads `<BlockList><Latest>id</Latest>…</BlockList>`: elements without attributes, which hold base64.
fn block_list(text: &str) -> Option<Vec<(Listed, String)>> {
    let (_, rest) = text
        .split_once("<BlockList>")
        .or_else(|| text.split_once("<BlockList/>").filter(|(_, r)| r.trim().is_empty()))?;
    let mut rest = rest.trim_start();
    let mut list = Vec::new();
    while !rest.is_empty() && !rest.starts_with("</BlockList>") {
        let (name, after) = rest.strip_prefix('<')?.split_once('>')?;
        let listed = match name {
            "Committed" => Listed::Committed,
            "Uncommitted" => Listed::Uncommitted,
            "Latest" => Listed::Latest,
            _ => return None,
        };
        let (id, after) = after.split_once(&format!("</{name}>"))?;
        list.push((listed, id.trim().to_owned()));
        rest = after.trim_start();
    }
    Some(list)
}

fn created(blob: Option<&Blob>) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::CREATED;
    let headers = answer.headers_mut();
    headers.insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    if let Some(blob) = blob {
        put_version(headers, blob);
    }
    answer
}

fn put_version(headers: &mut axum::http::HeaderMap, blob: &Blob) {
    let tag = format!(
        "\"0x{:X}\"",
        0x8D0_0000_0000_0000_u64 + blob.id.unsigned_abs() * 0x1_0000_0000 + blob.version.unsigned_abs()
    );
    for (name, value) in [(header::ETAG, tag), (header::LAST_MODIFIED, blob.modified_at.http_date())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// Part of a blob that a client asks for: first byte, and the one after the last.
fn range(call: &Call, size: u64) -> Result<Option<(u64, u64)>, Said> {
    let asked = call.header("x-ms-range").or_else(|| call.header("range"));
    let Some((first, last)) = asked.and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-')) else {
        return Ok(None);
    };
    // Others are ignored, as HTTP has it.
    let Ok(first) = first.parse::<u64>() else { return Ok(None) };
    let end = match last {
        "" => size,
        last => match last.parse::<u64>() {
            Ok(last) if last >= first => last.saturating_add(1).min(size),
            _ => return Ok(None),
        },
    };
    if first < size { Ok(Some((first, end))) } else { Err(Said::Range(size)) }
}

async fn read(app: &Arc<App>, call: &mut Call, place: &Place) -> Result<Response, Said> {
    if artifact::is_meant(place) {
        let (size, parts) = artifact::read(app, place).await?;
        let body = if call.method == Method::HEAD { Body::empty() } else { Body::from_stream(parts) };
        let mut answer = Response::new(body);
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        return Ok(answer);
    }
    let found: Found = blobs::find(app, place).await?;
    if call.method == Method::HEAD {
        return Ok(described(Response::new(Body::empty()), &found.blob, Some(found.size)));
    }
    let wanted = range(call, found.size)?;
    let (first, end) = wanted.unwrap_or((0, found.size));
    let mut answer = Response::new(Body::from_stream(blobs::read(app, &found, (first, end))));
    if wanted.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{}/{}", end - 1, found.size)) {
            answer.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(described(answer, &found.blob, Some(end - first)))
}

/// An answer with all that there is to say of a blob. `length`: of the body that it has or would have.
fn described(mut answer: Response, blob: &Blob, length: Option<u64>) -> Response {
    let headers = answer.headers_mut();
    put_version(headers, blob);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    let mut set = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    set("x-ms-blob-type", &blob.kind);
    set("x-ms-creation-time", &blob.created_at.http_date());
    set("x-ms-lease-status", "unlocked");
    set("x-ms-lease-state", "available");
    set("x-ms-server-encrypted", "true");
    for (name, value) in &blob.headers {
        if name != "metadata" {
            set(name, value.as_str().unwrap_or_default());
        }
    }
    for (name, value) in blob.headers.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        set(&format!("x-ms-meta-{name}"), value.as_str().unwrap_or_default());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_blocks_are_read() {
        let text = "<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>YQ==</Latest>\n<Committed>Yg==</Committed><Uncommitted>Yw==</Uncommitted></BlockList>";
        let list = block_list(text).unwrap();
        assert_eq!(list.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["YQ==", "Yg==", "Yw=="]);
        assert_eq!(block_list("<BlockList></BlockList>"), Some(Vec::new()));
        for wrong in ["", "{}", "<BlockList><Other>a</Other></BlockList>", "<BlockList><Latest>a", "<BlockList>text"] {
            assert_eq!(block_list(wrong), None, "{wrong}");
        }
    }
}
