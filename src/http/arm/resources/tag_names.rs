//! `tagNames` of the subscription over ARM: the names and values of tags, and how many resources have them.
//! Must not know: how a resource keeps its tags.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::subscriptions;
use crate::app::Cx;
use crate::app::resources::tag_names::{self, TagName};
use crate::domain::Result;
use crate::domain::world::name;
use crate::http::arm::table::{Asks, On, Operation, Place, Request, Run, Type, handler};
use crate::http::arm::wire::Answer;

fn count(value: usize) -> Value {
    json!({"type": "Total", "value": value})
}

fn shown(tag: &TagName) -> Value {
    let id = format!("{}/tagNames/{}", name::subscription_id(), tag.name);
    let values: Vec<Value> = tag.values.iter().map(|(value, have)| shown_value(&tag.name, value, *have)).collect();
    json!({"id": id, "tagName": tag.name, "count": count(tag.values.values().sum()), "values": values})
}

fn shown_value(tag: &str, value: &str, have: usize) -> Value {
    let id = format!("{}/tagNames/{tag}/tagValues/{value}", name::subscription_id());
    json!({"id": id, "tagValue": value, "count": count(have)})
}

async fn all(cx: &mut Cx) -> Result<Vec<TagName>> {
    let resources = subscriptions::all(cx, None).await?;
    tag_names::all(cx, &resources).await
}

const READ: Asks = Asks::Whole("Microsoft.Resources/subscriptions/tagNames/read");

pub(super) const NAMES: Type = Type {
    name: "Microsoft.Resources/tagNames",
    operations: &[
        Operation::new("GET", On::All, READ, Run::Read(handler!(list))),
        Operation::new(
            "PUT",
            On::One,
            Asks::Whole("Microsoft.Resources/subscriptions/tagNames/write"),
            Run::Change(handler!(add)),
        ),
        Operation::new(
            "DELETE",
            On::One,
            Asks::Whole("Microsoft.Resources/subscriptions/tagNames/delete"),
            Run::Change(handler!(delete)),
        ),
    ],
    ..Type::new(Place::Subscription, &["2025-11-01"])
};

pub(super) const VALUES: Type = Type {
    name: "Microsoft.Resources/tagNames/tagValues",
    operations: &[
        Operation::new(
            "PUT",
            On::One,
            Asks::Whole("Microsoft.Resources/subscriptions/tagNames/tagValues/write"),
            Run::Change(handler!(add)),
        ),
        Operation::new(
            "DELETE",
            On::One,
            Asks::Whole("Microsoft.Resources/subscriptions/tagNames/tagValues/delete"),
            Run::Change(handler!(delete)),
        ),
    ],
    ..Type::new(Place::Subscription, &["2025-11-01"])
};

/// The value in the path, where it is about one.
fn value_of(request: &Request) -> Option<&str> {
    (!request.parent().is_empty()).then(|| request.name())
}

async fn list(cx: &mut Cx, _: &Request) -> Result<Answer> {
    Ok(Answer::list(all(cx).await?.iter().map(shown).collect()))
}

async fn add(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (tag, value) = (request.top(), value_of(request));
    let before = all(cx).await?;
    tag_names::add(cx, tag, value, &before).await?;
    let after = all(cx).await?;
    let found = after.iter().find(|t| t.name.eq_ignore_ascii_case(tag));
    let body = match value {
        None => found.map(shown),
        Some(value) => found.and_then(|t| Some(shown_value(&t.name, value, *t.values.get(value)?))),
    };
    let status = if before == after { StatusCode::OK } else { StatusCode::CREATED };
    Ok(Answer::new(status, body.unwrap_or_default()))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let before = all(cx).await?;
    tag_names::delete(cx, request.top(), value_of(request)).await?;
    let gone = before != all(cx).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}
