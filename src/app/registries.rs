//! Registries as resources: create, change, delete, find.
//! Must not know: how their keys are used (see cmk), what lies in them (see content).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{App, Cx, cmk, groups, identities, registry_children};
use crate::domain::access::Caller;
use crate::domain::cmk::{Asked, Cmk, KeyIdentity};
use crate::domain::envelope::Dek;
use crate::domain::error::{RegistryError, ResourceError};
use crate::domain::name::{IDENTITIES, REGISTRIES, ResourceId};
use crate::domain::registry::{self, Registry};
use crate::domain::{Error, Result, name};
use crate::store;

/// The registry of a login server's first label.
pub async fn by_name(cx: &mut Cx, name: &str) -> Result<Registry> {
    let found = store::registries::find(&mut cx.tx, name).await?;
    found.ok_or_else(|| RegistryError::Unknown(name.to_owned()).into())
}

/// A registry of a group.
pub async fn get(cx: &mut Cx, group: &str, name: &str) -> Result<Registry> {
    groups::get(cx, group).await?;
    let found = store::registries::find(&mut cx.tx, name).await?;
    found.filter(|r| r.group.eq_ignore_ascii_case(group)).ok_or_else(|| {
        ResourceError::NotFound { resource: format!("{REGISTRIES}/{name}"), group: group.to_owned() }.into()
    })
}

/// The registries of a group, or all.
pub async fn list(cx: &mut Cx, group: Option<&str>) -> Result<Vec<Registry>> {
    store::registries::list(&mut cx.tx, group).await
}

/// What a PUT or PATCH of a registry asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Resource group.
    pub group: String,
    /// Name.
    pub name: String,
    /// Region; needed to create.
    pub location: Option<String>,
    /// SKU; needed to create.
    pub sku: Option<String>,
    /// Tags; `None` leaves them.
    pub tags: Option<Value>,
    /// `identity`; `None` leaves it.
    pub identity: Option<Value>,
    /// `properties`, names in canonical case.
    pub properties: Map<String, Value>,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A new registry.
    Created,
    /// A change of an existing one.
    Updated,
}

/// Creates a registry, or changes the one that is there.
pub async fn put(app: &Arc<App>, caller: Caller, wanted: Wanted) -> Result<(Registry, Done)> {
    let mut cx = app.read(caller.clone()).await?;
    groups::get(&mut cx, &wanted.group).await?;
    match store::registries::find(&mut cx.tx, &wanted.name).await? {
        Some(found) if found.group.eq_ignore_ascii_case(&wanted.group) => {
            if let Some(location) = wanted.location.as_deref().map(name::location).filter(|l| *l != found.location) {
                let (name, existing) = (found.name, found.location);
                return Err(ResourceError::LocationFixed { name, existing, wanted: location }.into());
            }
            change(app, cx, found, wanted).await.map(|r| (r, Done::Updated))
        }
        Some(found) => Err(RegistryError::NameInUse(found.name).into()),
        None => create(app, cx, wanted).await.map(|r| (r, Done::Created)),
    }
}

/// Changes what a PATCH names and leaves the rest.
pub async fn patch(app: &Arc<App>, caller: Caller, wanted: Wanted) -> Result<Registry> {
    let mut cx = app.read(caller).await?;
    let found = get(&mut cx, &wanted.group, &wanted.name).await?;
    change(app, cx, found, wanted).await
}

async fn create(app: &Arc<App>, mut cx: Cx, wanted: Wanted) -> Result<Registry> {
    if !name::is_registry(&wanted.name) {
        return Err(RegistryError::NameInvalid(wanted.name).into());
    }
    let location = wanted.location.as_deref().ok_or(ResourceError::LocationMissing)?;
    let sku = registry::sku(wanted.sku.as_deref())?;
    let asked = crate::domain::cmk::asked(&wanted.name, None, wanted.properties.get("encryption"))?;
    if asked != Asked::Unchanged && sku != "Premium" {
        return Err(RegistryError::lacking(sku, "customer-managed keys").into());
    }
    let properties = registry::settle(&wanted.name, sku, None, &wanted.properties, asked != Asked::Unchanged, cx.now)?;
    let group = groups::get(&mut cx, &wanted.group).await?;
    let mut made = Registry {
        id: 0,
        name: wanted.name.clone(),
        group: group.name,
        location: name::location(location),
        sku: sku.to_owned(),
        tags: wanted.tags.unwrap_or_else(|| Value::Object(Map::new())),
        properties,
        user_identities: Vec::new(),
        system_principal: None,
        cmk: None,
        wrapped_dek: Vec::new(),
        created_by: cx.caller.name.clone(),
        created_at: cx.now,
        modified_by: cx.caller.name.clone(),
        modified_at: cx.now,
    };
    let identity = wanted_identity(&mut cx, &made, wanted.identity.as_ref()).await?;
    made.user_identities.clone_from(&identity.users);
    let dek = Dek::generate(&mut cx.rng());
    match asked {
        Asked::Unchanged => made.wrapped_dek = cmk::wrap_with_platform_key(&cx, &dek)?,
        Asked::Key { key, identity } => {
            let (chosen, wrapped) = cmk::protect(&mut cx, &made, &key, &identity, &dek).await?;
            // Decided: filled from the start for a key without version, as the article prints it; absent
            // for one with a version [recorded].
            let rotated_at = chosen.follows_new_versions().then_some(cx.now);
            made.cmk = Some(Cmk { rotated_at, ..chosen });
            made.wrapped_dek = wrapped;
        }
    }
    let (caller, now) = (cx.caller.clone(), cx.now);
    drop(cx);

    let mut cx = app.write_now(caller).await?;
    cx.now = now;
    if let Some(taken) = store::registries::find(&mut cx.tx, &made.name).await? {
        return Err(RegistryError::NameInUse(taken.name).into());
    }
    made.system_principal = system_identity(&mut cx, &made, identity.system).await?;
    store::registries::insert(&mut cx.tx, &made).await?;
    let made = by_name(&mut cx, &made.name).await?;
    cx.commit().await?;
    Ok(made)
}

async fn change(app: &Arc<App>, mut cx: Cx, before: Registry, wanted: Wanted) -> Result<Registry> {
    let asked =
        crate::domain::cmk::asked(&before.name, Some(before.cmk.as_ref()), wanted.properties.get("encryption"))?;
    let sku = match wanted.sku.as_deref() {
        Some(sku) => registry::sku(Some(sku))?.to_owned(),
        None => before.sku.clone(),
    };
    if before.cmk.is_some() && sku != "Premium" {
        return Err(RegistryError::lacking(&sku, "customer-managed keys").into());
    }
    let has_cmk = before.cmk.is_some();
    let properties =
        registry::settle(&before.name, &sku, Some(&before.properties), &wanted.properties, has_cmk, cx.now)?;
    let identity = wanted_identity(&mut cx, &before, wanted.identity.as_ref()).await?;
    let after = Registry {
        sku,
        properties,
        tags: wanted.tags.unwrap_or_else(|| before.tags.clone()),
        user_identities: identity.users.clone(),
        modified_by: cx.caller.name.clone(),
        modified_at: cx.now,
        ..before.clone()
    };
    let identities_change =
        identity.users != before.user_identities || identity.system != before.system_principal.is_some();
    let rotation = match asked {
        Asked::Key { key, identity: by } => {
            let same = before.cmk.as_ref().is_some_and(|c| c.key == key && c.identity == by);
            // A whole document sent back to change the identities asks nothing of the key.
            if same && identities_change { None } else { Some((key, by)) }
        }
        Asked::Unchanged => None,
    };
    // The identity the key is used with must stay attached (acr.md B.1 row 19), unless this very request
    // moves the key to another one.
    let needed = rotation.as_ref().map(|(_, by)| by).or_else(|| before.cmk.as_ref().map(|c| &c.identity));
    if let Some(needed) = needed {
        let attached = match needed {
            KeyIdentity::System => identity.system,
            KeyIdentity::User(client_id) => {
                cmk::attached(&mut cx, &after.user_identities, client_id).await?.is_some()
                    // An identity whose resource was deleted cannot be looked up; where none is taken off, it
                    // is not the one.
                    || (before.user_identities.iter().all(|id| after.user_identities.contains(id)) && rotation.is_none())
            }
        };
        if !attached {
            return Err(cmk::not_attached(&before, needed));
        }
    }
    let rewrapped = match rotation {
        None => None,
        Some((key, by)) => {
            // A system identity enabled by this request exists only once it is written.
            let dek = cmk::open_for_rotation(&mut cx, &after, &by).await?;
            let (new, wrapped) = cmk::protect(&mut cx, &after, &key, &by, &dek).await?;
            let old = before.cmk.as_ref();
            let unchanged =
                old.is_some_and(|o| o.key == new.key && o.version == new.version && o.identity == new.identity);
            (!unchanged).then_some((Cmk { rotated_at: Some(cx.now), ..new }, wrapped))
        }
    };
    let (caller, now) = (cx.caller.clone(), cx.now);
    drop(cx);

    let mut cx = app.write_now(caller).await?;
    cx.now = now;
    let current = by_name(&mut cx, &before.name).await?;
    if current.id != before.id {
        return Err(
            ResourceError::NotFound { resource: format!("{REGISTRIES}/{}", before.name), group: before.group }.into()
        );
    }
    let mut after = after;
    after.system_principal = system_identity(&mut cx, &current, identity.system).await?;
    store::registries::update(&mut cx.tx, &after).await?;
    if let Some((new, wrapped)) = &rewrapped
        && !store::registries::rewrap(&mut cx.tx, before.id, &before.wrapped_dek, new, wrapped, now).await?
    {
        // The hourly look was quicker. The client may simply ask again.
        return Err(Error::Registry(RegistryError::Invalid(
            "The registry's encryption key was changed by another operation at the same time. Retry the request."
                .to_owned(),
        )));
    }
    let after = by_name(&mut cx, &before.name).await?;
    cx.commit().await?;
    Ok(after)
}

struct WantedIdentity {
    users: Vec<String>,
    system: bool,
}

/// Reads `identity` of a write: type and user-assigned identities, which must exist (acr.md A.3).
async fn wanted_identity(cx: &mut Cx, registry: &Registry, identity: Option<&Value>) -> Result<WantedIdentity> {
    let Some(identity) = identity.filter(|i| !i.is_null()) else {
        return Ok(WantedIdentity {
            users: registry.user_identities.clone(),
            system: registry.system_principal.is_some(),
        });
    };
    let refused =
        |message: &str| ResourceError::IdentityOperation { resource: registry.arm_id(), message: message.to_owned() };
    let kind = identity["type"].as_str().unwrap_or("None").to_ascii_lowercase();
    let words: Vec<&str> = kind.split(',').map(str::trim).collect();
    if let Some(unknown) = words.iter().find(|w| !["none", "systemassigned", "userassigned", ""].contains(w)) {
        return Err(refused(&format!("The identity type '{unknown}' is not valid.")).into());
    }
    let system = words.contains(&"systemassigned");
    let named: Vec<String> = identity["userAssignedIdentities"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null() || kind.contains("userassigned"))
        .map(|(id, _)| id.clone())
        .collect();
    if !words.contains(&"userassigned") {
        if !named.is_empty() {
            let text = "The request format was unexpected, a non-UserAssigned identity type should not contain: userAssignedIdentities";
            return Err(refused(text).into());
        }
        return Ok(WantedIdentity { users: Vec::new(), system });
    }
    if named.is_empty() {
        return Err(refused("The request format was unexpected : Request requires identities to be assigned.").into());
    }
    let mut users: Vec<String> = Vec::new();
    for id in named {
        let known = registry.user_identities.iter().find(|k| k.eq_ignore_ascii_case(&id)).cloned();
        let parsed = ResourceId::parse(&id).filter(|p| p.is(IDENTITIES));
        let found = match &parsed {
            Some(p) => identities::find(cx, &p.group, &p.name).await?,
            None => None,
        };
        // One that is attached already may have been deleted since; it stays until it is taken off.
        match (known, found) {
            (Some(known), _) => users.push(known),
            (None, Some(found)) => users.push(name::identity_id(&found.group, &found.name)),
            (None, None) => return Err(refused(&format!("The identity '{id}' could not be found.")).into()),
        }
    }
    users.sort();
    users.dedup();
    Ok(WantedIdentity { users, system })
}

/// Makes or removes the system-assigned identity's principal. Returns its object id.
async fn system_identity(cx: &mut Cx, registry: &Registry, wanted: bool) -> Result<Option<String>> {
    match (&registry.system_principal, wanted) {
        (Some(id), true) => Ok(Some(id.clone())),
        (Some(id), false) => {
            store::directory::delete(&mut cx.tx, id).await?;
            Ok(None)
        }
        (None, true) => Ok(Some(identities::add_managed(cx, &registry.name, &registry.arm_id()).await?.object_id)),
        (None, false) => Ok(None),
    }
}

/// Removes a registry and all rows of its content. The files go afterwards (see cascade).
pub(super) async fn remove(cx: &mut Cx, registry: &Registry) -> Result<()> {
    if let Some(principal) = &registry.system_principal {
        store::directory::delete(&mut cx.tx, principal).await?;
    }
    registry_children::remove_principals(cx, registry).await?;
    store::access::delete_below(&mut cx.tx, &registry.arm_id()).await?;
    store::registries::delete(&mut cx.tx, registry.id).await?;
    cx.app.unwrapped.forget(registry.id);
    Ok(())
}

/// Whether a registry name can be had.
pub async fn name_is_free(cx: &mut Cx, name: &str) -> Result<bool> {
    Ok(store::registries::find(&mut cx.tx, name).await?.is_none())
}
