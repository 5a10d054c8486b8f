//! Registries, their children and their content.
//! Must not know: vaults.

pub mod admin;
pub mod ageing;
pub mod blobs;
pub mod children;
pub mod content;
pub mod registries;
pub mod tasks;
pub mod unreplicated;
