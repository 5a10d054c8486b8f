//! Lists of OCI distribution: catalog, tags, referrers.
//! Must not know: how they are kept.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::{enter, not_allowed, reads, wire};
use crate::app::App;
use crate::app::registry::content::manifests;
use crate::app::registry::content::repositories;
use crate::app::registry::rights::Need;
use crate::domain::Result;
use crate::domain::registry::content::{Digest, OCI_INDEX};
use crate::domain::registry::rights::Right;
use crate::http::call::Call;

/// `/v2/_catalog` and `/acr/v1/_catalog`.
pub async fn catalog(app: &Arc<App>, call: &mut Call, path: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let need = Need::registry(&[Right::Catalog]);
    let (mut cx, inside) = enter(app, call, &need).await?;
    let page = wire::page(call, wire::PAGE)?;
    let listed = repositories::catalog(&mut cx, &inside, &page).await?;
    let mut answer = wire::json(StatusCode::OK, &json!({"repositories": listed.rows}));
    if let Some(last) = listed.rows.last().filter(|_| listed.more) {
        wire::link(&mut answer, path, &page, last, "");
    }
    Ok(answer)
}

/// `/v2/{repository}/tags/list`. Without `n` the first hundred [issue].
pub async fn tags(app: &Arc<App>, call: &mut Call, repository: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let need = Need::only(repository, &[Right::MetadataRead]);
    let (mut cx, inside) = enter(app, call, &need).await?;
    let page = wire::page(call, wire::PAGE)?;
    let listed = repositories::tag_names(&mut cx, &inside, repository, &page).await?;
    let names: Vec<String> = listed.rows.iter().map(|name| json!(name).to_string()).collect();
    let mut answer = wire::list(&json!({"name": repository}), "tags", names.iter().map(String::as_str));
    if let Some(last) = listed.rows.last().filter(|_| listed.more) {
        wire::link(&mut answer, &format!("/v2/{repository}/tags/list"), &page, last, "");
    }
    Ok(answer)
}

/// `/v2/{repository}/referrers/{digest}?artifactType=`.
pub async fn referrers(app: &Arc<App>, call: &mut Call, repository: &str, digest: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) =
        enter(app, call, &Need::repository(repository, &[Right::Pull], &[Right::Pull, Right::MetadataRead])).await?;
    let wanted = call.query("artifactType");
    let last = call.query("last").unwrap_or_default();
    let subject = Digest::parse(digest)?;
    let found = manifests::referrers(&mut cx, &inside, repository, &subject, wanted.as_deref(), &last).await?;
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX});
    let index = wire::listed(&index, "manifests", found.descriptors.iter().map(String::as_str));
    let mut answer = wire::bytes(StatusCode::OK, OCI_INDEX, index);
    if let Some(last) = &found.last {
        let mut query = vec![("last", last.as_str())];
        query.extend(wanted.as_deref().map(|wanted| ("artifactType", wanted)));
        wire::link_on(&mut answer, &format!("/v2/{repository}/referrers/{digest}"), &query);
    }
    if wanted.is_some() {
        wire::put(&mut answer, "oci-filters-applied", "artifactType");
    }
    Ok(answer)
}
