//! Resource groups, operations and deployments.
//! Must not know: vaults, registries.

pub mod deployments;
pub mod groups;
pub mod operations;
