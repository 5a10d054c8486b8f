//! `/applications`: app registrations, their secrets, owners and federated credentials.
//! Must not know: how they are kept.

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use super::body::{self, Sent};
use super::query::Query;
use super::schema::APPLICATION;
use super::{Request, credentials, shapes, wire};
use crate::app::Cx;
use crate::app::directory::{self, Holder};
use crate::domain::Result;
use crate::domain::directory::applications::Application;
use crate::domain::error::DirectoryError;

pub(super) async fn answer(request: &mut Request<'_>, app_id: Option<&str>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    let mut path = rest.to_vec();
    let by_app;
    if let Some(app_id) = app_id {
        let mut cx = request.read().await?;
        let found = directory::application_by_app(&mut cx, app_id).await?;
        by_app = found.ok_or_else(|| DirectoryError::NotFound(app_id.to_owned()))?.object_id;
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
                directory::delete_application(&mut cx, id).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            _ => Err(request.wrong_method()),
        },
        [id, action @ ("addPassword" | "removePassword")] => {
            request.only(&Method::POST)?;
            credentials::password(request, action, Holder::Application, id).await
        }
        [id, "owners", owners @ ..] => credentials::owners(request, Holder::Application, id, owners).await,
        [id, "federatedIdentityCredentials", rest @ ..] => credentials::federated(request, id, rest).await,
        _ => Err(request.unknown()),
    }
}

async fn shown(cx: &mut Cx, application: &Application) -> Result<Value> {
    let passwords = directory::passwords(cx, &application.app_id, &application.object_id).await?;
    Ok(shapes::application(application, &passwords))
}

async fn list(request: &mut Request<'_>) -> Result<Response> {
    let query = Query::list(request.call, &APPLICATION)?;
    let app_id = query.filter.as_ref().and_then(|f| f.pinned("appId")).map(str::to_owned);
    let mut cx = request.read().await?;
    let found = match app_id {
        Some(app_id) => directory::application_by_app(&mut cx, &app_id).await?.into_iter().collect(),
        None => directory::applications(&mut cx).await?,
    };
    let mut objects = Vec::with_capacity(found.len());
    for application in &found {
        objects.push(shown(&mut cx, application).await?);
    }
    Ok(query.page("applications", objects))
}

async fn show(request: &mut Request<'_>, id: &str) -> Result<Response> {
    let query = Query::one(request.call, &APPLICATION)?;
    let mut cx = request.read().await?;
    let found = directory::application(&mut cx, id).await?;
    let object = shown(&mut cx, &found).await?;
    Ok(request.one("applications/$entity", &query.shown(object)))
}

async fn create(request: &mut Request<'_>) -> Result<Response> {
    let mut sent: Sent = body::read(request.call).await?;
    let (owners, passwords) = (sent.owners(), sent.passwords()?);
    let change = sent.change(&APPLICATION)?;
    let mut cx = request.write().await?;
    let made = directory::create_application(&mut cx, change).await?;
    for owner in owners {
        directory::add_owner(&mut cx, Holder::Application, &made.object_id, &owner).await?;
    }
    // Told this once, the newest first.
    let mut secrets = Vec::new();
    for new in passwords {
        let (password, secret) = directory::add_password(&mut cx, Holder::Application, &made.object_id, new).await?;
        secrets.insert(0, shapes::password(&password, Some(&secret)));
    }
    let mut object = shapes::application(&made, &[]);
    object["passwordCredentials"] = Value::Array(secrets);
    let object = request.default(&APPLICATION, object)?;
    cx.commit().await?;
    Ok(request.created(&APPLICATION, &object))
}

async fn update(request: &mut Request<'_>, id: &str) -> Result<Response> {
    let sent: Sent = body::read(request.call).await?;
    let change = sent.change(&APPLICATION)?;
    let mut cx = request.write().await?;
    directory::update_application(&mut cx, id, change).await?;
    cx.commit().await?;
    Ok(wire::done())
}
