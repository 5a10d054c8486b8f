//! Resource groups over ARM.
//! Must not know: what lies in them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::moves;
use super::subscriptions::{self, TAGS, has_tag};
use crate::app::resources::groups::{self, Group};
use crate::app::resources::operations;
use crate::app::{Cx, cascade};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::resources::region;
use crate::domain::world::name;
use crate::http::arm::TYPES;
use crate::http::arm::query;
use crate::http::arm::table::{self, Asks, On, Operation, Place, Request, Run, Type, handler};
use crate::http::arm::wire::{Answer, tags};
use crate::http::odata::Language;

fn shown(group: &Group) -> Value {
    let mut value = json!({
        "id": name::group_id(&group.name), "name": group.name, "type": "Microsoft.Resources/resourceGroups",
        "location": group.location, "properties": {"provisioningState": "Succeeded"},
    });
    if let Some(resource) = &group.managed_by {
        value["managedBy"] = json!(resource);
    }
    if !group.tags.is_null() {
        value["tags"] = group.tags.clone();
    }
    value
}

/// The rights to groups are named otherwise than their type.
const READ: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/read");
const WRITE: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/write");
const DELETE: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/delete");
const RESOURCES: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/resources/read");

const MOVE: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/moveResources/action");
const VALIDATE: Asks = Asks::Whole("Microsoft.Resources/subscriptions/resourceGroups/validateMoveResources/action");

pub(super) const TYPE: Type = Type {
    name: region::GROUPS,
    operations: &[
        Operation::new("GET", On::All, READ, Run::Read(handler!(list))).paging(query::FILTERED),
        Operation::new("GET", On::One, READ, Run::Read(handler!(get))),
        Operation::new("HEAD", On::One, READ, Run::Read(handler!(exists))),
        Operation::new("PUT", On::One, WRITE, Run::Change(handler!(write))).with_body(),
        Operation::new("PATCH", On::One, WRITE, Run::Change(handler!(write))).with_body(),
        Operation::new("DELETE", On::One, DELETE, Run::Change(handler!(delete))).sweeping(),
        Operation::new("GET", On::Word("resources"), RESOURCES, Run::Read(handler!(resources))).taking(query::FILTERED),
        Operation::new("POST", On::Word("moveResources"), MOVE, Run::Change(handler!(moves::carry_out))).with_body(),
        Operation::new("POST", On::Word("validateMoveResources"), VALIDATE, Run::Change(handler!(moves::validate)))
            .with_body(),
        Operation::new("POST", On::Word("exportTemplate"), Asks::Nothing, Run::Read(handler!(export))),
    ],
    ..Type::new(Place::Subscription, &["2025-11-01"])
};

/// Groups are filtered by their tags alone [issue].
async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let filter = request.filter(Language { properties: TAGS, words: &["startswith"] })?;
    let mut all: Vec<Value> = groups::list(cx).await?.iter().map(shown).collect();
    all.retain(|group| filter.as_ref().is_none_or(|filter| has_tag(filter, group, &group["tags"])));
    Ok(Answer::list(all))
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    groups::get(cx, request.name()).await.map(|g| Answer::ok(shown(&g)))
}

async fn exists(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let there = groups::get(cx, request.name()).await.is_ok();
    Ok(Answer::empty(if there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }))
}

/// A PUT or a PATCH.
async fn write(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let body = &request.body;
    if request.is_patch() {
        groups::get(cx, request.name()).await?;
    }
    let (saved, new) =
        groups::put_managed(cx, request.name(), body["location"].as_str(), tags(body), body["managedBy"].as_str())
            .await?;
    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown(&saved)))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let kinds = table::rows(TYPES).filter_map(|row| row.in_groups.as_ref().map(|kind| kind.cleared));
    cascade::delete_group(cx, request.name(), kinds).await?;
    let operation = operations::succeeded(cx, "group").await?;
    let location = format!(
        "https://{}{}/operationresults/{operation}?api-version={}",
        request.authority,
        name::subscription_id(),
        request.api_version
    );
    Ok(Answer::empty(StatusCode::ACCEPTED).with("location", location))
}

async fn resources(cx: &mut Cx, request: &Request) -> Result<Answer> {
    groups::get(cx, request.name()).await?;
    let asked = query::Asked { host: &request.authority, path: &request.path, query: &request.query };
    subscriptions::resources(cx, Some(request.name()), asked).await
}

async fn export(_: &mut Cx, _: &Request) -> Result<Answer> {
    Err(RequestError::NotEmulated("Exporting a template".to_owned()).into())
}
