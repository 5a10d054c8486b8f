//! `Microsoft.ManagedIdentity` over ARM (keyvault.md E.1): the provider's resource types and their operations.
//! Must not know: how a resource is kept.

mod federated;
mod identities;

use super::table::{Operation, Place, Run, Type, handler, silent};

const TYPE: Type =
    Type { name: "", place: Place::Group, versions: &["2025-11-01"], told: silent, statuses: None, operations: &[] };

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities",
        operations: &[
            Operation::list(handler!(identities::list)),
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
            Operation::list(handler!(federated::list)),
            Operation::get(handler!(federated::get)),
            Operation::put(handler!(federated::put)),
            Operation::delete(handler!(federated::delete)),
        ],
        ..TYPE
    },
];
