//! What is pushed in one region of a registry arrives in the others: when, and who learns of it there. Called by the poller
//! at the due instant.
//! Must not know: which regions there are, what was pushed.

use super::webhooks;
use crate::app::Cx;
use crate::domain::{Result, Timestamp};
use crate::store;

/// When the next push arrives in other regions.
pub async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    let pushed = store::registry::unreplicated::due(&mut cx.tx).await?;
    // Webhooks there hear of it then.
    let event = store::world::outbox::next_event(&mut cx.tx).await?;
    Ok(pushed.into_iter().chain(event).min())
}

/// Lets pushes arrive whose time has come.
pub async fn do_due(cx: &mut Cx) -> Result<()> {
    let arrived = store::registry::unreplicated::arrive(&mut cx.tx, cx.now).await?;
    if arrived > 0 {
        cx.passing(format!("tags and manifests arrive in other regions: {arrived}"));
    }
    if store::world::outbox::release_events(&mut cx.tx, cx.now).await? {
        webhooks::send_soon(cx);
    }
    Ok(())
}
