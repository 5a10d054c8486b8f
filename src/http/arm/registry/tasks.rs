//! Tasks, task runs and agent pools over ARM: what can be asked of them beyond what children of registries can.
//! Must not know: what a task does.

use serde_json::{Map, Value, json};

use super::found;
use super::shown::shown;
use super::task_shown::in_order;
use crate::app::Cx;
use crate::app::registry::children;
use crate::app::registry::tasks::{documents, resources};
use crate::domain::Result;
use crate::domain::registry::child::Kind;
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// `POST …/tasks/{name}/listDetails`: with all secrets.
pub(super) async fn details(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let task = children::get(cx, &registry, Kind::Task, request.name()).await?;
    let mut answer = shown(cx, &registry, &task, "Succeeded").await?;
    let document = documents::definition(cx, &task)?;
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.extend(in_order(&task, document));
    answer["properties"] = Value::Object(properties);
    Ok(Answer::ok(answer))
}

/// `POST …/taskRuns/{name}/listDetails`.
pub(super) async fn task_run_details(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let run = children::get(cx, &registry, Kind::TaskRun, request.name()).await?;
    shown(cx, &registry, &run, "Succeeded").await.map(Answer::ok)
}

/// `POST …/agentPools/{name}/listQueueStatus`.
pub(super) async fn queue(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let pool = children::get(cx, &registry, Kind::AgentPool, request.name()).await?;
    Ok(Answer::ok(json!({"count": resources::queue(cx, &registry, &pool).await?})))
}
