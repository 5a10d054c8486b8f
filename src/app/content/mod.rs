//! What lies in a registry. Every verb here wants an [`Inside`], and only [`enter`] makes one: after the
//! token was looked at and the registry's data key was opened.
//! Must not know: HTTP, how a key is unwrapped (see cmk), how tokens are made (see registry_tokens).

pub mod ageing;
pub mod blobs;
pub mod deleted;
pub mod links;
pub mod manifests;
pub mod repositories;
pub mod uploads;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::registry_tokens::{self, Access, Claims, Need, Presented};
use super::{App, Cx, cmk, registries};
use crate::domain::access::Caller;
use crate::domain::envelope::Dek;
use crate::domain::error::{ContentError, RegistryError};
use crate::domain::registry::Registry;
use crate::domain::registry_child::{self, CacheRule, Kind};
use crate::domain::{Error, Result};
use crate::store;

/// A registry, entered: the caller may do what it asked for, and the key is usable.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The registry.
    pub registry: Arc<Registry>,
    /// What the caller's token holds.
    access: Arc<Access>,
    dek: Dek,
    rules: Arc<Vec<CacheRule>>,
    /// What is put here was pulled through a cache rule.
    filling: bool,
    /// From where the caller came in, where the registry's firewall was asked about it.
    address: Option<IpAddr>,
}

/// Where a repository is filled from.
#[derive(Debug, Clone)]
pub struct CachedFrom {
    /// The name of the cache rule.
    pub rule: String,
    /// `host/repository`.
    pub source: String,
    /// The ARM id of the credential set to sign in there with.
    pub credentials: Option<String>,
}

impl Inside {
    /// Opens a registry's data with its key.
    async fn open(cx: &mut Cx, registry: Registry, access: Access, address: Option<IpAddr>) -> Result<Self> {
        let dek = cmk::open(cx, &registry).await?;
        let rules = store::registry_children::list(&mut cx.tx, registry.id, Kind::CacheRule).await?;
        let rules = Arc::new(rules.iter().map(CacheRule::of).collect());
        Ok(Self { registry: Arc::new(registry), access: Arc::new(access), dek, rules, filling: false, address })
    }

    /// Asks the gate again, for whoever was let in a while ago and waited for somebody outside since: the registry may
    /// have another key now, or none that opens, another firewall, or be gone.
    pub(super) async fn ask_again(&self, app: &Arc<App>) -> Result<()> {
        let mut cx = app.read(Caller::system()).await?;
        let registry = registries::by_name(&mut cx, &self.registry.name).await?;
        if registry.id != self.registry.id {
            return Err(RegistryError::Unknown(registry.name).into());
        }
        if let Some(address) = self.address {
            registry_tokens::admit(&registry, address)?;
        }
        cmk::open(&mut cx, &registry).await.map(|_| ())
    }

    /// The cache rule that fills a repository.
    pub(super) fn cached_from(&self, repository: &str) -> Option<CachedFrom> {
        let (rule, source) = registry_child::cached_from(&self.rules, repository)?;
        Some(CachedFrom { rule: rule.name.clone(), source, credentials: rule.credentials.clone() })
    }

    /// The same for what is pulled through, which may be put where nobody else may, and in any order.
    pub(super) fn to_fill(&self) -> Self {
        Self { filling: true, ..self.clone() }
    }

    /// Nobody pushes into, or imports to, a repository that a cache rule fills [issue], unless the registry allows
    /// it [spec: writableCacheRepos]. How it is refused is not published.
    fn check_writable(&self, repository: &str) -> Result<()> {
        let writable = self.registry.properties.get("writableCacheRepos").and_then(Value::as_str);
        let writable = self.filling || writable.is_some_and(|w| w.eq_ignore_ascii_case("enabled"));
        if !writable && self.cached_from(repository).is_some() {
            return Err(ContentError::Locked.into());
        }
        Ok(())
    }

    /// Whether what is pushed here waits in quarantine.
    fn quarantines(&self) -> bool {
        self.registry.policy_enabled("quarantinePolicy")
    }

    /// Whether the caller's token also holds another right.
    #[must_use]
    pub fn may(&self, need: &Need<'_>) -> bool {
        self.access.holds(need)
    }
}

/// Who was let in, by registry and `Authorization` header, so that the next request of a busy client need not
/// ask all of it again. Good under one generation of the store only: any write anywhere, so also any revocation,
/// ends it. What depends on machine time (the token's end) and on the request (address, need) is asked each time.
#[derive(Debug, Default)]
pub struct Entrances(Mutex<HashMap<(String, String), Entrance>>);

#[derive(Debug, Clone)]
struct Entrance {
    generation: u64,
    claims: Claims,
    inside: Inside,
}

/// Entrances kept. The map is emptied when it is full: it fills again with those in use.
const ENTRANCES: usize = 1024;

impl Entrances {
    fn get(&self, registry: &str, authorization: &str, generation: u64) -> Option<Inside> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&(registry.to_owned(), authorization.to_owned()))?;
        (found.generation == generation && found.claims.lasts()).then(|| found.inside.clone())
    }

    fn put(&self, registry: &str, authorization: &str, entrance: Entrance) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ENTRANCES {
            kept.clear();
        }
        kept.insert((registry.to_owned(), authorization.to_owned()), entrance);
    }
}

/// Enters a registry: the one way to its content and to what is told about it. `authorization` is the header
/// that came with the request.
pub async fn enter(
    app: &Arc<App>,
    caller: Caller,
    registry: &str,
    authorization: Option<&str>,
    need: &Need<'_>,
) -> Result<(Cx, Inside)> {
    // The transaction sees a state at least as new as the generation read after it was asked for and before
    // it first reads.
    let mut cx = app.read(caller).await?;
    let generation = app.store.generation();
    if let Some(inside) = authorization.and_then(|a| app.entrances.get(registry, a, generation))
        && inside.access.holds(need)
    {
        registry_tokens::admit(&inside.registry, cx.caller.address)?;
        let inside = Inside { address: Some(cx.caller.address), ..inside };
        return Ok((cx, inside));
    }
    let presented = registry_tokens::present(app, registry, authorization).await?;
    let inside = enter_with(&mut cx, registry, &presented, need).await?;
    // Passwords are not kept: whether they have expired is asked in simulated time.
    if let (Presented::Token(claims), Some(authorization), true) = (presented, authorization, inside.access.keeps()) {
        app.entrances.put(registry, authorization, Entrance { generation, claims, inside: inside.clone() });
    }
    Ok((cx, inside))
}

/// Enters a registry with a credential that was looked at already.
pub(super) async fn enter_with(cx: &mut Cx, registry: &str, presented: &Presented, need: &Need<'_>) -> Result<Inside> {
    let found = registries::by_name(cx, registry).await?;
    let access = registry_tokens::require(cx, &found, presented, need).await?;
    let address = cx.caller.address;
    Inside::open(cx, found, access, Some(address)).await
}

/// Enters a registry for an import into it: the right to it was asked of resource management.
pub(super) async fn enter_for_import(cx: &mut Cx, registry: Registry) -> Result<Inside> {
    Inside::open(cx, registry, Access::everything(), None).await
}

/// Enters a registry with what somebody may do in it, known already.
pub(super) async fn enter_knowing(cx: &mut Cx, registry: Registry, access: Access) -> Result<Inside> {
    Inside::open(cx, registry, access, None).await
}

/// Runs what blocks (files, hashing, sealing) off the request threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// Start-up: what a crash left half done is finished or taken back. Looks at upload sessions and at files
/// under upload only, so that it takes no longer with more blobs.
pub(super) async fn settle_in(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    let sessions: HashMap<String, u64> = store::content::all_uploads(&mut tx).await?.into_iter().collect();
    drop(tx);
    let files = app.blobs.uploads()?;
    let mut lost = Vec::new();
    for uuid in sessions.keys() {
        // A session's row and file leave together, the file first: a blob that still has a session never
        // became one. A session of size 0 may have no file.
        let there = files.contains(uuid) || app.blobs.take_back(uuid)?;
        if !there && sessions[uuid] > 0 {
            lost.push(uuid);
        }
    }
    for file in files.iter().filter(|f| !sessions.contains_key(*f)) {
        app.blobs.remove(&format!("{}/{file}", store::blobs::UPLOADS))?;
    }
    if !lost.is_empty() {
        let mut tx = app.begin().await?;
        for uuid in lost {
            store::content::delete_upload(&mut tx, uuid).await?;
        }
        tx.commit().await?;
    }
    sweep(app).await
}

/// Removes from disk the files that no row names any more. To be called after any deletion was committed:
/// of blobs, repositories, registries, resource groups. What a crash leaves undone, start-up does.
pub async fn sweep(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    let paths = store::content::doomed_files(&mut tx).await?;
    drop(tx);
    if paths.is_empty() {
        return Ok(());
    }
    let (blobs, doomed) = (app.blobs.clone(), paths.clone());
    blocking(move || doomed.iter().try_for_each(|path| blobs.remove(path))).await?;
    let mut tx = app.begin().await?;
    store::content::forget_files(&mut tx, &serde_json::json!(paths).to_string()).await?;
    tx.commit().await
}

/// How much a registry holds, in bytes: the `Size` of its usages.
pub async fn total_size(cx: &mut Cx, registry: &Registry) -> Result<u64> {
    store::content::total_size(&mut cx.tx, registry.id).await
}
