//! Deployments of templates as records: begun, kept, found, listed, forgotten. They are JSON, and stay text but where a
//! single member is asked for.
//! Must not know: how a template is deployed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::groups;
use crate::app::{App, Cx};
use crate::domain::error::{DeploymentError, RequestError, ResourceError};
use crate::domain::world::{crypto, json, name};
use crate::domain::{Error, Result, Timestamp};
use crate::store;
pub use crate::store::resources::deployments::{Deployment, Part};

/// Bytes of a page of the list, unless a single deployment is larger. [inferred]
const PAGE: usize = 2 * 1024 * 1024;

fn not_found(name: &str) -> Error {
    DeploymentError::NotFound(name.to_owned()).into()
}

/// A part of a deployment, by scope and name, as JSON.
pub async fn get(cx: &mut Cx, scope: &str, name: &str, part: Part) -> Result<String> {
    store::resources::deployments::find(&mut cx.tx, scope, name, part).await?.ok_or_else(|| not_found(name))
}

/// Whether there is such a deployment.
pub async fn is_there(cx: &mut Cx, scope: &str, name: &str) -> Result<bool> {
    let found = store::resources::deployments::list(&mut cx.tx, scope).await?;
    Ok(found.iter().any(|row| row.name.eq_ignore_ascii_case(name)))
}

#[derive(Deserialize)]
struct Shown {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    provisioning_state: String,
}

/// A deployment's `provisioningState`.
pub async fn state(cx: &mut Cx, scope: &str, name: &str) -> Result<String> {
    let shown = get(cx, scope, name, Part::Shown).await?;
    let shown: Shown = serde_json::from_str(&shown).map_err(Error::internal)?;
    Ok(shown.properties.provisioning_state)
}

/// One of a deployment's operations.
pub async fn operation(cx: &mut Cx, scope: &str, name: &str, operation: &str) -> Result<Option<Value>> {
    let operations = get(cx, scope, name, Part::Operations).await?;
    let operations = json::read(operations.as_bytes(), 4 * json::DOCUMENT_LIMIT);
    let operations =
        operations.map_err(|_| Error::Internal("a deployment's operations are not readable".to_owned()))?;
    let is_it = |o: &&Value| o["operationId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(operation));
    Ok(operations.as_array().into_iter().flatten().find(is_it).cloned())
}

/// A page of the deployments of a scope, the newest first, each as ARM shows it; and the token of the next page. Of at
/// most `top` of those whose `provisioningState` fits.
pub async fn page(
    cx: &mut Cx,
    scope: &str,
    after: Option<&str>,
    top: Option<usize>,
    fits: &(dyn Fn(&str) -> bool + Sync),
) -> Result<(Vec<String>, Option<String>)> {
    let after = after.map(read_token).transpose()?;
    let rows = store::resources::deployments::list(&mut cx.tx, scope).await?;
    // In the order of the list: the newest first, and by name.
    let comes_after = |row: &store::resources::deployments::Row| {
        let Some((ended_at, name)) = &after else { return true };
        (std::cmp::Reverse(row.ended_at), row.name.to_ascii_lowercase())
            > (std::cmp::Reverse(*ended_at), name.to_ascii_lowercase())
    };
    let mut page = Vec::new();
    let mut size = 0;
    let mut last: Option<&store::resources::deployments::Row> = None;
    for row in rows.iter().filter(|row| comes_after(row)) {
        size += row.size;
        if let Some(last) = last.filter(|_| size > PAGE || top.is_some_and(|top| page.len() >= top)) {
            return Ok((page, Some(token(last.ended_at, &last.name))));
        }
        let found = store::resources::deployments::find(&mut cx.tx, scope, &row.name, Part::Shown).await?;
        let Some(found) = found else { continue };
        let shown: Shown = serde_json::from_str(&found).map_err(Error::internal)?;
        if fits(&shown.properties.provisioning_state) {
            page.push(found);
        }
        last = Some(row);
    }
    Ok((page, None))
}

fn token(ended_at: Timestamp, name: &str) -> String {
    crypto::base64url(format!("{}!{name}", ended_at.0).as_bytes())
}

fn read_token(token: &str) -> Result<(Timestamp, String)> {
    let read = || {
        let text = String::from_utf8(crypto::from_base64url(token)?).ok()?;
        let (ended_at, name) = text.split_once('!')?;
        Some((Timestamp(ended_at.parse().ok()?), name.to_owned()))
    };
    let wrong = || RequestError::InvalidValue { property: "$skiptoken".to_owned(), message: "no such page".to_owned() };
    read().ok_or_else(|| wrong().into())
}

/// A deployment that goes on.
#[derive(Debug)]
struct Going {
    began: Timestamp,
    /// As ARM shows it meanwhile.
    shown: String,
    /// The operation that says how it goes.
    operation: String,
    cancelled: watch::Sender<bool>,
}

/// The deployments under way, by scope and name in lower case.
#[derive(Debug, Default)]
pub struct Active(Mutex<HashMap<(String, String), Going>>);

impl Active {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), Going>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(scope: &str, name: &str) -> (String, String) {
    (scope.to_ascii_lowercase(), name.to_ascii_lowercase())
}

/// A deployment under way, until this goes.
#[derive(Debug)]
pub struct UnderWay {
    app: Arc<App>,
    key: (String, String),
    cancelled: watch::Receiver<bool>,
}

impl UnderWay {
    /// Waits until somebody cancels it.
    pub async fn cancelled(&self) {
        // The sender goes with this itself, so there is always one.
        let _ = self.cancelled.clone().wait_for(|cancelled| *cancelled).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.app.deployments.all().remove(&self.key);
    }
}

/// Begins a deployment. Another of the same name is refused until it has ended: only one of them could be kept.
pub fn begin(app: &Arc<App>, scope: &str, name: &str, shown: String, operation: &str) -> Result<UnderWay> {
    let key = key(scope, name);
    let mut active = app.deployments.all();
    if let Some(going) = active.get(&key) {
        return Err(DeploymentError::Active { name: name.to_owned(), began: going.began }.into());
    }
    let (sender, cancelled) = watch::channel(false);
    let going = Going { began: app.now(), shown, operation: operation.to_owned(), cancelled: sender };
    active.insert(key.clone(), going);
    Ok(UnderWay { app: app.clone(), key, cancelled })
}

/// A deployment that goes on, as ARM shows it.
pub fn going(app: &App, scope: &str, name: &str) -> Option<String> {
    app.deployments.all().get(&key(scope, name)).map(|going| going.shown.clone())
}

/// Whether the deployment of an operation goes on.
pub fn goes_on(app: &App, operation: &str) -> bool {
    app.deployments.all().values().any(|going| going.operation.eq_ignore_ascii_case(operation))
}

/// Cancels a deployment that goes on. `false`: there is none.
pub fn cancel(app: &App, scope: &str, name: &str) -> bool {
    app.deployments.all().get(&key(scope, name)).is_some_and(|going| going.cancelled.send(true).is_ok())
}

/// Keeps a deployment in place of the one with its name. Its resource group may have been deleted while it ran.
pub async fn save(cx: &mut Cx, deployment: &Deployment, group: Option<&str>) -> Result<()> {
    if let Some(group) = group {
        groups::get(cx, group).await?;
    }
    if !name::is_deployment(&deployment.name) {
        let (name, kind) = (deployment.name.clone(), "Microsoft.Resources/deployments".to_owned());
        return Err(ResourceError::NameInvalid { name, kind }.into());
    }
    store::resources::deployments::save(&mut cx.tx, deployment).await
}

/// Forgets a deployment; what it deployed stays. `false`: there was none.
pub async fn delete(cx: &mut Cx, scope: &str, name: &str) -> Result<bool> {
    store::resources::deployments::delete(&mut cx.tx, scope, name).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::testbed::Bed;
    use crate::domain::Error;
    use crate::domain::access::Caller;

    #[tokio::test]
    async fn one_deployment_of_a_name_is_under_way() {
        let bed = Bed::new().await;
        let first = begin(&bed.app, "/scope", "One", String::new(), "o").unwrap();
        let refused = begin(&bed.app, "/SCOPE", "one", String::new(), "o").unwrap_err();
        assert!(matches!(refused, Error::Resource(ResourceError::Deployment(DeploymentError::Active { .. }))));
        let other = begin(&bed.app, "/scope", "other", String::new(), "o").unwrap();
        drop(first);
        begin(&bed.app, "/scope", "one", String::new(), "o").unwrap();
        assert!(begin(&bed.app, "/scope", "other", String::new(), "o").is_err());
        drop(other);
    }

    #[tokio::test]
    async fn a_deployment_whose_group_was_deleted_is_not_kept() {
        let bed = Bed::new().await;
        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        let now = cx.now;
        let deployment = Deployment {
            scope: name::group_id("g"),
            name: "one".to_owned(),
            shown: "{}".to_owned(),
            template: "{}".to_owned(),
            operations: "[]".to_owned(),
            ended_at: now,
        };
        assert!(save(&mut cx, &deployment, Some("g")).await.is_err());
        groups::put(&mut cx, "g", Some("eastus"), None).await.unwrap();
        save(&mut cx, &deployment, Some("g")).await.unwrap();
        assert_eq!(get(&mut cx, &deployment.scope, "one", Part::Shown).await.unwrap(), "{}");
    }
}
