//! Which resource providers the subscription is not registered for: all others it is, from the start.
//! Must not know: which providers there are.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::Cx;
use crate::domain::{Error, Result};
use crate::store;

/// Where their names are kept.
const UNREGISTERED: &str = "unregistered-providers";

async fn all(cx: &mut Cx) -> Result<BTreeSet<String>> {
    match store::world::values::get(&mut cx.tx, UNREGISTERED).await? {
        Some(kept) => serde_json::from_slice(&kept).map_err(Error::internal),
        None => Ok(BTreeSet::new()),
    }
}

/// Whether a provider is registered.
pub async fn is_registered(cx: &mut Cx, namespace: &str) -> Result<bool> {
    Ok(!all(cx).await?.contains(&namespace.to_ascii_lowercase()))
}

/// Registers a provider, or takes its registration back.
pub async fn set(cx: &mut Cx, namespace: &str, registered: bool) -> Result<()> {
    let (mut all, namespace) = (all(cx).await?, namespace.to_ascii_lowercase());
    let changed = if registered { all.remove(&namespace) } else { all.insert(namespace) };
    if changed {
        store::world::values::set(&mut cx.tx, UNREGISTERED, json!(all).to_string().as_bytes()).await?;
    }
    Ok(())
}
