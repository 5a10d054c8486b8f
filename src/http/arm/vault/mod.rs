//! `Microsoft.KeyVault` over ARM.
//! Must not know: registries; how a resource is kept.

pub(super) mod keys;
pub(super) mod private_links;
pub(super) mod secrets;
pub(super) mod vaults;
