//! What the emulator knows of itself: which key version protects which registry, and who is locked and why.
//! Must not know: how that is shown.

use crate::app::Cx;
use crate::app::registry::{cmk, registries};
use crate::app::vault::{object, vaults};
use crate::domain::registry::Registry;
use crate::domain::resources::listing::Part;
use crate::domain::vault::key::Keys;
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// A registry and the state of its data.
#[derive(Debug)]
pub struct RegistryStatus {
    pub registry: Registry,
    /// The name of the identity that goes to the vault, where it has a customer-managed key and the identity is there.
    pub identity: Option<String>,
    /// Why its data is blocked, if it is.
    pub blocked: Option<Error>,
    /// When it looks for a new key version next.
    pub next_look: Option<Timestamp>,
}

/// A vault and its keys by name, with their versions.
#[derive(Debug)]
pub struct VaultStatus {
    pub name: String,
    /// Whether it is soft-deleted.
    pub deleted: bool,
    pub keys: Vec<KeyStatus>,
}

/// A key and its versions.
#[derive(Debug)]
pub struct KeyStatus {
    pub name: String,
    /// Whether it is soft-deleted.
    pub deleted: bool,
    pub versions: Vec<VersionStatus>,
}

/// A key version and what it protects.
#[derive(Debug)]
pub struct VersionStatus {
    /// 32 hex digits.
    pub version: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// How it stands, in a word: `enabled`, `disabled`, `expired`, `not yet valid`, or `deleted` with its key or vault.
    pub state: &'static str,
    /// Registries whose data key it wraps.
    pub protects: Vec<String>,
}

/// All registries.
pub async fn registries(cx: &mut Cx) -> Result<Vec<RegistryStatus>> {
    let mut all = Vec::new();
    for registry in registries::list(cx, &Part::whole(None)).await? {
        all.push(of_registry(cx, registry).await?);
    }
    Ok(all)
}

/// One registry.
pub async fn registry(cx: &mut Cx, group: &str, name: &str) -> Result<RegistryStatus> {
    let registry = registries::get(cx, group, name).await?;
    of_registry(cx, registry).await
}

async fn of_registry(cx: &mut Cx, registry: Registry) -> Result<RegistryStatus> {
    let blocked = cmk::blocked(cx, &registry).await;
    let next_look = store::registry::registries::look_of(&mut cx.tx, registry.id).await?;
    let identity = cmk::identity_name(cx, &registry).await?;
    Ok(RegistryStatus { registry, identity, blocked, next_look })
}

/// The group in which a living vault lies.
pub async fn group_of_vault(cx: &mut Cx, vault: &str) -> Result<Option<String>> {
    let found = store::vault::vaults::find(&mut cx.tx, vault).await?;
    Ok(found.filter(|vault| vault.deleted.is_none()).map(|vault| vault.group))
}

/// All living vaults and keys, and of the soft-deleted ones those that a registry depends on.
pub async fn vaults(cx: &mut Cx, registries: &[RegistryStatus]) -> Result<Vec<VaultStatus>> {
    let mut all = Vec::new();
    let mut vaults = vaults::list(cx, &Part::whole(None)).await?;
    vaults.extend(vaults::list_deleted(cx).await?);
    vaults.sort_by(|a, b| a.name.cmp(&b.name));
    for vault in vaults {
        let mut of_vault = Vec::new();
        let mut all_keys = object::of_vault::<Keys>(cx, &vault, false).await?;
        all_keys.extend(object::of_vault::<Keys>(cx, &vault, true).await?);
        all_keys.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        for (key, versions) in all_keys {
            let protects = |version: &str| -> Vec<String> {
                let wrapped_by = |r: &&RegistryStatus| {
                    r.registry.cmk.as_ref().is_some_and(|c| {
                        c.key.vault.eq_ignore_ascii_case(&vault.name)
                            && c.key.key.eq_ignore_ascii_case(&key.name)
                            && c.version == version
                    })
                };
                registries.iter().filter(wrapped_by).map(|r| r.registry.name.clone()).collect()
            };
            let gone = vault.deleted.is_some() || key.deleted.is_some();
            let versions: Vec<VersionStatus> = versions
                .iter()
                .map(|v| VersionStatus {
                    version: v.version.clone(),
                    enabled: v.enabled,
                    state: if gone { "deleted" } else { v.state(cx.now) },
                    protects: protects(&v.version),
                })
                .collect();
            if !gone || versions.iter().any(|v| !v.protects.is_empty()) {
                of_vault.push(KeyStatus { name: key.name, deleted: key.deleted.is_some(), versions });
            }
        }
        let deleted = vault.deleted.is_some();
        if !deleted || !of_vault.is_empty() {
            all.push(VaultStatus { name: vault.name, deleted, keys: of_vault });
        }
    }
    Ok(all)
}
