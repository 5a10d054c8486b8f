//! Resource groups, operations and deployments.
//! Must not know: vaults, registries.

pub mod deployments;
pub mod groups;
pub mod locks;
pub mod neighbours;
pub mod operations;
pub mod tag_names;
