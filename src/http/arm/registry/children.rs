//! Child resources of a registry: read, write, delete, list, and what only webhooks can do.
//! Which writes are long is Azure's choice for each kind [recorded] (acr.md A.5).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::found;
use super::long::{begun, deleting};
use super::shown::shown;
use crate::app::Cx;
use crate::app::registry::copying::cache_rules;
use crate::app::registry::tasks::resources;
use crate::app::registry::{children, replications, webhooks};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// The children of a kind.
pub(super) async fn list(cx: &mut Cx, request: &Request, kind: Kind) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let children = children::list(cx, &registry, kind).await?;
    let mut items = Vec::new();
    for child in &children {
        items.push(shown(cx, &registry, child, "Succeeded").await?);
    }
    Ok(Answer::list(items))
}

pub(super) async fn get(cx: &mut Cx, request: &Request, kind: Kind) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let child = children::get(cx, &registry, kind, request.name()).await?;
    shown(cx, &registry, &child, "Succeeded").await.map(Answer::ok)
}

/// `POST …/webhooks/{name}/ping`.
pub(super) async fn ping(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let webhook = children::get(cx, &registry, Kind::Webhook, request.name()).await?;
    Ok(Answer::ok(json!({"id": webhooks::ping(cx, &webhook).await?})))
}

/// `POST …/webhooks/{name}/getCallbackConfig`.
pub(super) async fn callback_config(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let webhook = children::get(cx, &registry, Kind::Webhook, request.name()).await?;
    webhooks::config_of(cx, &webhook).map(Answer::ok)
}

/// `POST …/webhooks/{name}/listEvents`.
pub(super) async fn events(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let webhook = children::get(cx, &registry, Kind::Webhook, request.name()).await?;
    Ok(Answer::texts(&webhooks::events(cx, &webhook).await?, None))
}

pub(super) async fn delete(cx: &mut Cx, request: &Request, kind: Kind) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let gone = match kind {
        Kind::Replication => replications::remove(cx, &registry, request.name()).await?,
        _ => children::remove(cx, &registry, kind, request.name()).await?,
    };
    let Some(gone) = gone else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
    match kind {
        Kind::Replication => {
            let location = gone.location.as_deref().unwrap_or(&registry.location);
            deleting(cx, request, kind.operation(), location).await
        }
        // In capitals [recorded; of agent pools: spec].
        Kind::AgentPool | Kind::CacheRule | Kind::CredentialSet | Kind::PrivateEndpointConnection => {
            deleting(cx, request, kind.operation(), &registry.location.to_ascii_uppercase()).await
        }
        _ => Ok(Answer::empty(StatusCode::OK)),
    }
}

/// A PUT or a PATCH.
pub(super) async fn write(cx: &mut Cx, request: &Request, kind: Kind) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let name = request.name();
    if request.is_patch() {
        children::get(cx, &registry, kind, name).await?;
    }
    let (child, new) = put(cx, &registry, (kind, name), &request.body, request.is_patch()).await?;
    let long = match kind {
        Kind::ScopeMap | Kind::Webhook | Kind::Task => false,
        Kind::TaskRun
        | Kind::AgentPool
        | Kind::Token
        | Kind::Replication
        | Kind::CacheRule
        | Kind::CredentialSet
        | Kind::PrivateEndpointConnection => true,
    };
    let state = match (long, new) {
        (false, _) => "Succeeded",
        (true, true) => "Creating",
        (true, false) => "Updating",
    };
    let body = shown(cx, &registry, &child, state).await?;
    match long {
        true => begun(cx, request, &child.arm_id(&registry), kind.operation(), body).await,
        false => Ok(Answer::ok(body)),
    }
}

async fn put(
    cx: &mut Cx,
    registry: &Registry,
    (kind, name): (Kind, &str),
    body: &Value,
    patch: bool,
) -> Result<(Child, bool)> {
    let properties = body["properties"].as_object().cloned().unwrap_or_default();
    match kind {
        Kind::ScopeMap => children::put_scope_map(cx, registry, name, &properties).await,
        Kind::Token => children::put_token(cx, registry, name, &properties).await,
        Kind::Webhook => webhooks::put(cx, registry, name, body).await,
        Kind::Replication => replications::put(cx, registry, name, body).await,
        Kind::CacheRule if !body["identity"].is_null() => {
            Err(RequestError::NotEmulated("A cache rule with an identity of its own".to_owned()).into())
        }
        Kind::CacheRule => cache_rules::put_rule(cx, registry, name, &properties).await,
        Kind::CredentialSet => cache_rules::put_set(cx, registry, name, body).await,
        Kind::PrivateEndpointConnection => children::put_private_link(cx, registry, name, body).await,
        Kind::Task => resources::put(cx, registry, name, body, patch).await,
        Kind::TaskRun => resources::put_task_run(cx, registry, name, body).await,
        Kind::AgentPool => resources::put_pool(cx, registry, name, body).await,
    }
}
