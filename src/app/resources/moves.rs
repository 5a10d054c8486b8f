//! What goes along with a resource that is moved to another group, and what does not.
//! Must not know: how a resource keeps its group.

use super::locks::{self, Change};
use crate::app::{Cx, access};
use crate::domain::Result;
use crate::store;

/// Requires that the caller may put resources into a group, and that no lock forbids it [docs: move-resource-group-and-subscription].
pub async fn require_target(cx: &mut Cx, group: &str) -> Result<()> {
    access::require(cx, "Microsoft.Resources/subscriptions/resourceGroups/write", group).await?;
    locks::require(cx, Change::Write, group).await
}

/// Has locks and diagnostic settings follow a resource to its new id. Its role assignments do not: they must be made
/// again [docs: move-resource-group-and-subscription].
pub async fn follow(cx: &mut Cx, from: &str, to: &str) -> Result<()> {
    store::access::delete_below(&mut cx.tx, from).await?;
    store::resources::locks::rename(&mut cx.tx, from, to).await?;
    store::resources::neighbours::rename(&mut cx.tx, from, to).await
}
