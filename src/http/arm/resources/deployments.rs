//! `Microsoft.Resources/deployments` over ARM, at groups and subscriptions.
//! Must not know: how a template is planned, how its resources are created.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::asked::{Asked, Read, TEMPLATE_LIMIT, asked, deployer, plan, template_hash, too_large};
use super::deploy::{self, Deployer, Done, Outcome, camel};
use super::on_error::{self, Earlier};
use super::what_if;
use crate::app::Cx;
use crate::app::resources::deployments::{self, Deployment, Part, UnderWay};
use crate::app::resources::locks::{self, Change};
use crate::app::resources::{groups, operations};
use crate::domain::error::{DeploymentError, ResourceError};
use crate::domain::resources::template::{self, DEPLOYMENTS, Invalid, Program, Spent, split_id};
use crate::domain::world::{json, name};
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::wire::Answer;
use crate::http::arm::{Arm, query};
use crate::http::odata::Language;

/// Memory of the dependencies that a deployment shows. [inferred] What Azure shows of very many is not known.
const SHOWN_LIMIT: usize = 1024 * 1024;
/// How long whoever deploys waits for the end. One takes milliseconds, unless a fault makes it slow: then it is seen while
/// it runs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(in crate::http::arm) async fn answer(
    arm: &mut Arm,
    group: Option<&str>,
    at: usize,
    rest: &[&str],
) -> Result<Answer> {
    let scope = group.map_or_else(name::subscription_id, name::group_id);
    let name = arm.segments.get(at + 1).cloned().unwrap_or_default();
    let own = arm.scope(arm.segments.len().min(at + 2));
    let action = |what: &str| format!("{DEPLOYMENTS}/{what}");
    let caller = arm.caller.clone();
    query::check(&arm.call.query, if rest.len() == 1 { query::FILTERED } else { &[] })?;
    require_unlocked(arm, &own).await?;
    match (rest, arm.method.as_str()) {
        (["deployments"], "GET") => list(arm, group, &scope).await,
        (["deployments", _], "PUT") => {
            arm.require(&action("write"), &own).await?;
            let (asked, read) = asked(arm, scope, group, name).await?;
            create(arm, asked, read).await
        }
        (["deployments", _], "GET") => {
            arm.require(&action("read"), &own).await?;
            one(arm, &scope, &name).await
        }
        (["deployments", _], "HEAD") => {
            arm.require(&action("read"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let there = deployments::is_there(&mut cx, &scope, &name).await?;
            Ok(Answer::empty(if there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }))
        }
        (["deployments", _], "DELETE") => {
            arm.require(&action("delete"), &own).await?;
            let mut cx = arm.write().await?;
            if !deployments::delete(&mut cx, &scope, &name).await? {
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            let operation = operations::succeeded(&mut cx, "deployment").await?;
            cx.commit().await?;
            Ok(Answer::empty(StatusCode::ACCEPTED).with("location", outcome_url(arm, &operation)))
        }
        (["deployments", _, "validate"], "POST") => {
            arm.require(&action("validate/action"), &own).await?;
            let (asked, read) = asked(arm, scope, group, name).await?;
            validate(arm, asked, read).await
        }
        (["deployments", _, "whatif"], "POST") => {
            arm.require(&action("whatIf/action"), &own).await?;
            let (asked, read) = asked(arm, scope, group, name).await?;
            let outcome = what_if::answer(arm, asked, read).await?;
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(wrong) => return Ok(invalid(&wrong)),
            };
            let mut cx = arm.write().await?;
            let operation = operations::ended_as(&mut cx, "whatif", &outcome).await?;
            cx.commit().await?;
            Ok(Answer::empty(StatusCode::ACCEPTED).with("location", outcome_url(arm, &operation)))
        }
        (["deployments", _, "cancel"], "POST") => {
            arm.require(&action("cancel/action"), &own).await?;
            cancel(arm, &scope, name).await
        }
        (["deployments", _, "exporttemplate"], "POST") | (["deployments", _, "operations", ..], "GET") => {
            kept(arm, &scope, &name, rest).await
        }
        (["deployments", _, "operationstatuses", operation], "GET") if deployments::goes_on(&arm.app, operation) => {
            Ok(Answer::ok(json!({"status": "Running"})))
        }
        (["deployments", _, "operationstatuses", operation], "GET") => {
            operations::outcome_text(&arm.app, caller, operation).await.map(Answer::text)
        }
        (["deployments", ..], _) => Err(arm.wrong_method()),
        _ => {
            let kind = arm.segments.get(at).cloned().unwrap_or_default();
            Err(ResourceError::TypeNotFound { namespace: "Microsoft.Resources".to_owned(), kind }.into())
        }
    }
}

/// A deployment as it is shown: while it runs, and once it has ended.
async fn one(arm: &mut Arm, scope: &str, name: &str) -> Result<Answer> {
    if let Some(shown) = deployments::going(&arm.app, scope, name) {
        return Ok(Answer::text(shown));
    }
    deployments::get(&mut arm.read().await?, scope, name, Part::Shown).await.map(Answer::text)
}

async fn cancel(arm: &mut Arm, scope: &str, name: String) -> Result<Answer> {
    if deployments::cancel(&arm.app, scope, &name) {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let state = deployments::state(&mut arm.read().await?, scope, &name).await?;
    Err(DeploymentError::Ended { name, state }.into())
}

async fn require_unlocked(arm: &mut Arm, own: &str) -> Result<()> {
    let change = match arm.method {
        Method::PUT => Change::Write,
        Method::DELETE => Change::Delete,
        _ => return Ok(()),
    };
    locks::require(&mut arm.read().await?, change, own).await
}

/// Deployments of a scope, the newest first; filtered by how they ended.
async fn list(arm: &mut Arm, group: Option<&str>, scope: &str) -> Result<Answer> {
    arm.require(&format!("{DEPLOYMENTS}/read"), scope).await?;
    let filter = query::filter(&arm.call.query, Language { properties: &["provisioningState"], words: &["ne"] })?;
    let (top, after) = (query::top(&arm.call.query)?, query::option(&arm.call.query, "$skiptoken"));
    let mut cx = arm.read().await?;
    if let Some(group) = group {
        groups::get(&mut cx, group).await?;
    }
    let fits = |state: &str| filter.as_ref().is_none_or(|f| f.holds(&json!({ "provisioningState": state })));
    let (page, next) = deployments::page(&mut cx, scope, after.as_deref(), top, &fits).await?;
    let next = next.map(|token| query::next_link(&arm.call.authority, &arm.call.path, &arm.call.query, &token));
    Ok(Answer::texts(&page, next.as_deref()))
}

/// What is kept of a deployment beside how it is shown: its template, its operations.
async fn kept(arm: &mut Arm, scope: &str, name: &str, rest: &[&str]) -> Result<Answer> {
    let own = arm.scope(arm.segments.len() - (rest.len() - 2));
    let action = match rest {
        [_, _, "operations", ..] => "operations/read",
        _ => "exportTemplate/action",
    };
    arm.require(&format!("{DEPLOYMENTS}/{action}"), &own).await?;
    let mut cx = arm.read().await?;
    match rest {
        [_, _, "operations"] => {
            let operations = deployments::get(&mut cx, scope, name, Part::Operations).await?;
            Ok(Answer::text(format!("{{\"value\":{operations}}}")))
        }
        [_, _, "operations", wanted] => {
            let one = deployments::operation(&mut cx, scope, name, wanted).await?;
            one.map(Answer::ok).ok_or_else(|| ResourceError::OperationNotFound((*wanted).to_owned()).into())
        }
        [_, _, "exporttemplate"] => {
            let template = deployments::get(&mut cx, scope, name, Part::Template).await?;
            Ok(Answer::text(format!("{{\"template\":{template}}}")))
        }
        _ => Err(arm.unknown_route()),
    }
}

fn outcome_url(arm: &Arm, operation: &str) -> String {
    format!(
        "https://{}{}/operationresults/{operation}?api-version={}",
        arm.call.authority,
        name::subscription_id(),
        arm.api_version
    )
}

/// A template that is not valid, as ARM says it.
fn invalid(invalid: &Invalid) -> Answer {
    let (line, column, path) = &invalid.place;
    Answer::new(
        StatusCode::BAD_REQUEST,
        json!({"error": {
            "code": "InvalidTemplate", "message": invalid.message,
            "additionalInfo": [{"type": "TemplateViolation", "info": {"lineNumber": line, "linePosition": column, "path": &**path}}],
        }}),
    )
    .with("x-ms-failure-cause", "gateway".to_owned())
}

/// A template that wants what is not there, as ARM says it.
fn not_deployable(asked: &Asked, details: Vec<Value>, tracking: &str) -> Answer {
    let message = format!(
        "The template deployment '{}' is not valid according to the validation procedure. The tracking id is '{tracking}'. See inner errors for details.",
        asked.name
    );
    let error = json!({"code": "InvalidTemplateDeployment", "message": message, "details": details});
    Answer::new(StatusCode::BAD_REQUEST, json!({ "error": error }))
}

/// What the plan tells of itself: parameters, providers, dependencies.
fn planned(asked: &Asked, program: &Program, correlation: &str, now: Timestamp) -> Value {
    let mut parameters = Map::new();
    for parameter in &program.parameters {
        let mut shown = json!({ "type": parameter.kind });
        if !parameter.kind.starts_with("Secure") {
            shown["value"] = program.parameter(&parameter.name).cloned().unwrap_or_default();
        }
        parameters.insert(camel(&parameter.name), shown);
    }
    let mut providers: Vec<Value> = Vec::new();
    let mut dependencies = Vec::new();
    let mut room = SHOWN_LIMIT;
    for resource in program.resources.iter().filter(|r| r.wanted && !r.existing) {
        let (namespace, kind) = resource.kind.split_once('/').unwrap_or((&resource.kind, ""));
        let entry = json!({"resourceType": kind, "locations": [asked.location]});
        match providers.iter_mut().find(|p| p["namespace"] == namespace) {
            Some(provider) => {
                let known = provider["resourceTypes"].as_array_mut();
                if let Some(known) = known.filter(|k| !k.iter().any(|t| t["resourceType"] == kind)) {
                    known.push(entry);
                }
            }
            None => providers.push(json!({"namespace": namespace, "resourceTypes": [entry]})),
        }
        let named = |r: &template::Resource| json!({"id": r.id, "resourceType": r.kind, "resourceName": r.name});
        let before = resource.depends_on.iter().filter_map(|at| program.resources.get(*at));
        let mut shown = Vec::new();
        for before in before.filter(|r| r.wanted && !r.existing).map(named) {
            let Some(left) = room.checked_sub(json::size(&before).unwrap_or(SHOWN_LIMIT)) else { break };
            room = left;
            shown.push(before);
        }
        if !shown.is_empty() {
            let mut entry = named(resource);
            entry["dependsOn"] = Value::Array(shown);
            dependencies.push(entry);
        }
    }
    let mut planned = json!({
        "templateHash": template_hash(&asked.text), "parameters": parameters, "mode": asked.mode(),
        "provisioningState": "Accepted", "timestamp": now.zulu7(), "duration": "PT0S", "correlationId": correlation,
        "providers": providers, "dependencies": dependencies,
    });
    // [recorded] A template without parameters shows none.
    if program.parameters.is_empty()
        && let Some(planned) = planned.as_object_mut()
    {
        planned.shift_remove("parameters");
    }
    planned
}

fn shown(asked: &Asked, properties: Value) -> Value {
    let mut shown = json!({"id": asked.id(), "name": asked.name, "type": DEPLOYMENTS});
    if let Some(location) = &asked.location {
        shown["location"] = json!(location);
    }
    if asked.tags.is_object() {
        shown["tags"] = asked.tags.clone();
    }
    shown["properties"] = properties;
    shown
}

/// Requires the groups that templates within the template are for, but for those that it makes [recorded].
async fn require_groups(cx: &mut Cx, program: &Program) -> Result<()> {
    let wanted = || program.resources.iter().filter(|r| r.wanted && !r.existing);
    for nested in wanted().filter(|r| r.is_deployment()) {
        let parts: Vec<&str> = nested.id.split('/').collect();
        let Some(group) = parts.get(4).filter(|_| parts[3].eq_ignore_ascii_case("resourceGroups")) else { continue };
        if !wanted().any(|r| r.id.eq_ignore_ascii_case(&name::group_id(group))) {
            groups::get(cx, group).await?;
        }
    }
    Ok(())
}

async fn validate(arm: &mut Arm, asked: Asked, read: Read) -> Result<Answer> {
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let (correlation, now) = (cx.guid(), cx.now);
    let program = match plan(&mut cx, &asked, read, &arm.templates).await? {
        Ok(program) => program,
        Err(wrong) => return Ok(invalid(&wrong)),
    };
    require_groups(&mut cx, &program).await?;
    let earlier = earlier(&mut cx, &asked).await?;
    drop(cx);
    let details = deploy::unsupported(&deployer(arm), &program).await?;
    if !details.is_empty() {
        return Ok(not_deployable(&asked, details, &correlation));
    }
    let mut properties = planned(&asked, &program, &correlation, now);
    properties["provisioningState"] = json!("Succeeded");
    show(earlier.as_ref(), &mut properties);
    let wanted = program.resources.iter().filter(|r| r.wanted && !r.existing);
    properties["validatedResources"] = wanted.map(|r| json!({ "id": r.id })).collect();
    Ok(Answer::ok(shown(&asked, properties)))
}

/// What is deployed again where this fails.
async fn earlier(cx: &mut Cx, asked: &Asked) -> Result<Option<Earlier>> {
    match &asked.on_error {
        Some(wanted) => on_error::earlier(cx, &asked.scope, &asked.name, wanted).await.map(Some),
        None => Ok(None),
    }
}

fn show(earlier: Option<&Earlier>, properties: &mut Value) {
    if let Some(earlier) = earlier {
        properties["onErrorDeployment"] = earlier.shown.clone();
    }
}

async fn create(arm: &mut Arm, asked: Asked, read: Read) -> Result<Answer> {
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let (correlation, now) = (cx.guid(), cx.now);
    let program = match plan(&mut cx, &asked, read, &arm.templates).await? {
        Ok(program) => program,
        Err(wrong) => return Ok(invalid(&wrong)),
    };
    let earlier = earlier(&mut cx, &asked).await?;
    let operation = format!("deployment-{}", cx.guid());
    drop(cx);
    let deployer = deployer(arm);
    let details = deploy::unsupported(&deployer, &program).await?;
    if !details.is_empty() {
        return Ok(not_deployable(&asked, details, &correlation));
    }
    let mut accepted = shown(&asked, planned(&asked, &program, &correlation, now));
    show(earlier.as_ref(), &mut accepted["properties"]);
    // What is shown now, and what is shown in the end.
    let size = json::size(&accepted).unwrap_or(TEMPLATE_LIMIT).saturating_mul(2);
    let _held = arm.templates.budget.hold(size).map_err(|Spent| too_large())?;
    let id = asked.id();
    let mut running = accepted.clone();
    running["properties"]["provisioningState"] = json!("Running");
    let under_way = deployments::begin(&arm.app, &asked.scope, &asked.name, running.to_string(), &operation)?;
    let within = arm.templates.level > 0;
    let run = run(deployer, asked, program, (accepted.clone(), earlier), (under_way, operation.clone()));
    if within {
        // It ends with the one around it.
        run.await?;
    } else {
        // On its own: a client that goes away does not leave half a deployment.
        let mut run = tokio::spawn(run);
        if let Ok(ended) = tokio::time::timeout(PATIENCE, &mut run).await {
            ended.map_err(Error::internal)??;
        }
    }
    let poll =
        format!("https://{}{id}/operationStatuses/{operation}?api-version={}", arm.call.authority, arm.api_version);
    Ok(Answer::new(StatusCode::CREATED, accepted).with("azure-asyncoperation", poll))
}

/// Deploys, and keeps what came of it. What has begun when it is cancelled ends or does not: each write is whole.
async fn run(
    deployer: Deployer,
    asked: Asked,
    program: Arc<Program>,
    (accepted, earlier): (Value, Option<Earlier>),
    (under_way, operation): (UnderWay, String),
) -> Result<()> {
    let began = deployer.app.now();
    let (mut outcome, cancelled) = tokio::select! {
        outcome = deploy::deploy(&deployer, &program) => (outcome, false),
        () = under_way.cancelled() => (Outcome { done: Vec::new(), outputs: Ok(Map::new()) }, true),
    };
    if asked.complete && !cancelled && outcome.outputs.is_ok() {
        remove_the_rest(&deployer, &asked, &mut outcome).await?;
    }
    let rolled_back = match &earlier {
        Some(earlier) if outcome.outputs.is_err() => Some(on_error::roll_back(&deployer, earlier).await),
        _ => None,
    };
    let mut cx = deployer.app.write(deployer.caller.clone()).await?;
    let ended = cx.now;
    let mut shown = accepted;
    let properties = &mut shown["properties"];
    properties["timestamp"] = json!(ended.zulu7());
    properties["duration"] = json!(duration(began, ended));
    let created: Vec<Value> = outcome.done.iter().flat_map(|d| &d.outputs).map(|id| json!({ "id": id })).collect();
    properties["outputResources"] = Value::Array(created);
    let status = match outcome.outputs {
        Ok(_) if cancelled => {
            properties["provisioningState"] = json!("Canceled");
            json!({"status": "Canceled"})
        }
        Ok(outputs) => {
            properties["provisioningState"] = json!("Succeeded");
            if !outputs.is_empty() {
                let named = outputs.into_iter().map(|(name, output)| (camel(&name), output));
                properties["outputs"] = Value::Object(named.collect());
            }
            json!({"status": "Succeeded"})
        }
        Err(mut error) => {
            error["target"] = json!(asked.id());
            properties["provisioningState"] = json!("Failed");
            properties["error"] = error.clone();
            if let Some(rolled_back) = rolled_back {
                properties["onErrorDeployment"] = rolled_back;
            }
            json!({"status": "Failed", "error": error})
        }
    };
    let mut operations: Vec<Value> = outcome.done.iter().map(|done| shown_operation(&cx, &asked, done)).collect();
    if status["status"] == "Succeeded" {
        operations.push(evaluated_outputs(&cx, &asked));
    }
    let deployment = Deployment {
        scope: asked.scope.clone(),
        name: asked.name.clone(),
        shown: shown.to_string(),
        template: asked.text.to_string(),
        operations: Value::Array(operations).to_string(),
        ended_at: ended,
    };
    deployments::save(&mut cx, &deployment, asked.group.as_deref()).await?;
    operations::record(&mut cx, &operation, &status).await?;
    cx.commit().await
}

fn duration(began: Timestamp, ended: Timestamp) -> String {
    let micros = ended.0.saturating_sub(began.0).max(0);
    format!("PT{}.{:06}0S", micros / 1_000_000, micros % 1_000_000)
}

/// The last operation of a deployment that succeeded [recorded].
fn evaluated_outputs(cx: &Cx, asked: &Asked) -> Value {
    let operation = operation_id(cx);
    json!({
        "id": format!("{}/operations/{operation}", asked.id()), "operationId": operation,
        "properties": {
            "provisioningOperation": "EvaluateDeploymentOutput", "provisioningState": "Succeeded",
            "timestamp": cx.now.zulu7(), "duration": "PT0S", "trackingId": cx.guid(), "statusCode": "OK",
        },
    })
}

fn operation_id(cx: &Cx) -> String {
    cx.guid().replace('-', "")[..16].to_ascii_uppercase()
}

fn shown_operation(cx: &Cx, asked: &Asked, done: &Done) -> Value {
    let operation = operation_id(cx);
    let reason = done.status.canonical_reason().unwrap_or_default().replace(' ', "");
    let mut properties = json!({
        "provisioningOperation": "Create", "provisioningState": if done.error.is_some() { "Failed" } else { "Succeeded" },
        "timestamp": done.ended.zulu7(), "duration": duration(done.began, done.ended), "trackingId": cx.guid(),
        "statusCode": reason,
        "targetResource": {"id": done.id, "resourceType": done.kind, "resourceName": done.name},
    });
    if let Some(error) = &done.error {
        properties["statusMessage"] = json!({"status": "Failed", "error": error});
    }
    json!({"id": format!("{}/operations/{operation}", asked.id()), "operationId": operation, "properties": properties})
}

/// Complete mode: what the template does not name is deleted.
async fn remove_the_rest(deployer: &Deployer, asked: &Asked, outcome: &mut Outcome) -> Result<()> {
    let all = what_if::resources_of(deployer, asked).await?;
    let kept: Vec<&str> = outcome.done.iter().flat_map(|d| &d.outputs).map(String::as_str).collect();
    let rest: Vec<&str> = what_if::beside(&all, &kept).map(|(id, _)| id).collect();
    let mut failures = Vec::new();
    for id in rest {
        let began = deployer.app.now();
        let gone = deployer.call(Method::DELETE, id, "2023-07-01", None).await;
        let error = gone.as_ref().err().map(|error| deploy::detail(error, id));
        failures.extend(error.clone());
        let (kind, name) = split_id(id).unwrap_or_default();
        outcome.done.push(Done {
            id: id.to_owned(),
            kind,
            name,
            status: gone.map_or(StatusCode::CONFLICT, |(status, _)| status),
            error,
            outputs: Vec::new(),
            began,
            ended: deployer.app.now(),
        });
    }
    if !failures.is_empty() {
        outcome.outputs = Err(deploy::failed(failures));
    }
    Ok(())
}
