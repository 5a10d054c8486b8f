//! `/acr/v1/_deleted`: the soft-deleted bin, as az calls it. Shapes are those that az reads [cli]; the rest of them
//! is inferred from `/acr/v1`.
//! Must not know: how the bin is kept.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::{enter, not_allowed, reads, wire};
use crate::app::App;
use crate::app::registry::content::Inside;
use crate::app::registry::content::deleted as verbs;
use crate::app::registry::rights::Need;
use crate::domain::error::ContentError;
use crate::domain::registry::content::{Digest, is_tag};
use crate::domain::registry::rights::Right;
use crate::domain::{Error, Result};
use crate::http::call::Call;

fn reading(repository: &str) -> Need<'_> {
    Need::only(repository, &[Right::DeletedRead])
}

fn shown(inside: &Inside, repository: &str, name: &str, rows: Value) -> Response {
    let mut body = json!({"registry": inside.registry.login_server(), "imageName": repository});
    body[name] = rows;
    wire::json(StatusCode::OK, &body)
}

/// `/acr/v1/_deleted/_catalog`.
pub async fn catalog(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let need = Need::registry(&[Right::DeletedCatalog]);
    let (mut cx, inside) = enter(app, call, &need).await?;
    let names = verbs::repositories(&mut cx, &inside).await?;
    Ok(wire::json(StatusCode::OK, &json!({"repositories": names})))
}

/// `/acr/v1/_deleted/{repository}/_tags`.
pub async fn tags(app: &Arc<App>, call: &mut Call, repository: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &reading(repository)).await?;
    let rows = verbs::tags(&mut cx, &inside, repository).await?;
    let row = |t: &verbs::DeletedTag| json!({"tag": t.name, "digest": t.digest, "deletedAt": t.deleted_at.zulu7()});
    Ok(shown(&inside, repository, "tags", rows.iter().map(row).collect()))
}

/// `/acr/v1/_deleted/{repository}/_manifests`.
pub async fn manifests(app: &Arc<App>, call: &mut Call, repository: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &reading(repository)).await?;
    let rows = verbs::manifests(&mut cx, &inside, repository).await?;
    let row = |m: &verbs::DeletedManifest| {
        json!({
            "digest": m.digest,
            "imageSize": m.image_size,
            "mediaType": m.media_type,
            "createdTime": m.created_at.zulu7(),
            "deletedAt": m.deleted_at.zulu7(),
        })
    };
    Ok(shown(&inside, repository, "manifests", rows.iter().map(row).collect()))
}

/// `POST /acr/v1/_deleted/{repository}/_manifests/{digest}?force=`: restores it, with the tag of the body.
pub async fn restore(app: &Arc<App>, mut call: Call, repository: &str, digest: &str) -> Result<Response> {
    if call.method != Method::POST {
        return Err(not_allowed(&call));
    }
    let need = Need::repository(repository, &[Right::DeletedRead, Right::DeletedRestore], &[Right::DeletedRestore]);
    let (cx, inside) = enter(app, &mut call, &need).await?;
    drop(cx);
    let digest =
        Digest::parse(digest).map_err(|_| Error::from(ContentError::ManifestUnknown("manifest unknown".to_owned())))?;
    let body = call.json().await?;
    let tag = body["tag"].as_str().filter(|t| !t.is_empty());
    if let Some(tag) = tag.filter(|t| !is_tag(t)) {
        return Err(ContentError::TagInvalid(tag.to_owned()).into());
    }
    let force = call.query("force").is_some_and(|f| f.eq_ignore_ascii_case("true"));
    let mut writing = inside.write(app).await?;
    verbs::restore(&mut writing, repository, &digest, tag, force).await?;
    writing.commit().await?;
    Ok(shown(&inside, repository, "manifest", json!({"digest": digest.as_str(), "tag": tag})))
}
