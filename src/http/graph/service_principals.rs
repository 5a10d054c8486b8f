//! `/servicePrincipals`: those of applications, and managed identities.
//! Must not know: how they are kept.

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use super::body::{self, Sent};
use super::query::Query;
use super::schema::SERVICE_PRINCIPAL;
use super::{Request, credentials, directory_objects, shapes, wire};
use crate::app::Cx;
use crate::app::directory::{self, Holder, ServicePrincipal};
use crate::domain::Result;
use crate::domain::error::{DirectoryError, RequestError};

pub(super) async fn answer(request: &mut Request<'_>, app_id: Option<&str>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    let mut path = rest.to_vec();
    let by_app;
    if let Some(app_id) = app_id {
        let found = directory::service_principal_by_app(&mut request.read().await?, app_id).await?;
        by_app = found.ok_or_else(|| DirectoryError::NotFound(app_id.to_owned()))?.principal.object_id;
        path.insert(0, &by_app);
    }
    match path.as_slice() {
        [] => match method {
            Method::GET => list(request).await,
            Method::POST => create(request).await,
            _ => Err(request.wrong_method()),
        },
        [id] => match method {
            Method::GET => show(request, id).await,
            Method::PATCH => update(request, id).await,
            Method::DELETE => {
                let mut cx = request.write().await?;
                directory::delete_service_principal(&mut cx, id).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            _ => Err(request.wrong_method()),
        },
        [id, action @ ("addPassword" | "removePassword")] => {
            request.only(&Method::POST)?;
            credentials::password(request, action, Holder::ServicePrincipal, id).await
        }
        [id, "owners", owners @ ..] => credentials::owners(request, Holder::ServicePrincipal, id, owners).await,
        [id, action @ ("getMemberGroups" | "checkMemberGroups")] => {
            directory_objects::member_groups(request, id, action).await
        }
        [id, "memberOf" | "transitiveMemberOf"] => directory_objects::member_of(request, id).await,
        _ => Err(request.unknown()),
    }
}

async fn shown(cx: &mut Cx, found: &ServicePrincipal) -> Result<Value> {
    // Only what has an application behind it can have secrets.
    let passwords = match &found.application {
        Some(application) => directory::passwords(cx, &application.app_id, &found.principal.object_id).await?,
        None => Vec::new(),
    };
    Ok(shapes::service_principal(found, &passwords))
}

async fn list(request: &mut Request<'_>) -> Result<Response> {
    let query = Query::list(request.call, &SERVICE_PRINCIPAL)?;
    let mut cx = request.read().await?;
    let pinned = |name: &str| query.filter.as_ref().and_then(|f| f.pinned(name)).map(str::to_owned);
    // An application id is looked up; an identifier URI is looked for.
    let name = pinned("servicePrincipalNames").filter(|n| uuid::Uuid::parse_str(n).is_ok());
    let found: Vec<ServicePrincipal> = if let Some(app_id) = pinned("appId").or(name) {
        directory::service_principal_by_app(&mut cx, &app_id).await?.into_iter().collect()
    } else {
        directory::service_principals(&mut cx).await?
    };
    let mut objects = Vec::with_capacity(found.len());
    for one in &found {
        objects.push(shown(&mut cx, one).await?);
    }
    Ok(query.page("servicePrincipals", objects))
}

async fn show(request: &mut Request<'_>, id: &str) -> Result<Response> {
    let query = Query::one(request.call, &SERVICE_PRINCIPAL)?;
    let mut cx = request.read().await?;
    let found = directory::service_principal(&mut cx, id).await?;
    let object = shown(&mut cx, &found).await?;
    Ok(request.one("servicePrincipals/$entity", &query.shown(object)))
}

async fn create(request: &mut Request<'_>) -> Result<Response> {
    let mut sent: Sent = body::read(request.call).await?;
    let app_id = body::needed("appId", sent.app_id.take())?;
    let owners = sent.owners();
    let change = sent.change(&SERVICE_PRINCIPAL)?;
    let mut cx = request.write().await?;
    let made = directory::create_service_principal(&mut cx, &app_id, change).await?;
    for owner in owners {
        directory::add_owner(&mut cx, Holder::ServicePrincipal, &made.principal.object_id, &owner).await?;
    }
    let object = shown(&mut cx, &made).await?;
    let object = request.default(&SERVICE_PRINCIPAL, object)?;
    cx.commit().await?;
    Ok(request.created(&SERVICE_PRINCIPAL, &object))
}

async fn update(request: &mut Request<'_>, id: &str) -> Result<Response> {
    let sent: Sent = body::read(request.call).await?;
    if sent.has("isDisabled") {
        // The application's alone [docs: deactivate an app registration]; the words are ours.
        let message = "It is read-only and cannot be set.".to_owned();
        return Err(RequestError::InvalidValue { property: "isDisabled".to_owned(), message }.into());
    }
    let change = sent.change(&SERVICE_PRINCIPAL)?;
    let mut cx = request.write().await?;
    directory::update_service_principal(&mut cx, id, change).await?;
    cx.commit().await?;
    Ok(wire::done())
}
