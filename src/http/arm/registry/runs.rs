//! Runs of tasks over ARM (acr.md A.5): asked for, shown, kept, cancelled, and where their logs are.
//! Must not know: how a run is carried out.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::found;
use crate::app::Cx;
use crate::app::registry::tasks::{artifact, blobs, runs};
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry::tasks::run::Run;
use crate::domain::world::name::REGISTRIES;
use crate::domain::{Result, Timestamp};
use crate::http::arm::query;
use crate::http::arm::table::Request;
use crate::http::arm::wire::{Answer, system_data};

/// Runs on a page, and at most [spec: the default; the most is inferred].
const PAGE: usize = 100;

/// A run, in the order of the recording.
pub(super) fn shown(registry: &Registry, run: &Run) -> Value {
    let mut properties = Map::new();
    properties.insert("runId".to_owned(), json!(run.name()));
    properties.insert("status".to_owned(), json!(run.status.as_str()));
    properties.insert("lastUpdatedTime".to_owned(), json!(run.updated_at.offset()));
    let kept = |name: &str| run.document.get(name).cloned();
    let time = |at: Option<Timestamp>| at.map(|at| json!(at.offset7()));
    for (name, value) in [
        ("runType", kept("runType")),
        ("agentPoolName", kept("agentPoolName")),
        ("createTime", time(Some(run.created_at))),
        ("startTime", time(run.started_at)),
        ("finishTime", time(run.finished_at)),
        ("outputImages", kept("outputImages")),
        ("task", run.task.as_ref().map(|t| json!(t))),
        ("imageUpdateTrigger", kept("imageUpdateTrigger")),
        ("timerTrigger", kept("timerTrigger")),
        ("platform", kept("platform")),
        ("agentConfiguration", kept("agentConfiguration")),
        ("customRegistries", kept("customRegistries")),
        ("runErrorMessage", kept("runErrorMessage")),
        ("updateTriggerToken", kept("updateTriggerToken")),
        ("logArtifact", artifact::shown(run)),
    ] {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    }
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.insert("isArchiveEnabled".to_owned(), json!(run.archived));
    whole(registry, run, properties)
}

fn whole(registry: &Registry, run: &Run, properties: Map<String, Value>) -> Value {
    let by = &run.created_by;
    let mut system = system_data(by, run.created_at, by, run.created_at, Timestamp::offset7);
    // Of a run that nobody has changed it is not said who made it [recorded].
    if !run.document.contains_key(runs::CHANGED)
        && let Some(system) = system.as_object_mut()
    {
        system.retain(|name, _| !name.starts_with("created"));
    }
    json!({
        "type": format!("{REGISTRIES}/runs"), "properties": properties, "id": run.arm_id(registry), "name": run.name(),
        "systemData": system,
    })
}

/// `POST …/scheduleRun`.
pub(super) async fn schedule(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let run = runs::schedule(cx, &registry, &request.body).await?;
    // Less than a GET says [recorded].
    let mut shown = shown(&registry, &run);
    if let Some(properties) = shown["properties"].as_object_mut() {
        let said = ["runId", "status", "lastUpdatedTime", "runErrorMessage", "provisioningState", "isArchiveEnabled"];
        properties.retain(|name, _| said.contains(&name.as_str()));
    }
    Ok(Answer::ok(shown))
}

/// `POST …/listBuildSourceUploadUrl`.
pub(super) async fn upload_url(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let (url, path) = blobs::upload_link(cx, &registry);
    Ok(Answer::ok(json!({"uploadUrl": url, "relativePath": path})))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let run = runs::get(cx, &registry, request.name()).await?;
    Ok(Answer::ok(shown(&registry, &run)))
}

/// Filters that lists of runs take: fields and their values, and `contains(OutputImageManifests, 'repository@digest')`
/// [cli].
fn wanted(asked: &str) -> Option<runs::Wanted> {
    let mut wanted = runs::Wanted { below: i64::MAX, most: PAGE, ..runs::Wanted::default() };
    let mut rest = asked.trim().to_owned();
    if let Some(at) = rest.to_ascii_lowercase().find("contains(") {
        let end = at + rest[at..].find(')')?;
        let inner = rest[at + "contains(".len()..end].to_owned();
        let (field, value) = inner.split_once(',')?;
        if !field.trim().eq_ignore_ascii_case("OutputImageManifests") {
            return None;
        }
        wanted.image = Some(value.trim().strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
        let before = rest[..at].trim_end().to_owned();
        let after = rest[end + 1..].trim_start().to_owned();
        rest = match (before.strip_suffix(" and"), after.strip_prefix("and ")) {
            (Some(before), _) if after.is_empty() => before.to_owned(),
            (None, Some(after)) if before.is_empty() => after.to_owned(),
            (None, None) if before.is_empty() && after.is_empty() => String::new(),
            _ => return None,
        };
    }
    let known = ["TaskName", "Status", "RunId", "RunType", "AgentPoolName", "IsArchiveEnabled"];
    wanted.fields = query::equals(&rest, &known)?;
    Some(wanted)
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let asked = request.query("$filter").unwrap_or_default();
    let mut wanted = wanted(&asked).ok_or_else(|| query::invalid("$filter", &asked))?;
    let wrong =
        |name: &str| RequestError::InvalidValue { property: name.to_owned(), message: "it is not a number".to_owned() };
    let top = request.query("$top");
    if let Some(top) = &top {
        wanted.most = top.parse().ok().filter(|t| *t > 0).ok_or_else(|| wrong("$top"))?;
    }
    if let Some(skip) = request.query("$skiptoken") {
        wanted.below = skip.parse().map_err(|_| wrong("$skiptoken"))?;
    }
    let (found, more) = runs::list(cx, &registry, &wanted).await?;
    let mut body = json!({"value": found.iter().map(|run| shown(&registry, run)).collect::<Vec<_>>()});
    // Whoever says how many it wants gets no more.
    if let (true, None, Some(last)) = (more, &top, found.last()) {
        let url = request.url.split("&$skiptoken=").next().unwrap_or_default();
        body["nextLink"] = json!(format!("{url}&$skiptoken={}", last.number));
    }
    Ok(Answer::ok(body))
}

/// A PATCH: `isArchiveEnabled`.
pub(super) async fn update(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let archived = request.body.get("isArchiveEnabled").and_then(Value::as_bool);
    let run = runs::archive(cx, &registry, request.name(), archived).await?;
    Ok(Answer::ok(shown(&registry, &run)))
}

/// `POST …/runs/{id}/cancel`.
pub(super) async fn cancel(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    runs::cancel(cx, &registry, request.name()).await?;
    Ok(Answer::empty(StatusCode::OK))
}

/// `POST …/runs/{id}/listLogSasUrl`.
pub(super) async fn log_url(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let (link, artifact) = runs::log_link(cx, &registry, request.name()).await?;
    let mut links = json!({ "logLink": link });
    if let Some(artifact) = artifact {
        links["logArtifactLink"] = json!(artifact);
    }
    Ok(Answer::ok(links))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_lists_are_those_of_az() {
        let read = |asked: &str| wanted(asked).map(|w| (w.fields.len(), w.image));
        assert_eq!(read(""), Some((0, None)));
        assert_eq!(read("TaskName eq 't' and Status eq 'Failed'"), Some((2, None)));
        assert_eq!(
            read("TaskName eq 't' and contains(OutputImageManifests, 'a@sha256:1')"),
            Some((1, Some("a@sha256:1".into())))
        );
        assert_eq!(read("contains(OutputImageManifests, 'a@b')"), Some((0, Some("a@b".into()))));
        for wrong in [
            "Colour eq 'red'",
            "contains(TaskName, 'a')",
            "contains(OutputImageManifests, 'a'",
            "TaskName",
            "Status eq 'a'contains(OutputImageManifests, 'a')",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
