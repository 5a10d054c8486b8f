//! `Microsoft.Resources/deployments` over ARM, at groups and subscriptions.
//! Must not know: how a template is planned, how its resources are created.

use std::future::Future;
use std::pin::Pin;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::deploy::{self, Deployer, Done, Outcome};
use super::what_if;
use crate::app::Cx;
use crate::app::resources::deployments::{self, Deployment, UnderWay};
use crate::app::resources::{groups, operations};
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::region;
use crate::domain::resources::template::{
    self, DEPLOYMENTS, Document, Facts, Invalid, Places, Program, Source, get, split_id,
};
use crate::domain::world::name;
use crate::domain::world::well_known::{SUBSCRIPTION_ID, SUBSCRIPTION_NAME, TENANT_ID};
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;
use crate::http::call::BODY_LIMIT;

/// What a client asks to deploy.
#[derive(Debug, Clone)]
struct Asked {
    /// The id of the group or subscription.
    scope: String,
    group: Option<String>,
    name: String,
    location: Option<String>,
    tags: Value,
    complete: bool,
    template: Value,
    parameters: Value,
    places: Places,
}

impl Asked {
    fn id(&self) -> String {
        format!("{}/providers/{DEPLOYMENTS}/{}", self.scope, self.name)
    }

    fn mode(&self) -> &'static str {
        if self.complete { "Complete" } else { "Incremental" }
    }
}

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
    match (rest, arm.method.as_str()) {
        (["deployments"], "GET") => {
            arm.require(&action("read"), &scope).await?;
            let mut cx = arm.app.read(caller).await?;
            if let Some(group) = group {
                groups::get(&mut cx, group).await?;
            }
            let all = deployments::list(&mut cx, &scope).await?;
            Ok(Answer::list(all.into_iter().map(|d| d.shown).collect()))
        }
        (["deployments", _], "PUT") => {
            arm.require(&action("write"), &own).await?;
            let asked = asked(arm, scope, group, name).await?;
            create(arm, asked).await
        }
        (["deployments", _], "GET") => {
            arm.require(&action("read"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            deployments::get(&mut cx, &scope, &name).await.map(|d| Answer::ok(d.shown))
        }
        (["deployments", _], "HEAD") => {
            arm.require(&action("read"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let there = deployments::get(&mut cx, &scope, &name).await.is_ok();
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
            let asked = asked(arm, scope, group, name).await?;
            validate(arm, asked).await
        }
        (["deployments", _, "whatif"], "POST") => {
            arm.require(&action("whatIf/action"), &own).await?;
            let asked = asked(arm, scope, group, name).await?;
            what_would_change(arm, asked).await
        }
        (["deployments", _, "cancel"], "POST") => {
            arm.require(&action("cancel/action"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = deployments::get(&mut cx, &scope, &name).await?;
            let state = found.shown["properties"]["provisioningState"].as_str().unwrap_or_default().to_owned();
            Err(ResourceError::DeploymentEnded { name, state }.into())
        }
        (["deployments", _, "exporttemplate"], "POST") => {
            arm.require(&action("exportTemplate/action"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = deployments::get(&mut cx, &scope, &name).await?;
            Ok(Answer::ok(json!({ "template": found.template })))
        }
        (["deployments", _, "operations"], "GET") => {
            arm.require(&action("operations/read"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = deployments::get(&mut cx, &scope, &name).await?;
            Ok(Answer::list(found.operations.as_array().cloned().unwrap_or_default()))
        }
        (["deployments", _, "operations", wanted], "GET") => {
            arm.require(&action("operations/read"), &own).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = deployments::get(&mut cx, &scope, &name).await?;
            let is_it = |o: &&Value| o["operationId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(wanted));
            let one = found.operations.as_array().into_iter().flatten().find(is_it);
            one.cloned().map(Answer::ok).ok_or_else(|| ResourceError::OperationNotFound((*wanted).to_owned()).into())
        }
        (["deployments", _, "operationstatuses", operation], "GET") => {
            operations::outcome(&arm.app, caller, operation).await.map(Answer::ok)
        }
        (["deployments", ..], _) => Err(arm.wrong_method()),
        _ => {
            let kind = arm.segments.get(at).cloned().unwrap_or_default();
            Err(ResourceError::TypeNotFound { namespace: "Microsoft.Resources".to_owned(), kind }.into())
        }
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

/// Reads the body: JSON in which az has pasted the text of a template (acr.md A.6).
async fn asked(arm: &mut Arm, scope: String, group: Option<&str>, name: String) -> Result<Asked> {
    let bytes = arm.call.bytes(BODY_LIMIT).await?;
    let text = std::str::from_utf8(&bytes).map_err(|e| RequestError::Malformed(e.to_string()))?;
    let Document { value, places } = template::json::parse(text).map_err(RequestError::Malformed)?;
    if !name::is_deployment(&name) {
        return Err(ResourceError::NameInvalid { name, kind: DEPLOYMENTS.to_owned() }.into());
    }
    let location = get(&value, "location").and_then(Value::as_str);
    if let Some(location) = location {
        region::require(location, DEPLOYMENTS)?;
    }
    let location = location.map(name::location);
    if group.is_none() && location.is_none() {
        return Err(ResourceError::LocationMissing.into());
    }
    let properties = get(&value, "properties").cloned().unwrap_or_default();
    if let Some(group) = group {
        let mut cx = arm.app.read(arm.caller.clone()).await?;
        groups::get(&mut cx, group).await?;
    }
    let tags = get(&value, "tags").cloned().unwrap_or_default();
    let asked = asked_for(scope, name, &properties, places)?;
    if asked.complete && asked.group.is_none() {
        let message = "complete mode is for deployments to resource groups".to_owned();
        return Err(RequestError::InvalidValue { property: "properties.mode".to_owned(), message }.into());
    }
    Ok(Asked { location, tags, ..asked })
}

fn asked_for(scope: String, name: String, properties: &Value, places: Places) -> Result<Asked> {
    let mode = get(properties, "mode").and_then(Value::as_str).unwrap_or("Incremental");
    let complete = mode.eq_ignore_ascii_case("Complete");
    if !complete && !mode.eq_ignore_ascii_case("Incremental") {
        let message = format!("'{mode}' is neither 'Incremental' nor 'Complete'");
        return Err(RequestError::InvalidValue { property: "properties.mode".to_owned(), message }.into());
    }
    for link in ["templateLink", "parametersLink"] {
        if get(properties, link).is_some_and(|l| !l.is_null()) {
            return Err(RequestError::NotEmulated(format!("A deployment by {link}")).into());
        }
    }
    let template = match get(properties, "template") {
        // Older clients send the template as a string.
        Some(Value::String(text)) => template::json::parse(text).map_err(RequestError::Malformed)?.value,
        other => other.cloned().unwrap_or_default(),
    };
    let group = scope.to_ascii_lowercase().rfind("/resourcegroups/").map(|at| scope[at + 16..].to_owned());
    let parameters = get(properties, "parameters").cloned().unwrap_or_default();
    Ok(Asked { scope, group, name, location: None, tags: Value::Null, complete, template, parameters, places })
}

/// A template that is not valid, as ARM says it.
fn invalid(invalid: &Invalid) -> Answer {
    let (line, column, path) = &invalid.place;
    Answer::new(
        StatusCode::BAD_REQUEST,
        json!({"error": {
            "code": "InvalidTemplate", "message": invalid.message,
            "additionalInfo": [{"type": "TemplateViolation", "info": {"lineNumber": line, "linePosition": column, "path": path}}],
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

fn template_hash(template: &Value) -> String {
    template::hash(template.to_string().to_uppercase().as_bytes()).to_string()
}

async fn facts(cx: &mut Cx, asked: &Asked) -> Result<Facts> {
    let group = match &asked.group {
        Some(group) => {
            let found = groups::get(cx, group).await?;
            json!({
                "id": name::group_id(&found.name), "name": found.name, "type": "Microsoft.Resources/resourceGroups",
                "location": found.location, "tags": found.tags, "properties": {"provisioningState": "Succeeded"},
            })
        }
        None => Value::Null,
    };
    let mut deployment = json!({
        "name": asked.name,
        "properties": {
            "template": asked.template, "templateHash": template_hash(&asked.template), "parameters": asked.parameters,
            "mode": asked.mode(), "provisioningState": "Accepted",
        },
    });
    if let Some(location) = &asked.location {
        deployment["location"] = json!(location);
    }
    Ok(Facts {
        subscription: json!({
            "id": name::subscription_id(), "subscriptionId": SUBSCRIPTION_ID, "tenantId": TENANT_ID, "displayName": SUBSCRIPTION_NAME,
        }),
        group,
        tenant: json!({
            "countryCode": "US", "displayName": SUBSCRIPTION_NAME, "id": format!("/tenants/{TENANT_ID}"), "tenantId": TENANT_ID,
        }),
        deployment,
        environment: crate::http::arm::resources::subscriptions::environment(),
        deployer: json!({"objectId": cx.caller.object_id, "tenantId": TENANT_ID, "userPrincipalName": ""}),
        now: cx.now.0,
    })
}

/// Reads the template. The inner error is one of the template.
async fn plan(cx: &mut Cx, asked: &Asked) -> Result<std::result::Result<Program, Invalid>> {
    let facts = facts(cx, asked).await?;
    // Made before: the rules draw no random numbers.
    let guids: Vec<String> = (0..64).map(|_| cx.guid()).collect();
    let used = std::sync::atomic::AtomicUsize::new(0);
    let guid = || {
        let at = used.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        guids.get(at % guids.len()).cloned().unwrap_or_default()
    };
    let source = Source {
        template: &asked.template,
        parameters: &asked.parameters,
        places: &asked.places,
        scope: &asked.scope,
        facts: &facts,
        guids: &guid,
    };
    Ok(Program::read(source))
}

fn deployer(arm: &Arm) -> Deployer {
    Deployer {
        app: arm.app.clone(),
        caller: arm.caller.clone(),
        authority: arm.call.authority.clone(),
        address: arm.call.address,
    }
}

/// What the plan tells of itself: parameters, providers, dependencies.
fn planned(asked: &Asked, program: &Program, correlation: &str, now: Timestamp) -> Value {
    let mut parameters = Map::new();
    for parameter in &program.parameters {
        let mut shown = json!({ "type": parameter.kind });
        if !parameter.kind.starts_with("Secure") {
            shown["value"] = parameter.value.clone();
        }
        parameters.insert(parameter.name.clone(), shown);
    }
    let mut providers: Vec<Value> = Vec::new();
    let mut dependencies = Vec::new();
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
        let before: Vec<Value> = before.filter(|r| r.wanted && !r.existing).map(named).collect();
        if !before.is_empty() {
            let mut entry = named(resource);
            entry["dependsOn"] = Value::Array(before);
            dependencies.push(entry);
        }
    }
    json!({
        "templateHash": template_hash(&asked.template), "parameters": parameters, "mode": asked.mode(),
        "provisioningState": "Accepted", "timestamp": now.zulu7(), "duration": "PT0S", "correlationId": correlation,
        "providers": providers, "dependencies": dependencies,
    })
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

async fn validate(arm: &mut Arm, asked: Asked) -> Result<Answer> {
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let (correlation, now) = (cx.guid(), cx.now);
    let program = match plan(&mut cx, &asked).await? {
        Ok(program) => program,
        Err(wrong) => return Ok(invalid(&wrong)),
    };
    drop(cx);
    let details = deploy::unsupported(&deployer(arm), &program).await?;
    if !details.is_empty() {
        return Ok(not_deployable(&asked, details, &correlation));
    }
    let mut properties = planned(&asked, &program, &correlation, now);
    properties["provisioningState"] = json!("Succeeded");
    let wanted = program.resources.iter().filter(|r| r.wanted && !r.existing);
    properties["validatedResources"] = wanted.map(|r| json!({ "id": r.id })).collect();
    Ok(Answer::ok(shown(&asked, properties)))
}

async fn create(arm: &mut Arm, asked: Asked) -> Result<Answer> {
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let (correlation, now) = (cx.guid(), cx.now);
    let program = match plan(&mut cx, &asked).await? {
        Ok(program) => program,
        Err(wrong) => return Ok(invalid(&wrong)),
    };
    drop(cx);
    let deployer = deployer(arm);
    let details = deploy::unsupported(&deployer, &program).await?;
    if !details.is_empty() {
        return Ok(not_deployable(&asked, details, &correlation));
    }
    let accepted = shown(&asked, planned(&asked, &program, &correlation, now));
    let id = asked.id();
    let under_way = deployments::begin(&arm.app, &asked.scope, &asked.name)?;
    // On its own: a client that goes away does not leave half a deployment.
    let run = tokio::spawn(run(deployer, asked, program, accepted.clone(), under_way));
    let operation = run.await.map_err(Error::internal)??;
    let poll =
        format!("https://{}{id}/operationStatuses/{operation}?api-version={}", arm.call.authority, arm.api_version);
    Ok(Answer::new(StatusCode::CREATED, accepted).with("azure-asyncoperation", poll))
}

/// Deploys, and keeps what came of it. Returns the name of the operation.
async fn run(
    deployer: Deployer,
    asked: Asked,
    program: Program,
    accepted: Value,
    _under_way: UnderWay,
) -> Result<String> {
    let began = deployer.app.now();
    let mut outcome = deploy::deploy(&deployer, &program).await;
    if asked.complete && outcome.outputs.is_ok() {
        remove_the_rest(&deployer, &asked, &mut outcome).await?;
    }
    let mut cx = deployer.app.write(deployer.caller.clone()).await?;
    let ended = cx.now;
    let mut shown = accepted;
    let properties = &mut shown["properties"];
    properties["timestamp"] = json!(ended.zulu7());
    properties["duration"] = json!(duration(began, ended));
    let created: Vec<Value> = outcome.done.iter().flat_map(|d| &d.outputs).map(|id| json!({ "id": id })).collect();
    properties["outputResources"] = Value::Array(created);
    let status = match outcome.outputs {
        Ok(outputs) => {
            properties["provisioningState"] = json!("Succeeded");
            if !outputs.is_empty() {
                properties["outputs"] = Value::Object(outputs);
            }
            json!({"status": "Succeeded"})
        }
        Err(mut error) => {
            error["target"] = json!(asked.id());
            properties["provisioningState"] = json!("Failed");
            properties["error"] = error.clone();
            json!({"status": "Failed", "error": error})
        }
    };
    let operations = outcome.done.iter().map(|done| shown_operation(&cx, &asked, done)).collect();
    let deployment = Deployment {
        scope: asked.scope.clone(),
        name: asked.name.clone(),
        shown,
        template: asked.template,
        operations: Value::Array(operations),
        ended_at: ended,
    };
    deployments::save(&mut cx, &deployment, asked.group.as_deref()).await?;
    let operation = operations::ended(&mut cx, "deployment", &status).await?;
    cx.commit().await?;
    Ok(operation)
}

fn duration(began: Timestamp, ended: Timestamp) -> String {
    let micros = ended.0.saturating_sub(began.0).max(0);
    format!("PT{}.{:06}0S", micros / 1_000_000, micros % 1_000_000)
}

fn shown_operation(cx: &Cx, asked: &Asked, done: &Done) -> Value {
    let operation = cx.guid().replace('-', "")[..16].to_ascii_uppercase();
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

/// The group's resources, registries first: they use what the others are.
async fn resources_of(deployer: &Deployer, asked: &Asked) -> Result<Vec<Value>> {
    let path = format!("{}/resources", asked.scope);
    let (_, list) = deployer.call(Method::GET, &path, "2024-11-01", None).await?;
    let mut all = list["value"].as_array().cloned().unwrap_or_default();
    let rank = |r: &Value| match r["type"].as_str() {
        Some(kind) if kind.starts_with(name::REGISTRIES) => 0,
        Some(kind) if kind.starts_with(name::VAULTS) => 1,
        _ => 2,
    };
    all.sort_by_key(rank);
    Ok(all)
}

/// Complete mode: what the template does not name is deleted.
async fn remove_the_rest(deployer: &Deployer, asked: &Asked, outcome: &mut Outcome) -> Result<()> {
    let kept: Vec<Value> = outcome.done.iter().flat_map(|d| &d.outputs).map(|id| json!({ "resourceId": id })).collect();
    let all = resources_of(deployer, asked).await?;
    let mut failures = Vec::new();
    for change in what_if::beside(&all, &kept, true) {
        let id = change["resourceId"].as_str().unwrap_or_default();
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

async fn what_would_change(arm: &mut Arm, asked: Asked) -> Result<Answer> {
    let deployer = deployer(arm);
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let correlation = cx.guid();
    // A template that is not valid is told at once; what is found later is the operation's outcome.
    if let Err(wrong) = plan(&mut cx, &asked).await? {
        return Ok(invalid(&wrong));
    }
    drop(cx);
    let outcome = match predict(deployer.clone(), asked.clone()).await {
        Ok(mut changes) => {
            if asked.group.is_some() {
                let all = resources_of(&deployer, &asked).await?;
                let others = what_if::beside(&all, &changes, asked.complete);
                changes.extend(others);
            }
            what_if::shown(changes, &correlation)
        }
        Err(error) => json!({"status": "Failed", "error": crate::http::arm::dialect::code_and_message(&error)}),
    };
    let mut cx = arm.write().await?;
    let operation = operations::ended(&mut cx, "whatif", &outcome).await?;
    cx.commit().await?;
    Ok(Answer::empty(StatusCode::ACCEPTED).with("location", outcome_url(arm, &operation)))
}

/// The changes that a deployment would make, those of its nested ones included.
fn predict(deployer: Deployer, asked: Asked) -> Pin<Box<dyn Future<Output = Result<Vec<Value>>> + Send>> {
    Box::pin(async move {
        let mut cx = deployer.app.read(deployer.caller.clone()).await?;
        let program = plan(&mut cx, &asked).await?;
        let program = program.map_err(|wrong| ResourceError::TemplateInvalid(wrong.message))?;
        drop(cx);
        let nested = |scope: String, properties: Value| {
            let deployer = deployer.clone();
            let asked = asked_for(scope, "nested".to_owned(), &properties, Places::default());
            let inner: Pin<Box<dyn Future<Output = Result<Vec<Value>>> + Send>> =
                Box::pin(async move { predict(deployer, asked?).await });
            inner
        };
        what_if::changes(&deployer, &program, &nested).await
    })
}
