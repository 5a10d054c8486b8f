//! `Microsoft.Insights/diagnosticSettings` of registries, vaults and their like: kept and shown.
//! Must not know: how logs are written.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::subscriptions;
use crate::app::Cx;
use crate::app::resources::{diagnostics, neighbours};
use crate::domain::Result;
use crate::domain::error::{NeighbourError, ResourceError};
use crate::domain::resources::diagnostics::{DIAGNOSTICS, Setting};
use crate::domain::world::name::ResourceId;
use crate::http::arm::TYPES;
use crate::http::arm::table::{self, Operation, Place, Request, Type, handler};
use crate::http::arm::wire::Answer;

const KINDS_OF_LOGS: &str = "Microsoft.Insights/diagnosticSettingsCategories";
const AT_ANY: Type = Type::new(Place::Anywhere, &["2017-05-01-preview", "2021-05-01-preview"]);

pub(super) const SETTINGS: Type = Type {
    name: DIAGNOSTICS,
    operations: &[
        Operation::list(handler!(list)),
        Operation::get(handler!(get)),
        Operation::put(handler!(put)),
        Operation::delete(handler!(delete)),
    ],
    ..AT_ANY
};

pub(super) const CATEGORIES: Type = Type {
    name: KINDS_OF_LOGS,
    operations: &[Operation::list(handler!(list_categories)), Operation::get(handler!(get_category))],
    ..AT_ANY
};

/// The log categories of the resource that is asked about, which must be there.
async fn categories(cx: &mut Cx, scope: &str) -> Result<&'static [&'static str]> {
    let id = ResourceId::parse(scope);
    let row = id.as_ref().and_then(|id| table::rows(TYPES).find(|row| id.is(row.name) && !row.logs.is_empty()));
    let (Some(id), Some(row)) = (id, row) else {
        let kind = scope.rsplit_once("/providers/").map_or(scope, |(_, rest)| rest);
        let kind = kind.split('/').enumerate().filter(|(at, _)| *at == 0 || at % 2 == 1).map(|(_, word)| word);
        return Err(NeighbourError::DiagnosticsUnsupported(kind.collect::<Vec<_>>().join("/").to_lowercase()).into());
    };
    let there = subscriptions::all(cx, Some(&id.group)).await?;
    if there.iter().any(|item| item["id"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(scope))) {
        return Ok(row.logs);
    }
    Err(ResourceError::NotFound { resource: format!("{}/{}", row.name, id.name), group: id.group }.into())
}

fn shown(setting: &Setting) -> Value {
    let mut shown = setting.0.shown();
    for name in ["location", "kind", "tags", "identity"] {
        shown[name] = Value::Null;
    }
    shown
}

async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    categories(cx, &request.scope).await?;
    Ok(Answer::list(diagnostics::of(cx, &request.scope).await?.iter().map(shown).collect()))
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    categories(cx, &request.scope).await?;
    let found = neighbours::get(cx, &request.scope, DIAGNOSTICS, request.name()).await?;
    Ok(Answer::ok(shown(&Setting(found))))
}

async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let categories = categories(cx, &request.scope).await?;
    let sent = &request.body["properties"];
    let setting = diagnostics::put(cx, &request.scope, request.name(), sent, categories).await?;
    Ok(Answer::ok(shown(&setting)))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = neighbours::delete(cx, &request.scope, DIAGNOSTICS, request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn shown_category(scope: &str, name: &str, kind: &str) -> Value {
    let groups = if kind == "Logs" { json!(["audit", "allLogs"]) } else { json!([]) };
    json!({
        "id": format!("{scope}/providers/microsoft.insights/diagnosticSettingsCategories/{name}"), "name": name,
        "type": KINDS_OF_LOGS,
        "properties": {"categoryType": kind, "categoryGroups": groups},
    })
}

async fn all_categories(cx: &mut Cx, scope: &str) -> Result<Vec<Value>> {
    let logs = categories(cx, scope).await?.iter().map(|name| shown_category(scope, name, "Logs"));
    Ok(logs.chain([shown_category(scope, "AllMetrics", "Metrics")]).collect())
}

async fn list_categories(cx: &mut Cx, request: &Request) -> Result<Answer> {
    Ok(Answer::list(all_categories(cx, &request.scope).await?))
}

async fn get_category(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (all, name) = (all_categories(cx, &request.scope).await?, request.name());
    let found = all.into_iter().find(|one| one["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    found.map(Answer::ok).ok_or_else(|| neighbours::missing(&request.scope, KINDS_OF_LOGS, name))
}
