//! `/users`: people, who can be in groups and hold rights. Nobody signs in as one (see the README's limits).
//! Must not know: how they are kept.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::wire::{self, Query};
use super::{Request, directory_objects};
use crate::app::directory;
use crate::domain::Result;
use crate::domain::directory::identity::PrincipalKind;

/// What can be filtered by.
const PROPERTIES: &[&str] = &[
    "id",
    "displayName",
    "userPrincipalName",
    "mail",
    "mailNickname",
    "accountEnabled",
    "givenName",
    "surname",
    "userType",
];

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [] => match method {
            Method::GET => {
                let query = Query::read(request.call, PROPERTIES)?;
                let found = directory::objects(&mut request.read().await?, PrincipalKind::User).await?;
                Ok(query.list("users", found.iter().map(wire::user).collect()))
            }
            Method::POST => create(request).await,
            _ => Err(request.wrong_method()),
        },
        [id] => match method {
            Method::GET => {
                let query = Query::read(request.call, &[])?;
                let found = directory::object(&mut request.read().await?, PrincipalKind::User, id).await?;
                Ok(wire::one(StatusCode::OK, "users/$entity", &asked(&query, wire::user(&found))))
            }
            Method::PATCH => {
                let change = wire::change(wire::body(request.call).await?)?;
                let mut cx = request.write().await?;
                directory::update_object(&mut cx, PrincipalKind::User, id, change).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            Method::DELETE => {
                let mut cx = request.write().await?;
                directory::delete_object(&mut cx, PrincipalKind::User, id).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            _ => Err(request.wrong_method()),
        },
        [id, action @ ("getMemberGroups" | "checkMemberGroups")] => {
            let found = directory::object(&mut request.read().await?, PrincipalKind::User, id).await?;
            directory_objects::member_groups(request, &found.object_id, action).await
        }
        [id, "memberOf" | "transitiveMemberOf"] => {
            let found = directory::object(&mut request.read().await?, PrincipalKind::User, id).await?;
            directory_objects::member_of(request, &found.object_id).await
        }
        _ => Err(request.unknown()),
    }
}

fn asked(query: &Query, user: Value) -> Value {
    if query.selects() { query.selected(user) } else { wire::user_by_default(&user) }
}

async fn create(request: &mut Request<'_>) -> Result<Response> {
    let body = wire::body(request.call).await?;
    wire::text(&body, "userPrincipalName")?;
    // A password is demanded, as on Azure, and not kept: nobody can sign in with it.
    let profile = body.get("passwordProfile").and_then(Value::as_object).cloned().unwrap_or_default();
    wire::text(&profile, "password")?;
    let change = wire::change(body)?;
    let mut cx = request.write().await?;
    let made = directory::create_object(&mut cx, PrincipalKind::User, change).await?;
    cx.commit().await?;
    Ok(wire::created("users", &wire::user_by_default(&wire::user(&made))))
}
