//! `Microsoft.KeyVault` over ARM (keyvault.md C): the provider's resource types and their operations.
//! Must not know: registries.

mod keys;
mod private_links;
mod secrets;
mod vaults;

use super::query;
use super::table::{Asks, InGroups, On, Operation, Place, Request, Run, Type, handler};
use super::wire::Answer;
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::vault::Vault;

const TYPE: Type = Type::new(Place::Group, &["2025-11-01"]);

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: "Microsoft.KeyVault/vaults",
        in_groups: Some(InGroups {
            listed: handler!(vaults::listed),
            cleared: handler!(crate::app::vault::vaults::delete_all),
            tagged: |cx, group, name, tags| Box::pin(crate::app::vault::vaults::tag(cx, group, name, tags)),
            moved: Some(|cx, group, name, to| Box::pin(crate::app::vault::vaults::to_group(cx, group, name, to))),
        }),
        logs: &["AuditEvent", "AzurePolicyEvaluationDetails"],
        operations: &[
            Operation::list(handler!(vaults::list)).taking(query::PAGED),
            Operation::get(handler!(vaults::get)),
            Operation::put(handler!(vaults::write)),
            Operation::patch(handler!(vaults::write)),
            Operation::delete(handler!(vaults::delete)),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/accessPolicies",
        operations: &[Operation::put(handler!(vaults::change_policies))],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/keys",
        operations: &[
            Operation::list(handler!(keys::list)),
            Operation::get(handler!(keys::get)),
            Operation::put(handler!(keys::create)),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/keys/versions",
        operations: &[
            Operation::new("GET", On::All, Asks::Whole(KEYS_READ), Run::Read(handler!(keys::list_versions))),
            Operation::new("GET", On::One, Asks::Whole(KEYS_READ), Run::Read(handler!(keys::get_version))),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/secrets",
        operations: &[
            Operation::list(handler!(secrets::list)),
            Operation::get(handler!(secrets::get)),
            Operation::put(handler!(secrets::put)),
            Operation::patch(handler!(secrets::patch)),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/privateEndpointConnections",
        operations: &[
            Operation::list(handler!(private_links::list)),
            Operation::get(handler!(private_links::get)),
            Operation::put(handler!(private_links::put)),
            Operation::delete(handler!(private_links::delete)),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/vaults/privateLinkResources",
        operations: &[Operation::list(handler!(private_links::resources))],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/deletedVaults",
        place: Place::Subscription,
        operations: &[Operation::list(handler!(vaults::list_deleted))],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/locations/deletedVaults",
        place: Place::Subscription,
        operations: &[
            Operation::get(handler!(vaults::get_deleted)),
            Operation::post("purge", Run::Change(handler!(vaults::purge))),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/locations/operationResults",
        place: Place::Subscription,
        // Its name is known to who began the operation.
        operations: &[Operation::new("GET", On::One, Asks::Nothing, Run::Apart(handler!(vaults::result)))],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/checkNameAvailability",
        place: Place::Subscription,
        operations: &[
            Operation::new("POST", On::All, Asks::Nothing, Run::Read(handler!(vaults::check_name))).with_body()
        ],
        ..TYPE
    },
    // Managed HSMs cannot be made here, so there are none; az lists them beside the vaults.
    Type {
        name: "Microsoft.KeyVault/managedHSMs",
        operations: &[Operation::new("GET", On::All, Asks::Nothing, Run::Read(handler!(nothing)))],
        ..TYPE
    },
    Type {
        name: "Microsoft.KeyVault/deletedManagedHSMs",
        place: Place::Subscription,
        operations: &[Operation::new("GET", On::All, Asks::Nothing, Run::Read(handler!(nothing)))],
        ..TYPE
    },
];

/// Versions of keys are read with the right to read keys [spec].
const KEYS_READ: &str = "Microsoft.KeyVault/vaults/keys/read";

/// The vault of the path, or that in which the resource of the path lies.
async fn found(cx: &mut Cx, request: &Request) -> Result<Vault> {
    crate::app::vault::vaults::get(cx, request.group(), request.top()).await
}

async fn nothing(_: &mut Cx, _: &Request) -> Result<Answer> {
    Ok(Answer::list(Vec::new()))
}
