//! `Microsoft.ContainerRegistry` over ARM (acr.md A): which call is about what.
//! Must not know: how keys are used, what lies in a registry.

mod children;
mod credentials;
mod import;
mod long;
mod private_links;
// The resource that gives the folder its name.
#[allow(clippy::module_inception)]
mod registry;
mod shown;
mod usages;
mod versions;

use axum::http::Method;
use serde_json::Value;

pub(in crate::http::arm) use registry::shown_identity;
pub(in crate::http::arm) use versions::told as versions_told;

use super::Arm;
use super::wire::Answer;
use crate::app::Cx;
use crate::app::registry::registries;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::Kind;
use crate::domain::world::name::REGISTRIES;

/// Calls below `…/providers/Microsoft.ContainerRegistry/`.
pub(in crate::http::arm) async fn answer(
    arm: &mut Arm,
    group: Option<&str>,
    at: usize,
    rest: &[&str],
) -> Result<Answer> {
    let (get, post) = (arm.method == Method::GET, arm.method == Method::POST);
    match (rest, group) {
        (["registries"], _) if get => registry::list(arm, group).await,
        (["checknameavailability"], None) if post => registry::check_name(arm).await,
        (["registries", _], Some(group)) => registry::one(arm, group, at).await,
        (["registries", .., "operationstatuses", operation], Some(_)) if get => long::status(arm, operation).await,
        (["locations", _, "operationresults", operation], None) if get => long::result(arm, operation).await,
        (
            ["registries", _, verb @ ("listcredentials" | "regeneratecredential" | "generatecredentials")],
            Some(group),
        ) if post => credentials::answer(arm, group, at, verb).await,
        (["registries", _, "listusages"], Some(group)) if get => usages::answer(arm, group, at).await,
        (["registries", _, "importimage"], Some(group)) if post => import::answer(arm, group, at).await,
        (["registries", _, "privatelinkresources", rest @ ..], Some(group)) if get => {
            private_links::answer(arm, group, at, rest).await
        }
        (["registries", _, kind, rest @ ..], Some(group)) if Kind::parse(kind).is_some() => match Kind::parse(kind) {
            Some(kind) => children::answer(arm, group, at, kind, rest).await,
            None => Err(arm.unknown_route()),
        },
        ([kind, ..], _) => {
            let kind = if *kind == "registries" { arm.segments.get(at + 2) } else { arm.segments.get(at) };
            let kind = kind.cloned().unwrap_or_default();
            tracing::warn!(path = %arm.call.path, "this resource type is not emulated");
            Err(ResourceError::TypeNotFound { namespace: "Microsoft.ContainerRegistry".to_owned(), kind }.into())
        }
        ([], _) => Err(arm.unknown_route()),
    }
}

// A registry comes with the context that it was found in: nothing is done to it in another one.

/// Requires an action (its part below `registries/`) on the registry of the path.
async fn admit(arm: &mut Arm, at: usize, action: &str) -> Result<()> {
    let scope = arm.scope(at + 2);
    arm.require(&format!("{REGISTRIES}/{action}"), &scope).await
}

/// Requires an action and finds the registry of the path.
async fn reading(arm: &mut Arm, group: &str, at: usize, action: &str) -> Result<(Cx, Registry)> {
    admit(arm, at, action).await?;
    let mut cx = arm.read().await?;
    let registry = registries::get(&mut cx, group, &arm.segments[at + 1]).await?;
    Ok((cx, registry))
}

/// Finds the registry of the path in a context that writes.
async fn writing(arm: &mut Arm, group: &str, at: usize) -> Result<(Cx, Registry)> {
    let mut cx = arm.write().await?;
    let registry = registries::get(&mut cx, group, &arm.segments[at + 1]).await?;
    Ok((cx, registry))
}

/// A text of a body; `None` where it is missing or null.
fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    let object = body.as_object()?;
    object.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
}
