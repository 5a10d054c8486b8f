//! Deployments of templates as records: kept, found, listed, forgotten.
//! Must not know: how a template is deployed.

use super::Cx;
use crate::domain::error::ResourceError;
use crate::domain::{Result, name};
use crate::store;
pub use crate::store::deployments::Deployment;

/// A deployment by scope and name.
pub async fn get(cx: &mut Cx, scope: &str, name: &str) -> Result<Deployment> {
    let found = store::deployments::find(&mut cx.tx, scope, name).await?;
    found.ok_or_else(|| ResourceError::DeploymentNotFound(name.to_owned()).into())
}

/// The deployments of a scope, the newest first.
pub async fn list(cx: &mut Cx, scope: &str) -> Result<Vec<Deployment>> {
    store::deployments::list(&mut cx.tx, scope).await
}

/// Keeps a deployment in place of the one with its name.
pub async fn save(cx: &mut Cx, deployment: &Deployment) -> Result<()> {
    if !name::is_deployment(&deployment.name) {
        let (name, kind) = (deployment.name.clone(), "Microsoft.Resources/deployments".to_owned());
        return Err(ResourceError::NameInvalid { name, kind }.into());
    }
    store::deployments::save(&mut cx.tx, deployment).await
}

/// Forgets a deployment; what it deployed stays. `false`: there was none.
pub async fn delete(cx: &mut Cx, scope: &str, name: &str) -> Result<bool> {
    store::deployments::delete(&mut cx.tx, scope, name).await
}
