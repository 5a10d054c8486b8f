//! `/v2/{repository}/manifests/{reference}`: HEAD, GET, PUT, DELETE.
//! Must not know: how a manifest is kept.

use std::sync::Arc;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::{enter, enter_to_write, not_allowed, reads, wire};
use crate::app::App;
use crate::app::registry::content::{manifests, repositories};
use crate::app::registry::copying::pull_through;
use crate::app::registry::rights::Need;
use crate::domain::error::{ContentError, RequestError};
use crate::domain::registry::content::{MANIFEST_LIMIT, Reference, refused_by_accept};
use crate::domain::registry::resource_log::Object;
use crate::domain::registry::rights::Right;
use crate::domain::{Error, Result};
use crate::http::call::Call;

/// Answers.
pub async fn answer(app: &Arc<App>, mut call: Call, repository: &str, reference: &str) -> Result<Response> {
    if reads(&call) {
        return get(app, &mut call, repository, reference).await;
    }
    if call.method == Method::PUT {
        let (cx, inside) = enter(app, &mut call, &Need::push(repository)).await?;
        drop(cx);
        let reference = Reference::parse(reference)?;
        let bytes = call.bytes(MANIFEST_LIMIT).await.map_err(|error| match error {
            Error::Request(RequestError::TooLarge { .. }) => ContentError::TooLarge.into(),
            other => other,
        })?;
        let put = manifests::put(app, &inside, repository, &reference, call.header("content-type"), &bytes).await?;
        let mut answer = wire::empty(StatusCode::CREATED);
        wire::put(&mut answer, "location", &format!("/v2/{repository}/manifests/{}", put.digest));
        wire::put(&mut answer, "docker-content-digest", put.digest.as_str());
        // A registry without the referrers API says nothing, so that clients keep the tag they fall back to.
        if let Some(subject) = put.subject.filter(|_| inside.registry.cmk.is_none()) {
            wire::put(&mut answer, "oci-subject", subject.as_str());
        }
        return Ok(answer);
    }
    if call.method == Method::DELETE {
        let need = Need::only(repository, &[Right::Delete]);
        let mut writing = enter_to_write(app, &mut call, &need).await?;
        match &Reference::parse(reference)? {
            // By a tag, only the tag goes (OCI distribution 1.1).
            Reference::Tag(tag) => repositories::untag(&mut writing, repository, tag).await?,
            Reference::Digest(digest) => manifests::delete(&mut writing, repository, digest).await?,
        }
        writing.commit().await?;
        return Ok(wire::empty(StatusCode::ACCEPTED));
    }
    Err(not_allowed(&call))
}

async fn get(app: &Arc<App>, call: &mut Call, repository: &str, reference: &str) -> Result<Response> {
    let (cx, inside) = enter(app, call, &Need::pull(repository)).await?;
    let (found, pulled) = pull_through::manifest(app, cx, &inside, repository, &Reference::parse(reference)?).await?;
    let accepted = call.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if let Some(why) = refused_by_accept(&found.media_type, accepted) {
        return Err(ContentError::ManifestUnknown(why.to_owned()).into());
    }
    let mut answer = if call.method == Method::HEAD {
        let mut answer = wire::empty(StatusCode::OK);
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(found.size));
        wire::put(&mut answer, "content-type", &found.media_type);
        answer
    } else {
        let bytes = found.open(&inside)?;
        inside.log_read(app, "Pull", pulled_object(repository, reference, &found));
        wire::bytes(StatusCode::OK, &found.media_type, bytes)
    };
    if pulled {
        // [issue: said by a maintainer]
        wire::put(&mut answer, "x-azure-origin", "upstream");
    }
    wire::put(&mut answer, "docker-content-digest", &found.digest);
    wire::put(&mut answer, "etag", &format!("\"{}\"", found.digest));
    Ok(answer)
}

fn pulled_object(repository: &str, reference: &str, found: &manifests::Found) -> Object {
    Object {
        repository: repository.to_owned(),
        tag: (!reference.contains(':')).then(|| reference.to_owned()),
        digest: Some(found.digest.clone()),
        media_type: Some(found.media_type.clone()),
        artifact_type: None,
        size: Some(found.size),
    }
}
