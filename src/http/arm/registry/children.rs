//! Child resources of a registry: read, write, delete, list, and what only webhooks can do.
//! Which writes are long is Azure's choice for each kind [recorded] (acr.md A.5).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::long::{Polling, begun, deleting};
use super::shown::shown;
use super::{admit, reading, writing};
use crate::app::Cx;
use crate::app::registry::copying::cache_rules;
use crate::app::registry::{children, replications, webhooks};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name::REGISTRIES;
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// Calls below `…/registries/{name}/{kind}`.
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize, kind: Kind, rest: &[&str]) -> Result<Answer> {
    let action = |verb: &str| format!("{}/{verb}", kind.segment());
    match rest {
        [] if arm.method == Method::GET => {
            let (mut cx, registry) = reading(arm, group, at, &action("read")).await?;
            let children = match kind {
                Kind::Replication => replications::list(&mut cx, &registry).await?,
                _ => children::list(&mut cx, &registry, kind).await?,
            };
            let mut items = Vec::new();
            for child in &children {
                items.push(shown(&mut cx, &registry, child, "Succeeded").await?);
            }
            Ok(Answer::list(items))
        }
        [_] => match arm.method {
            Method::GET => {
                let (mut cx, registry) = reading(arm, group, at, &action("read")).await?;
                let name = &arm.segments[at + 3];
                let child = match kind {
                    Kind::Replication => replications::get(&mut cx, &registry, name).await?,
                    _ => children::get(&mut cx, &registry, kind, name).await?,
                };
                shown(&mut cx, &registry, &child, "Succeeded").await.map(Answer::ok)
            }
            Method::PUT | Method::PATCH => {
                admit(arm, at, &action("write")).await?;
                write(arm, group, at, kind).await
            }
            Method::DELETE => {
                admit(arm, at, &action("delete")).await?;
                delete(arm, group, at, kind).await
            }
            _ => Err(arm.wrong_method()),
        },
        [_, verb] if kind == Kind::Webhook && arm.method == Method::POST => {
            let right = match *verb {
                "ping" => "ping/action",
                "getcallbackconfig" => "getCallbackConfig/action",
                "listevents" => "listEvents/action",
                _ => return Err(arm.unknown_route()),
            };
            if *verb == "ping" {
                admit(arm, at, &action(right)).await?;
                let name = arm.segments[at + 3].clone();
                let (mut cx, registry) = writing(arm, group, at).await?;
                let webhook = children::get(&mut cx, &registry, kind, &name).await?;
                let id = webhooks::ping(&mut cx, &webhook).await?;
                cx.commit().await?;
                return Ok(Answer::ok(json!({"id": id})));
            }
            let (mut cx, registry) = reading(arm, group, at, &action(right)).await?;
            let webhook = children::get(&mut cx, &registry, kind, &arm.segments[at + 3]).await?;
            Ok(match *verb {
                "listevents" => Answer::texts(&webhooks::events(&mut cx, &webhook).await?, None),
                _ => Answer::ok(webhooks::config_of(&arm.app, &webhook)?),
            })
        }
        _ => Err(arm.unknown_route()),
    }
}

async fn delete(arm: &mut Arm, group: &str, at: usize, kind: Kind) -> Result<Answer> {
    let (name, polling) = (arm.segments[at + 3].clone(), Polling::of(arm));
    let (mut cx, registry) = writing(arm, group, at).await?;
    let gone = match kind {
        Kind::Replication => replications::remove(&mut cx, &registry, &name).await?,
        _ => children::remove(&mut cx, &registry, kind, &name).await?,
    };
    let Some(gone) = gone else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
    let answer = match kind {
        Kind::Replication => {
            let location = gone.location.as_deref().unwrap_or(&registry.location);
            deleting(&mut cx, &polling, kind.operation(), location).await?
        }
        // In capitals [recorded].
        Kind::CacheRule | Kind::CredentialSet | Kind::PrivateEndpointConnection => {
            deleting(&mut cx, &polling, kind.operation(), &registry.location.to_ascii_uppercase()).await?
        }
        _ => Answer::empty(StatusCode::OK),
    };
    cx.commit().await?;
    Ok(answer)
}

async fn write(arm: &mut Arm, group: &str, at: usize, kind: Kind) -> Result<Answer> {
    let body = arm.object().await?;
    arm.require_region(&body, &format!("{REGISTRIES}/{}", kind.segment()))?;
    let (name, polling) = (arm.segments[at + 3].clone(), Polling::of(arm));
    let (mut cx, registry) = writing(arm, group, at).await?;
    if arm.method == Method::PATCH {
        children::get(&mut cx, &registry, kind, &name).await?;
    }
    let (child, new) = put(&mut cx, &registry, kind, &name, &body).await?;
    let long = match kind {
        Kind::ScopeMap | Kind::Webhook => false,
        Kind::Token | Kind::Replication | Kind::CacheRule | Kind::CredentialSet | Kind::PrivateEndpointConnection => {
            true
        }
    };
    let state = match (long, new) {
        (false, _) => "Succeeded",
        (true, true) => "Creating",
        (true, false) => "Updating",
    };
    let body = shown(&mut cx, &registry, &child, state).await?;
    let answer = match long {
        true => begun(&mut cx, &polling, &child.arm_id(&registry), kind.operation(), body).await?,
        false => Answer::ok(body),
    };
    cx.commit().await?;
    Ok(answer)
}

async fn put(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str, body: &Value) -> Result<(Child, bool)> {
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
    }
}
