//! `Microsoft.Authorization/locks` over ARM, at any scope.
//! Must not know: what a lock forbids.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::Cx;
use crate::app::resources::locks::{self, Lock};
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::resources::lock::LOCKS;
use crate::http::arm::query;
use crate::http::arm::table::{Operation, Place, Request, Type, handler};
use crate::http::arm::wire::Answer;
use crate::http::odata::Language;

pub(super) const TYPE: Type = Type {
    name: LOCKS,
    operations: &[
        Operation::list(handler!(list)).taking(query::FILTER),
        Operation::get(handler!(get)),
        Operation::put(handler!(put)),
        Operation::delete(handler!(delete)),
    ],
    ..Type::new(Place::Anywhere, &["2016-09-01", "2020-05-01"])
};

fn shown(lock: &Lock) -> Value {
    let mut properties = json!({"level": lock.level.word()});
    if let Some(notes) = &lock.notes {
        properties["notes"] = json!(notes);
    }
    if !lock.owners.is_null() {
        properties["owners"] = lock.owners.clone();
    }
    json!({
        "properties": properties, "id": format!("{}/providers/{LOCKS}/{}", lock.scope, lock.name), "type": LOCKS,
        "name": lock.name,
    })
}

/// Those in the scope are listed too, unless `atScope()` is asked for.
async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let at_scope = request.filter(Language { properties: &[], words: &["atScope"] })?.is_some();
    let found = locks::list(cx, &request.scope, !at_scope).await?;
    Ok(Answer::list(found.iter().map(shown).collect()))
}

async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let found = locks::find(cx, &request.scope, request.name()).await?;
    let lock = found.ok_or_else(|| ResourceError::LockNotFound(request.name().to_owned()))?;
    Ok(Answer::ok(shown(&lock)))
}

async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (lock, new) = locks::put(cx, &request.scope, request.name(), &request.body["properties"]).await?;
    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown(&lock)))
}

async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = locks::delete(cx, &request.scope, request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}
