//! `/directory/deletedItems`: what was deleted and can be restored.
//! Must not know: how it is kept.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::query::Query;
use super::schema::DIRECTORY_OBJECT;
use super::{Request, shapes, wire};
use crate::app::directory::{ServicePrincipal, deleted};
use crate::domain::Result;
use crate::domain::directory::deleted::{Deleted, Object};

const KINDS: [&str; 4] = ["application", "servicePrincipal", "user", "group"];

pub(super) async fn answer(request: &mut Request<'_>, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match rest {
        [kind] if kind.starts_with("microsoft.graph.") => {
            request.only(&Method::GET)?;
            let kind = kind.trim_start_matches("microsoft.graph.");
            let kind = KINDS.into_iter().find(|k| k.eq_ignore_ascii_case(kind)).ok_or_else(|| request.unknown())?;
            let query = Query::list(request.call, &DIRECTORY_OBJECT)?;
            let all = deleted::list(&mut request.read().await?, kind).await?;
            let objects = all.iter().map(|d| shown(d, json!(d.deleted_at.zulu()))).collect();
            Ok(query.page(&format!("{kind}s"), objects))
        }
        [id] => match method {
            Method::GET => {
                let query = Query::one(request.call, &DIRECTORY_OBJECT)?;
                let found = deleted::get(&mut request.read().await?, id).await?;
                Ok(one(request, &query.shown(shown(&found, json!(found.deleted_at.zulu())))))
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
            let object = request.default(&DIRECTORY_OBJECT, shown(&restored, Value::Null))?;
            Ok(one(request, &object))
        }
        _ => Err(request.unknown()),
    }
}

fn one(request: &Request<'_>, object: &Value) -> Response {
    request.one("directoryObjects/$entity", object)
}

fn shown(deleted: &Deleted, deleted_at: Value) -> Value {
    let mut object = match &deleted.object {
        Object::Application(application) => shapes::application(application, &deleted.passwords),
        Object::Principal(principal) => {
            shapes::directory_object(&ServicePrincipal { principal: principal.clone(), application: None })
        }
    };
    object["@odata.type"] = json!(format!("#microsoft.graph.{}", deleted.kind()));
    object["deletedDateTime"] = deleted_at;
    object
}
