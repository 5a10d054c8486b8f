//! Subscriptions, resource groups and deployments over ARM.
//! Must not know: how a resource is kept.

pub(super) mod asked;
pub(super) mod deploy;
pub(super) mod deployments;
mod groups;
pub(super) mod subscriptions;
pub(super) mod what_if;

use super::table::Type;

/// The rows of resource groups, whose path names no provider. Deployments have routes of their own.
pub(super) static TYPES: &[Type] = &[groups::TYPE];
