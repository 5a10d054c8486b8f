//! Resource management (`management.azure.com`): who may, which resource, which verb.
//! Must not know: how a resource is kept, what other front ends do.

mod access;
mod dialect;
mod directory;
mod faults;
mod networks;
mod query;
mod registry;
mod request;
mod resources;
mod table;
mod vault;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use crate::app::change::{Admission, Attempt};
use crate::app::directory::tokens;
use crate::app::resources::operations;
use crate::app::{App, Cx, access as gate};
use crate::domain::access::Caller;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::region;
use crate::domain::resources::template::Budget;
use crate::domain::world::name::is_api_version;
use crate::domain::world::well_known::SUBSCRIPTION_ID;
use crate::domain::{Error, Result};
use crate::http::call::Call;
use wire::Answer;

/// All resource types that are rows.
static TYPES: table::Table =
    &[networks::TYPES, registry::TYPES, vault::TYPES, directory::TYPES, access::TYPES, resources::TYPES];

/// Answers a call.
pub async fn answer(app: Arc<App>, call: Call) -> Response {
    let correlation = call.header("x-ms-correlation-request-id").map(str::to_owned);
    let client_request = call.header("x-ms-client-request-id").map(str::to_owned);
    let path = call.path.to_ascii_lowercase();
    let provider = provider_of(&path);
    let asked_version = call.query("api-version").unwrap_or_default();
    let versions = table::supported_versions(TYPES, &call.method, &call.segments(), &asked_version);
    let mut answer = match dispatch(&app, call).await {
        Ok(answer) => answer,
        Err(error) => dialect::refusal(&error, provider),
    };
    if let Some(versions) = versions.filter(|_| !answer.is_the_gateways()) {
        answer = answer.with("api-supported-versions", versions);
    }
    answer.into_response(correlation, client_request)
}

/// The provider that a path, in lower case, belongs to: its errors differ from ARM's own in shape (acr.md A.0).
fn provider_of(path: &str) -> dialect::Provider {
    match path.rsplit_once("/providers/").map(|(_, rest)| rest) {
        Some(rest) if rest.starts_with("microsoft.containerregistry") => dialect::Provider::ContainerRegistry,
        _ => dialect::Provider::Other,
    }
}

/// One call with what every handler needs.
struct Arm {
    app: Arc<App>,
    caller: Caller,
    /// What was required so far: actions and scopes.
    required: Vec<(String, String)>,
    method: Method,
    /// Segments of the path, decoded, as sent.
    segments: Vec<String>,
    /// The same in lower case, for matching.
    lower: Vec<String>,
    api_version: String,
    call: Call,
    templates: Templates,
}

/// What one request has for its templates: a budget, and how many are around the one it is at.
#[derive(Debug, Clone)]
struct Templates {
    budget: Arc<Budget>,
    level: usize,
}

impl Arm {
    fn new(
        app: Arc<App>,
        caller: Caller,
        segments: Vec<String>,
        lower: Vec<String>,
        api_version: String,
        templates: Templates,
        call: Call,
    ) -> Self {
        let (required, method) = (Vec::new(), call.method.clone());
        Self { app, caller, required, method, segments, lower, api_version, call, templates }
    }

    /// `/subscriptions/…` up to and without segment `end`.
    fn scope(&self, end: usize) -> String {
        format!("/{}", self.segments[..end].join("/"))
    }

    /// Requires the action at the scope: ARM asks this before any provider sees the call, and contexts that write ask
    /// it again.
    async fn require(&mut self, action: &str, scope: &str) -> Result<()> {
        self.required.push((action.to_owned(), scope.to_owned()));
        let mut cx = self.app.read(self.caller.clone()).await?;
        gate::require(&mut cx, action, scope).await
    }

    /// A context that reads.
    async fn read(&mut self) -> Result<Cx> {
        self.app.read(self.caller.clone()).await
    }

    /// A context that writes, if all that was required is still allowed.
    async fn write(&mut self) -> Result<Cx> {
        let admission = self.admission();
        self.app.write_for(&admission).await
    }

    /// Makes a change of which a part may take long.
    async fn change<I: Sync, T>(
        &mut self,
        asked: &I,
        verb: impl for<'a> Fn(&'a mut Cx, &'a I) -> Attempt<'a, T> + Send + Sync,
    ) -> Result<T> {
        let (app, admission) = (self.app.clone(), self.admission());
        app.change(&admission, asked, verb).await
    }

    fn admission(&self) -> Admission {
        Admission { caller: self.caller.clone(), rights: self.required.clone() }
    }

    /// The body, which must be an object.
    async fn object(&mut self) -> Result<Value> {
        let body = self.call.json().await?;
        if body.is_object() {
            wire::check_tags(body.get("tags"))?;
            return Ok(body);
        }
        Err(RequestError::Malformed(
            "The request content was invalid and could not be deserialized: an object was expected.".to_owned(),
        )
        .into())
    }

    /// Requires of a document that is put that its `location`, if it has one, is a region.
    fn require_region(&self, body: &Value, kind: &str) -> Result<()> {
        match body["location"].as_str().filter(|_| self.method == Method::PUT) {
            Some(location) => region::require(location, kind),
            None => Ok(()),
        }
    }

    fn unknown_route(&self) -> Error {
        RequestError::RouteUnknown(self.call.path.clone()).into()
    }

    fn wrong_method(&self) -> Error {
        RequestError::MethodNotAllowed { method: self.method.to_string(), path: self.call.path.clone() }.into()
    }
}

async fn dispatch(app: &Arc<App>, call: Call) -> Result<Answer> {
    let segments = call.segments();
    let lower: Vec<String> = segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    if lower.first().is_some_and(|s| s == "metadata") && lower.get(1).is_some_and(|s| s == "endpoints") {
        // Clouds are described to whoever asks, without a token.
        return Ok(resources::subscriptions::cloud_metadata());
    }
    let caller = tokens::authenticate(app, call.bearer(), tokens::ARM, call.address).await?;
    let api_version = call.query("api-version").filter(|v| !v.is_empty()).ok_or(RequestError::ApiVersionMissing)?;
    if !is_api_version(&api_version) {
        return Err(RequestError::ApiVersionInvalid(api_version).into());
    }
    let templates = Templates { budget: Budget::new(), level: 0 };
    route(&mut Arm::new(app.clone(), caller, segments, lower, api_version, templates, call)).await
}

/// A call within a call, as a deployment makes it: the same caller, the same gate, the same handlers.
/// Boxed, for such a call may be a deployment itself.
fn within(
    app: &Arc<App>,
    caller: &Caller,
    templates: Templates,
    call: Call,
) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send>> {
    let (app, caller) = (app.clone(), caller.clone());
    Box::pin(async move {
        let segments = call.segments();
        let lower = segments.iter().map(|s| s.to_ascii_lowercase()).collect();
        let api_version = call.query("api-version").unwrap_or_default();
        if !is_api_version(&api_version) {
            return Err(RequestError::ApiVersionInvalid(api_version).into());
        }
        route(&mut Arm::new(app, caller, segments, lower, api_version, templates, call)).await
    })
}

async fn route(arm: &mut Arm) -> Result<Answer> {
    faults::meet(arm).await?;
    // Role assignments and definitions hang below any scope.
    if let Some(at) = arm.lower.windows(2).rposition(|w| w[0] == "providers" && w[1] == "microsoft.authorization") {
        return table::answer(TYPES, arm, "microsoft.authorization", None, at + 2).await;
    }
    let lower = arm.lower.clone();
    let path: Vec<&str> = lower.iter().map(String::as_str).collect();
    if let ["subscriptions", subscription, ..] = path.as_slice()
        && *subscription != SUBSCRIPTION_ID
    {
        return Err(ResourceError::SubscriptionNotFound(arm.segments[1].clone()).into());
    }
    if let Some(at) = table::on_any_scope(TYPES, &lower) {
        return table::answer(TYPES, arm, &lower[at - 1], None, at).await;
    }
    match path.as_slice() {
        ["subscriptions"] | ["tenants"] | ["providers", ..] => resources::subscriptions::answer(arm, &path).await,
        ["subscriptions", _] | ["subscriptions", _, "locations" | "resources"] => {
            resources::subscriptions::answer(arm, &path).await
        }
        ["subscriptions", _, "tagnames", ..] => table::answer(TYPES, arm, "microsoft.resources", None, 2).await,
        ["subscriptions", _, "operationresults", operation] if arm.method == Method::GET => {
            operations::outcome_text(&arm.app, arm.caller.clone(), operation).await.map(Answer::text)
        }
        ["subscriptions", _, "resourcegroups", ..]
            if path.len() <= 5 && path.get(4).is_none_or(|p| *p != "providers") =>
        {
            table::answer(TYPES, arm, "microsoft.resources", None, 2).await
        }
        // Operations of deployments are listed without their provider's name in the path.
        ["subscriptions", _, "resourcegroups", _, "deployments", ..] => {
            let group = arm.segments[3].clone();
            resources::deployments::answer(arm, Some(&group), 4, &path[4..]).await
        }
        ["subscriptions", _, "resourcegroups", _, "providers", namespace, rest @ ..] => {
            let group = arm.segments[3].clone();
            provider(arm, namespace, Some(group), 6, rest).await
        }
        ["subscriptions", _, "providers", _, "register" | "unregister"] => {
            resources::subscriptions::answer(arm, &path).await
        }
        ["subscriptions", _, "providers", namespace, rest @ ..] if !rest.is_empty() => {
            provider(arm, namespace, None, 4, rest).await
        }
        ["subscriptions", _, "providers", ..] => resources::subscriptions::answer(arm, &path).await,
        _ => Err(arm.unknown_route()),
    }
}

/// Calls below `…/providers/{namespace}/`. `at` is the index of the first segment after the namespace.
async fn provider(arm: &mut Arm, namespace: &str, group: Option<String>, at: usize, rest: &[&str]) -> Result<Answer> {
    // What hangs on a resource belongs to the provider named last; kinds and names alternate.
    let nested = (2..rest.len()).step_by(2).rfind(|i| rest[*i] == "providers" && i + 1 < rest.len());
    if let Some(nested) = nested {
        tracing::warn!(path = %arm.call.path, "this resource provider is not emulated on other resources");
        let namespace = arm.segments[at + nested + 1].clone();
        return Err(match arm.segments.get(at + nested + 2) {
            Some(kind) if resources::subscriptions::is_provider(&namespace) => {
                ResourceError::TypeNotFound { namespace, kind: kind.clone() }.into()
            }
            _ => ResourceError::ProviderNotFound(namespace).into(),
        });
    }
    match namespace {
        "microsoft.resources" => resources::deployments::answer(arm, group.as_deref(), at, rest).await,
        _ if table::rows(TYPES).any(|t| t.namespace().eq_ignore_ascii_case(namespace)) => {
            table::answer(TYPES, arm, namespace, group, at).await
        }
        _ => {
            tracing::warn!(path = %arm.call.path, "this resource provider is not emulated");
            Err(ResourceError::ProviderNotFound(arm.segments[at - 1].clone()).into())
        }
    }
}
