//! `/directoryObjects`: principals of any kind, by id, and the groups they are in.
//! Must not know: how they are kept.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::body::{self, GroupIds, Ids};
use super::query::Query;
use super::schema::DIRECTORY_OBJECT;
use super::{Request, shapes, wire};
use crate::app::Cx;
use crate::app::directory::{self, ServicePrincipal};
use crate::domain::Result;
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::error::{DirectoryError, RequestError};

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    match rest {
        ["getByIds" | "microsoft.graph.getByIds"] => {
            request.only(&Method::POST)?;
            by_ids(request).await
        }
        [id, action @ ("getMemberGroups" | "checkMemberGroups")] => member_groups(request, id, action).await,
        [id] => {
            request.only(&Method::GET)?;
            let query = Query::one(request.call, &DIRECTORY_OBJECT)?;
            let mut cx = request.read().await?;
            let found = directory::any_object(&mut cx, id).await?;
            let found = found.ok_or_else(|| DirectoryError::NotFound((*id).to_owned()))?;
            let object = shown(&mut cx, vec![found]).await?.remove(0);
            Ok(request.one("directoryObjects/$entity", &query.shown(object)))
        }
        _ => Err(request.unknown()),
    }
}

/// Principals as they stand among others.
pub(super) async fn shown(cx: &mut Cx, principals: Vec<Principal>) -> Result<Vec<Value>> {
    let mut objects = Vec::with_capacity(principals.len());
    for principal in principals {
        let application = match (&principal.app_id, principal.kind) {
            (Some(app_id), PrincipalKind::Application) => directory::application_by_app(cx, app_id).await?,
            _ => None,
        };
        objects.push(shapes::directory_object(&ServicePrincipal { principal, application }));
    }
    Ok(objects)
}

/// The most ids in one call [docs].
const MOST_IDS: usize = 1000;

/// Ids that are nobody's are left out, as on Azure [sdk-code: az counts on it].
async fn by_ids(request: &mut Request<'_>) -> Result<Response> {
    let query = Query::list(request.call, &DIRECTORY_OBJECT)?;
    let asked: Ids = body::read(request.call).await?;
    let ids = body::listed("ids", asked.ids)?;
    if ids.len() > MOST_IDS {
        let message = format!("At most {MOST_IDS} ids are allowed.");
        return Err(RequestError::InvalidValue { property: "ids".to_owned(), message }.into());
    }
    let types = asked.types.unwrap_or_default();
    let wanted = |kind: PrincipalKind| {
        let name = match kind {
            PrincipalKind::Application | PrincipalKind::ManagedIdentity => "servicePrincipal",
            PrincipalKind::User => "user",
            PrincipalKind::Group => "group",
        };
        types.is_empty() || types.iter().any(|t| t.eq_ignore_ascii_case(name) || t == "directoryObject")
    };
    let mut cx = request.read().await?;
    let mut found = Vec::new();
    for id in &ids {
        found.extend(directory::any_object(&mut cx, id).await?.filter(|p| wanted(p.kind)));
    }
    let objects = shown(&mut cx, found).await?.into_iter().map(|object| query.shown(object));
    let body = json!({
        "@odata.context": wire::context(request.beta, "directoryObjects"),
        "value": objects.collect::<Vec<_>>(),
    });
    Ok(axum::response::IntoResponse::into_response(axum::Json(body)))
}

/// `getMemberGroups`, and `checkMemberGroups` of given ids.
pub(super) async fn member_groups(request: &mut Request<'_>, id: &str, action: &str) -> Result<Response> {
    request.only(&Method::POST)?;
    let asked: GroupIds = body::read(request.call).await?;
    let mut groups = directory::groups_of(&mut request.read().await?, id).await?;
    if action == "checkMemberGroups" {
        let asked = body::listed("groupIds", asked.group_ids)?;
        groups.retain(|g| asked.iter().any(|a| a.eq_ignore_ascii_case(g)));
    }
    let body = json!({
        "@odata.context": wire::context(request.beta, "Collection(Edm.String)"),
        "value": groups,
    });
    Ok(axum::response::IntoResponse::into_response(axum::Json(body)))
}

/// `memberOf`.
pub(super) async fn member_of(request: &mut Request<'_>, id: &str) -> Result<Response> {
    request.only(&Method::GET)?;
    let query = Query::list(request.call, &DIRECTORY_OBJECT)?;
    let mut cx = request.read().await?;
    let mut groups = Vec::new();
    for group in directory::groups_of(&mut cx, id).await? {
        groups.extend(directory::any_object(&mut cx, &group).await?);
    }
    Ok(query.page("directoryObjects", shown(&mut cx, groups).await?))
}
