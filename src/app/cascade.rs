//! Deleting a resource group deletes what lies in it, each thing by its own verb.
//! Must not know: how each kind of resource is deleted.

use std::sync::Arc;

use super::{App, groups, identities, registries, vaults};
use crate::domain::access::Caller;
use crate::domain::{Result, name};
use crate::store;

/// Deletes a group with all that lies in it: registries for good, vaults softly, identities.
pub async fn delete_group(app: &Arc<App>, caller: Caller, group: &str) -> Result<()> {
    let mut cx = app.write(caller).await?;
    let found = groups::get(&mut cx, group).await?;
    let mut gone = Vec::new();
    for registry in registries::list(&mut cx, Some(group)).await? {
        gone.extend(registries::remove(&mut cx, &registry).await?);
    }
    for vault in vaults::list(&mut cx, Some(group)).await? {
        vaults::delete(&mut cx, group, &vault.name).await?;
    }
    for identity in identities::list(&mut cx, Some(group)).await? {
        identities::delete(&mut cx, group, &identity.name).await?;
    }
    store::access::delete_below(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::groups::delete(&mut cx.tx, &found.name).await?;
    cx.commit().await?;
    registries::remove_files(app, gone).await;
    Ok(())
}
