//! The part of Microsoft Graph that az and Terraform need: applications, service principals, groups, users.
//! Must not know: how the directory is kept, who may sign in.

mod applications;
mod credentials;
mod deleted;
mod dialect;
mod directory_objects;
mod filter;
mod groups;
mod service_principals;
mod users;
mod wire;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::app::change::Admission;
use crate::app::directory::tokens;
use crate::app::{App, faults};
use crate::domain::access::Caller;
use crate::domain::error::{DirectoryError, RequestError};
use crate::domain::fault::{Service, Touch};
use crate::domain::world::well_known::{TENANT_DOMAIN, TENANT_ID};
use crate::domain::{Result, Timestamp};
use crate::http::call::Call;

/// Answers a call.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    let trace = dialect::Trace::of(&call);
    let answer = route(&app, &mut call).await;
    dialect::render(answer, &trace)
}

/// One request: the emulator, who asks, and what.
struct Request<'a> {
    app: &'a Arc<App>,
    caller: Caller,
    call: &'a mut Call,
}

async fn route(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    let token = call.bearer().map(str::to_owned);
    let caller = tokens::authenticate(app, token.as_deref(), tokens::GRAPH, call.address).await?;
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["v1.0" | "beta", noun, rest @ ..] = path.as_slice() else {
        return Err(RequestError::RouteUnknown(call.path.clone()).into());
    };
    let (noun, key) = keyed(noun);
    meet_fault(app, call, noun, &caller).await?;
    let mut request = Request { app, caller, call };
    // `users('x')` is `users/x`; `applications(appId='x')` is another key.
    let own: Vec<&str> = match key {
        Some(key) if !key.contains('=') => {
            std::iter::once(key.trim_matches('\'')).chain(rest.iter().copied()).collect()
        }
        _ => rest.to_vec(),
    };
    let app_id = key.and_then(|k| k.strip_prefix("appId=")).map(|k| k.trim_matches('\''));
    match noun {
        "applications" => applications::answer(&mut request, app_id, &own).await,
        "servicePrincipals" => service_principals::answer(&mut request, app_id, &own).await,
        "groups" => groups::answer(&mut request, &own).await,
        "users" => users::answer(&mut request, &own).await,
        "directoryObjects" => directory_objects::answer(&mut request, &own).await,
        "directory" => match own.as_slice() {
            [items, rest @ ..] if items.eq_ignore_ascii_case("deletedItems") => {
                deleted::answer(&mut request, rest).await
            }
            _ => Err(request.unknown()),
        },
        // Every token here is an application's: there is no signed-in user.
        "me" => Err(DirectoryError::NoUser.into()),
        "organization" => {
            request.only(&Method::GET)?;
            let domain = json!({"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": TENANT_DOMAIN, "type": "Managed"});
            let tenant = json!({"id": TENANT_ID, "displayName": "Acrite", "verifiedDomains": [domain]});
            Ok(wire::Query::read(request.call, &[])?.list("organization", vec![tenant]))
        }
        _ => Err(RequestError::RouteUnknown(request.call.path.clone()).into()),
    }
}

/// Meets the fault that a test asked for this operation, if it did.
async fn meet_fault(app: &App, call: &mut Call, noun: &str, caller: &Caller) -> Result<()> {
    if !app.faults().any(Service::Graph) {
        return Ok(());
    }
    let verb = match call.method {
        Method::GET => "read",
        Method::DELETE => "delete",
        _ => "write",
    };
    let (operation, callers) = (format!("{noun}/{verb}"), faults::names(caller));
    let operations = [operation.as_str()];
    faults::meet(app, &call.fate, &Touch { callers: &callers, ..Touch::of(Service::Graph, &operations) }).await
}

/// A path segment with a key in brackets.
fn keyed(segment: &str) -> (&str, Option<&str>) {
    match segment.strip_suffix(')').and_then(|s| s.split_once('(')) {
        Some((noun, key)) => (noun, Some(key)),
        None => (segment, None),
    }
}

impl Request<'_> {
    fn only(&self, method: &Method) -> Result<()> {
        if self.call.method == *method { Ok(()) } else { Err(self.wrong_method()) }
    }

    fn wrong_method(&self) -> crate::domain::Error {
        RequestError::MethodNotAllowed { method: self.call.method.to_string(), path: self.call.path.clone() }.into()
    }

    fn unknown(&self) -> crate::domain::Error {
        RequestError::RouteUnknown(self.call.path.clone()).into()
    }

    async fn read(&mut self) -> Result<crate::app::Cx> {
        self.app.read(self.caller.clone()).await
    }

    async fn write(&mut self) -> Result<crate::app::Cx> {
        self.app.write_for(&Admission::of(&self.caller)).await
    }
}

/// A time that a client sent, if it sent one.
fn time(body: &serde_json::Map<String, serde_json::Value>, name: &str) -> Result<Option<Timestamp>> {
    let Some(text) = body.get(name).and_then(|v| v.as_str()) else { return Ok(None) };
    // Python writes times without a zone now and then; Graph takes them as UTC.
    let time = Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}Z")));
    time.map(Some).ok_or_else(|| {
        let message = format!("'{text}' is not a time.");
        RequestError::InvalidValue { property: name.to_owned(), message }.into()
    })
}

/// 200 with an object that is no directory object.
fn plain(context: &str, object: &serde_json::Value) -> Response {
    wire::one(StatusCode::OK, context, object)
}
