//! Deleting what holds other things: a resource group with its resources, a registry with its content.
//! Must not know: how each kind of resource is deleted.

use std::sync::Arc;

use super::{App, content, groups, identities, registries, vaults};
use crate::domain::access::Caller;
use crate::domain::error::ResourceError;
use crate::domain::{Error, Result, name};
use crate::store;

/// Deletes a group with all that lies in it: registries for good, vaults softly, identities.
pub async fn delete_group(app: &Arc<App>, caller: Caller, group: &str) -> Result<()> {
    let mut cx = app.write(caller).await?;
    let found = groups::get(&mut cx, group).await?;
    for registry in registries::list(&mut cx, Some(group)).await? {
        registries::remove(&mut cx, &registry).await?;
    }
    for vault in vaults::list(&mut cx, Some(group)).await? {
        vaults::delete(&mut cx, group, &vault.name).await?;
    }
    for identity in identities::list(&mut cx, Some(group)).await? {
        identities::delete(&mut cx, group, &identity.name).await?;
    }
    store::access::delete_below(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::deployments::delete_all(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::groups::delete(&mut cx.tx, &found.name).await?;
    cx.commit().await?;
    content::sweep(app).await
}

/// Deletes a registry with all its content. `false`: there was none.
pub async fn delete_registry(app: &Arc<App>, caller: Caller, group: &str, name: &str) -> Result<bool> {
    let mut cx = app.write(caller).await?;
    let found = match registries::get(&mut cx, group, name).await {
        Ok(found) => found,
        Err(Error::Resource(ResourceError::NotFound { .. })) => return Ok(false),
        Err(error) => return Err(error),
    };
    registries::remove(&mut cx, &found).await?;
    cx.commit().await?;
    content::sweep(app).await?;
    Ok(true)
}
