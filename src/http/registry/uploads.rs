//! `/v2/{repository}/blobs/uploads/`: POST (also whole, or by mount), PATCH, PUT, GET, DELETE.
//! Must not know: how bytes are sealed and kept.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures_util::{Stream, StreamExt as _};

use super::{enter, not_allowed, wire};
use crate::app::App;
use crate::app::registry::content::uploads::{self, Part};
use crate::app::registry::content::{Inside, blobs};
use crate::app::registry::rights::Need;
use crate::domain::error::{ContentError, RequestError};
use crate::domain::registry::content::{Digest, is_repository};
use crate::domain::{Error, Result};
use crate::http::call::Call;

/// `POST`: begins a session, or ends at once with a blob.
pub async fn begin(app: &Arc<App>, mut call: Call, repository: &str) -> Result<Response> {
    if call.method != Method::POST {
        return Err(not_allowed(&call));
    }
    let (cx, inside) = enter(app, &mut call, &Need::push(repository)).await?;
    drop(cx);
    if let Some(mounted) = mount(app, &mut call, &inside, repository).await? {
        return Ok(mounted);
    }
    let whole = call.query("digest").map(|d| Digest::parse(&d)).transpose()?;
    let mut writing = inside.write(app).await?;
    let upload = uploads::start(&mut writing, repository).await?;
    writing.commit().await?;
    if let Some(digest) = whole {
        let body = body(&mut call);
        if let Err(error) = uploads::finish(app, &inside, repository, &upload.uuid, &digest, None, body).await {
            // The client never learned of the session. A wrong digest has ended it already.
            let _ = uploads::abandon(app, &upload.uuid).await;
            return Err(error);
        }
        return Ok(created(repository, &digest));
    }
    let location = wire::upload_location(repository, &upload.uuid, 0, &upload.started_at.zulu7());
    Ok(session(StatusCode::ACCEPTED, &location, &upload.uuid, 0))
}

/// `?mount={digest}&from={repository}`. `None`: not asked, not there, or not the caller's to read; then a
/// session begins, as the specification says.
async fn mount(app: &Arc<App>, call: &mut Call, inside: &Inside, repository: &str) -> Result<Option<Response>> {
    let (Some(digest), Some(from)) = (call.query("mount"), call.query("from")) else { return Ok(None) };
    let digest = Digest::parse(&digest)?;
    if !is_repository(&from) {
        return Ok(None);
    }
    let mut writing = inside.write(app).await?;
    if !blobs::mount(&mut writing, repository, &from, &digest).await? {
        return Ok(None);
    }
    writing.commit().await?;
    Ok(Some(created(repository, &digest)))
}

/// Everything with a session.
pub async fn answer(app: &Arc<App>, mut call: Call, repository: &str, uuid: &str) -> Result<Response> {
    if ![Method::GET, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE].contains(&call.method) {
        return Err(not_allowed(&call));
    }
    let (mut cx, inside) = enter(app, &mut call, &Need::push(repository)).await?;
    let upload = uploads::find(&mut cx, &inside, repository, uuid).await?;
    drop(cx);
    let started_at = upload.started_at.zulu7();
    let location = |size| wire::upload_location(repository, uuid, size, &started_at);
    // The verb knows only the session; its path is known here.
    let placed = |error: Error| match error {
        Error::Content(ContentError::RangeWrong { size, .. }) => {
            ContentError::RangeWrong { location: location(size), size }.into()
        }
        other => other,
    };
    match call.method {
        Method::PATCH => {
            let part = part(&call)?;
            let body = body(&mut call);
            let size = uploads::append(app, &inside, repository, uuid, part, body).await.map_err(placed)?;
            Ok(session(StatusCode::ACCEPTED, &location(size), uuid, size))
        }
        Method::PUT => {
            let digest = call.query("digest").unwrap_or_default();
            let digest = Digest::parse(&digest)?;
            let part = part(&call)?;
            let body = body(&mut call);
            uploads::finish(app, &inside, repository, uuid, &digest, part, body).await.map_err(placed)?;
            Ok(created(repository, &digest))
        }
        Method::DELETE => {
            uploads::cancel(app, &inside, repository, uuid).await?;
            Ok(wire::empty(StatusCode::NO_CONTENT))
        }
        _ => Ok(session(StatusCode::NO_CONTENT, &location(upload.size), uuid, upload.size)),
    }
}

/// The body as the verbs take it.
fn body(call: &mut Call) -> impl Stream<Item = Result<Bytes>> + Unpin + use<> {
    std::mem::take(&mut call.body).into_data_stream().map(|frame| frame.map_err(|_| RequestError::CutOff.into()))
}

/// `Content-Range`: `{first}-{last}`, as the specification writes it, or as HTTP does: `bytes {first}-{last}/*`.
/// Without a length beside it, it is refused [issue].
fn part(call: &Call) -> Result<Option<Part>> {
    let Some(header) = call.header("content-range") else { return Ok(None) };
    if call.header("content-length").is_none() {
        return Err(ContentError::LengthMissing.into());
    }
    let wrong = || ContentError::UploadInvalid(format!("not a Content-Range: {header}"));
    let text = header.strip_prefix("bytes").unwrap_or(header).trim_start_matches([' ', '=']);
    let (first, last) = text.split('/').next().unwrap_or_default().split_once('-').ok_or_else(wrong)?;
    let (first, last) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    if last < first { Err(wrong().into()) } else { Ok(Some(Part { first, last })) }
}

fn session(status: StatusCode, location: &str, uuid: &str, size: u64) -> Response {
    let mut answer = wire::empty(status);
    wire::put(&mut answer, "location", location);
    wire::put(&mut answer, "docker-upload-uuid", uuid);
    wire::put(&mut answer, "range", &wire::received(size));
    answer
}

fn created(repository: &str, digest: &Digest) -> Response {
    let mut answer = wire::empty(StatusCode::CREATED);
    wire::put(&mut answer, "location", &format!("/v2/{repository}/blobs/{digest}"));
    wire::put(&mut answer, "docker-content-digest", digest.as_str());
    answer
}
