//! Long operations of the container registry provider: how they are begun and polled [recorded].
//! Must not know: what the operations do.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::operations;
use crate::domain::Result;
use crate::domain::name;
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// 201 with the resource and where to ask how it goes.
pub(super) async fn begun(arm: &mut Arm, id: &str, kind: &str, body: Value) -> Result<Answer> {
    let mut cx = arm.app.write(arm.caller.clone()).await?;
    let operation = operations::succeeded(&mut cx, kind).await?;
    cx.commit().await?;
    let (host, version) = (&arm.call.authority, &arm.api_version);
    let poll = format!("https://{host}{id}/operationStatuses/{operation}?api-version={version}");
    Ok(Answer::new(StatusCode::CREATED, body).with("azure-asyncoperation", poll))
}

/// 202 with where to ask for the result, for a deletion that is done already: there will be nothing to say.
pub(super) async fn deleting(arm: &mut Arm, kind: &str, location: &str) -> Result<Answer> {
    let mut cx = arm.app.write(arm.caller.clone()).await?;
    let operation = operations::ended(&mut cx, kind, &Value::Null).await?;
    cx.commit().await?;
    Ok(accepted(arm, location, &operation))
}

/// 202 with where to ask for the result of an operation.
pub(super) fn accepted(arm: &Arm, location: &str, operation: &str) -> Answer {
    let poll = format!(
        "https://{}{}/providers/Microsoft.ContainerRegistry/locations/{}/operationResults/{operation}?api-version={}",
        arm.call.authority,
        name::subscription_id(),
        location,
        arm.api_version
    );
    Answer::empty(StatusCode::ACCEPTED).with("location", poll)
}

/// `…/operationStatuses/{name}`: only the status.
pub(super) async fn status(arm: &mut Arm, operation: &str) -> Result<Answer> {
    let outcome = operations::outcome(&arm.app, arm.caller.clone(), operation).await?;
    let own = format!("https://{}{}?{}", arm.call.authority, arm.call.path, arm.call.query);
    Ok(Answer::ok(outcome).with("azure-asyncoperation", own))
}

/// `…/operationResults/{name}`: what failed answers with its error and an error's status, for clients that
/// poll a location look at the status alone.
pub(super) async fn result(arm: &mut Arm, operation: &str) -> Result<Answer> {
    let outcome = operations::outcome(&arm.app, arm.caller.clone(), operation).await?;
    if outcome.is_null() {
        return Ok(Answer::empty(StatusCode::OK));
    }
    if outcome["status"] == "Accepted" {
        let own = format!("https://{}{}?{}", arm.call.authority, arm.call.path, arm.call.query);
        let answer = Answer::new(StatusCode::ACCEPTED, outcome).with("location", own);
        return Ok(answer.with("retry-after", "1".to_owned()));
    }
    if outcome["status"] != "Failed" {
        return Ok(Answer::ok(outcome));
    }
    let status = outcome["http"].as_u64().and_then(|s| u16::try_from(s).ok());
    let status = status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::BAD_REQUEST);
    Ok(Answer::new(status, json!({"error": outcome["error"], "status": "Failed"})))
}
