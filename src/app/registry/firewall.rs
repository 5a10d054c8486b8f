//! The firewall of a registry.
//! Must not know: who asks, what for.

use std::net::IpAddr;

use crate::domain::Result;
use crate::domain::error::ContentError;
use crate::domain::registry::Registry;
use crate::domain::world::network;

/// Lets an address through the registry's own firewall (acr.md C.1).
pub fn admit(registry: &Registry, address: IpAddr) -> Result<()> {
    let settings = registry.settings();
    let named = || settings.ip_rules().any(|rule| network::names(rule, address));
    if settings.public() && (!settings.denies_by_default() || named()) {
        return Ok(());
    }
    Err(ContentError::Address(address.to_string()).into())
}
