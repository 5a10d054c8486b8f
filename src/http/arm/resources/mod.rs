//! Subscriptions, resource groups and deployments over ARM.
//! Must not know: how a resource is kept.

pub(super) mod asked;
pub(super) mod deploy;
pub(super) mod deployments;
mod diagnostics;
mod groups;
mod locks;
mod moves;
mod on_error;
mod provider_operations;
pub(super) mod subscriptions;
mod tag_names;
mod tags;
pub(super) mod what_if;
mod workspaces;

use super::table::Type;

/// The rows of what lies on any scope, and of resource groups and names of tags, whose paths name no provider.
/// Workspaces, too. Deployments have routes of their own.
pub(super) static TYPES: &[Type] = &[
    groups::TYPE,
    locks::TYPE,
    tag_names::NAMES,
    tag_names::VALUES,
    diagnostics::SETTINGS,
    diagnostics::CATEGORIES,
    workspaces::TYPE,
    tags::TYPE,
    provider_operations::TYPE,
];
