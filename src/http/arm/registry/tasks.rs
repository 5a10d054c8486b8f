//! Tasks, task runs and agent pools over ARM; the order of keys is Azure's [recorded].
//! Must not know: what a task does.

use serde_json::{Map, Value, json};

use super::children::{ChildType, asked, get, in_capitals, named, shown};
use super::runs;
use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::tasks::{documents, resources};
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name::ResourceId;
use crate::domain::world::well_known::TENANT_ID;
use crate::http::arm::table::{Operation, Request, Run, Supported, handler, silent};
use crate::http::arm::wire::Answer;

// What is behind tasks says nothing of versions [recorded].

pub(super) struct Tasks;

impl ChildType for Tasks {
    const KIND: Kind = Kind::TASK;
    const SUPPORTED: Supported = silent;
    const OPERATIONS: &'static [Operation] = &[Operation::post("listDetails", Run::Read(handler!(details)))];
    const LONG: bool = false;
    // [recorded]
    const EMPTY_TAGS: bool = false;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        resources::put(cx, registry, request.name(), &request.body, request.is_patch()).await
    }

    async fn properties(cx: &mut Cx, _: &Registry, task: &Child, state: &str) -> Result<Map<String, Value>> {
        Ok(in_order(task, documents::shown(cx, task)?, state))
    }

    async fn identity(cx: &mut Cx, task: &Child) -> Result<Option<Value>> {
        identity(cx, task).await
    }
}

/// With all secrets.
async fn details(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (registry, task) = named::<Tasks>(cx, request).await?;
    let mut answer = shown::<Tasks>(cx, &registry, &task, "Succeeded").await?;
    answer["properties"] = Value::Object(in_order(&task, documents::definition(cx, &task)?, "Succeeded"));
    Ok(Answer::ok(answer))
}

fn in_order(task: &Child, mut document: Map<String, Value>, state: &str) -> Map<String, Value> {
    let mut ordered = Map::new();
    ordered.insert("provisioningState".to_owned(), json!(state));
    ordered.insert("creationDate".to_owned(), json!(task.created_at.offset7()));
    for name in
        ["status", "platform", "agentConfiguration", "agentPoolName", "timeout", "step", "trigger", "credentials"]
    {
        if let Some(value) = document.shift_remove(name) {
            ordered.insert(name.to_owned(), value);
        }
    }
    ordered.extend(document);
    ordered
}

pub(super) struct TaskRuns;

impl ChildType for TaskRuns {
    const KIND: Kind = Kind::TASK_RUN;
    const SUPPORTED: Supported = silent;
    const OPERATIONS: &'static [Operation] = &[Operation::post("listDetails", Run::Read(handler!(get::<TaskRuns>)))];

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        resources::put_task_run(cx, registry, request.name(), &request.body).await
    }

    async fn properties(cx: &mut Cx, registry: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let (document, run) = resources::task_run(cx, registry, child).await?;
        let mut properties = Map::new();
        properties.insert("provisioningState".to_owned(), json!(state));
        properties.extend(document);
        if let Some(run) = run {
            properties.insert("runResult".to_owned(), runs::shown(registry, &run));
        }
        Ok(properties)
    }

    async fn identity(cx: &mut Cx, task_run: &Child) -> Result<Option<Value>> {
        identity(cx, task_run).await
    }
}

pub(super) struct AgentPools;

impl ChildType for AgentPools {
    const KIND: Kind = Kind::AGENT_POOL;
    const SUPPORTED: Supported = silent;
    const OPERATIONS: &'static [Operation] = &[Operation::post("listQueueStatus", Run::Read(handler!(queue)))];

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        resources::put_pool(cx, registry, request.name(), asked(request)?).await
    }

    fn result_of_deletion(registry: &Registry, _: &Child) -> Option<String> {
        in_capitals(registry)
    }
}

async fn queue(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (registry, pool) = named::<AgentPools>(cx, request).await?;
    Ok(Answer::ok(json!({"count": resources::queue(cx, &registry, &pool).await?})))
}

/// The identities of a task or a task run.
async fn identity(cx: &mut Cx, child: &Child) -> Result<Option<Value>> {
    let ids = documents::user_identities(child);
    let kind = match (&child.principal, ids.is_empty()) {
        (None, true) => return Ok(None),
        (Some(_), true) => "SystemAssigned",
        (None, false) => "UserAssigned",
        (Some(_), false) => "SystemAssigned, UserAssigned",
    };
    let mut identity = json!({});
    if let Some(principal) = &child.principal {
        identity["principalId"] = json!(principal);
        identity["tenantId"] = json!(TENANT_ID);
    }
    identity["type"] = json!(kind);
    let mut users = Map::new();
    for id in ids {
        let found = match ResourceId::parse(&id) {
            Some(parsed) => identities::find(cx, &parsed.group, &parsed.name).await?,
            None => None,
        };
        let shown =
            found.map_or_else(|| json!({}), |i| json!({"principalId": i.principal_id, "clientId": i.client_id}));
        users.insert(id, shown);
    }
    if !users.is_empty() {
        identity["userAssignedIdentities"] = Value::Object(users);
    }
    Ok(Some(identity))
}
