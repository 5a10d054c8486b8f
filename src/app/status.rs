//! What the emulator knows of itself: which key version protects which registry, and who is locked and why.
//! Must not know: how that is shown.

use super::{Cx, cmk, keys, registries, vaults};
use crate::domain::registry::Registry;
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// A registry and the state of its data.
#[derive(Debug)]
pub struct RegistryStatus {
    /// The registry.
    pub registry: Registry,
    /// Why its data is blocked, if it is.
    pub blocked: Option<Error>,
    /// When it looks for a new key version next.
    pub next_look: Option<Timestamp>,
}

/// A vault's keys by name, with their versions, newest first.
#[derive(Debug)]
pub struct VaultStatus {
    /// The vault's name.
    pub name: String,
    /// Keys.
    pub keys: Vec<(String, Vec<VersionStatus>)>,
}

/// A key version and what it protects.
#[derive(Debug)]
pub struct VersionStatus {
    /// 32 hex digits.
    pub version: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Registries whose data key it wraps.
    pub protects: Vec<String>,
}

/// All registries.
pub async fn registries(cx: &mut Cx) -> Result<Vec<RegistryStatus>> {
    let mut all = Vec::new();
    for registry in registries::list(cx, None).await? {
        let blocked = cmk::blocked(cx, &registry).await;
        let next_look = store::registries::look_of(&mut cx.tx, registry.id).await?;
        all.push(RegistryStatus { registry, blocked, next_look });
    }
    Ok(all)
}

/// All living vaults.
pub async fn vaults(cx: &mut Cx, registries: &[RegistryStatus]) -> Result<Vec<VaultStatus>> {
    let mut all = Vec::new();
    for vault in vaults::list(cx, None).await? {
        let mut of_vault = Vec::new();
        for (key, versions) in keys::of_vault(cx, &vault).await? {
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
            let versions = versions
                .iter()
                .map(|v| VersionStatus {
                    version: v.version.clone(),
                    enabled: v.enabled,
                    protects: protects(&v.version),
                })
                .collect();
            of_vault.push((key.name.clone(), versions));
        }
        all.push(VaultStatus { name: vault.name, keys: of_vault });
    }
    Ok(all)
}
