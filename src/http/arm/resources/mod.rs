//! Subscriptions, resource groups and deployments over ARM.
//! Must not know: how a resource is kept.

pub(super) mod asked;
pub(super) mod deploy;
pub(super) mod deployments;
pub(super) mod groups;
pub(super) mod subscriptions;
pub(super) mod what_if;
