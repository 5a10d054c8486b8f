//! Registries, their children and their content. Only [`cmk`] asks vaults, as the registry itself.
//! Must not know: HTTP.

pub mod children;
pub mod cmk;
pub mod content;
pub mod copying;
mod identity;
pub mod registries;
pub mod registry_tokens;
pub mod replications;
pub mod webhooks;
