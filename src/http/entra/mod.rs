//! Entra ID as clients meet it: discovery, keys, tokens, and the managed identity endpoints.
//! Must not know: who is in the directory, how a proof is checked (see app::directory::sign_in).

mod dialect;
mod discovery;
mod instance;
mod managed_identity;
mod token;

use std::sync::Arc;

use axum::http::Method;
use axum::response::Response;

use crate::app::directory::sign_in::{self, Granted};
use crate::app::{App, faults};
use crate::domain::Result;
use crate::domain::error::{RequestError, SignInError};
use crate::domain::fault::{Service, Touch};
use crate::http::call::Call;
use managed_identity::Asked;

/// Answers a call to the sign-in hosts.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    let trace = dialect::Trace::of(&call);
    let answer = route(&app, &mut call).await;
    dialect::oauth(answer, &trace)
}

/// Answers the endpoint of virtual machines (IMDS): managed identities' tokens, and what the machine is.
pub async fn managed_identity(app: Arc<App>, mut call: Call) -> Response {
    let trace = dialect::Trace::of(&call);
    let segments = call.segments();
    if let ["metadata", "instance", path @ ..] = segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        return dialect::imds(instance::answer(&call, path), &trace);
    }
    let asked = managed_identity::imds(&call);
    let granted = grant(&app, &mut call, asked).await;
    dialect::imds(granted.map(|g| managed_identity::imds_answer(&g)), &trace)
}

/// Answers `IDENTITY_ENDPOINT`, the managed identity endpoint of App Service. It lies on the control host,
/// whose front end sends the call here.
pub async fn app_service_token(app: Arc<App>, mut call: Call) -> Response {
    let trace = dialect::Trace::of(&call);
    let asked = managed_identity::app_service(&app, &call);
    let granted = grant(&app, &mut call, asked).await;
    dialect::app_service(granted.map(|g| managed_identity::app_service_answer(&g)), &trace)
}

async fn grant(app: &Arc<App>, call: &mut Call, asked: Result<Asked>) -> Result<Granted> {
    let asked = asked?;
    meet_fault(app, call, Service::Imds, "Token", asked.select.name()).await?;
    sign_in::managed_identity(app, &asked.select, &asked.resource).await
}

async fn route(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let operation = match path.as_slice() {
        [_, "discovery", "instance"] => "InstanceDiscovery",
        [_, .., "openid-configuration"] => "OpenIdConfiguration",
        [_, "discovery", .., "keys"] => "Keys",
        // That of a token is asked when its client is known.
        _ => "",
    };
    meet_fault(app, call, Service::Entra, operation, "").await?;
    match path.as_slice() {
        [_, "discovery", "instance"] => {
            only(call, &Method::GET)?;
            discovery::instance(call)
        }
        [tenant, ".well-known", "openid-configuration"] => {
            only(call, &Method::GET)?;
            discovery::configuration(call, tenant, discovery::Version::One)
        }
        [tenant, "v2.0", ".well-known", "openid-configuration"] => {
            only(call, &Method::GET)?;
            discovery::configuration(call, tenant, discovery::Version::Two)
        }
        [tenant, "discovery", "keys"] | [tenant, "discovery", "v2.0", "keys"] => {
            only(call, &Method::GET)?;
            discovery::keys(app, tenant).await
        }
        [tenant, "oauth2", "token"] => {
            only(call, &Method::POST)?;
            token::v1(app, call, tenant).await
        }
        [tenant, "oauth2", "v2.0", "token"] => {
            only(call, &Method::POST)?;
            token::v2(app, call, tenant).await
        }
        [tenant, "oauth2", "v2.0", "devicecode"] => {
            only(call, &Method::POST)?;
            token::device_code(app, call, tenant).await
        }
        // Signing in as a person in a browser is not emulated (see the README's limits): there is nobody to ask.
        [_, "oauth2", "authorize"] | [_, "oauth2", "v2.0", "authorize"] => {
            Err(RequestError::NotEmulated("code".to_owned()).into())
        }
        [_, "oauth2", "devicecode"] => Err(SignInError::GrantUnsupported("device_code".to_owned()).into()),
        _ => Err(RequestError::RouteUnknown(call.path.clone()).into()),
    }
}

/// Meets the fault that a test asked for this operation, if it did.
async fn meet_fault(app: &App, call: &mut Call, service: Service, operation: &str, client: &str) -> Result<()> {
    if operation.is_empty() || !app.faults().any(service) {
        return Ok(());
    }
    let (operations, callers) = ([operation], [client]);
    faults::meet(app, &call.fate, &Touch { callers: &callers, ..Touch::of(service, &operations) }).await
}

fn only(call: &Call, method: &Method) -> Result<()> {
    if call.method == *method || (method == Method::GET && call.method == Method::HEAD) {
        return Ok(());
    }
    Err(RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into())
}
