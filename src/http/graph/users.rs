//! `/users`: people, who can be in groups and hold rights. Nobody signs in as one (see the README's limits).
//! Must not know: how they are kept.

use axum::http::Method;
use axum::response::Response;

use super::body::{self, Sent};
use super::query::Query;
use super::schema::USER;
use super::{Request, directory_objects, shapes, wire};
use crate::app::directory;
use crate::domain::Result;
use crate::domain::directory::identity::PrincipalKind;

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [] => match method {
            Method::GET => {
                let query = Query::list(request.call, &USER)?;
                let found = directory::objects(&mut request.read().await?, PrincipalKind::User).await?;
                Ok(query.page("users", found.iter().map(shapes::user).collect()))
            }
            Method::POST => create(request).await,
            _ => Err(request.wrong_method()),
        },
        [id] => match method {
            Method::GET => {
                let query = Query::one(request.call, &USER)?;
                let found = directory::object(&mut request.read().await?, PrincipalKind::User, id).await?;
                Ok(request.one("users/$entity", &query.shown(shapes::user(&found))))
            }
            Method::PATCH => {
                let sent: Sent = body::read(request.call).await?;
                let change = sent.change(&USER)?;
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

async fn create(request: &mut Request<'_>) -> Result<Response> {
    let sent: Sent = body::read(request.call).await?;
    sent.need("userPrincipalName")?;
    sent.need_password()?;
    let change = sent.change(&USER)?;
    let mut cx = request.write().await?;
    let made = directory::create_object(&mut cx, PrincipalKind::User, change).await?;
    cx.commit().await?;
    let object = request.default(&USER, shapes::user(&made))?;
    Ok(request.created(&USER, &object))
}
