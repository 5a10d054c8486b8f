//! A registry's tags and group, changed by themselves.
//! Must not know: HTTP, what a registry holds.

use serde_json::Value;

use super::registries;
use crate::app::Cx;
use crate::app::resources::moves;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::store;

/// Puts tags in the place of a registry's.
pub async fn tag(cx: &mut Cx, group: &str, name: &str, tags: Value) -> Result<()> {
    let found = registries::get(cx, group, name).await?;
    let (modified_by, modified_at) = (cx.caller.name.clone(), cx.now);
    store::registry::registries::update(&mut cx.tx, &Registry { tags, modified_by, modified_at, ..found }).await
}

/// Moves a registry to another group. Its children and the directory name it by its new id from then on; its content,
/// its data key and its tokens know it by its row and notice nothing.
pub async fn to_group(cx: &mut Cx, group: &str, name: &str, to: &str) -> Result<()> {
    let found = registries::get(cx, group, name).await?;
    let from = found.arm_id();
    store::registry::registries::set_group(&mut cx.tx, found.id, to).await?;
    let moved = registries::get(cx, to, name).await?.arm_id();
    store::registry::children::rename(&mut cx.tx, found.id, &from, &moved).await?;
    store::directory::rename(&mut cx.tx, &from, &moved).await?;
    moves::follow(cx, &from, &moved).await
}
