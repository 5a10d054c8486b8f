//! Long operations of the container registry provider: how they are begun and polled [recorded].
//! Must not know: what the operations do.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::Cx;
use crate::app::resources::operations;
use crate::domain::Result;
use crate::domain::world::name;
use crate::http::arm::Arm;
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// 201 with the resource and where to ask how it goes.
pub(super) async fn begun(cx: &mut Cx, request: &Request, id: &str, kind: &str, body: Value) -> Result<Answer> {
    let operation = operations::succeeded(cx, kind).await?;
    let (host, version) = (&request.authority, &request.api_version);
    let poll = format!("https://{host}{id}/operationStatuses/{operation}?api-version={version}");
    // It is done already, and clients of Java wait half a minute where nobody says how long [client].
    Ok(Answer::new(StatusCode::CREATED, body).with("azure-asyncoperation", poll).with("retry-after", "0".to_owned()))
}

/// 202 with where to ask for the result, for a deletion that is done already: there will be nothing to say.
pub(super) async fn deleting(cx: &mut Cx, request: &Request, kind: &str, location: &str) -> Result<Answer> {
    let operation = operations::ended(cx, kind, &Value::Null).await?;
    Ok(accepted(request, location, &operation))
}

/// 202 with where to ask for the result of an operation.
pub(super) fn accepted(request: &Request, location: &str, operation: &str) -> Answer {
    let (host, version) = (&request.authority, &request.api_version);
    let poll = format!(
        "https://{host}{}/providers/Microsoft.ContainerRegistry/locations/{location}/operationResults/{operation}?api-version={version}",
        name::subscription_id(),
    );
    Answer::empty(StatusCode::ACCEPTED).with("location", poll)
}

/// `…/operationStatuses/{name}`: only the status.
pub(super) async fn status(arm: &mut Arm, request: &Request) -> Result<Answer> {
    let outcome = operations::outcome(&arm.app, arm.caller.clone(), request.name()).await?;
    Ok(Answer::ok(outcome).with("azure-asyncoperation", request.url.clone()))
}

/// `…/operationResults/{name}`: what failed answers with its error and an error's status, for clients that
/// poll a location look at the status alone.
pub(super) async fn result(arm: &mut Arm, request: &Request) -> Result<Answer> {
    let outcome = operations::outcome(&arm.app, arm.caller.clone(), request.name()).await?;
    if outcome.is_null() {
        return Ok(Answer::empty(StatusCode::OK));
    }
    if outcome["status"] == "Accepted" {
        let answer = Answer::new(StatusCode::ACCEPTED, outcome).with("location", request.url.clone());
        return Ok(answer.with("retry-after", "1".to_owned()));
    }
    if outcome["status"] != "Failed" {
        return Ok(Answer::ok(outcome));
    }
    let status = outcome["http"].as_u64().and_then(|s| u16::try_from(s).ok());
    let status = status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::BAD_REQUEST);
    Ok(Answer::new(status, json!({"error": outcome["error"], "status": "Failed"})))
}
