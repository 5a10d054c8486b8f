//! `Microsoft.Resources/tags` over ARM: the tags of the subscription, a group or a resource, changed by themselves.
//! Must not know: how a resource keeps its tags.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::subscriptions;
use crate::app::Cx;
use crate::app::resources::{groups, tags};
use crate::domain::Result;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::world::name::ResourceId;
use crate::http::arm::TYPES;
use crate::http::arm::table::{self, Asks, On, Operation, Place, Request, Run, Type, handler};
use crate::http::arm::wire::{Answer, check_tags};

const TAGS: &str = "Microsoft.Resources/tags";

pub(super) const TYPE: Type = Type {
    name: TAGS,
    operations: &[
        Operation::get(handler!(get)),
        Operation::put(handler!(write)),
        Operation::patch(handler!(write)),
        Operation::new("DELETE", On::One, Asks::Action("delete"), Run::Change(handler!(delete))),
    ],
    ..Type::new(Place::Anywhere, &["2021-04-01", "2025-04-01"])
};

/// What has the tags.
enum Of {
    Subscription,
    Group(String),
    /// A resource in a group: its row, and its id.
    Resource(&'static Type, ResourceId),
}

fn of(request: &Request) -> Result<Of> {
    if !request.name().eq_ignore_ascii_case("default") {
        return Err(ResourceError::NameInvalid { name: request.name().to_owned(), kind: TAGS.to_owned() }.into());
    }
    let parts: Vec<&str> = request.scope.split('/').skip(1).collect();
    match parts.as_slice() {
        ["subscriptions" | "Subscriptions", _] => return Ok(Of::Subscription),
        [_, _, groups, group] if groups.eq_ignore_ascii_case("resourceGroups") => {
            return Ok(Of::Group((*group).to_owned()));
        }
        _ => {}
    }
    let id = ResourceId::parse(&request.scope);
    let found =
        id.and_then(|id| Some((table::rows(TYPES).find(|row| id.is(row.name) && row.in_groups.is_some())?, id)));
    match found {
        Some((row, id)) => Ok(Of::Resource(row, id)),
        None => {
            Err(RequestError::NotEmulated("The tags of a resource within another, by themselves".to_owned()).into())
        }
    }
}

/// The tags as they are.
async fn present(cx: &mut Cx, of: &Of) -> Result<Map<String, Value>> {
    let tags = match of {
        Of::Subscription => tags::of_subscription(cx).await?,
        Of::Group(group) => groups::get(cx, group).await?.tags,
        Of::Resource(row, id) => {
            let there = subscriptions::all(cx, Some(&id.group)).await?;
            let found = there.into_iter().find(|item| {
                item["id"]
                    .as_str()
                    .and_then(ResourceId::parse)
                    .is_some_and(|i| i.is(row.name) && i.name.eq_ignore_ascii_case(&id.name))
            });
            let missing =
                || ResourceError::NotFound { resource: format!("{}/{}", row.name, id.name), group: id.group.clone() };
            found.ok_or_else(missing)?["tags"].clone()
        }
    };
    Ok(tags.as_object().cloned().unwrap_or_default())
}

async fn keep(cx: &mut Cx, of: &Of, kept: Map<String, Value>) -> Result<()> {
    let kept = Value::Object(kept);
    check_tags(Some(&kept))?;
    match of {
        Of::Subscription => tags::set_of_subscription(cx, &kept).await,
        Of::Group(group) => groups::put(cx, group, None, Some(kept)).await.map(|_| ()),
        Of::Resource(row, id) => match &row.in_groups {
            Some(kind) => (kind.tagged)(cx, &id.group, &id.name, kept).await,
            None => Ok(()),
        },
    }
}

fn shown(request: &Request, tags: &Map<String, Value>) -> Answer {
    let id = format!("{}/providers/{TAGS}/default", request.scope);
    Answer::ok(json!({"id": id, "name": "default", "type": TAGS, "properties": {"tags": tags}}))
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    Ok(shown(request, &present(cx, &of(request)?).await?))
}

/// A PUT replaces; a PATCH does what its `operation` says [spec].
async fn write(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let of = of(request)?;
    let before = present(cx, &of).await?;
    let sent = request.body["properties"]["tags"].as_object().cloned().unwrap_or_default();
    let operation = request.body["operation"].as_str().filter(|_| request.is_patch()).unwrap_or("Replace");
    let after = tags::changed(before, sent, operation)?;
    keep(cx, &of, after.clone()).await?;
    Ok(shown(request, &after))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let of = of(request)?;
    present(cx, &of).await?;
    keep(cx, &of, Map::new()).await?;
    Ok(Answer::empty(StatusCode::OK))
}
