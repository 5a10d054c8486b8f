//! Tasks, task runs and agent pools as resources: what their documents say, which of it is secret, their identities.
//! A task's whole document is sealed; beside it stands what triggers are looked up by.
//! Must not know: HTTP, how a run is carried out.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::documents::{USERS, opened, seal, user_identities};
use super::{runs, triggers};
use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::children::{Asked, begin, missing, save};
use crate::app::registry::identity;
use crate::domain::error::{RegistryError, RequestError};
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::registry::tasks::cron::Schedule;
use crate::domain::registry::tasks::order::{Order, step_kind};
use crate::domain::registry::tasks::run::Run;
use crate::domain::world::name;
use crate::domain::{Error, Result};
use crate::store;

fn invalid(property: &str, message: impl Into<String>) -> Error {
    RequestError::InvalidValue { property: property.to_owned(), message: message.into() }.into()
}

/// Adds or changes a task from the document of a PUT or, `patch`, a PATCH. `true`: it is new.
pub async fn put(cx: &mut Cx, registry: &Registry, task: &str, body: &Value, patch: bool) -> Result<(Child, bool)> {
    let (mut child, new) = begin(cx, registry, Kind::TASK, task).await?;
    let asked = body["properties"].as_object().cloned().unwrap_or_default();
    let mut document = if patch { opened(cx, &child)? } else { Map::new() };
    merge(&mut document, asked, patch);
    settle(registry, &mut document)?;
    if new {
        let location = body["location"].as_str().ok_or_else(|| missing("location"))?;
        child.location = Some(name::location(location));
    }
    if body["tags"].is_object() {
        child.tags = body["tags"].clone();
    }
    let mut found = Map::new();
    let bases = child.properties.get("step").map(|s| s["baseImageDependencies"].clone()).unwrap_or_default();
    let mut step = json!({"type": document["step"]["type"]});
    if !bases.is_null() {
        step["baseImageDependencies"] = bases;
    }
    found.insert("step".to_owned(), step);
    for name in ["status", "trigger", "agentPoolName"] {
        if let Some(value) = document.get(name) {
            found.insert(name.to_owned(), value.clone());
        }
    }
    found.insert(USERS.to_owned(), json!(user_identities(&child)));
    child.properties = found;
    assign(cx, registry, &mut child, body.get("identity"), patch).await?;
    seal(cx, &mut child, &document)?;
    let child = save(cx, child).await?;
    triggers::wind(cx, &child).await?;
    Ok((child, new))
}

/// Puts what was asked for into a document. A PATCH goes on within objects, changes members of lists of triggers by their
/// names, and takes away what it says is null [recorded].
fn merge(document: &mut Map<String, Value>, asked: Map<String, Value>, patch: bool) {
    for (name, value) in asked {
        if name == "provisioningState" || name == "creationDate" {
            continue;
        }
        let kept = document.get_mut(&name);
        match (kept, value) {
            (Some(Value::Object(kept)), Value::Object(asked)) if patch && name != "customRegistries" => {
                merge(kept, asked, patch);
            }
            (Some(Value::Object(kept)), Value::Object(asked)) if patch => {
                for (server, login) in asked {
                    if login.is_null() {
                        kept.shift_remove(&server);
                    } else {
                        kept.insert(server, login);
                    }
                }
            }
            (Some(Value::Array(kept)), Value::Array(asked)) if patch && name.ends_with("Triggers") => {
                merge_named(kept, asked);
            }
            (_, Value::Null) => {
                document.shift_remove(&name);
            }
            (_, value) => {
                document.insert(name, value);
            }
        }
    }
}

fn merge_named(kept: &mut Vec<Value>, asked: Vec<Value>) {
    for one in asked {
        let same = kept.iter_mut().find(|k| k["name"] == one["name"]);
        match (same, one) {
            (Some(Value::Object(kept)), Value::Object(one)) => merge(kept, one, true),
            (_, one) => kept.push(one),
        }
    }
}

/// Checks a task's document, and fills in what goes without saying.
fn settle(registry: &Registry, document: &mut Map<String, Value>) -> Result<()> {
    let system = document.get("isSystemTask").and_then(Value::as_bool).unwrap_or(false);
    document.entry("status").or_insert_with(|| json!("Enabled"));
    document.entry("timeout").or_insert_with(|| json!(3600));
    if !system {
        document.entry("agentConfiguration").or_insert_with(|| json!({"cpu": 2}));
        step_kind(document.get("step").ok_or_else(|| invalid("step", "it is required"))?)?;
        Order::of_task(document, &Value::Null)?;
    }
    document.entry("isSystemTask").or_insert(json!(false));
    if (system || document.contains_key("logTemplate")) && registry.cmk.is_none() {
        // [cli: the help] The text is ours.
        let what = if system { "isSystemTask" } else { "logTemplate" };
        return Err(invalid(what, "it is only for registries with a customer-managed key"));
    }
    // Without credentials it says nothing of them [recorded].
    if document.get("credentials").and_then(Value::as_object).is_some_and(Map::is_empty) {
        document.shift_remove("credentials");
    }
    let trigger = document.get("trigger").cloned().unwrap_or_default();
    for timer in trigger["timerTriggers"].as_array().into_iter().flatten() {
        let schedule = timer["schedule"].as_str().ok_or_else(|| missing("schedule"))?;
        timer["name"].as_str().filter(|n| !n.is_empty()).ok_or_else(|| missing("name"))?;
        Schedule::parse(schedule).map_err(|why| invalid("schedule", format!("'{schedule}' is no schedule: {why}")))?;
    }
    for source in trigger["sourceTriggers"].as_array().into_iter().flatten() {
        source["name"].as_str().ok_or_else(|| missing("name"))?;
        source["sourceRepository"]["repositoryUrl"].as_str().ok_or_else(|| missing("repositoryUrl"))?;
        let events = source["sourceTriggerEvents"].as_array().filter(|e| !e.is_empty());
        let known = |e: &Value| {
            e.as_str().is_some_and(|e| ["commit", "pullrequest"].contains(&e.to_ascii_lowercase().as_str()))
        };
        if !events.is_some_and(|events| events.iter().all(known)) {
            return Err(invalid("sourceTriggerEvents", "it names no events, or others than commit and pullrequest"));
        }
    }
    let base = &trigger["baseImageTrigger"];
    if base.is_object() {
        let kind = base["baseImageTriggerType"].as_str().ok_or_else(|| missing("baseImageTriggerType"))?;
        if !["All", "Runtime"].iter().any(|k| kind.eq_ignore_ascii_case(k)) {
            return Err(invalid("baseImageTriggerType", format!("'{kind}' is none")));
        }
    }
    Ok(())
}

/// Gives a task the identities that a write asks for. A PATCH with nulls takes those away and leaves the others. [inferred]
async fn assign(cx: &mut Cx, registry: &Registry, task: &mut Child, asked: Option<&Value>, patch: bool) -> Result<()> {
    let Some(asked) = asked.filter(|i| !i.is_null()) else { return Ok(()) };
    let kept = user_identities(task);
    let given = asked["userAssignedIdentities"].as_object().cloned().unwrap_or_default();
    let removed: Vec<String> = given.iter().filter(|(_, v)| v.is_null()).map(|(id, _)| id.clone()).collect();
    let (users, system) = if patch && !removed.is_empty() {
        let users = kept.iter().filter(|k| !removed.iter().any(|r| r.eq_ignore_ascii_case(k))).cloned().collect();
        (users, task.principal.is_some())
    } else {
        let own =
            Registry { user_identities: kept.clone(), system_principal: task.principal.clone(), ..registry.clone() };
        let wanted = identity::wanted(cx, &own, Some(asked)).await?;
        let mut users = wanted.users;
        if patch && !users.is_empty() {
            users.extend(kept);
            users.sort();
            users.dedup();
        }
        (users, wanted.system)
    };
    match (&task.principal, system) {
        (None, true) => {
            let made = identities::add_managed(cx, &task.name, &task.arm_id(registry)).await?;
            task.principal = Some(made.object_id);
        }
        (Some(principal), false) => {
            store::directory::delete(&mut cx.tx, principal).await?;
            task.principal = None;
        }
        _ => {}
    }
    task.properties.insert(USERS.to_owned(), json!(users));
    Ok(())
}

/// Adds a task run, or changes one, and asks for its run: anew only if the request or its `forceUpdateTag` has changed
/// [docs]. `true`: it is new.
pub async fn put_task_run(cx: &mut Cx, registry: &Registry, name: &str, body: &Value) -> Result<(Child, bool)> {
    let (mut child, new) = begin(cx, registry, Kind::TASK_RUN, name).await?;
    let asked = body["properties"].as_object().cloned().unwrap_or_default();
    let mut document = opened(cx, &child)?;
    let before = document.clone();
    merge(&mut document, asked, true);
    let request = document.get("runRequest").filter(|r| r.is_object()).cloned().ok_or_else(|| missing("runRequest"))?;
    if let Some(location) = body["location"].as_str() {
        child.location = Some(name::location(location));
    }
    if new || before != document {
        let run = runs::schedule(cx, registry, &request).await?;
        child.properties.insert("run".to_owned(), json!(run.name()));
    }
    assign(cx, registry, &mut child, body.get("identity"), !new).await?;
    seal(cx, &mut child, &document)?;
    Ok((save(cx, child).await?, new))
}

/// A task run's document, and its run if that is still there.
pub async fn task_run(cx: &mut Cx, registry: &Registry, child: &Child) -> Result<(Map<String, Value>, Option<Run>)> {
    let mut document = opened(cx, child)?;
    if let Some(Value::Object(request)) = document.get_mut("runRequest") {
        for list in ["arguments", "values"] {
            for one in request.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if one["isSecret"] == true
                    && let Some(one) = one.as_object_mut()
                {
                    one.shift_remove("value");
                }
            }
        }
        if let Some(Value::Object(custom)) = request.get_mut("credentials").and_then(|c| c.get_mut("customRegistries"))
        {
            custom.values_mut().for_each(|one| *one = Value::Null);
        }
    }
    let run = runs::get(cx, registry, child.run()).await.ok();
    Ok((document, run))
}

/// What can be asked of an agent pool.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pool {
    count: Option<u64>,
    tier: Option<String>,
    os: Option<String>,
    virtual_network_subnet_resource_id: Option<String>,
}

/// Adds an agent pool, or changes its count. A pool is here a limit on how many of its runs go on at a time. `true`: it is
/// new.
pub async fn put_pool(cx: &mut Cx, registry: &Registry, name: &str, asked: Asked<Pool>) -> Result<(Child, bool)> {
    if !registry.premium() {
        return Err(RegistryError::lacking(&registry.sku, "agent pools").into());
    }
    let (mut pool, new) = begin(cx, registry, Kind::AGENT_POOL, name).await?;
    let Asked { location, tags, properties: asked } = asked;
    if new {
        pool.location = Some(location.map_or_else(|| registry.location.clone(), |at| name::location(&at)));
        let tier = asked.tier.as_deref().unwrap_or("S1").to_ascii_uppercase();
        if !["S1", "S2", "S3", "I6"].contains(&tier.as_str()) {
            return Err(invalid("tier", format!("'{tier}' is none")));
        }
        pool.properties.insert("count".to_owned(), json!(1));
        pool.properties.insert("tier".to_owned(), json!(tier));
        pool.properties.insert("os".to_owned(), json!(asked.os.as_deref().unwrap_or("Linux")));
        if let Some(subnet) = asked.virtual_network_subnet_resource_id {
            pool.properties.insert("virtualNetworkSubnetResourceId".to_owned(), json!(subnet));
        }
    }
    if let Some(count) = asked.count {
        if count > 100 {
            return Err(invalid("count", "it is not a number from 0 to 100"));
        }
        pool.properties.insert("count".to_owned(), json!(count));
    }
    if let Some(tags) = tags {
        pool.tags = Value::Object(tags);
    }
    let pool = save(cx, pool).await?;
    let app = cx.app.clone();
    // There may be places now for runs that wait.
    cx.tx.then(move || app.tasks.wake.notify_one());
    Ok((pool, new))
}

/// How many runs wait for an agent pool.
pub async fn queue(cx: &mut Cx, registry: &Registry, pool: &Child) -> Result<i64> {
    store::registry::tasks::runs::waiting(&mut cx.tx, registry.id, &pool.name).await
}
