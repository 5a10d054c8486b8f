//! Deleting what holds other things: a resource group with its resources.
//! Must not know: which kinds of resources there are, how each is deleted.

use crate::app::Cx;
use crate::app::change::Attempt;
use crate::app::resources::groups;
use crate::domain::Result;
use crate::domain::world::name;
use crate::store;

/// Deletes all resources of one kind in a group.
pub type Clear = for<'a> fn(&'a mut Cx, &'a str) -> Attempt<'a, ()>;

/// Deletes a group with all that lies in it: kind by kind, in this order. The files of registries go once this is
/// committed (see `content::sweep`).
pub async fn delete_group(cx: &mut Cx, group: &str, kinds: impl Iterator<Item = Clear>) -> Result<()> {
    let found = groups::get(cx, group).await?;
    for clear in kinds {
        clear(cx, &found.name).await?;
    }
    store::access::delete_below(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::resources::neighbours::delete_below(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::resources::deployments::delete_all(&mut cx.tx, &name::group_id(&found.name)).await?;
    store::resources::groups::delete(&mut cx.tx, &found.name).await
}
