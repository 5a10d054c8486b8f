//! Vaults as resources: create, change, delete, recover, purge, find.
//! Must not know: registries exist.

use serde_json::{Map, Value, json};

use crate::app::Cx;
use crate::app::resources::{groups, moves};
use crate::domain::error::{RequestError, ResourceError, VaultError};
use crate::domain::resources::listing::Part;
use crate::domain::resources::private_link;
use crate::domain::vault::{self, PRIVATE_LINKS, PolicyChange, Vault};
use crate::domain::world::{json, name};
use crate::domain::{Result, Timestamp};
use crate::store;

/// A living vault by name. A deleted one is as unknown as one that never was. [inferred: what the data
/// plane of a soft-deleted vault answers is not known, keyvault.md H.9]
pub async fn living(cx: &mut Cx, name: &str) -> Result<Vault> {
    let found = store::vault::vaults::find(&mut cx.tx, name).await?;
    found.filter(|v| v.deleted.is_none()).ok_or_else(|| VaultError::Unknown(name.to_owned()).into())
}

/// A living vault of a group.
pub async fn get(cx: &mut Cx, group: &str, name: &str) -> Result<Vault> {
    groups::get(cx, group).await?;
    let found = store::vault::vaults::find(&mut cx.tx, name).await?;
    found.filter(|v| v.deleted.is_none() && v.group.eq_ignore_ascii_case(group)).ok_or_else(|| {
        ResourceError::NotFound { resource: format!("{}/{name}", name::VAULTS), group: group.to_owned() }.into()
    })
}

/// A part of the list of living vaults.
pub async fn list(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Vault>> {
    store::vault::vaults::list(&mut cx.tx, part).await
}

/// What a PUT or PATCH of a vault asks for.
#[derive(Debug)]
pub struct Asked {
    pub group: String,
    pub name: String,
    /// Region; needed to create.
    pub location: Option<String>,
    /// Tags; `None` leaves them.
    pub tags: Option<Value>,
    /// `properties`.
    pub properties: Map<String, Value>,
    /// The api-version makes roles the default for new vaults.
    pub roles_by_default: bool,
}

/// Creates, replaces or recovers a vault. `true`: it is new.
pub async fn put(cx: &mut Cx, asked: Asked) -> Result<(Vault, bool)> {
    let group = groups::get(cx, &asked.group).await?;
    if !name::is_vault(&asked.name) {
        return Err(VaultError::NameInvalid(asked.name).into());
    }
    let recover =
        asked.properties.get("createMode").and_then(Value::as_str).is_some_and(|m| m.eq_ignore_ascii_case("recover"));
    match store::vault::vaults::find(&mut cx.tx, &asked.name).await? {
        Some(found) if found.deleted.is_some() => {
            if !recover || !found.group.eq_ignore_ascii_case(&asked.group) {
                return Err(VaultError::SoftDeleted(asked.name).into());
            }
            let recovered = touched(cx, Vault { deleted: None, ..found })?;
            store::vault::vaults::update(&mut cx.tx, &recovered).await?;
            // What became due while it was deleted is due now: nothing reaches into the past.
            store::vault::keys::hold_back(&mut cx.tx, recovered.id, cx.now).await?;
            Ok((recovered, false))
        }
        Some(found) if !found.group.eq_ignore_ascii_case(&asked.group) => Err(VaultError::NameInUse(found.name).into()),
        Some(found) => {
            if let Some(location) = asked.location.as_deref().map(name::location).filter(|l| *l != found.location) {
                return Err(ResourceError::LocationFixed {
                    name: found.name,
                    existing: found.location,
                    wanted: location,
                }
                .into());
            }
            let mut properties = asked.properties;
            if recover {
                // There is nothing to recover. Templates say so on each deployment, to keep the access policies [client].
                properties.insert("accessPolicies".to_owned(), Value::Array(found.policies().to_vec()));
            }
            change(cx, found, asked.tags, &properties).await.map(|v| (v, false))
        }
        None if recover => Err(VaultError::DeletedNotFound(asked.name).into()),
        None => {
            let location = asked.location.as_deref().ok_or(ResourceError::LocationMissing)?;
            let made = Vault {
                id: 0,
                name: asked.name,
                group: group.name,
                location: name::location(location),
                tags: asked.tags.unwrap_or_else(|| Value::Object(Map::new())),
                properties: vault::settle(None, &asked.properties, asked.roles_by_default)?,
                created_by: cx.caller.name.clone(),
                created_at: cx.now,
                modified_by: cx.caller.name.clone(),
                modified_at: cx.now,
                deleted: None,
            };
            store::vault::vaults::insert(&mut cx.tx, &made).await?;
            Ok((made, true))
        }
    }
}

/// Changes what a PATCH names and leaves the rest.
pub async fn patch(cx: &mut Cx, asked: Asked) -> Result<Vault> {
    let found = get(cx, &asked.group, &asked.name).await?;
    let mut merged = found.properties.clone();
    for (name, value) in &asked.properties {
        merged.insert(name.clone(), value.clone());
    }
    change(cx, found, asked.tags, &merged).await
}

async fn change(cx: &mut Cx, mut vault: Vault, tags: Option<Value>, properties: &Map<String, Value>) -> Result<Vault> {
    vault.properties = vault::settle(Some(&vault), properties, false)?;
    vault.tags = tags.unwrap_or(vault.tags);
    let vault = touched(cx, vault)?;
    store::vault::vaults::update(&mut cx.tx, &vault).await?;
    Ok(vault)
}

fn touched(cx: &Cx, vault: Vault) -> Result<Vault> {
    if !json::may_be_kept(&vault.properties, json::DOCUMENT_LIMIT) {
        return Err(RequestError::TooLarge { limit: json::BODY_LIMIT }.into());
    }
    Ok(Vault { modified_by: cx.caller.name.clone(), modified_at: cx.now, ..vault })
}

/// Puts tags in the place of a vault's.
pub async fn tag(cx: &mut Cx, group: &str, name: &str, tags: Value) -> Result<()> {
    let found = get(cx, group, name).await?;
    let tagged = touched(cx, Vault { tags, ..found })?;
    store::vault::vaults::update(&mut cx.tx, &tagged).await
}

/// Moves a vault to another group. Its keys and secrets know it by its row and notice nothing.
pub async fn to_group(cx: &mut Cx, group: &str, name: &str, to: &str) -> Result<()> {
    let found = get(cx, group, name).await?;
    store::vault::vaults::set_group(&mut cx.tx, found.id, to).await?;
    let moved = get(cx, to, name).await?;
    moves::follow(cx, &found.arm_id(), &moved.arm_id()).await
}

/// Adds, replaces or removes access policies.
pub async fn change_policies(
    cx: &mut Cx,
    group: &str,
    name: &str,
    how: PolicyChange,
    entries: &[Value],
) -> Result<Vault> {
    let mut found = get(cx, group, name).await?;
    vault::check_policies(entries)?;
    let policies = vault::change_policies(found.policies(), how, entries);
    vault::check_policies(&policies)?;
    found.properties.insert("accessPolicies".to_owned(), Value::Array(policies));
    let found = touched(cx, found)?;
    store::vault::vaults::update(&mut cx.tx, &found).await?;
    Ok(found)
}

/// Adds or changes a private endpoint connection.
pub async fn put_private_link(cx: &mut Cx, group: &str, vault: &str, link: &str, asked: &Value) -> Result<Vault> {
    let mut found = get(cx, group, vault).await?;
    let mut links = found.private_links().to_vec();
    let existing = links.iter().find(|l| is_named(l, link)).and_then(|l| l["properties"].as_object());
    let properties = private_link::settle(existing, asked);
    links.retain(|l| !is_named(l, link));
    links.push(json!({"name": link, "properties": properties}));
    found.properties.insert(PRIVATE_LINKS.to_owned(), Value::Array(links));
    let found = touched(cx, found)?;
    store::vault::vaults::update(&mut cx.tx, &found).await?;
    Ok(found)
}

/// Ends a private endpoint connection. `false`: there was none.
pub async fn delete_private_link(cx: &mut Cx, group: &str, vault: &str, link: &str) -> Result<bool> {
    let mut found = get(cx, group, vault).await?;
    let mut links = found.private_links().to_vec();
    let before = links.len();
    links.retain(|l| !is_named(l, link));
    if links.len() == before {
        return Ok(false);
    }
    found.properties.insert(PRIVATE_LINKS.to_owned(), Value::Array(links));
    let found = touched(cx, found)?;
    store::vault::vaults::update(&mut cx.tx, &found).await?;
    Ok(true)
}

/// Whether a private endpoint connection has this name.
#[must_use]
pub fn is_named(link: &Value, name: &str) -> bool {
    link["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name))
}

/// Soft-deletes a vault. Its role assignments go for good [docs]. `false`: there was none.
pub async fn delete(cx: &mut Cx, group: &str, name: &str) -> Result<bool> {
    let found = match get(cx, group, name).await {
        Ok(found) => found,
        Err(crate::domain::Error::Resource(ResourceError::NotFound { .. })) => return Ok(false),
        Err(error) => return Err(error),
    };
    let deletion = found.deletion(cx.now);
    store::access::delete_below(&mut cx.tx, &found.arm_id()).await?;
    let found = touched(cx, Vault { deleted: Some(deletion), ..found })?;
    store::vault::vaults::update(&mut cx.tx, &found).await?;
    Ok(true)
}

/// Deletes all vaults of a group, softly.
pub async fn delete_all(cx: &mut Cx, group: &str) -> Result<()> {
    for vault in list(cx, &Part::whole(Some(group))).await? {
        delete(cx, group, &vault.name).await?;
    }
    Ok(())
}

/// The soft-deleted vaults.
pub async fn list_deleted(cx: &mut Cx) -> Result<Vec<Vault>> {
    store::vault::vaults::deleted(&mut cx.tx).await
}

/// A soft-deleted vault.
pub async fn get_deleted(cx: &mut Cx, location: &str, name: &str) -> Result<Vault> {
    let found = store::vault::vaults::find(&mut cx.tx, name).await?;
    found
        .filter(|v| v.deleted.is_some() && v.location == name::location(location))
        .ok_or_else(|| VaultError::DeletedNotFound(name.to_owned()).into())
}

/// Purges a soft-deleted vault with all its keys, unless purge protection forbids it.
pub async fn purge(cx: &mut Cx, location: &str, name: &str) -> Result<()> {
    let found = get_deleted(cx, location, name).await?;
    if found.purge_protected() {
        return Err(VaultError::PurgeProtected(found.name).into());
    }
    store::vault::vaults::purge(&mut cx.tx, found.id).await?;
    cx.app.parsed.forget_all();
    Ok(())
}

/// Why a vault name cannot be had, if it cannot.
pub async fn name_problem(cx: &mut Cx, name: &str) -> Result<Option<VaultError>> {
    if !name::is_vault(name) {
        return Ok(Some(VaultError::NameInvalid(name.to_owned())));
    }
    Ok(store::vault::vaults::find(&mut cx.tx, name).await?.map(|v| VaultError::NameInUse(v.name)))
}

/// When a vault's own business (purges) is due next.
pub(in crate::app) async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    store::vault::vaults::next_purge(&mut cx.tx).await
}

/// Does what is due in vaults at the context's instant.
pub(in crate::app) async fn do_due(cx: &mut Cx) -> Result<()> {
    let purged = store::vault::vaults::purge_due(&mut cx.tx, cx.now).await?;
    if purged > 0 {
        cx.passing(format!("deleted vaults are purged: {purged}"));
        let app = cx.app.clone();
        cx.tx.then(move || app.parsed.forget_all());
    }
    Ok(())
}
