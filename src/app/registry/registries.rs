//! Registries as resources: create, change, delete, find.
//! Must not know: how their keys are used (see cmk), what lies in them (see content).

use serde_json::{Map, Value, json};

use super::{children, cmk, identity};
use crate::app::Cx;
use crate::app::resources::groups;
use crate::domain::error::{RegistryError, ResourceError};
use crate::domain::registry::child::Kind;
use crate::domain::registry::cmk::{Asked, Cmk, KeyId, KeyIdentity};
use crate::domain::registry::envelope::Dek;
use crate::domain::registry::settings::Settings;
use crate::domain::registry::versions::Version;
use crate::domain::registry::{self, Registry, Write};
use crate::domain::resources::listing::Part;
use crate::domain::world::name;
use crate::domain::world::name::REGISTRIES;
use crate::domain::{Error, Result};
use crate::store;

/// The registry of a login server's first label.
pub async fn by_name(cx: &mut Cx, name: &str) -> Result<Registry> {
    let found = store::registry::registries::find(&mut cx.tx, name).await?;
    found.ok_or_else(|| RegistryError::Unknown(name.to_owned()).into())
}

/// A registry of a group.
pub async fn get(cx: &mut Cx, group: &str, name: &str) -> Result<Registry> {
    groups::get(cx, group).await?;
    let found = store::registry::registries::find(&mut cx.tx, name).await?;
    found.filter(|r| r.group.eq_ignore_ascii_case(group)).ok_or_else(|| {
        ResourceError::NotFound { resource: format!("{REGISTRIES}/{name}"), group: group.to_owned() }.into()
    })
}

/// A part of the list of registries.
pub async fn list(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Registry>> {
    store::registry::registries::list(&mut cx.tx, part).await
}

/// What a PUT or PATCH of a registry asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub group: String,
    pub name: String,
    /// Region; needed to create.
    pub location: Option<String>,
    /// SKU; needed to create.
    pub sku: Option<String>,
    /// Tags; `None` leaves them, but of a PUT.
    pub tags: Option<Value>,
    /// `identity`; `None` leaves it.
    pub identity: Option<Value>,
    /// `properties`, names in canonical case.
    pub properties: Map<String, Value>,
    /// The api-version that it is asked by.
    pub version: String,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A new registry.
    Created,
    /// A change of an existing one.
    Updated,
}

/// What came of a write.
#[derive(Debug)]
pub enum Written {
    /// It was made.
    Saved(Box<Registry>, Done),
    /// It is refused, and all the same leaves something that lasts.
    Refused(Error),
}

/// Creates a registry, or changes the one that is there. Within a change: its key may have to wrap.
pub async fn put(cx: &mut Cx, wanted: &Wanted) -> Result<Written> {
    groups::get(cx, &wanted.group).await?;
    match store::registry::registries::find(&mut cx.tx, &wanted.name).await? {
        Some(found) if found.group.eq_ignore_ascii_case(&wanted.group) => {
            if let Some(location) = wanted.location.as_deref().map(name::location).filter(|l| *l != found.location) {
                let (name, existing) = (found.name, found.location);
                return Err(ResourceError::LocationFixed { name, existing, wanted: location }.into());
            }
            change(cx, found, wanted, true).await
        }
        Some(found) => Err(RegistryError::NameInUse(found.name).into()),
        None => create(cx, wanted).await.map(|r| Written::Saved(Box::new(r), Done::Created)),
    }
}

/// Changes what a PATCH names and leaves the rest. Within a change.
pub async fn patch(cx: &mut Cx, wanted: &Wanted) -> Result<Written> {
    let found = get(cx, &wanted.group, &wanted.name).await?;
    change(cx, found, wanted, false).await
}

async fn create(cx: &mut Cx, wanted: &Wanted) -> Result<Registry> {
    if !name::is_registry(&wanted.name) {
        return Err(RegistryError::NameInvalid(wanted.name.clone()).into());
    }
    let location = wanted.location.as_deref().ok_or(ResourceError::LocationMissing)?;
    let sku = registry::sku(wanted.sku.as_deref())?;
    let asked = registry::cmk::asked(&wanted.name, None, wanted.properties.get("encryption"))?;
    if asked != Asked::Unchanged && sku != "Premium" {
        return Err(RegistryError::lacking(sku, "customer-managed keys").into());
    }
    let (version, has_cmk) = (Version::of(&wanted.version), asked != Asked::Unchanged);
    let properties = registry::settle(&wanted.name, sku, Write::New, &wanted.properties, version, has_cmk, cx.now)?;
    let group = groups::get(cx, &wanted.group).await?;
    let mut made = Registry {
        id: 0,
        name: wanted.name.clone(),
        group: group.name,
        location: name::location(location),
        sku: sku.to_owned(),
        tags: wanted.tags.clone().unwrap_or_else(|| Value::Object(Map::new())),
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
    let identities = identity::wanted(cx, &made, wanted.identity.as_ref()).await?;
    made.user_identities.clone_from(&identities.users);
    match asked {
        Asked::Unchanged => made.wrapped_dek = cmk::wrap_with_platform_key(cx, &Dek::generate(&mut cx.rng()))?,
        Asked::Key { key, identity } => {
            let (chosen, wrapped) = cmk::protect(cx, &made, &key, &identity).await?;
            // Decided: filled from the start for a key without version, as the article prints it; absent
            // for one with a version [recorded].
            let rotated_at = chosen.follows_new_versions().then_some(cx.now);
            made.cmk = Some(Cmk { rotated_at, ..chosen });
            made.wrapped_dek = wrapped;
        }
    }
    made.system_principal = identity::system(cx, &made, identities.system).await?;
    store::registry::registries::insert(&mut cx.tx, &made).await?;
    by_name(cx, &made.name).await
}

async fn change(cx: &mut Cx, before: Registry, wanted: &Wanted, replaces: bool) -> Result<Written> {
    let asked = registry::cmk::asked(&before.name, Some(before.cmk.as_ref()), wanted.properties.get("encryption"))?;
    let sku = match wanted.sku.as_deref() {
        Some(sku) => registry::sku(Some(sku))?.to_owned(),
        None => before.sku.clone(),
    };
    if before.cmk.is_some() && sku != "Premium" {
        return Err(RegistryError::lacking(&sku, "customer-managed keys").into());
    }
    let has_cmk = before.cmk.is_some();
    let write = if replaces { Write::Replace(&before.properties) } else { Write::Merge(&before.properties) };
    let version = Version::of(&wanted.version);
    let properties = registry::settle(&before.name, &sku, write, &wanted.properties, version, has_cmk, cx.now)?;
    check_children(cx, &before, &sku, Settings::of(&properties)).await?;
    let kept = if replaces { json!({}) } else { before.tags.clone() };
    let identities = identity::wanted(cx, &before, wanted.identity.as_ref()).await?;
    let mut after = Registry {
        sku,
        properties,
        tags: wanted.tags.clone().unwrap_or(kept),
        user_identities: identities.users.clone(),
        modified_by: cx.caller.name.clone(),
        modified_at: cx.now,
        ..before.clone()
    };
    let rotation = match key_wanted(cx, &before, &identities, asked).await? {
        Of::Key(rotation) => rotation,
        Of::Removal(refusal) => {
            if before.cmk.as_ref().is_some_and(|cmk| cmk.identity_expires.is_none()) {
                let expires = cx.now.plus(registry::cmk::IDENTITY_LIFETIME);
                store::registry::registries::set_identity_expiry(&mut cx.tx, before.id, Some(expires)).await?;
            }
            return Ok(Written::Refused(refusal));
        }
        Of::Assignment => {
            store::registry::registries::set_identity_expiry(&mut cx.tx, before.id, None).await?;
            None
        }
    };
    let rewrapped = match rotation {
        // A system identity enabled by this request exists only once it is written.
        Some((key, by)) => cmk::rewrap(cx, &after, &key, &by).await?,
        None => None,
    };
    after.system_principal = identity::system(cx, &before, identities.system).await?;
    store::registry::registries::update(&mut cx.tx, &after).await?;
    if after.settings().retention_policy() != before.settings().retention_policy() {
        store::registry::ageing::exempt(&mut cx.tx, before.id).await?;
    }
    if let Some((new, wrapped)) = rewrapped {
        let new = Cmk { rotated_at: Some(cx.now), ..new };
        let (id, now) = (before.id, cx.now);
        if !store::registry::registries::rewrap(&mut cx.tx, id, &before.wrapped_dek, &new, &wrapped, now).await? {
            return Err(Error::Internal(format!("the data key of registry {} changed under its change", before.name)));
        }
    }
    let saved = by_name(cx, &before.name).await?;
    Ok(Written::Saved(Box::new(saved), Done::Updated))
}

/// Refuses what the registry's children do not go with [docs]: a lower SKU while there are children of the higher one,
/// soft delete beside replicas. How the second is refused is [inferred]; that it goes with cache rules too, of which the
/// pages say nothing.
async fn check_children(cx: &mut Cx, before: &Registry, sku: &str, after: Settings<'_>) -> Result<()> {
    let lowers = sku != "Premium" && before.premium();
    if lowers && let Some(kind) = has_any(cx, before, &[Kind::REPLICATION, Kind::PRIVATE_ENDPOINT_CONNECTION]).await? {
        return Err(RegistryError::lacking(sku, kind.segment()).into());
    }
    let begins = after.soft_delete() && !before.settings().soft_delete();
    if begins && let Some(kind) = has_any(cx, before, &[Kind::REPLICATION]).await? {
        return Err(RegistryError::no_soft_delete_with(&before.name, kind.segment()).into());
    }
    Ok(())
}

/// The first of some kinds of which a registry has children, beside the replication that its own region may be.
async fn has_any(cx: &mut Cx, registry: &Registry, kinds: &[Kind]) -> Result<Option<Kind>> {
    for &kind in kinds {
        let children = children::list(cx, registry, kind).await?;
        if children.iter().any(|child| kind != Kind::REPLICATION || child.location.as_ref() != Some(&registry.location))
        {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// What a change is to a registry's encryption.
enum Of {
    /// The key that it moves to, and the identity to use it with, where it asks for that.
    Key(Option<(KeyId, KeyIdentity)>),
    /// It takes the identity off that the key is used with, and is refused.
    Removal(Error),
    /// It assigns that identity again, after its removal was tried.
    Assignment,
}

/// The key that a change moves a registry to. The identity must be, or stay, attached (acr.md B.1 row 19).
async fn key_wanted(cx: &mut Cx, before: &Registry, identity: &identity::Wanted, asked: Asked) -> Result<Of> {
    let expires = before.cmk.as_ref().and_then(|cmk| cmk.identity_expires);
    let identities_change =
        identity.users != before.user_identities || identity.system != before.system_principal.is_some();
    let wanted = match asked {
        Asked::Key { key, identity: by } => {
            let same = before.cmk.as_ref().is_some_and(|c| c.key == key && c.identity == by);
            // A whole document sent back to change or to assign the identities asks nothing of the key.
            let assigns = identity.sent && (identities_change || expires.is_some());
            if same && assigns { None } else { Some((key, by)) }
        }
        Asked::Unchanged => None,
    };
    let needed = wanted.as_ref().map(|(_, by)| by).or_else(|| before.cmk.as_ref().map(|c| &c.identity));
    let Some(needed) = needed else { return Ok(Of::Key(wanted)) };
    let attached = match needed {
        KeyIdentity::System => identity.system,
        KeyIdentity::User(client_id) => {
            cmk::attached(cx, &identity.users, client_id).await?.is_some()
                // An identity whose resource was deleted cannot be looked up; where none is taken off, it
                // is not the one.
                || (before.user_identities.iter().all(|id| identity.users.contains(id)) && wanted.is_none())
        }
    };
    let not_attached = cmk::not_attached(before, needed);
    match (attached, wanted, expires) {
        (true, None, Some(_)) if identity.sent => Ok(Of::Assignment),
        // "You also won't be able to change (rotate) the encryption key" [docs], with this text [inferred].
        (true, Some(_), Some(_)) => {
            let used = before.cmk.as_ref().map(|cmk| cmk.identity.clone()).unwrap_or(KeyIdentity::System);
            Err(cmk::not_attached(before, &used))
        }
        (true, wanted, _) => Ok(Of::Key(wanted)),
        (false, None, _) => Ok(Of::Removal(not_attached)),
        (false, Some(_), _) => Err(not_attached),
    }
}

/// Removes a registry and all rows of its content. The files go once this is committed (see `content::sweep`).
pub async fn remove(cx: &mut Cx, registry: &Registry) -> Result<()> {
    if let Some(principal) = &registry.system_principal {
        store::directory::delete(&mut cx.tx, principal).await?;
    }
    children::remove_principals(cx, registry).await?;
    store::access::delete_below(&mut cx.tx, &registry.arm_id()).await?;
    store::registry::registries::delete(&mut cx.tx, registry.id).await?;
    cx.app.unwrapped.forget(&registry.id);
    Ok(())
}

/// Removes all registries of a group, for good.
pub async fn remove_all(cx: &mut Cx, group: &str) -> Result<()> {
    for registry in list(cx, &Part::whole(Some(group))).await? {
        remove(cx, &registry).await?;
    }
    Ok(())
}

/// Whether a registry name can be had.
pub async fn name_is_free(cx: &mut Cx, name: &str) -> Result<bool> {
    Ok(store::registry::registries::find(&mut cx.tx, name).await?.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::app::directory::identities;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;
    use tokio::runtime::Handle;

    use super::*;
    use crate::app::change::Admission;
    use crate::app::testbed::Bed;
    use crate::app::timeline;
    use crate::app::timeline::Change;
    use crate::app::vault::keys;
    use crate::domain::access::Caller;
    use crate::domain::vault::key::Attributes;
    use crate::domain::vault::wanted::Material;
    use crate::domain::vault::wanted::Wanted as WantedKey;
    use crate::domain::world::time::HOUR;
    use crate::domain::world::well_known::DEVELOPER_OBJECT_ID;
    use crate::domain::world::well_known::TENANT_ID;

    fn me() -> Admission {
        Admission::of(&Caller::system())
    }

    fn asked(properties: Value) -> Wanted {
        Wanted {
            group: "g".into(),
            name: "reg01".into(),
            location: None,
            sku: None,
            tags: None,
            identity: None,
            properties: properties.as_object().unwrap().clone(),
            version: "2026-09-01-preview".into(),
        }
    }

    fn under(key: &str, client: &str) -> Value {
        let key = format!("https://vault1.vault.azure.net/keys/{key}");
        json!({"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client}}})
    }

    /// A new version of a key: its id.
    async fn make_key(bed: &Bed, key: &str) -> String {
        let attributes = Attributes::default();
        let wanted = WantedKey {
            material: Material::Rsa(2048),
            hsm: false,
            key_ops: None,
            attributes,
            tags: None,
            release_policy: None,
        };
        let asked = (key.to_owned(), wanted);
        let me = me();
        let made = bed.app.change(&me, &asked, |cx, (key, wanted)| Box::pin(keys::create(cx, "vault1", key, wanted)));
        made.await.unwrap().2.version
    }

    /// The registry under the key `k1`, followed to its newest versions, used through the first of two identities.
    /// Their client ids.
    async fn stage(bed: &Bed) -> [String; 2] {
        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        groups::put(&mut cx, "g", Some("eastus"), None).await.unwrap();
        let (one, _) = identities::put(&mut cx, "g", "id1", "eastus", json!({}), json!({})).await.unwrap();
        let (two, _) = identities::put(&mut cx, "g", "id2", "eastus", json!({}), json!({})).await.unwrap();
        cx.commit().await.unwrap();
        admit(bed, &[DEVELOPER_OBJECT_ID, &one.principal_id, &two.principal_id]).await;
        make_key(bed, "k1").await;
        make_key(bed, "k2").await;
        let users = json!({name::identity_id("g", "id1"): {}, name::identity_id("g", "id2"): {}});
        let wanted = Wanted {
            location: Some("eastus".into()),
            sku: Some("Premium".into()),
            identity: Some(json!({"type": "UserAssigned", "userAssignedIdentities": users})),
            ..asked(under("k1", &one.client_id))
        };
        bed.app.change(&me(), &wanted, |cx, wanted| Box::pin(put(cx, wanted))).await.unwrap();
        [one.client_id, two.client_id]
    }

    async fn admit(bed: &Bed, objects: &[&str]) {
        let policy =
            |object: &&str| json!({"tenantId": TENANT_ID, "objectId": object, "permissions": {"keys": ["all"]}});
        bed.vault(
            "vault1",
            json!({"tenantId": TENANT_ID, "accessPolicies": objects.iter().map(policy).collect::<Vec<_>>()}),
        )
        .await;
    }

    async fn is_open(bed: &Bed) -> bool {
        let mut cx = bed.app.read(Caller::system()).await.unwrap();
        let registry = by_name(&mut cx, "reg01").await.unwrap();
        cmk::blocked(&mut cx, &registry).await.is_none()
    }

    /// What happened to registries and keys, by the audit log.
    async fn audited(bed: &Bed, operation: &str) -> usize {
        bed.app.audit().after(0, false).await.iter().filter(|e| e.line.contains(operation)).count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_that_the_hourly_look_moves_meanwhile_is_moved_from_where_it_is_then() {
        let bed = Bed::new().await;
        let [client, _] = stage(&bed).await;
        make_key(&bed, "k1").await;
        let wanted = Wanted { tags: Some(json!({"a": "b"})), ..asked(under("k2", &client)) };
        let attempts = AtomicUsize::new(0);
        let (me, asked) = (me(), (&bed, &wanted, &attempts));
        let changed = bed.app.change(&me, &asked, |cx, (bed, wanted, attempts)| {
            Box::pin(async move {
                // First the RSA work is asked for; then an hour passes; then comes what that work was for.
                if attempts.fetch_add(1, Ordering::Relaxed) > 0 {
                    let app = bed.app.clone();
                    cx.aside("time", "an hour", move || {
                        Handle::current().block_on(timeline::change(&app, Change::Advance(HOUR))).map(|_| ())
                    })?;
                }
                patch(cx, wanted).await
            })
        });
        let Written::Saved(changed, _) = changed.await.unwrap() else { panic!("refused") };
        let rotated = changed.cmk.unwrap();
        assert_eq!((rotated.key.key.as_str(), &changed.tags), ("k2", &json!({"a": "b"})));
        assert_eq!(attempts.into_inner(), 4, "asked, an hour, asked again, done");
        bed.app.unwrapped.forget(&changed.id);
        assert!(is_open(&bed).await);
        // Wrapped at its creation, by the look, by the change that came to nothing, and by the change.
        assert_eq!(audited(&bed, "KeyWrap").await, 4);
    }

    #[tokio::test]
    async fn what_is_refused_to_an_attempt_that_is_made_again_is_told_once() {
        let bed = Bed::new().await;
        let [_, other] = stage(&bed).await;
        let mut cx = bed.app.read(Caller::system()).await.unwrap();
        let two = identities::find(&mut cx, "g", "id2").await.unwrap().unwrap();
        drop(cx);
        // The first identity lost its permissions; the second takes over.
        admit(&bed, &[DEVELOPER_OBJECT_ID, &two.principal_id]).await;
        bed.app.unwrapped.forget(&1);
        assert!(!is_open(&bed).await);
        let wanted = asked(under("k1", &other));
        bed.app.change(&me(), &wanted, |cx, wanted| Box::pin(patch(cx, wanted))).await.unwrap();
        assert!(is_open(&bed).await);
        assert_eq!(audited(&bed, "Forbidden").await, 1);
    }

    #[tokio::test]
    async fn changes_of_one_registry_take_turns() {
        let bed = Bed::new().await;
        let clients = stage(&bed).await;
        // More moves to different places than one change has attempts.
        let mut keys = vec!["k1".to_owned()];
        for _ in 0..7 {
            keys.push(format!("k1/{}", make_key(&bed, "k1").await));
        }
        let moves: Vec<Wanted> =
            keys.iter().flat_map(|key| clients.iter().map(|client| asked(under(key, client)))).collect();
        let me = me();
        let moves = moves.iter().map(|wanted| bed.app.change(&me, wanted, |cx, wanted| Box::pin(patch(cx, wanted))));
        for moved in futures_util::future::join_all(moves).await {
            moved.unwrap();
        }
        assert!(is_open(&bed).await);
    }
}
