//! `Microsoft.OperationalInsights/workspaces`: kept, so that diagnostic settings have something to name.
//! Must not know: logs, queries.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::Cx;
use crate::app::resources::{groups, neighbours};
use crate::domain::Result;
use crate::domain::resources::neighbour::Neighbour;
use crate::domain::world::name;
use crate::http::arm::query;
use crate::http::arm::table::{InGroups, Operation, Place, Request, Type, handler};
use crate::http::arm::wire::{Answer, tags};

const WORKSPACES: &str = "Microsoft.OperationalInsights/workspaces";

pub(super) const TYPE: Type = Type {
    name: WORKSPACES,
    logs: &["Audit", "SummaryLogs", "Jobs"],
    in_groups: Some(InGroups {
        listed: |cx, part| Box::pin(neighbours::listed(cx, WORKSPACES, part)),
        cleared: |cx, group| Box::pin(neighbours::clear(cx, WORKSPACES, group)),
        tagged: |cx, group, name, tags| Box::pin(neighbours::tag(cx, WORKSPACES, group, name, tags)),
        moved: None,
    }),
    operations: &[
        Operation::list(handler!(list)).paging(query::PAGED),
        Operation::get(handler!(get)),
        Operation::put(handler!(put)),
        Operation::patch(handler!(patch)),
        Operation::delete(handler!(delete)),
    ],
    ..Type::new(Place::Group, &["2022-10-01", "2023-09-01", "2025-02-01"])
};

async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let scope = match request.listed_group() {
        Some(group) => Some(name::group_id(&groups::get(cx, group).await?.name)),
        None => None,
    };
    let all = neighbours::list(cx, scope.as_deref(), WORKSPACES).await?;
    Ok(Answer::list(all.iter().map(Neighbour::shown).collect()))
}

async fn found(cx: &mut Cx, request: &Request) -> Result<Neighbour> {
    let group = groups::get(cx, request.group()).await?;
    neighbours::get(cx, &name::group_id(&group.name), WORKSPACES, request.name()).await
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    Ok(Answer::ok(found(cx, request).await?.shown()))
}

/// Fills in what a workspace says of itself [spec], over what was sent.
fn fill(cx: &Cx, one: &mut Neighbour, sent: &Value) {
    let before = one.properties().clone();
    let mut properties = sent.as_object().cloned().unwrap_or_default();
    let now = cx.now.zulu7();
    for (field, default) in [
        ("sku", json!({"name": "PerGB2018"})),
        ("retentionInDays", json!(30)),
        ("features", json!({"legacy": 0, "searchVersion": 1, "enableLogAccessUsingOnlyResourcePermissions": true})),
        ("workspaceCapping", json!({"dailyQuotaGb": -1.0, "dataIngestionStatus": "RespectQuota"})),
        ("publicNetworkAccessForIngestion", json!("Enabled")),
        ("publicNetworkAccessForQuery", json!("Enabled")),
    ] {
        if properties.get(field).is_none_or(Value::is_null) {
            properties.insert(field.to_owned(), default);
        }
    }
    for (field, value) in [("customerId", json!(cx.guid())), ("createdDate", json!(now))] {
        properties.insert(field.to_owned(), if before[field].is_null() { value } else { before[field].clone() });
    }
    properties.insert("modifiedDate".to_owned(), json!(now));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    one.document.insert("properties".to_owned(), Value::Object(properties));
}

async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let location = request.body["location"].as_str();
    let (mut one, new) = neighbours::begin(cx, request.group(), WORKSPACES, request.name(), location).await?;
    fill(cx, &mut one, &request.body["properties"]);
    one.document.insert("tags".to_owned(), tags(&request.body).unwrap_or_else(|| json!({})));
    neighbours::save(cx, &one).await?;
    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, one.shown()))
}

async fn patch(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let mut one = found(cx, request).await?;
    let mut merged = one.properties().clone();
    for (field, value) in request.body["properties"].as_object().into_iter().flatten() {
        merged[field] = value.clone();
    }
    fill(cx, &mut one, &merged);
    if let Some(tags) = tags(&request.body) {
        one.document.insert("tags".to_owned(), tags);
    }
    neighbours::save(cx, &one).await?;
    Ok(Answer::ok(one.shown()))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = neighbours::delete(cx, &name::group_id(request.group()), WORKSPACES, request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}
