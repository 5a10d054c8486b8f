//! Child resources of a registry: read, write, delete, list, and what only webhooks can do.
//! Which writes are long is Azure's choice for each kind [recorded] (acr.md A.5).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::long::{begun, deleting};
use super::registry_of;
use super::shown::shown;
use crate::app::{Cx, cache_rules, registry_children, replications, webhooks};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::name::REGISTRIES;
use crate::domain::registry::Registry;
use crate::domain::registry_child::{Child, Kind};
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// Calls below `…/registries/{name}/{kind}`.
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize, kind: Kind, rest: &[&str]) -> Result<Answer> {
    let action = |verb: &str| format!("{}/{verb}", kind.segment());
    match rest {
        [] if arm.method == Method::GET => {
            let registry = registry_of(arm, group, at, &action("read")).await?;
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            let children = match kind {
                Kind::Replication => replications::list(&mut cx, &registry).await?,
                _ => registry_children::list(&mut cx, &registry, kind).await?,
            };
            let mut items = Vec::new();
            for child in &children {
                items.push(shown(&mut cx, &registry, child, "Succeeded").await?);
            }
            Ok(Answer::list(items))
        }
        [_] => {
            let verb = match arm.method {
                Method::GET => "read",
                Method::PUT | Method::PATCH => "write",
                Method::DELETE => "delete",
                _ => return Err(arm.wrong_method()),
            };
            let registry = registry_of(arm, group, at, &action(verb)).await?;
            let name = arm.segments[at + 3].clone();
            one(arm, &registry, kind, &name).await
        }
        [_, verb] if kind == Kind::Webhook && arm.method == Method::POST => {
            let right = match *verb {
                "ping" => "ping/action",
                "getcallbackconfig" => "getCallbackConfig/action",
                "listevents" => "listEvents/action",
                _ => return Err(arm.unknown_route()),
            };
            let registry = registry_of(arm, group, at, &action(right)).await?;
            let name = arm.segments[at + 3].clone();
            if *verb == "ping" {
                let mut cx = arm.app.write(arm.caller.clone()).await?;
                let webhook = registry_children::get(&mut cx, &registry, kind, &name).await?;
                let id = webhooks::ping(&mut cx, &webhook).await?;
                cx.commit().await?;
                return Ok(Answer::ok(json!({"id": id})));
            }
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            let webhook = registry_children::get(&mut cx, &registry, kind, &name).await?;
            Ok(match *verb {
                "listevents" => Answer::list(webhooks::events(&mut cx, &webhook).await?),
                _ => Answer::ok(webhooks::config_of(&arm.app, &webhook)?),
            })
        }
        _ => Err(arm.unknown_route()),
    }
}

async fn one(arm: &mut Arm, registry: &Registry, kind: Kind, name: &str) -> Result<Answer> {
    let caller = arm.caller.clone();
    match arm.method {
        Method::GET => {
            let mut cx = arm.app.read(caller).await?;
            let child = match kind {
                Kind::Replication => replications::get(&mut cx, registry, name).await?,
                _ => registry_children::get(&mut cx, registry, kind, name).await?,
            };
            shown(&mut cx, registry, &child, "Succeeded").await.map(Answer::ok)
        }
        Method::DELETE => {
            let mut cx = arm.app.write(caller).await?;
            let gone = match kind {
                Kind::Replication => replications::remove(&mut cx, registry, name).await?,
                _ => registry_children::remove(&mut cx, registry, kind, name).await?,
            };
            cx.commit().await?;
            let Some(gone) = gone else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
            match kind {
                Kind::Replication => {
                    deleting(arm, kind.operation(), gone.location.as_deref().unwrap_or(&registry.location)).await
                }
                // In capitals [recorded].
                Kind::CacheRule | Kind::CredentialSet | Kind::PrivateEndpointConnection => {
                    deleting(arm, kind.operation(), &registry.location.to_ascii_uppercase()).await
                }
                _ => Ok(Answer::empty(StatusCode::OK)),
            }
        }
        _ => {
            let body = arm.object().await?;
            arm.require_region(&body, &format!("{REGISTRIES}/{}", kind.segment()))?;
            let mut cx = arm.app.write(caller).await?;
            if arm.method == Method::PATCH {
                registry_children::get(&mut cx, registry, kind, name).await?;
            }
            let (child, new) = put(&mut cx, registry, kind, name, &body).await?;
            let long = match kind {
                Kind::ScopeMap | Kind::Webhook => false,
                Kind::Token
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
            let body = shown(&mut cx, registry, &child, state).await?;
            cx.commit().await?;
            if !long {
                return Ok(Answer::ok(body));
            }
            begun(arm, &child.arm_id(registry), kind.operation(), body).await
        }
    }
}

async fn put(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str, body: &Value) -> Result<(Child, bool)> {
    let properties = body["properties"].as_object().cloned().unwrap_or_default();
    match kind {
        Kind::ScopeMap => registry_children::put_scope_map(cx, registry, name, &properties).await,
        Kind::Token => registry_children::put_token(cx, registry, name, &properties).await,
        Kind::Webhook => webhooks::put(cx, registry, name, body).await,
        Kind::Replication => replications::put(cx, registry, name, body).await,
        Kind::CacheRule if !body["identity"].is_null() => {
            Err(RequestError::NotEmulated("A cache rule with an identity of its own".to_owned()).into())
        }
        Kind::CacheRule => cache_rules::put_rule(cx, registry, name, &properties).await,
        Kind::CredentialSet => cache_rules::put_set(cx, registry, name, body).await,
        Kind::PrivateEndpointConnection => registry_children::put_private_link(cx, registry, name, body).await,
    }
}
