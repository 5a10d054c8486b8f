//! `Microsoft.ManagedIdentity` over ARM (keyvault.md E.1): the provider's resource types and their operations.
//! Must not know: how a resource is kept.

mod federated;
mod identities;

use super::query;
use super::table::{InGroups, Operation, Place, Run, Type, handler};

const TYPE: Type = Type::new(Place::Group, &["2025-11-01"]);

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities",
        in_groups: Some(InGroups {
            listed: handler!(identities::listed),
            cleared: handler!(crate::app::directory::identities::delete_all),
            tagged: |cx, group, name, tags| Box::pin(crate::app::directory::identities::tag(cx, group, name, tags)),
            // They stay where they are [docs: managed identities' questions].
            moved: None,
        }),
        operations: &[
            Operation::list(handler!(identities::list)).taking(query::GOING_ON),
            Operation::get(handler!(identities::get)),
            Operation::put(handler!(identities::write)),
            Operation::patch(handler!(identities::write)),
            Operation::delete(handler!(identities::delete)),
            Operation::post("listAssociatedResources", Run::Read(handler!(identities::associated))),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        operations: &[
            Operation::list(handler!(federated::list)).paging(query::PAGED),
            Operation::get(handler!(federated::get)),
            Operation::put(handler!(federated::put)),
            Operation::delete(handler!(federated::delete)),
        ],
        ..TYPE
    },
];
