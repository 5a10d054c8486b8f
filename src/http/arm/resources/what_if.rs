//! What a deployment would change: the plan's predictions beside what is there.
//! Must not know: how anything is created.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value, json};

use super::deploy::{Deployer, is_access_policies};
use crate::domain::resources::template::{Known, Program, Resource, Stop, get};
use crate::domain::world::name;
use crate::domain::{Error, Result};

/// A template within a template, as the caller plans it: its scope, and its properties.
pub(in crate::http::arm) type Replan<'a> =
    &'a (dyn Fn(String, Value) -> Pin<Box<dyn Future<Output = Result<Vec<Value>>> + Send>> + Send + Sync);

/// The changes of a plan's resources.
pub(in crate::http::arm) async fn changes(
    deployer: &Deployer,
    program: &Program,
    nested: Replan<'_>,
) -> Result<Vec<Value>> {
    let mut known = Known::new();
    let mut all = Vec::new();
    for resource in program.resources.iter().filter(|r| r.wanted && !r.existing) {
        let after = predicted(deployer, program, resource, &mut known).await?;
        if resource.is_deployment() {
            let scope = resource.id.rsplit_once("/providers/").map_or("", |(scope, _)| scope).to_owned();
            let properties = get(&after, "properties").cloned().unwrap_or_default();
            all.extend(nested(scope, properties).await?);
            continue;
        }
        all.push(change(deployer, resource, after).await?);
    }
    Ok(all)
}

/// The changes that complete mode makes beside the plan: what it does not name goes. In incremental mode
/// such resources are named and left alone.
pub(in crate::http::arm) fn beside(resources: &[Value], changes: &[Value], complete: bool) -> Vec<Value> {
    let named = |id: &str| {
        changes.iter().filter_map(|c| c["resourceId"].as_str()).any(|c| {
            c.eq_ignore_ascii_case(id) || c.to_ascii_lowercase().starts_with(&format!("{}/", id.to_ascii_lowercase()))
        })
    };
    let others = resources.iter().filter(|r| r["id"].as_str().is_some_and(|id| !named(id)));
    let kind = if complete { "Delete" } else { "Ignore" };
    others.map(|r| json!({"resourceId": r["id"], "changeType": kind, "before": r})).collect()
}

/// A body with what can be known of the cloud put in.
async fn predicted(deployer: &Deployer, program: &Program, resource: &Resource, known: &mut Known) -> Result<Value> {
    let mut asked = Vec::new();
    loop {
        let (body, needs) = program.prediction(resource, known).map_err(|stop| match stop {
            Stop::Fail(why) => Error::Resource(crate::domain::error::ResourceError::TemplateInvalid(why)),
            Stop::Need(need) => Error::Internal(format!("a prediction stopped at {}", need.id)),
        })?;
        let Some(need) = needs.into_iter().find(|n| n.action.is_none() && !asked.contains(n)) else { return Ok(body) };
        if let Ok(answer) = deployer.fetch(&need).await {
            known.insert(need.clone(), answer);
        }
        asked.push(need);
    }
}

async fn change(deployer: &Deployer, resource: &Resource, body: Value) -> Result<Value> {
    let mut after = json!({"apiVersion": resource.api_version, "id": resource.id, "name": resource.name.rsplit('/').next(), "type": resource.kind});
    for (key, value) in body.as_object().into_iter().flatten() {
        after[key] = value.clone();
    }
    let (before, wanted) = if is_access_policies(resource) {
        let vault = resource.id.to_ascii_lowercase().rfind("/accesspolicies/").map(|at| resource.id[..at].to_owned());
        let vault = deployer.get(&vault.unwrap_or_default(), "2023-07-01").await?;
        (vault.map(|v| json!({"properties": {"accessPolicies": v["properties"]["accessPolicies"]}})), body)
    } else {
        (deployer.get(&resource.id, &resource.api_version).await?, body)
    };
    let Some(before) = before else {
        return Ok(json!({"resourceId": resource.id, "changeType": "Create", "after": after}));
    };
    let mut delta = Vec::new();
    compare("", &before, &wanted, &mut delta);
    let kind = if delta.is_empty() { "NoChange" } else { "Modify" };
    Ok(json!({"resourceId": resource.id, "changeType": kind, "before": before, "after": after, "delta": delta}))
}

/// Adds what `after` wants otherwise than `before` has it. What it does not name stays as it is.
fn compare(path: &str, before: &Value, after: &Value, delta: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(_), Value::Object(wanted)) => {
            for (key, value) in wanted {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, get(before, key).unwrap_or(&Value::Null), value, delta);
            }
        }
        (Value::Array(there), Value::Array(wanted)) => {
            let missing = wanted.iter().any(|w| !there.iter().any(|t| covers(t, w)));
            let additive = path.ends_with("accessPolicies");
            if missing || (!additive && there.len() != wanted.len()) {
                delta.push(json!({"path": path, "propertyChangeType": "Modify", "before": before, "after": after}));
            }
        }
        _ if covers(before, after) || path == "properties.createMode" => {}
        (Value::Null, _) => delta.push(json!({"path": path, "propertyChangeType": "Create", "after": after})),
        _ => delta.push(json!({"path": path, "propertyChangeType": "Modify", "before": before, "after": after})),
    }
}

/// Whether what is there already is what is wanted, as far as can be told: case and white space of words
/// aside, nothing for nothing, and an expression that cannot be evaluated yet fits everything.
fn covers(there: &Value, wanted: &Value) -> bool {
    let nothing = |v: &Value| match v {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match (there, wanted) {
        (_, Value::String(text)) if text.starts_with('[') && text.ends_with(']') => true,
        (Value::String(a), Value::String(b)) => {
            a.eq_ignore_ascii_case(b)
                || name::location(a) == name::location(b)
                || a.to_ascii_lowercase().ends_with(&format!("/{}", b.to_ascii_lowercase()))
        }
        (Value::Object(_), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| covers(get(there, key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(there), Value::Array(wanted)) => wanted.iter().all(|w| there.iter().any(|t| covers(t, w))),
        (there, wanted) => there == wanted || (nothing(there) && nothing(wanted)),
    }
}

/// The answer to a what-if.
pub(in crate::http::arm) fn shown(changes: Vec<Value>, correlation: &str) -> Value {
    let mut properties = Map::new();
    properties.insert("correlationId".into(), json!(correlation));
    properties.insert("changes".into(), Value::Array(changes));
    json!({"status": "Succeeded", "properties": properties})
}
