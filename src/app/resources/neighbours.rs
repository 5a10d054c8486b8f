//! Resources that are kept as documents: found, kept, removed.
//! Must not know: what a type requires of its documents.

use serde_json::Value;

use super::groups;
use crate::app::Cx;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::listing::Part;
use crate::domain::resources::neighbour::Neighbour;
use crate::domain::world::{json, name};
use crate::domain::{Error, Result};
use crate::store;

/// The resource of a type at a scope, if it is there.
pub async fn find(cx: &mut Cx, scope: &str, kind: &'static str, name: &str) -> Result<Option<Neighbour>> {
    store::resources::neighbours::find(&mut cx.tx, kind, &Neighbour::at(scope, kind, name).id).await
}

/// The same of one that must be there.
pub async fn get(cx: &mut Cx, scope: &str, kind: &'static str, name: &str) -> Result<Neighbour> {
    find(cx, scope, kind, name).await?.ok_or_else(|| missing(scope, kind, name))
}

/// The refusal of one that is not there.
#[must_use]
pub fn missing(scope: &str, kind: &str, name: &str) -> Error {
    let group = scope.split('/').nth(4).unwrap_or_default().to_owned();
    ResourceError::NotFound { resource: format!("{kind}/{name}"), group }.into()
}

/// Those of a type at a scope, or all.
pub async fn list(cx: &mut Cx, scope: Option<&str>, kind: &'static str) -> Result<Vec<Neighbour>> {
    store::resources::neighbours::list(&mut cx.tx, kind, scope).await
}

/// Keeps a resource.
pub async fn save(cx: &mut Cx, one: &Neighbour) -> Result<()> {
    if !json::may_be_kept(&one.document, json::DOCUMENT_LIMIT) {
        return Err(RequestError::TooLarge { limit: json::BODY_LIMIT }.into());
    }
    store::resources::neighbours::save(&mut cx.tx, one).await
}

/// Removes a resource. `false`: there was none.
pub async fn delete(cx: &mut Cx, scope: &str, kind: &'static str, name: &str) -> Result<bool> {
    let Some(one) = find(cx, scope, kind, name).await? else { return Ok(false) };
    store::resources::neighbours::delete(&mut cx.tx, &one).await?;
    Ok(true)
}

/// Removes all that lies in a resource.
pub async fn delete_below(cx: &mut Cx, id: &str) -> Result<()> {
    store::resources::neighbours::delete_below(&mut cx.tx, id).await
}

/// A part of those of a type, as the list of all resources shows them.
pub async fn listed(cx: &mut Cx, kind: &'static str, part: &Part<'_>) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    for one in store::resources::neighbours::part(&mut cx.tx, kind, part).await? {
        let mut shown = one.shown();
        if let Some(fields) = shown.as_object_mut() {
            fields.retain(|field, _| ["id", "name", "type", "location", "tags"].contains(&field.as_str()));
        }
        items.push(shown);
    }
    Ok(items)
}

/// Puts tags in the place of those that one of a group has.
pub async fn tag(cx: &mut Cx, kind: &'static str, group: &str, one: &str, tags: Value) -> Result<()> {
    let mut one = get(cx, &name::group_id(group), kind, one).await?;
    one.document.insert("tags".to_owned(), tags);
    save(cx, &one).await
}

/// Removes those of a type in a group.
pub async fn clear(cx: &mut Cx, kind: &'static str, group: &str) -> Result<()> {
    for one in list(cx, Some(&name::group_id(group)), kind).await? {
        store::resources::neighbours::delete(&mut cx.tx, &one).await?;
    }
    Ok(())
}

/// One of a group as it was, or a new one where a PUT may make it. `true`: it is new.
pub async fn begin(
    cx: &mut Cx,
    group: &str,
    kind: &'static str,
    name: &str,
    location: Option<&str>,
) -> Result<(Neighbour, bool)> {
    let group = groups::get(cx, group).await?;
    let scope = name::group_id(&group.name);
    let wanted = location.map(name::location);
    if let Some(found) = find(cx, &scope, kind, name).await? {
        let existing = found.document.get("location").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != existing) {
            return Err(ResourceError::LocationFixed { name: found.name, existing, wanted }.into());
        }
        return Ok((found, false));
    }
    let mut one = Neighbour::new(&scope, kind, name);
    one.document.insert("location".to_owned(), wanted.ok_or(ResourceError::LocationMissing)?.into());
    Ok((one, true))
}
