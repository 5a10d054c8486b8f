//! `Microsoft.ContainerRegistry` over ARM (acr.md A): the provider's resource types and their operations.
//! Must not know: how keys are used, what lies in a registry.

mod children;
mod credentials;
mod import;
mod long;
mod private_links;
// The resource that gives the folder its name.
#[allow(clippy::module_inception)]
mod registry;
mod runs;
mod shown;
mod task_shown;
mod tasks;
mod usages;
mod versions;

use serde_json::Value;

use super::query;
use super::table::{Asks, InGroups, On, Operation, Place, Request, Run, Type, handler, silent};
use crate::app::Cx;
use crate::app::registry::registries;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::Kind;
use versions::VERSIONS;

/// What kinds of children have in common.
const CHILD: Type =
    Type { told: versions::all, statuses: Some(handler!(long::status)), ..Type::new(Place::Group, VERSIONS) };

/// The operations of a kind of children, and those that it alone has.
macro_rules! child {
    ($kind:ident $(, $own:expr)*) => {
        &[
            Operation::list(|cx, request| Box::pin(children::list(cx, request, Kind::$kind))),
            Operation::get(|cx, request| Box::pin(children::get(cx, request, Kind::$kind))),
            Operation::put(|cx, request| Box::pin(children::write(cx, request, Kind::$kind))),
            Operation::patch(|cx, request| Box::pin(children::write(cx, request, Kind::$kind))),
            Operation::delete(|cx, request| Box::pin(children::delete(cx, request, Kind::$kind))),
            $($own,)*
        ]
    };
}

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: "Microsoft.ContainerRegistry/registries",
        in_groups: Some(InGroups { listed: handler!(registry::listed), cleared: handler!(registries::remove_all) }),
        told: versions::as_asked,
        operations: &[
            Operation::list(handler!(registry::list)),
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
                .telling(versions::tokens),
            Operation::post("scheduleRun", Run::Change(handler!(runs::schedule))).with_body().telling(silent),
            Operation::post("listBuildSourceUploadUrl", Run::Read(handler!(runs::upload_url))).telling(silent),
            Operation::post("importImage", Run::Apart(handler!(import::import))).with_body().telling(versions::imports),
        ],
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/scopeMaps",
        told: versions::tokens,
        operations: child!(ScopeMap),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/tokens",
        told: versions::tokens,
        operations: child!(Token),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/webhooks",
        told: versions::webhooks,
        operations: child!(
            Webhook,
            Operation::post("ping", Run::Change(handler!(children::ping))),
            Operation::post("getCallbackConfig", Run::Read(handler!(children::callback_config))),
            Operation::post("listEvents", Run::Read(handler!(children::events)))
        ),
        ..CHILD
    },
    Type { name: "Microsoft.ContainerRegistry/registries/replications", operations: child!(Replication), ..CHILD },
    Type {
        name: "Microsoft.ContainerRegistry/registries/cacheRules",
        told: versions::caching,
        operations: child!(CacheRule),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/credentialSets",
        told: versions::caching,
        operations: child!(CredentialSet),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/privateEndpointConnections",
        told: versions::as_asked,
        operations: child!(PrivateEndpointConnection),
        ..CHILD
    },
    // What is behind tasks says nothing of versions [recorded].
    Type {
        name: "Microsoft.ContainerRegistry/registries/tasks",
        told: silent,
        operations: child!(Task, Operation::post("listDetails", Run::Read(handler!(tasks::details)))),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/taskRuns",
        told: silent,
        operations: child!(TaskRun, Operation::post("listDetails", Run::Read(handler!(tasks::task_run_details)))),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/agentPools",
        told: silent,
        operations: child!(AgentPool, Operation::post("listQueueStatus", Run::Read(handler!(tasks::queue)))),
        ..CHILD
    },
    Type {
        name: "Microsoft.ContainerRegistry/registries/runs",
        told: silent,
        operations: &[
            Operation::list(handler!(runs::list)).taking(query::FILTERED),
            Operation::get(handler!(runs::get)),
            Operation::patch(handler!(runs::update)),
            Operation::post("cancel", Run::Change(handler!(runs::cancel))),
            Operation::post("listLogSasUrl", Run::Read(handler!(runs::log_url))),
        ],
        ..CHILD
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
