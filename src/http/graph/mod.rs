//! The part of Microsoft Graph that az and Terraform need: applications, service principals, groups, users.
//! Must not know: how the directory is kept, who may sign in.

mod applications;
mod body;
mod credentials;
mod deleted;
mod dialect;
mod directory_objects;
mod groups;
mod query;
mod schema;
mod service_principals;
mod shapes;
mod users;
mod wire;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use schema::{DOMAIN, Entity, ORGANIZATION};

use crate::app::change::Admission;
use crate::app::directory::tokens;
use crate::app::{App, faults};
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::directory::identity::PrincipalKind;
use crate::domain::error::{DirectoryError, RequestError};
use crate::domain::fault::{Service, Touch};
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
    beta: bool,
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
    query::check(call)?;
    let beta = wire::is_beta(call);
    let mut request = Request { app, caller, call, beta };
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
        "me" if request.caller.kind == PrincipalKind::User => {
            let own: Vec<String> = std::iter::once(request.caller.object_id.clone())
                .chain(own.iter().map(|segment| (*segment).to_owned()))
                .collect();
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            users::answer(&mut request, &own).await
        }
        // The token is an application's: there is no signed-in user.
        "me" => Err(DirectoryError::NoUser.into()),
        "organization" => request.fixed(&own, &ORGANIZATION, shapes::organization()),
        "domains" => request.fixed(&own, &DOMAIN, shapes::domain()),
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

    /// 200 with an object; `of` is what follows `$metadata#`.
    fn one(&self, of: &str, object: &Value) -> Response {
        wire::one(StatusCode::OK, self.beta, of, object)
    }

    /// 201 with an object.
    fn created(&self, entity: &Entity, object: &Value) -> Response {
        wire::created(self.beta, entity, object)
    }

    /// An object as it is shown in the answer to its making.
    fn default(&self, entity: &'static Entity, object: Value) -> Result<Value> {
        Ok(query::Query::one(self.call, entity)?.shown(object))
    }

    /// What the tenant has one of, and nobody changes.
    fn fixed(&self, rest: &[&str], entity: &'static Entity, object: Value) -> Result<Response> {
        self.only(&Method::GET)?;
        match rest {
            [] => Ok(query::Query::list(self.call, entity)?.page(entity.set, vec![object])),
            [id] if object["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id)) => {
                let shown = query::Query::one(self.call, entity)?.shown(object);
                Ok(self.one(&format!("{}/$entity", entity.set), &shown))
            }
            [id] => Err(DirectoryError::NotFound((*id).to_owned()).into()),
            _ => Err(self.unknown()),
        }
    }

    async fn read(&mut self) -> Result<crate::app::Cx> {
        self.app.read(self.caller.clone()).await
    }

    async fn write(&mut self) -> Result<crate::app::Cx> {
        self.app.write_for(&Admission::of(&self.caller)).await
    }
}
