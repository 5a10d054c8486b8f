//! Managed identities over ARM.
//! Must not know: how a resource is kept.

pub(super) mod federated;
pub(super) mod identities;
