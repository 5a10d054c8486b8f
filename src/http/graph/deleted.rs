//! `/directory/deletedItems`: what was deleted and can be restored.
//! Must not know: how it is kept.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::Request;
use super::wire::{self, Query};
use crate::app::directory::{ServicePrincipal, deleted};
use crate::domain::Result;
use crate::domain::directory::deleted::{Deleted, Object};

/// What can be filtered by.
const PROPERTIES: &[&str] = &["id", "appId", "displayName", "userPrincipalName", "mailNickname"];

const KINDS: [&str; 4] = ["application", "servicePrincipal", "user", "group"];

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [kind] if kind.starts_with("microsoft.graph.") => {
            request.only(&Method::GET)?;
            let kind = kind.trim_start_matches("microsoft.graph.");
            let kind = KINDS.into_iter().find(|k| k.eq_ignore_ascii_case(kind)).ok_or_else(|| request.unknown())?;
            let query = Query::read(request.call, PROPERTIES)?;
            let all = deleted::list(&mut request.read().await?, kind).await?;
            let objects = all.iter().map(|d| shown(d, json!(d.deleted_at.zulu()))).collect();
            Ok(query.list(&format!("{kind}s"), objects))
        }
        [id] => match method {
            Method::GET => {
                let query = Query::read(request.call, &[])?;
                let found = deleted::get(&mut request.read().await?, id).await?;
                Ok(one(&query.selected(shown(&found, json!(found.deleted_at.zulu())))))
            }
            Method::DELETE => {
                let mut cx = request.write().await?;
                deleted::purge(&mut cx, id).await?;
                cx.commit().await?;
                Ok(wire::done())
            }
            _ => Err(request.wrong_method()),
        },
        [id, "restore" | "microsoft.graph.restore"] => {
            request.only(&Method::POST)?;
            let mut cx = request.write().await?;
            let restored = deleted::restore(&mut cx, id).await?;
            cx.commit().await?;
            Ok(one(&shown(&restored, Value::Null)))
        }
        _ => Err(request.unknown()),
    }
}

fn one(object: &Value) -> Response {
    wire::one(StatusCode::OK, "directoryObjects/$entity", object)
}

fn shown(deleted: &Deleted, deleted_at: Value) -> Value {
    let mut object = match &deleted.object {
        Object::Application(application) => wire::application(application, &deleted.passwords),
        Object::Principal(principal) => {
            wire::directory_object(&ServicePrincipal { principal: principal.clone(), application: None })
        }
    };
    object["@odata.type"] = json!(format!("#microsoft.graph.{}", deleted.kind()));
    object["deletedDateTime"] = deleted_at;
    object
}
