//! `Microsoft.ManagedIdentity/userAssignedIdentities` over ARM (keyvault.md E.1).
//! Must not know: what identities may do.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::federated;
use crate::app::directory::identities;
use crate::app::resources::groups;
use crate::domain::directory::identity::Identity;
use crate::domain::error::ResourceError;
use crate::domain::world::name::{self, IDENTITIES};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::wire::{Answer, tags};

fn shown(identity: &Identity, api_version: &str) -> Value {
    let mut properties =
        json!({"tenantId": TENANT_ID, "principalId": identity.principal_id, "clientId": identity.client_id});
    if let Some(scope) = identity.properties.get("isolationScope") {
        properties["isolationScope"] = scope.clone();
    } else if api_version >= "2024-11-30" {
        properties["isolationScope"] = json!("None");
    }
    let mut value = json!({
        "location": identity.location, "tags": identity.tags, "id": name::identity_id(&identity.group, &identity.name),
        "name": identity.name, "type": IDENTITIES, "properties": properties,
    });
    if api_version >= "2024-11-30" {
        let (by, at) = (&identity.created_by, identity.created_at);
        value["systemData"] = crate::http::arm::wire::system_data(by, at, by, at, Timestamp::offset7);
    }
    value
}

pub(in crate::http::arm) async fn answer(
    arm: &mut Arm,
    group: Option<&str>,
    at: usize,
    rest: &[&str],
) -> Result<Answer> {
    let caller = arm.caller.clone();
    match (rest, group) {
        (["userassignedidentities"], _) if arm.method == Method::GET => {
            let scope = group.map_or_else(name::subscription_id, name::group_id);
            arm.require(&format!("{IDENTITIES}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            if let Some(group) = group {
                groups::get(&mut cx, group).await?;
            }
            let found = identities::list(&mut cx, group).await?;
            Ok(Answer::list(found.iter().map(|i| shown(i, &arm.api_version)).collect()))
        }
        (["userassignedidentities", _], Some(group)) => one(arm, group, at).await,
        (["userassignedidentities", _, "listassociatedresources"], Some(group)) if arm.method == Method::POST => {
            let identity = arm.segments[at + 1].clone();
            arm.require(&format!("{IDENTITIES}/listAssociatedResources/action"), &arm.scope(at + 2)).await?;
            let mut cx = arm.app.read(caller).await?;
            found(identities::find(&mut cx, group, &identity).await?, group, &identity)?;
            Ok(Answer::ok(json!({"totalCount": 0, "value": []})))
        }
        (["userassignedidentities", _, "federatedidentitycredentials", rest @ ..], Some(group)) => {
            federated::answer(arm, group, at, rest).await
        }
        _ => Err(arm.unknown_route()),
    }
}

fn found(identity: Option<Identity>, group: &str, name: &str) -> Result<Identity> {
    identity.ok_or_else(|| {
        ResourceError::NotFound { resource: format!("{IDENTITIES}/{name}"), group: group.to_owned() }.into()
    })
}

async fn one(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let identity = arm.segments[at + 1].clone();
    let scope = arm.scope(at + 2);
    let caller = arm.caller.clone();
    match arm.method {
        Method::GET => {
            arm.require(&format!("{IDENTITIES}/read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            groups::get(&mut cx, group).await?;
            let one = found(identities::find(&mut cx, group, &identity).await?, group, &identity)?;
            Ok(Answer::ok(shown(&one, &arm.api_version)))
        }
        Method::PUT | Method::PATCH => {
            arm.require(&format!("{IDENTITIES}/write"), &scope).await?;
            if !name::is_identity(&identity) {
                return Err(ResourceError::NameInvalid { name: identity, kind: IDENTITIES.to_owned() }.into());
            }
            let body = arm.object().await?;
            arm.require_region(&body, IDENTITIES)?;
            let mut cx = arm.write().await?;
            let in_group = groups::get(&mut cx, group).await?;
            let existing = identities::find(&mut cx, group, &identity).await?;
            if arm.method == Method::PATCH {
                found(existing.clone(), group, &identity)?;
            }
            let location = match (body["location"].as_str(), &existing) {
                (Some(location), _) => location.to_owned(),
                (None, Some(existing)) => existing.location.clone(),
                (None, None) => return Err(ResourceError::LocationMissing.into()),
            };
            let kept = |name: &str| {
                existing.as_ref().map(|e| if name == "tags" { e.tags.clone() } else { e.properties.clone() })
            };
            let new_tags = tags(&body)
                .or_else(|| kept("tags").filter(|_| arm.method == Method::PATCH))
                .unwrap_or_else(|| json!({}));
            let properties = match body["properties"].is_object() {
                true => body["properties"].clone(),
                false => kept("properties").unwrap_or_else(|| json!({})),
            };
            let (saved, new) =
                identities::put(&mut cx, &in_group.name, &identity, &location, new_tags, properties).await?;
            cx.commit().await?;
            let answer =
                Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown(&saved, &arm.api_version));
            // The header is the id only [recorded].
            let id = name::identity_id(&saved.group, &saved.name);
            Ok(if new { answer.with("location", id) } else { answer })
        }
        Method::DELETE => {
            arm.require(&format!("{IDENTITIES}/delete"), &scope).await?;
            let mut cx = arm.write().await?;
            let gone = identities::delete(&mut cx, group, &identity).await?;
            cx.commit().await?;
            Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
        }
        _ => Err(arm.wrong_method()),
    }
}
