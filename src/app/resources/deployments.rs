//! Deployments of templates as records: begun, kept, found, listed, forgotten.
//! Must not know: how a template is deployed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::groups;
use crate::app::{App, Cx};
use crate::domain::error::ResourceError;
use crate::domain::world::name;
use crate::domain::{Result, Timestamp};
use crate::store;
pub use crate::store::resources::deployments::Deployment;

/// A deployment by scope and name.
pub async fn get(cx: &mut Cx, scope: &str, name: &str) -> Result<Deployment> {
    let found = store::resources::deployments::find(&mut cx.tx, scope, name).await?;
    found.ok_or_else(|| ResourceError::DeploymentNotFound(name.to_owned()).into())
}

/// The deployments of a scope, the newest first.
pub async fn list(cx: &mut Cx, scope: &str) -> Result<Vec<Deployment>> {
    store::resources::deployments::list(&mut cx.tx, scope).await
}

/// The deployments under way, by scope and name in lower case: when they began.
#[derive(Debug, Default)]
pub struct Active(Mutex<HashMap<(String, String), Timestamp>>);

impl Active {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deployment under way, until this goes.
#[derive(Debug)]
pub struct UnderWay(Arc<App>, (String, String));

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.deployments.all().remove(&self.1);
    }
}

/// Begins a deployment. Another of the same name is refused until it has ended: only one of them could be kept.
pub fn begin(app: &Arc<App>, scope: &str, name: &str) -> Result<UnderWay> {
    let key = (scope.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut active = app.deployments.all();
    if let Some(began) = active.get(&key).copied() {
        return Err(ResourceError::DeploymentActive { name: name.to_owned(), began }.into());
    }
    active.insert(key.clone(), app.now());
    Ok(UnderWay(app.clone(), key))
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

    use serde_json::json;

    use super::*;
    use crate::app::testbed::Bed;
    use crate::domain::Error;
    use crate::domain::access::Caller;

    #[tokio::test]
    async fn one_deployment_of_a_name_is_under_way() {
        let bed = Bed::new().await;
        let first = begin(&bed.app, "/scope", "One").unwrap();
        let refused = begin(&bed.app, "/SCOPE", "one").unwrap_err();
        assert!(matches!(refused, Error::Resource(ResourceError::DeploymentActive { .. })));
        let other = begin(&bed.app, "/scope", "other").unwrap();
        drop(first);
        begin(&bed.app, "/scope", "one").unwrap();
        assert!(begin(&bed.app, "/scope", "other").is_err());
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
            shown: json!({}),
            template: json!({}),
            operations: json!([]),
            ended_at: now,
        };
        assert!(save(&mut cx, &deployment, Some("g")).await.is_err());
        groups::put(&mut cx, "g", Some("eastus"), None).await.unwrap();
        save(&mut cx, &deployment, Some("g")).await.unwrap();
        assert_eq!(get(&mut cx, &deployment.scope, "one").await.unwrap(), deployment);
    }
}
