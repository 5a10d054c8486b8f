//! Deleting what holds other things: a resource group with its resources.
//! Must not know: how each kind of resource is deleted.

use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::registries;
use crate::app::resources::groups;
use crate::app::vault::vaults;
use crate::domain::Result;
use crate::domain::world::name;
use crate::store;

/// Deletes a group with all that lies in it: registries for good, vaults softly, identities. The files of registries
/// go once this is committed (see `content::sweep`).
pub async fn delete_group(cx: &mut Cx, group: &str) -> Result<()> {
    let found = groups::get(cx, group).await?;
    for registry in registries::list(cx, Some(group)).await? {
        registries::remove(cx, &registry).await?;
    }
    for vault in vaults::list(cx, Some(group)).await? {
        vaults::delete(cx, group, &vault.name).await?;
    }
    for identity in identities::list(cx, Some(group)).await? {
        identities::delete(cx, group, &identity.name).await?;
    }
    store::access::delete_below(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::resources::deployments::delete_all(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::resources::groups::delete(&mut cx.tx, &found.name).await
}
