//! `/groups`: groups, their members and owners.
//! Must not know: how they are kept, what rights they hold.

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::wire::{self, Query};
use super::{Request, credentials, directory_objects};
use crate::app::directory::{self, Holder};
use crate::domain::Result;
use crate::domain::directory::identity::PrincipalKind;

/// What can be filtered by.
const PROPERTIES: &[&str] =
    &["id", "displayName", "mailNickname", "mail", "mailEnabled", "securityEnabled", "description"];

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [] => match method {
            Method::GET => {
                let query = Query::read(request.call, PROPERTIES)?;
                let found = directory::objects(&mut request.read().await?, PrincipalKind::Group).await?;
                Ok(query.list("groups", found.iter().map(wire::group).collect()))
            }
            Method::POST => create(request).await,
            _ => Err(request.wrong_method()),
        },
        [id] => match method {
            Method::GET => {
                let query = Query::read(request.call, &[])?;
                let found = directory::object(&mut request.read().await?, PrincipalKind::Group, id).await?;
                Ok(wire::one(StatusCode::OK, "groups/$entity", &query.selected(wire::group(&found))))
            }
            Method::PATCH => {
                let body = wire::body(request.call).await?;
                let members = credentials::bound(&body, "members@odata.bind");
                let change = wire::change(body)?;
                let mut cx = request.write().await?;
                directory::update_object(&mut cx, PrincipalKind::Group, id, change).await?;
                for member in members {
                    directory::add_member(&mut cx, id, &member).await?;
                }
                cx.commit().await?;
                Ok(wire::done())
            }
            Method::DELETE => {
                let mut cx = request.write().await?;
                directory::delete_object(&mut cx, PrincipalKind::Group, id).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            _ => Err(request.wrong_method()),
        },
        [id, "owners", owners @ ..] => credentials::owners(request, Holder::Group, id, owners).await,
        [id, "members", members @ ..] => self::members(request, id, members).await,
        [id, action @ ("getMemberGroups" | "checkMemberGroups")] => {
            directory_objects::member_groups(request, id, action).await
        }
        [id, "memberOf" | "transitiveMemberOf"] => directory_objects::member_of(request, id).await,
        _ => Err(request.unknown()),
    }
}

async fn create(request: &mut Request<'_>) -> Result<Response> {
    let body = wire::body(request.call).await?;
    wire::text(&body, "mailNickname")?;
    let owners = credentials::bound(&body, "owners@odata.bind");
    let members = credentials::bound(&body, "members@odata.bind");
    let change = wire::change(body)?;
    let mut cx = request.write().await?;
    let made = directory::create_object(&mut cx, PrincipalKind::Group, change).await?;
    for owner in owners {
        directory::add_owner(&mut cx, Holder::Group, &made.object_id, &owner).await?;
    }
    for member in members {
        directory::add_member(&mut cx, &made.object_id, &member).await?;
    }
    cx.commit().await?;
    Ok(wire::created("groups", &wire::group(&made)))
}

async fn members(request: &mut Request<'_>, group: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::read(request.call, &["id", "displayName"])?;
            let mut cx = request.read().await?;
            let found = directory::members(&mut cx, group).await?;
            Ok(query.list("directoryObjects", directory_objects::shown(&mut cx, found).await?))
        }
        (["$ref"], Method::POST) => {
            let member = wire::reference(&wire::text(&wire::body(request.call).await?, "@odata.id")?);
            let mut cx = request.write().await?;
            directory::add_member(&mut cx, group, &member).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([member, "$ref"], Method::DELETE) => {
            let mut cx = request.write().await?;
            directory::remove_member(&mut cx, group, member).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([] | ["$ref"] | [_, "$ref"], _) => Err(request.wrong_method()),
        _ => Err(request.unknown()),
    }
}
