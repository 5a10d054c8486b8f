//! What a deployment would change: the plan's predictions beside what is there.
//! Must not know: how anything is created.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::asked::{Asked, NESTING_LIMIT, Read, asked_for, deployer, plan};
use super::deploy::{Deployer, is_access_policies};
use crate::app::world::work;
use crate::domain::error::DeploymentError;
use crate::domain::resources::template::{Invalid, Known, Places, Program, Resource, Stop, get, take};
use crate::domain::world::name;
use crate::domain::{Error, Result};
use crate::http::arm::Arm;
use crate::http::arm::dialect;

/// Bytes of all changes at most. [inferred] Azure stops to expand templates at limits of its own and names what is
/// left `Ignore` [docs].
const SHOWN_LIMIT: usize = 8 * 1024 * 1024;

/// What would become of one resource.
pub(super) struct Change {
    id: String,
    /// As it is shown.
    text: String,
}

impl Change {
    fn new(id: &str, shown: &Value) -> Self {
        Self { id: id.to_owned(), text: shown.to_string() }
    }
}

/// Changes, once they are known.
type Changes = Pin<Box<dyn Future<Output = Result<Vec<Change>>> + Send>>;

/// A template within a template, as the caller plans it: its scope, and its properties.
type Replan<'a> = &'a (dyn Fn(String, Value) -> Changes + Send + Sync);

fn wrong(stop: Stop) -> Error {
    DeploymentError::Template(stop.why()).into()
}

/// The outcome of a what-if, as JSON. The inner error is one of the template, which is told at once.
pub(super) async fn answer(arm: &mut Arm, asked: Asked, read: Read) -> Result<std::result::Result<String, Invalid>> {
    let deployer = deployer(arm);
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let correlation = cx.guid();
    let program = match plan(&mut cx, &asked, read, &arm.templates).await? {
        Ok(program) => program,
        Err(wrong) => return Ok(Err(wrong)),
    };
    drop(cx);
    let mut changes = match predict(deployer.clone(), program).await {
        Ok(changes) => changes,
        Err(error) => {
            let failed = json!({"status": "Failed", "error": dialect::code_and_message(&error)});
            return Ok(Ok(failed.to_string()));
        }
    };
    if asked.group.is_some() {
        let all = resources_of(&deployer, &asked).await?;
        let kind = if asked.complete { "Delete" } else { "Ignore" };
        let named: Vec<&str> = changes.iter().map(|change| change.id.as_str()).collect();
        let others: Vec<Change> = beside(&all, &named)
            .map(|(id, before)| Change::new(id, &json!({"resourceId": id, "changeType": kind, "before": before})))
            .collect();
        changes.extend(others);
    }
    Ok(Ok(shown(&changes, &correlation)))
}

/// The changes of a plan's resources.
async fn changes(deployer: &Deployer, program: &Arc<Program>, nested: Replan<'_>) -> Result<Vec<Change>> {
    let mut known = Known::new(program.budget());
    let mut all = Vec::new();
    let mut size = 0;
    for (at, resource) in program.resources.iter().enumerate().filter(|(_, r)| r.wanted && !r.existing) {
        let mut after = predicted(deployer, program, at, &mut known).await?;
        let more = if resource.is_deployment() {
            let scope = resource.id.rsplit_once("/providers/").map_or("", |(scope, _)| scope).to_owned();
            let properties = take(&mut after, "properties").unwrap_or_default();
            nested(scope, properties).await?
        } else {
            vec![Change::new(&resource.id, &change(deployer, resource, after).await?)]
        };
        size += more.iter().map(|change| change.text.len()).sum::<usize>();
        if size > SHOWN_LIMIT {
            let why = format!("The changes are larger than {} MB.", SHOWN_LIMIT / (1024 * 1024));
            return Err(DeploymentError::Template(why).into());
        }
        all.extend(more);
    }
    Ok(all)
}

/// The resources of a group, in the order in which they can be deleted.
pub(super) async fn resources_of(deployer: &Deployer, asked: &Asked) -> Result<Vec<Value>> {
    let path = format!("{}/resources", asked.scope);
    let (_, mut list) = deployer.call(Method::GET, &path, "2024-11-01", None).await?;
    Ok(match take(&mut list, "value") {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    })
}

/// The resources beside those that are named, their parents included: complete mode deletes them, incremental mode
/// leaves them alone.
pub(super) fn beside<'r>(
    resources: &'r [Value],
    named: &[&str],
) -> impl Iterator<Item = (&'r str, &'r Value)> + use<'r> {
    let named: HashSet<String> = named
        .iter()
        .flat_map(|id| {
            let id = id.to_ascii_lowercase();
            let ends: Vec<usize> = id.match_indices('/').map(|(at, _)| at).chain([id.len()]).collect();
            ends.into_iter().map(move |end| id[..end].to_owned()).collect::<Vec<_>>()
        })
        .collect();
    let ids = resources.iter().filter_map(|r| Some((r["id"].as_str()?, r)));
    ids.filter(move |(id, _)| !named.contains(&id.to_ascii_lowercase()))
}

/// The changes that a deployment would make, those of its nested ones included, and the memory that they hold.
fn predict(deployer: Deployer, program: Arc<Program>) -> Changes {
    Box::pin(async move {
        let nested = |scope: String, properties: Value| {
            let deployer = deployer.within();
            let inner: Changes = Box::pin(async move {
                let templates = &deployer.templates;
                if templates.level > NESTING_LIMIT {
                    let why = format!("Templates are nested deeper than {NESTING_LIMIT} levels.");
                    return Err(DeploymentError::Template(why).into());
                }
                let nothing = templates.budget.nothing();
                let (asked, read) =
                    asked_for(scope, "nested".to_owned(), properties, Places::default(), nothing, templates)?;
                let mut cx = deployer.app.read(deployer.caller.clone()).await?;
                let program = plan(&mut cx, &asked, read, templates).await?;
                let program = program.map_err(|wrong| DeploymentError::Template(wrong.message))?;
                drop(cx);
                predict(deployer.clone(), program).await
            });
            inner
        };
        changes(&deployer, &program, &nested).await
    })
}

/// A body with what can be known of the cloud put in.
async fn predicted(deployer: &Deployer, program: &Arc<Program>, at: usize, known: &mut Known) -> Result<Value> {
    let mut asked = HashSet::new();
    loop {
        let (planned, answers) = (program.clone(), std::mem::replace(known, Known::new(program.budget())));
        let (done, answers) =
            work::run(move || (planned.prediction(&planned.resources[at], &answers), answers)).await?;
        *known = answers;
        let (body, needs) = done.map_err(wrong)?;
        let Some(need) = needs.into_iter().find(|n| n.action.is_none() && !asked.contains(n)) else { return Ok(body) };
        if let Ok(answer) = deployer.fetch(&need).await {
            known.add(need.clone(), answer).map_err(wrong)?;
        }
        asked.insert(need);
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
    compare(&resource.kind, "", &before, &wanted, &mut delta);
    let kind = if delta.is_empty() { "NoChange" } else { "Modify" };
    Ok(json!({"resourceId": resource.id, "changeType": kind, "before": before, "after": after, "delta": delta}))
}

/// What is taken and never shown, so that it cannot be compared: how a vault is made, what a secret is, where a webhook
/// sends, and, of a key that is no curve's, the name of a curve.
const UNSEEN: [(&str, &str); 4] = [
    ("Microsoft.KeyVault/vaults", "properties.createMode"),
    ("Microsoft.KeyVault/vaults/secrets", "properties.value"),
    ("Microsoft.KeyVault/vaults/keys", "properties.curveName"),
    ("Microsoft.ContainerRegistry/registries/webhooks", "properties.serviceUri"),
];

fn unseen(kind: &str, path: &str) -> bool {
    UNSEEN.iter().any(|(of, unseen)| of.eq_ignore_ascii_case(kind) && *unseen == path)
}

/// Adds what `after` wants otherwise than `before` has it. What it does not name stays as it is.
fn compare(kind: &str, path: &str, before: &Value, after: &Value, delta: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(_), Value::Object(wanted)) => {
            for (key, value) in wanted {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(kind, &path, get(before, key).unwrap_or(&Value::Null), value, delta);
            }
        }
        (Value::Array(there), Value::Array(wanted)) => {
            let missing = wanted.iter().any(|w| !there.iter().any(|t| covers(t, w)));
            let additive = path.ends_with("accessPolicies");
            if missing || (!additive && there.len() != wanted.len()) {
                delta.push(json!({"path": path, "propertyChangeType": "Modify", "before": before, "after": after}));
            }
        }
        _ if covers(before, after) || unseen(kind, path) => {}
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
        // Null is as if it were not there [docs: template functions, null].
        (_, Value::Null) => true,
        (_, Value::String(text)) if text.starts_with('[') && text.ends_with(']') => true,
        (Value::String(a), Value::String(b)) => {
            a.eq_ignore_ascii_case(b)
                || name::location(a) == name::location(b)
                // Key Vault names its port in some places and not in others [recorded].
                || a.replace(":443/", "/").eq_ignore_ascii_case(&b.replace(":443/", "/"))
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
fn shown(changes: &[Change], correlation: &str) -> String {
    let changes: Vec<&str> = changes.iter().map(|change| change.text.as_str()).collect();
    let changes = changes.join(",");
    format!(
        "{{\"status\":\"Succeeded\",\"properties\":{{\"correlationId\":{},\"changes\":[{changes}]}}}}",
        json!(correlation)
    )
}
