//! `/acr/v1`: Azure's own view of repositories, tags and manifests (acr.md C.3).
//! Must not know: how they are kept.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::{enter, enter_to_write, not_allowed, wire};
use crate::app::registry::content::repositories as verbs;
use crate::app::registry::content::repositories::{Described, Lockable, Order, Tag};
use crate::app::registry::content::{Inside, Writing};
use crate::app::registry::rights::Need;
use crate::app::{App, Cx};
use crate::domain::error::ContentError;
use crate::domain::registry::content::{Digest, is_tag};
use crate::domain::registry::rights::Right;
use crate::domain::{Error, Result};
use crate::http::call::Call;

/// What reading needs: a token for pulling alone is none [issue].
fn reading(repository: &str) -> Need<'_> {
    Need::only(repository, &[Right::MetadataRead])
}

fn changing(repository: &str) -> Need<'_> {
    Need::repository(repository, &[Right::MetadataWrite, Right::MetadataRead], &[Right::MetadataWrite])
}

fn deleting(repository: &str) -> Need<'_> {
    Need::only(repository, &[Right::Delete])
}

fn order(call: &Call) -> (Order, &'static str) {
    match call.query("orderby").as_deref() {
        Some("timeasc") => (Order::Oldest, "timeasc"),
        Some("timedesc") => (Order::Newest, "timedesc"),
        _ => (Order::Name, ""),
    }
}

fn shown_tag(tag: &Tag) -> Value {
    json!({
        "name": tag.name,
        "digest": tag.digest,
        "createdTime": tag.created_at.zulu7(),
        "lastUpdateTime": tag.updated_at.zulu7(),
        "signed": false,
        "changeableAttributes": tag.attributes.shown(),
    })
}

fn shown_manifest(described: &Described, alone: bool) -> Value {
    let manifest = &described.manifest;
    let mut shown = json!({
        "digest": manifest.digest,
        "imageSize": manifest.image_size,
        "createdTime": manifest.created_at.zulu7(),
        "lastUpdateTime": manifest.updated_at.zulu7(),
    });
    for name in ["architecture", "os"] {
        if let Some(value) = described.about.get(name) {
            shown[name] = value.clone();
        }
    }
    shown["mediaType"] = json!(manifest.media_type);
    if let Some(value) = described.about.get("configMediaType") {
        shown["configMediaType"] = value.clone();
    }
    if !described.tags.is_empty() {
        shown["tags"] = json!(described.tags);
    }
    let mut attributes = manifest.attributes.shown();
    attributes["quarantineState"] = json!(manifest.quarantine.word());
    if let Some(verdict) = &described.verdict {
        attributes["quarantineDetails"] = json!(verdict);
    }
    shown["changeableAttributes"] = attributes;
    if alone && let Some(references) = described.about.get("references") {
        shown["references"] = references.clone();
    }
    shown
}

fn place(inside: &Inside, repository: &str) -> Value {
    json!({"registry": inside.registry.login_server(), "imageName": repository})
}

/// `/acr/v1/{repository}`.
pub async fn repository(app: &Arc<App>, mut call: Call, name: &str) -> Result<Response> {
    match call.method {
        Method::GET => {
            let (mut cx, inside) = enter(app, &mut call, &reading(name)).await?;
            show_repository(&mut cx, &inside, name).await
        }
        Method::PATCH => {
            let mut writing = change(app, &mut call, name, &Lockable::Repository).await?;
            let (cx, inside) = writing.parts();
            let shown = show_repository(cx, inside, name).await?;
            writing.commit().await.map(|()| shown)
        }
        Method::DELETE => {
            let writing = enter_to_write(app, &mut call, &deleting(name)).await?;
            let (manifests, tags) = verbs::delete(app, writing, name).await?;
            let body = json!({"manifestsDeleted": manifests, "tagsDeleted": tags});
            Ok(wire::json(StatusCode::ACCEPTED, &body))
        }
        _ => Err(not_allowed(&call)),
    }
}

async fn show_repository(cx: &mut Cx, inside: &Inside, name: &str) -> Result<Response> {
    let (repository, manifests, tags) = verbs::show(cx, inside, name).await?;
    let mut shown = place(inside, name);
    shown["createdTime"] = json!(repository.created_at.zulu7());
    shown["lastUpdateTime"] = json!(repository.updated_at.zulu7());
    shown["manifestCount"] = json!(manifests);
    shown["tagCount"] = json!(tags);
    shown["changeableAttributes"] = repository.attributes.shown();
    shown["changeableAttributes"]["teleportEnabled"] = json!(false);
    Ok(wire::json(StatusCode::OK, &shown))
}

/// Changes attributes. Still to be committed, so that the answer shows what was changed and not what came after it.
async fn change(app: &Arc<App>, call: &mut Call, name: &str, what: &Lockable) -> Result<Writing> {
    let (cx, inside) = enter(app, call, &changing(name)).await?;
    drop(cx);
    let body = call.json().await?;
    let mut writing = inside.write(app).await?;
    verbs::lock(&mut writing, name, what, &body).await?;
    Ok(writing)
}

/// `/acr/v1/{repository}/_tags`.
pub async fn tags(app: &Arc<App>, call: &mut Call, name: &str) -> Result<Response> {
    if call.method != Method::GET {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &reading(name)).await?;
    let page = wire::page(call, wire::PAGE)?;
    let (order, word) = order(call);
    let digest = call.query("digest").filter(|d| !d.is_empty());
    let listed = verbs::tags(&mut cx, &inside, name, &page, order, digest.as_deref()).await?;
    let mut shown = place(&inside, name);
    // Past the end the member is absent [client: Azure's own acr ends in a panic on an empty list].
    if !listed.rows.is_empty() {
        shown["tags"] = listed.rows.iter().map(shown_tag).collect();
    }
    let mut answer = wire::json(StatusCode::OK, &shown);
    if let Some(last) = listed.rows.last().filter(|_| listed.more) {
        wire::link(&mut answer, &format!("/acr/v1/{name}/_tags"), &page, &last.name, word);
    }
    Ok(answer)
}

/// `/acr/v1/{repository}/_tags/{tag}`.
pub async fn tag(app: &Arc<App>, mut call: Call, name: &str, tag: &str) -> Result<Response> {
    if !is_tag(tag) {
        return Err(ContentError::TagUnknown(tag.to_owned()).into());
    }
    match call.method {
        Method::GET => {
            let (mut cx, inside) = enter(app, &mut call, &reading(name)).await?;
            show_tag(&mut cx, &inside, name, tag).await
        }
        Method::PATCH => {
            let mut writing = change(app, &mut call, name, &Lockable::Tag(tag.to_owned())).await?;
            let (cx, inside) = writing.parts();
            let shown = show_tag(cx, inside, name, tag).await?;
            writing.commit().await.map(|()| shown)
        }
        Method::DELETE => {
            let mut writing = enter_to_write(app, &mut call, &deleting(name)).await?;
            verbs::untag(&mut writing, name, tag).await?;
            writing.commit().await?;
            Ok(wire::empty(StatusCode::ACCEPTED))
        }
        _ => Err(not_allowed(&call)),
    }
}

async fn show_tag(cx: &mut Cx, inside: &Inside, name: &str, tag: &str) -> Result<Response> {
    let found = verbs::tag(cx, inside, name, tag).await?;
    let mut shown = place(inside, name);
    shown["tag"] = shown_tag(&found);
    Ok(wire::json(StatusCode::OK, &shown))
}

/// `/acr/v1/{repository}/_manifests`.
pub async fn manifests(app: &Arc<App>, call: &mut Call, name: &str) -> Result<Response> {
    if call.method != Method::GET {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &reading(name)).await?;
    let page = wire::page(call, wire::PAGE)?;
    let (order, word) = order(call);
    let show = |described: &Described| shown_manifest(described, false).to_string();
    let listed = verbs::manifests(&mut cx, &inside, name, (&page, order), show).await?;
    let items = listed.rows.iter().map(|(_, shown)| shown.as_str());
    let mut answer = match listed.rows.is_empty() {
        true => wire::json(StatusCode::OK, &place(&inside, name)),
        false => wire::list(&place(&inside, name), "manifests", items),
    };
    if let Some((last, _)) = listed.rows.last().filter(|_| listed.more) {
        wire::link(&mut answer, &format!("/acr/v1/{name}/_manifests"), &page, last, word);
    }
    Ok(answer)
}

/// `/acr/v1/{repository}/_manifests/{digest}`.
pub async fn manifest(app: &Arc<App>, mut call: Call, name: &str, digest: &str) -> Result<Response> {
    let digest =
        Digest::parse(digest).map_err(|_| Error::from(ContentError::ManifestUnknown("manifest unknown".to_owned())))?;
    match call.method {
        Method::GET => {
            let (mut cx, inside) = enter(app, &mut call, &reading(name)).await?;
            show_manifest(&mut cx, &inside, name, &digest).await
        }
        Method::PATCH => {
            let mut writing = change(app, &mut call, name, &Lockable::Manifest(digest.clone())).await?;
            let (cx, inside) = writing.parts();
            let shown = show_manifest(cx, inside, name, &digest).await?;
            writing.commit().await.map(|()| shown)
        }
        _ => Err(not_allowed(&call)),
    }
}

async fn show_manifest(cx: &mut Cx, inside: &Inside, name: &str, digest: &Digest) -> Result<Response> {
    let found = verbs::manifest(cx, inside, name, digest).await?;
    let mut shown = place(inside, name);
    shown["manifest"] = shown_manifest(&found, true);
    Ok(wire::json(StatusCode::OK, &shown))
}
