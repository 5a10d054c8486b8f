//! `Microsoft.ManagedIdentity/userAssignedIdentities` over ARM (keyvault.md E.1).
//! Must not know: what identities may do.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::resources::groups;
use crate::domain::directory::identity::Identity;
use crate::domain::error::ResourceError;
use crate::domain::resources::listing::Part;
use crate::domain::world::name::{self, IDENTITIES};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::query::PAGE;
use crate::http::arm::table::Request;
use crate::http::arm::wire::{Answer, tags};

fn shown(identity: &Identity, api_version: &str) -> Value {
    let mut properties =
        json!({"tenantId": TENANT_ID, "principalId": identity.principal_id, "clientId": identity.client_id});
    if let Some(scope) = identity.properties.get("isolationScope") {
        properties["isolationScope"] = scope.clone();
    } else if api_version >= "2024-11-30" {
        properties["isolationScope"] = json!("None");
    }
    let mut value = json!({
        "location": identity.location, "tags": identity.tags, "id": name::identity_id(&identity.group, &identity.name),
        "name": identity.name, "type": IDENTITIES, "properties": properties,
    });
    if api_version >= "2024-11-30" {
        let (by, at) = (&identity.created_by, identity.created_at);
        value["systemData"] = crate::http::arm::wire::system_data(by, at, by, at, Timestamp::offset7);
    }
    value
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let group = request.listed_group();
    if let Some(group) = group {
        groups::get(cx, group).await?;
    }
    let part = request.part(PAGE)?;
    let found = identities::list(cx, &part).await?;
    Ok(request.page(&part, found.iter().map(|i| shown(i, &request.api_version)).collect()))
}

/// The same as the list of all resources shows them.
pub(super) async fn listed(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Value>> {
    let shown = |i: &Identity| {
        json!({
            "id": name::identity_id(&i.group, &i.name), "name": i.name, "type": IDENTITIES, "location": i.location,
            "tags": i.tags,
        })
    };
    Ok(identities::list(cx, part).await?.iter().map(shown).collect())
}

fn missing(request: &Request) -> Error {
    let resource = format!("{IDENTITIES}/{}", request.name());
    ResourceError::NotFound { resource, group: request.group().to_owned() }.into()
}

async fn found(cx: &mut Cx, request: &Request) -> Result<Identity> {
    let found = identities::find(cx, request.group(), request.name()).await?;
    found.ok_or_else(|| missing(request))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    groups::get(cx, request.group()).await?;
    Ok(Answer::ok(shown(&found(cx, request).await?, &request.api_version)))
}

/// No resources are known that use an identity.
pub(super) async fn associated(cx: &mut Cx, request: &Request) -> Result<Answer> {
    found(cx, request).await?;
    Ok(Answer::ok(json!({"totalCount": 0, "value": []})))
}

/// A PUT or a PATCH.
pub(super) async fn write(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (body, identity) = (&request.body, request.name());
    if !name::is_identity(identity) {
        return Err(ResourceError::NameInvalid { name: identity.to_owned(), kind: IDENTITIES.to_owned() }.into());
    }
    let in_group = groups::get(cx, request.group()).await?;
    let existing = identities::find(cx, request.group(), identity).await?;
    if request.is_patch() && existing.is_none() {
        return Err(missing(request));
    }
    let location = match (body["location"].as_str(), &existing) {
        (Some(location), _) => location.to_owned(),
        (None, Some(existing)) => existing.location.clone(),
        (None, None) => return Err(ResourceError::LocationMissing.into()),
    };
    let kept_tags = existing.as_ref().map(|e| e.tags.clone()).filter(|_| request.is_patch());
    let new_tags = tags(body).or(kept_tags).unwrap_or_else(|| json!({}));
    let properties = match body["properties"].is_object() {
        true => body["properties"].clone(),
        false => existing.map_or_else(|| json!({}), |e| e.properties),
    };
    let (saved, new) = identities::put(cx, &in_group.name, identity, &location, new_tags, properties).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let answer = Answer::new(status, shown(&saved, &request.api_version));
    // The header is the id only [recorded].
    let id = name::identity_id(&saved.group, &saved.name);
    Ok(if new { answer.with("location", id) } else { answer })
}

pub(super) async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = identities::delete(cx, request.group(), request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}
