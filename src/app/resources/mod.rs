//! Resource groups, operations and deployments.
//! Must not know: vaults, registries.

pub mod deployments;
pub mod diagnostics;
pub mod groups;
pub mod locks;
pub mod moves;
pub mod neighbours;
pub mod operations;
pub mod providers;
pub mod tag_names;
pub mod tags;

use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::NeighbourError;

/// Requires what is asked of a call beside the gate: that the provider of a PUT is registered, that no lock forbids the
/// change of `id`.
pub async fn require_open(
    cx: &mut Cx,
    provider: Option<&'static str>,
    change: Option<locks::Change>,
    id: &str,
) -> Result<()> {
    if let Some(provider) = provider
        && !providers::is_registered(cx, provider).await?
    {
        return Err(NeighbourError::Unregistered(provider.to_owned()).into());
    }
    match change {
        Some(change) => locks::require(cx, change, id).await,
        None => Ok(()),
    }
}
