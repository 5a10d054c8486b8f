//! `/acrite/v1/snapshots` and `/acrite/v1/reset`: the world is saved, loaded and compared.
//! Must not know: how a snapshot is kept.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::shapes;

use crate::app::App;
use crate::app::snapshot::{self, Refusal, elsewhere};
use crate::domain::error::{INTERNAL, RequestError};
use crate::domain::{Error, Result};
use crate::http::call::Call;

/// What is saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    name: String,
}

/// Answers a call; `rest` is the path after `snapshots`. Refusals are answers here: they have statuses of their own.
pub(super) async fn answer(app: &Arc<App>, call: &mut Call, rest: &[&str]) -> Result<(StatusCode, Value)> {
    let done = match (rest, call.method.clone()) {
        ([], Method::GET) => snapshot::list(app).await.map(|snapshots| json!(shapes::Snapshots { snapshots })),
        ([], Method::POST) => {
            let wrong = |error: serde_json::Error| {
                Error::from(RequestError::InvalidValue { property: "snapshot".to_owned(), message: error.to_string() })
            };
            let wanted: Save = serde_json::from_value(call.json().await?).map_err(wrong)?;
            snapshot::save(app, &wanted.name).await.map(|saved| json!(saved))
        }
        ([name], Method::GET) => snapshot::show(app, name).await.map(|found| json!(found)),
        ([name], Method::DELETE) => snapshot::delete(app, name).await.map(|()| json!({ "deleted": name })),
        ([name, "load"], Method::POST) => snapshot::load(app, name).await.map(|loaded| json!(loaded)),
        ([name, "diff"], Method::GET) => {
            let with = call.query("with");
            snapshot::differences(app, name, with.as_deref())
                .await
                .map(|differences| json!(shapes::Differences { differences }))
        }
        ([name, "import"], Method::POST) => {
            let archive = Arriving::new(std::mem::take(&mut call.body));
            elsewhere::import(app, name, archive).await.map(|taken| json!(taken))
        }
        ([] | [_] | [_, "load" | "diff" | "export" | "import"], _) => {
            return Err(
                RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into()
            );
        }
        _ => return Err(RequestError::RouteUnknown(call.path.clone()).into()),
    };
    done.map_or_else(refused, |body| Ok((StatusCode::OK, body)))
}

/// A snapshot as one file, while it is written.
pub(super) async fn export(app: &Arc<App>, name: &str) -> Result<Response> {
    let place = match elsewhere::export(app, name).await {
        Ok(place) => place,
        Err(refusal) => {
            let (status, body) = refused(refusal)?;
            return Ok(super::answer_of(status, body.to_string()));
        }
    };
    let (sender, parts) = mpsc::channel(4);
    let app = app.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = elsewhere::write(&app, &place, io::BufWriter::with_capacity(PART, Leaving(sender.clone())))
        {
            tracing::warn!("a snapshot was not exported to its end: {error}");
            // The client is to see that the file is not whole.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let parts = stream::unfold(parts, |mut parts| async move { parts.recv().await.map(|part| (part, parts)) });
    let mut answer = Response::new(Body::from_stream(parts));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    Ok(answer)
}

/// Bytes of an archive that are sent at a time.
const PART: usize = 256 * 1024;

/// What is written on a blocking thread, on its way to the client.
struct Leaving(mpsc::Sender<io::Result<Bytes>>);

impl io::Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::ErrorKind::BrokenPipe;
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body on its way to a blocking thread that reads it.
struct Arriving {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Arriving {
    fn new(body: Body) -> Self {
        let (sender, parts) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut body = body.into_data_stream();
            while let Some(part) = body.next().await {
                // Whoever reads may have had enough.
                if sender.send(part.map_err(io::Error::other)).await.is_err() {
                    break;
                }
            }
        });
        Self { parts, rest: Bytes::new() }
    }
}

impl io::Read for Arriving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.rest = part?,
                None => return Ok(0),
            }
        }
        let length = to.len().min(self.rest.len());
        to[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}

/// Puts the world back as it began.
pub(super) async fn reset(app: &Arc<App>) -> Result<(StatusCode, Value)> {
    snapshot::reset(app).await.map_or_else(refused, |()| Ok((StatusCode::OK, json!({ "reset": true }))))
}

fn refused(refusal: Refusal) -> Result<(StatusCode, Value)> {
    let (status, code) = match &refusal {
        Refusal::Unknown(_) => (StatusCode::NOT_FOUND, "NotFound"),
        Refusal::Exists(_) => (StatusCode::CONFLICT, "Conflict"),
        Refusal::Name => (StatusCode::BAD_REQUEST, "BadRequest"),
        Refusal::Newer { .. } | Refusal::Foreign(_) | Refusal::Damaged { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Unusable")
        }
        Refusal::Failed(Error::Internal(why)) => {
            tracing::error!("a snapshot failed: {why}");
            let body = json!({"error": {"code": "Internal", "message": INTERNAL}});
            return Ok((StatusCode::INTERNAL_SERVER_ERROR, body));
        }
        Refusal::Failed(error) => return Err(error.clone()),
    };
    Ok((status, json!({"error": {"code": code, "message": refusal.to_string()}})))
}
