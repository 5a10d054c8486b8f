//! `moveResources` and `validateMoveResources` of a group, and what goes along with a resource that is moved.
//! Must not know: how a resource keeps the group that it lies in.

use axum::http::StatusCode;
use serde_json::Value;

use super::subscriptions;
use crate::app::Cx;
use crate::app::resources::locks::{self, Change};
use crate::app::resources::{groups, moves, operations};
use crate::domain::Result;
use crate::domain::error::{NeighbourError, RequestError, ResourceError};
use crate::domain::world::name::{self, ResourceId};
use crate::domain::world::well_known::SUBSCRIPTION_ID;
use crate::http::arm::TYPES;
use crate::http::arm::table::{self, Move, Request};
use crate::http::arm::wire::Answer;

fn wrong(property: &str, message: String) -> RequestError {
    RequestError::InvalidValue { property: property.to_owned(), message }
}

/// The group that resources are moved to.
async fn target(cx: &mut Cx, request: &Request) -> Result<String> {
    let sent = request.body["targetResourceGroup"].as_str().unwrap_or_default();
    let parts: Vec<&str> = sent.split('/').collect();
    let ["", _, subscription, groups, group] = parts.as_slice() else {
        return Err(wrong("targetResourceGroup", format!("'{sent}' is not the id of a group")).into());
    };
    if !groups.eq_ignore_ascii_case("resourceGroups") {
        return Err(wrong("targetResourceGroup", format!("'{sent}' is not the id of a group")).into());
    }
    if !subscription.eq_ignore_ascii_case(SUBSCRIPTION_ID) {
        return Err(ResourceError::SubscriptionNotFound((*subscription).to_owned()).into());
    }
    let group = groups::get(cx, group).await?.name;
    if group.eq_ignore_ascii_case(request.name()) {
        return Err(wrong("targetResourceGroup", "it is the group that the resources are in".to_owned()).into());
    }
    moves::require_target(cx, &name::group_id(&group)).await?;
    Ok(group)
}

/// What is to be moved, each with how: all of it is there, and can be moved.
async fn resources(cx: &mut Cx, request: &Request) -> Result<Vec<(ResourceId, Move)>> {
    let from = groups::get(cx, request.name()).await?.name;
    let there = subscriptions::all(cx, Some(&from)).await?;
    let (mut found, mut fixed) = (Vec::new(), Vec::new());
    for sent in request.body["resources"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let id = ResourceId::parse(sent)
            .ok_or_else(|| wrong("resources", format!("'{sent}' is not the id of a resource")))?;
        let here = there.iter().filter_map(|item| item["id"].as_str()).any(|one| one.eq_ignore_ascii_case(sent));
        if !here {
            return Err(ResourceError::NotFound { resource: format!("{}/{}", id.kind, id.name), group: from }.into());
        }
        locks::require(cx, Change::Write, sent).await?;
        let row = table::rows(TYPES).find(|row| id.is(row.name));
        match row.and_then(|row| row.in_groups.as_ref()?.moved) {
            Some(moved) => found.push((id, moved)),
            None => fixed.push(id.kind),
        }
    }
    if !fixed.is_empty() {
        return Err(NeighbourError::Unmovable(fixed.join(",")).into());
    }
    if found.is_empty() {
        return Err(wrong("resources", "there is nothing to move".to_owned()).into());
    }
    Ok(found)
}

async fn done(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let operation = operations::succeeded(cx, "move").await?;
    let (host, version) = (&request.authority, &request.api_version);
    let location =
        format!("https://{host}{}/operationresults/{operation}?api-version={version}", name::subscription_id());
    Ok(Answer::empty(StatusCode::ACCEPTED).with("location", location))
}

pub(super) async fn validate(cx: &mut Cx, request: &Request) -> Result<Answer> {
    target(cx, request).await?;
    resources(cx, request).await?;
    done(cx, request).await
}

pub(super) async fn carry_out(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let to = target(cx, request).await?;
    for (id, moved) in resources(cx, request).await? {
        moved(cx, &id.group, &id.name, &to).await?;
    }
    done(cx, request).await
}
