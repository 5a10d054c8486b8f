//! `/acrite/v1/snapshots` and `/acrite/v1/reset`: the world is saved, loaded and compared.
//! Must not know: how a snapshot is kept.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::snapshot::{self, Refusal};
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
    let told = match (rest, call.method.clone()) {
        ([], Method::GET) => snapshot::list(app).await.map(|all| json!({ "snapshots": all })),
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
            snapshot::differences(app, name, with.as_deref()).await.map(|said| json!({ "differences": said }))
        }
        ([] | [_] | [_, "load" | "diff"], _) => {
            return Err(
                RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into()
            );
        }
        _ => return Err(RequestError::RouteUnknown(call.path.clone()).into()),
    };
    told.map_or_else(refused, |body| Ok((StatusCode::OK, body)))
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
