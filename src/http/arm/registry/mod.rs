//! `Microsoft.ContainerRegistry` over ARM (acr.md A): the provider's resource types and their operations.
//! Must not know: how keys are used, what lies in a registry.

mod caching;
mod children;
mod credentials;
mod import;
mod long;
mod private_links;
// The resource that gives the folder its name.
#[allow(clippy::module_inception)]
mod registry;
mod replications;
mod runs;
mod scope_maps;
mod tasks;
mod tokens;
mod usages;
mod versions;
mod webhooks;

use serde_json::Value;

use super::query;
use super::table::{Asks, InGroups, On, Operation, Place, Request, Run, Type, handler, silent};
use crate::app::Cx;
use crate::app::registry::{moving, registries};
use crate::domain::Result;
use crate::domain::registry::Registry;
use children::row;
use versions::VERSIONS;

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: "Microsoft.ContainerRegistry/registries",
        in_groups: Some(InGroups {
            listed: handler!(registry::listed),
            cleared: handler!(registries::remove_all),
            tagged: |cx, group, name, tags| Box::pin(moving::tag(cx, group, name, tags)),
            moved: Some(|cx, group, name, to| Box::pin(moving::to_group(cx, group, name, to))),
        }),
        logs: &["ContainerRegistryRepositoryEvents", "ContainerRegistryLoginEvents"],
        supported: versions::as_asked,
        operations: &[
            Operation::list(handler!(registry::list)).taking(query::GOING_ON),
            Operation::get(handler!(registry::get)),
            Operation::put(handler!(registry::write)),
            Operation::patch(handler!(registry::write)),
            Operation::delete(handler!(registry::delete)).sweeping(),
            Operation::new(
                "GET",
                On::Word("listUsages"),
                Asks::Action("listUsages/read"),
                Run::Read(handler!(usages::usages)),
            ),
            // The passwords are made when they are first asked for.
            Operation::post("listCredentials", Run::Change(handler!(credentials::list))),
            Operation::post("regenerateCredential", Run::Change(handler!(credentials::regenerate))).with_body(),
            Operation::post("generateCredentials", Run::Change(handler!(credentials::generate)))
                .with_body()
                .supporting(versions::tokens),
            Operation::post("scheduleRun", Run::Change(handler!(runs::schedule))).with_body().supporting(silent),
            Operation::post("listBuildSourceUploadUrl", Run::Read(handler!(runs::upload_url))).supporting(silent),
            Operation::post("importImage", Run::Apart(handler!(import::import)))
                .with_body()
                .supporting(versions::imports),
        ],
        statuses: Some(handler!(long::status)),
        ..Type::new(Place::Group, VERSIONS)
    },
    row::<scope_maps::ScopeMaps>(),
    row::<tokens::Tokens>(),
    row::<webhooks::Webhooks>(),
    row::<replications::Replications>(),
    row::<caching::CacheRules>(),
    row::<caching::CredentialSets>(),
    row::<private_links::PrivateEndpointConnections>(),
    row::<tasks::Tasks>(),
    row::<tasks::TaskRuns>(),
    row::<tasks::AgentPools>(),
    Type {
        name: "Microsoft.ContainerRegistry/registries/runs",
        supported: silent,
        operations: &[
            Operation::list(handler!(runs::list)).taking(query::FILTERED),
            Operation::get(handler!(runs::get)),
            Operation::patch(handler!(runs::update)),
            Operation::post("cancel", Run::Change(handler!(runs::cancel))),
            Operation::post("listLogSasUrl", Run::Read(handler!(runs::log_url))),
        ],
        statuses: Some(handler!(long::status)),
        ..Type::new(Place::Group, VERSIONS)
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/privateLinkResources",
        operations: &[Operation::list(handler!(private_links::list)), Operation::get(handler!(private_links::get))],
        ..Type::new(Place::Group, VERSIONS)
    },
    Type {
        name: "Microsoft.ContainerRegistry/checkNameAvailability",
        operations: &[
            Operation::new("POST", On::All, Asks::Nothing, Run::Read(handler!(registry::check_name))).with_body()
        ],
        ..Type::new(Place::Subscription, VERSIONS)
    },
    Type {
        name: "Microsoft.ContainerRegistry/locations/operationResults",
        // Its name is known to who began the operation.
        operations: &[Operation::new("GET", On::One, Asks::Nothing, Run::Apart(handler!(long::result)))],
        ..Type::new(Place::Subscription, VERSIONS)
    },
];

/// The registry of the path, or that in which the resource of the path lies. It comes from the context in which
/// something is done to it.
async fn found(cx: &mut Cx, request: &Request) -> Result<Registry> {
    registries::get(cx, request.group(), request.top()).await
}

/// A text of a body; `None` where it is missing or null.
fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    let object = body.as_object()?;
    object.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
}
