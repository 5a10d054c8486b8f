//! Runs as resources: asked for, shown, kept, cancelled.
//! Must not know: HTTP, how a run is carried out (see runner).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::reason::reason;
use super::{blobs, documents};
use crate::app::Cx;
use crate::app::registry::{children, cmk};
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind, child_name};
use crate::domain::registry::envelope::Sealed;
use crate::domain::registry::tasks::order::Order;
use crate::domain::registry::tasks::run::{Run, Status};
use crate::domain::{Error, Result};
use crate::store;

/// The field of a run's document that says from where came who asked for it. No answer shows it.
const ASKER: &str = "asker";

/// The field that says that somebody has changed it since. No answer shows it.
pub const CHANGED: &str = "changed";

/// From where came who asked for a run; of what a trigger started, nobody.
pub(super) fn asker(run: &Run) -> Option<IpAddr> {
    run.document.get(ASKER).and_then(Value::as_str).and_then(|address| address.parse().ok())
}

/// What is sealed as a run's request.
fn context(registry: &Registry) -> String {
    format!("request of a run of registry {}", registry.id)
}

/// The task that a request is for, and the order that it gives.
async fn read(cx: &mut Cx, registry: &Registry, body: &Value) -> Result<(Option<Child>, Order)> {
    if !body["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("TaskRunRequest")) {
        return Ok((None, Order::of_request(body)?));
    }
    let id = body["taskId"].as_str().unwrap_or_default();
    let wrong = || RequestError::InvalidValue {
        property: "taskId".to_owned(),
        message: format!("'{id}' is not the id of a task of this registry"),
    };
    let name = child_name(registry, Kind::TASK, id).ok_or_else(wrong)?;
    let task = children::get(cx, registry, Kind::TASK, name).await?;
    let properties = documents::definition(cx, &task)?;
    let order = Order::of_task(&properties, &body["overrideTaskStepProperties"])?;
    Ok((Some(task), order))
}

/// What may be shown of an order.
fn describe(run: &mut Run, order: &Order, automatic: bool) {
    let mut platform = json!({"os": order.os, "architecture": order.architecture});
    if let Some(variant) = &order.variant {
        platform["variant"] = json!(variant);
    }
    let kind = match (automatic, order.is_build() && run.task.is_none()) {
        (true, _) => "AutoRun",
        (false, true) => "QuickBuild",
        // Also of a task that builds [recorded].
        (false, false) => "QuickRun",
    };
    let document = &mut run.document;
    document.insert("runType".to_owned(), json!(kind));
    document.insert("platform".to_owned(), platform);
    document.insert("agentConfiguration".to_owned(), json!({"cpu": 2}));
    let custom: Vec<&String> = order.logins.iter().map(|l| &l.server).collect();
    if !custom.is_empty() {
        document.insert("customRegistries".to_owned(), json!(custom));
    }
}

/// Asks for a run. While the registry's key cannot be used it has failed already, and says why.
pub async fn schedule(cx: &mut Cx, registry: &Registry, body: &Value) -> Result<Run> {
    let (task, order) = read(cx, registry, body).await?;
    let mut run = Run::new(registry, task.as_ref().map(|t| t.name.as_str()), &cx.caller.name, cx.now);
    run.archived = body["isArchiveEnabled"].as_bool().unwrap_or(false);
    describe(&mut run, &order, false);
    run.document.insert(ASKER.to_owned(), json!(cx.caller.address.to_string()));
    let of_task = task.as_ref().and_then(|t| t.properties.get("agentPoolName")).and_then(Value::as_str);
    if let Some(pool) = body["agentPoolName"].as_str().or(of_task).filter(|p| !p.is_empty()) {
        let pool = children::get(cx, registry, Kind::AGENT_POOL, pool).await?;
        run.document.insert("agentPoolName".to_owned(), json!(pool.name));
    }
    if let Some(token) = body["overrideTaskStepProperties"]["updateTriggerToken"].as_str() {
        run.document.insert("updateTriggerToken".to_owned(), json!(token));
    }
    keep(cx, registry, run, Some(body)).await
}

/// Asks for a run of a task as it is defined, for its trigger.
pub(super) async fn trigger(cx: &mut Cx, registry: &Registry, task: &Child, (name, why): (&str, Value)) -> Result<Run> {
    let mut run = Run::new(registry, Some(&task.name), &cx.caller.name, cx.now);
    let properties = documents::definition(cx, task)?;
    match Order::of_task(&properties, &Value::Null) {
        Ok(order) => describe(&mut run, &order, true),
        // What it lacks is said by the run.
        Err(refusal) => run.end(Status::Failed, Some(&refusal.to_string()), cx.now),
    }
    if let Some(pool) = task.properties.get("agentPoolName").filter(|p| p.is_string()) {
        run.document.insert("agentPoolName".to_owned(), pool.clone());
    }
    run.document.insert(name.to_owned(), why);
    keep(cx, registry, run, None).await
}

async fn keep(cx: &mut Cx, registry: &Registry, mut run: Run, request: Option<&Value>) -> Result<Run> {
    match cmk::open(cx, registry).await {
        Ok(dek) => {
            if let Some(request) = request {
                let sealed = dek.seal(&context(registry), request.to_string().as_bytes(), &mut cx.rng())?;
                run.sealed = Some(sealed.as_bytes().to_vec());
            }
        }
        Err(failure) if failure.is_failure() => return Err(failure),
        Err(refusal) => run.end(Status::Failed, Some(&reason(&refusal)), cx.now),
    }
    let run = store::registry::tasks::runs::add(&mut cx.tx, run).await?;
    let app = cx.app.clone();
    cx.tx.then(move || app.tasks.wake.notify_one());
    Ok(run)
}

/// What a run that begins is to do.
pub(super) async fn order_of(cx: &mut Cx, registry: &Registry, run: &Run) -> Result<Order> {
    let dek = cmk::open(cx, registry).await?;
    let request = match &run.sealed {
        None => json!({"type": "TaskRunRequest"}),
        Some(sealed) => {
            let opened = dek.open(&context(registry), &Sealed::from_stored(sealed.clone()))?;
            serde_json::from_slice(&opened).map_err(Error::internal)?
        }
    };
    let Some(task) = &run.task else { return Order::of_request(&request) };
    let task = children::get(cx, registry, Kind::TASK, task).await?;
    let properties = documents::definition(cx, &task)?;
    let mut order = Order::of_task(&properties, &request["overrideTaskStepProperties"])?;
    if let Some(template) = request["logTemplate"].as_str() {
        order.log_template = Some(template.to_owned());
    }
    Ok(order)
}

/// A run by its id in the registry.
pub async fn get(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Run> {
    let found = match Run::number_of(name) {
        Some(number) => store::registry::tasks::runs::by_number(&mut cx.tx, registry.id, number).await?,
        None => None,
    };
    found.ok_or_else(|| ResourceError::ChildNotFound(name.to_owned()).into())
}

/// Which runs a list shows.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Fields and the values that they must have; names in lower case.
    pub fields: Vec<(String, String)>,
    /// What an output image, `repository@digest`, must be.
    pub image: Option<String>,
    /// Below this number: where the page before it ended.
    pub below: i64,
    pub most: usize,
}

/// Runs, the newest first, and whether there are more.
pub async fn list(cx: &mut Cx, registry: &Registry, wanted: &Wanted) -> Result<(Vec<Run>, bool)> {
    const BATCH: i64 = 100;
    let mut found = Vec::new();
    let mut below = wanted.below;
    loop {
        let batch = store::registry::tasks::runs::list(&mut cx.tx, registry.id, below, BATCH).await?;
        let Some(last) = batch.last() else { return Ok((found, false)) };
        below = last.number;
        for run in batch {
            if !is_wanted(&run, wanted) {
                continue;
            }
            if found.len() == wanted.most {
                return Ok((found, true));
            }
            found.push(run);
        }
    }
}

fn is_wanted(run: &Run, wanted: &Wanted) -> bool {
    let text = |name: &str| run.document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let fits = |(field, value): &(String, String)| {
        let is = match field.as_str() {
            "taskname" => run.task.clone().unwrap_or_default(),
            "status" => run.status.as_str().to_owned(),
            "runid" => run.name(),
            "runtype" => text("runType"),
            "agentpoolname" => text("agentPoolName"),
            "isarchiveenabled" => run.archived.to_string(),
            _ => return false,
        };
        is.eq_ignore_ascii_case(value)
    };
    let images = || run.document.get("outputImages").and_then(Value::as_array).into_iter().flatten();
    let name = |i: &Value| {
        format!("{}@{}", i["repository"].as_str().unwrap_or_default(), i["digest"].as_str().unwrap_or_default())
    };
    wanted.fields.iter().all(fits) && wanted.image.as_ref().is_none_or(|w| images().any(|i| name(i) == *w))
}

/// Keeps a run although its time will be over, or lets it go.
pub async fn archive(cx: &mut Cx, registry: &Registry, name: &str, archived: Option<bool>) -> Result<Run> {
    let mut run = get(cx, registry, name).await?;
    run.archived = archived.unwrap_or(run.archived);
    run.document.insert(CHANGED.to_owned(), json!(true));
    run.updated_at = cx.now;
    store::registry::tasks::runs::save(&mut cx.tx, &run).await?;
    Ok(run)
}

/// Cancels a run that has not ended. What carries it out finds that, and ends.
pub async fn cancel(cx: &mut Cx, registry: &Registry, name: &str) -> Result<()> {
    let mut run = get(cx, registry, name).await?;
    if run.status.is_final() {
        return Err(crate::domain::error::RegistryError::Invalid(format!(
            "The run {name} has ended already, and cannot be canceled."
        ))
        .into());
    }
    let waited = run.status == Status::Queued;
    run.end(Status::Canceled, None, cx.now);
    store::registry::tasks::runs::save(&mut cx.tx, &run).await?;
    if waited {
        // Nobody else would write its log; while the key cannot be used there is none.
        let text = format!("Run ID: {} was canceled before it began\r\n", run.name());
        let kept = blobs::append_log(cx, registry, &run, text.as_bytes(), Some(run.status.in_log())).await;
        if let Err(failure) = kept.as_ref().map_err(Error::is_failure)
            && failure
        {
            return kept;
        }
    }
    Ok(())
}

/// Where a run's log is read, and the same for one that was kept as an artifact.
pub async fn log_link(cx: &mut Cx, registry: &Registry, name: &str) -> Result<(String, Option<String>)> {
    let run = get(cx, registry, name).await?;
    cmk::open(cx, registry).await?;
    let there = store::registry::tasks::blobs::of_run(&mut cx.tx, run.id).await?.is_some();
    let artifact = super::artifact::link(cx, registry, &run);
    if run.status.is_final() && !there && artifact.is_none() {
        return Err(ResourceError::ChildNotFound(format!("{name}/log")).into());
    }
    Ok((blobs::read_link(cx, registry, &run.log_name()), artifact))
}
