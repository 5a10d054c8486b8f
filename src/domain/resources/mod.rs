//! What all resources have in common: regions, lists, private links, templates.
//! Must not know: vaults, registries.

pub mod diagnostics;
pub mod listing;
pub mod lock;
pub mod neighbour;
pub mod network;
pub mod private_link;
pub mod region;
pub mod template;
