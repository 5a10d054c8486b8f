//! Vaults, and what lies in them.
//! Must not know: registries.

pub mod keys;
pub mod object;
pub mod secrets;
pub mod vaults;
