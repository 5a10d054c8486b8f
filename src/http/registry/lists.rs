//! Lists of OCI distribution: catalog, tags, referrers.
//! Must not know: how they are kept.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::{enter, in_repository, not_allowed, reads, wire};
use crate::app::App;
use crate::app::registry::content::manifests;
use crate::app::registry::content::repositories::{self, Order};
use crate::app::registry::registry_tokens::Need;
use crate::domain::Result;
use crate::domain::registry::content::{Digest, OCI_INDEX};
use crate::http::call::Call;

/// `/v2/_catalog` and `/acr/v1/_catalog`.
pub async fn catalog(app: &Arc<App>, call: &mut Call, path: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let need = Need::registry("catalog", "*", &["*"]);
    let (mut cx, inside) = enter(app, call, &need).await?;
    let page = wire::page(call, wire::PAGE)?;
    let listed = repositories::catalog(&mut cx, &inside, &page).await?;
    let mut answer = wire::json(StatusCode::OK, &json!({"repositories": listed.rows}));
    if let Some(last) = listed.rows.last().filter(|_| listed.more) {
        wire::link(&mut answer, path, &page, last, "");
    }
    Ok(answer)
}

/// `/v2/{repository}/tags/list`. Without `n` all of them: many clients never follow a link here.
pub async fn tags(app: &Arc<App>, call: &mut Call, repository: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let need = in_repository(repository, "metadata_read", &["metadata_read", "pull"]);
    let (mut cx, inside) = enter(app, call, &need).await?;
    let page = wire::page(call, u64::from(u32::MAX))?;
    let listed = repositories::tags(&mut cx, &inside, repository, &page, Order::Name, None).await?;
    let names: Vec<&str> = listed.rows.iter().map(|t| t.name.as_str()).collect();
    let mut answer = wire::json(StatusCode::OK, &json!({"name": repository, "tags": names}));
    if let Some(last) = names.last().filter(|_| listed.more) {
        wire::link(&mut answer, &format!("/v2/{repository}/tags/list"), &page, last, "");
    }
    Ok(answer)
}

/// `/v2/{repository}/referrers/{digest}?artifactType=`.
pub async fn referrers(app: &Arc<App>, call: &mut Call, repository: &str, digest: &str) -> Result<Response> {
    if !reads(call) {
        return Err(not_allowed(call));
    }
    let (mut cx, inside) = enter(app, call, &in_repository(repository, "pull", &["pull", "metadata_read"])).await?;
    let mut found = manifests::referrers(&mut cx, &inside, repository, &Digest::parse(digest)?).await?;
    let wanted = call.query("artifactType");
    if let Some(wanted) = &wanted {
        found.retain(|descriptor| descriptor["artifactType"].as_str() == Some(wanted));
    }
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    let mut answer = wire::bytes(StatusCode::OK, OCI_INDEX, index.to_string());
    if wanted.is_some() {
        wire::put(&mut answer, "oci-filters-applied", "artifactType");
    }
    Ok(answer)
}
