//! Tasks, task runs and agent pools as ARM shows them; the order of keys is Azure's [recorded].
//! Must not know: routes.

use serde_json::{Map, Value, json};

use super::runs;
use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::tasks::{documents, resources};
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name::ResourceId;
use crate::domain::world::well_known::TENANT_ID;

/// The properties of a kind that belongs to tasks.
pub(super) async fn properties(
    cx: &mut Cx,
    registry: &Registry,
    child: &Child,
    state: &str,
) -> Result<Map<String, Value>> {
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!(state));
    match child.kind {
        Kind::Task => {
            let document = documents::shown(cx, child)?;
            properties.extend(in_order(child, document));
        }
        Kind::TaskRun => {
            let (document, run) = resources::task_run(cx, registry, child).await?;
            properties.extend(document);
            if let Some(run) = run {
                properties.insert("runResult".to_owned(), runs::shown(registry, &run));
            }
        }
        _ => {
            properties.shift_remove("provisioningState");
            properties.extend(child.properties.clone());
            properties.insert("provisioningState".to_owned(), json!(state));
        }
    }
    Ok(properties)
}

pub(super) fn in_order(child: &Child, mut document: Map<String, Value>) -> Map<String, Value> {
    let mut ordered = Map::new();
    ordered.insert("creationDate".to_owned(), json!(child.created_at.offset7()));
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

/// The identities of a task or a task run.
pub(super) async fn identity(cx: &mut Cx, child: &Child) -> Result<Option<Value>> {
    if !matches!(child.kind, Kind::Task | Kind::TaskRun) {
        return Ok(None);
    }
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
