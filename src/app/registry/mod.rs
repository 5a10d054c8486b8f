//! Registries, their children and their content. Only [`cmk`] asks vaults, as the registry itself.
//! Must not know: HTTP.

pub mod admin;
pub mod arrivals;
pub mod children;
pub mod cmk;
pub mod content;
pub mod copying;
pub mod credentials;
pub mod firewall;
mod identity;
pub mod moving;
pub mod registries;
pub mod replications;
pub mod rights;
pub mod sign_in;
pub mod tasks;
mod tokens;
pub mod webhooks;
