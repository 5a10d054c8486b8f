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
