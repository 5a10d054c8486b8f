//! `/groups`: groups, their members and owners.
//! Must not know: how they are kept, what rights they hold.

use axum::http::Method;
use axum::response::Response;

use super::body::{self, Reference, Sent};
use super::query::Query;
use super::schema::{DIRECTORY_OBJECT, GROUP};
use super::{Request, credentials, directory_objects, shapes, wire};
use crate::app::directory::{self, Holder};
use crate::domain::Result;
use crate::domain::directory::identity::PrincipalKind;

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [] => match method {
            Method::GET => {
                let query = Query::list(request.call, &GROUP)?;
                let found = directory::objects(&mut request.read().await?, PrincipalKind::Group).await?;
                Ok(query.page("groups", found.iter().map(shapes::group).collect()))
            }
            Method::POST => create(request).await,
            _ => Err(request.wrong_method()),
        },
        [id] => match method {
            Method::GET => {
                let query = Query::one(request.call, &GROUP)?;
                let found = directory::object(&mut request.read().await?, PrincipalKind::Group, id).await?;
                Ok(request.one("groups/$entity", &query.shown(shapes::group(&found))))
            }
            Method::PATCH => {
                let sent: Sent = body::read(request.call).await?;
                let members = sent.members();
                let change = sent.change(&GROUP)?;
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
    let sent: Sent = body::read(request.call).await?;
    sent.need("mailNickname")?;
    let (owners, members) = (sent.owners(), sent.members());
    let change = sent.change(&GROUP)?;
    let mut cx = request.write().await?;
    let made = directory::create_object(&mut cx, PrincipalKind::Group, change).await?;
    for owner in owners {
        directory::add_owner(&mut cx, Holder::Group, &made.object_id, &owner).await?;
    }
    for member in members {
        directory::add_member(&mut cx, &made.object_id, &member).await?;
    }
    cx.commit().await?;
    let object = request.default(&GROUP, shapes::group(&made))?;
    Ok(request.created(&GROUP, &object))
}

async fn members(request: &mut Request<'_>, group: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::list(request.call, &DIRECTORY_OBJECT)?;
            let mut cx = request.read().await?;
            let found = directory::members(&mut cx, group).await?;
            Ok(query.page("directoryObjects", directory_objects::shown(&mut cx, found).await?))
        }
        (["$ref"], Method::POST) => {
            let reference: Reference = body::read(request.call).await?;
            let member = reference.object()?;
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
