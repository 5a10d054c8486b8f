//! Entering a registry: by what somebody was let in, and the two ways on from there. Whoever only reads goes on in the
//! transaction that let it in. Whoever writes, or has waited for anybody since (a body, another registry), asks all
//! of it again in the transaction that it goes on in: what began before a revocation changes nothing after it.
//! Must not know: HTTP, how a key is unwrapped (see cmk), how tokens are made (see tokens).

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::directory::tokens;
use crate::app::registry::credentials::{self, Admitted, Presented};
use crate::app::registry::rights::{Access, Need};
use crate::app::registry::tokens::Claims;
use crate::app::registry::{cmk, firewall, registries, replications};
use crate::app::world::clock;
use crate::app::world::memory::{Memo, Under};
use crate::app::{App, Cx, access};
use crate::domain::access::Caller;
use crate::domain::error::{ContentError, RegistryError};
use crate::domain::registry::Registry;
use crate::domain::registry::cache_rule::{self, CacheRule};
use crate::domain::registry::child::Kind;
use crate::domain::registry::envelope::Dek;
use crate::domain::registry::resource_log::{self, Asked, Deed, Identity, Object};
use crate::domain::registry::rights::{Right, Rights, Scope};
use crate::domain::world::name::REGISTRIES;
use crate::domain::{Result, Timestamp};
use crate::store;

/// By what somebody was let in.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// What was shown to the login server, from where, for a right there.
    Shown { presented: Arc<Presented>, address: IpAddr, need: Need<'static> },
    /// A right at resource management: to import into the registry.
    Import(Caller),
    /// A right at resource management: to pull from this repository, to import it elsewhere.
    Export(Caller, String),
    /// A link to one blob of a repository, used at this data endpoint.
    Link { host: String, repository: String, address: IpAddr },
    /// A run of a task whose log is kept in this repository, and whoever holds a link to that.
    Log(String),
}

impl Entry {
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Shown { address, .. } | Self::Link { address, .. } => Some(*address),
            Self::Import(_) | Self::Export(..) | Self::Log(_) => None,
        }
    }

    /// Asks whether it lets into a registry now, and for what.
    pub(super) async fn ask(&self, cx: &mut Cx, registry: &Registry) -> Result<Admitted> {
        match self {
            Self::Shown { presented, need, .. } => credentials::require(cx, registry, presented, need).await,
            Self::Link { host, repository, address } => {
                // Without the setting, or in another region, there is no such host on Azure.
                let regions = replications::regions(cx, registry).await?;
                if !regions.iter().any(|region| registry.data_endpoint(region).as_deref() == Some(host)) {
                    return Err(RegistryError::Unknown(host.trim_end_matches(".azurecr.io").to_owned()).into());
                }
                firewall::admit(registry, *address)?;
                let rights = Rights::NONE.with(Right::Pull);
                let scope = Scope { repository: Some(repository.clone()), rights };
                Ok(Admitted {
                    access: Access::Token(vec![scope]),
                    subject: String::new(),
                    identity: Identity::default(),
                })
            }
            Self::Log(repository) => {
                let rights = Rights::NONE.with(Right::Pull).with(Right::Push);
                let scope = Scope { repository: Some(repository.clone()), rights };
                let (subject, identity) = ("log".to_owned(), Identity::default());
                Ok(Admitted { access: Access::Token(vec![scope]), subject, identity })
            }
            Self::Import(caller) | Self::Export(caller, _) => {
                let caller = tokens::again(cx, caller).await?;
                let outer = cx.act_as(caller);
                let admitted = self.ask_management(cx, registry).await;
                cx.act_as(outer);
                admitted
            }
        }
    }

    /// The same as the caller of resource management.
    async fn ask_management(&self, cx: &mut Cx, registry: &Registry) -> Result<Admitted> {
        let subject = cx.caller.object_id.clone();
        let access = match self {
            Self::Export(_, repository) => credentials::require_pull(cx, registry, repository).await?,
            _ => {
                access::require(cx, &format!("{REGISTRIES}/importImage/action"), &registry.arm_id()).await?;
                Access::everything()
            }
        };
        let identity = Identity { id: subject.clone(), name: Some(cx.caller.name.clone()) };
        Ok(Admitted { access, subject, identity })
    }
}

/// A registry, entered: the caller may do what it asked for, and the key is usable.
#[derive(Debug, Clone)]
pub struct Inside {
    pub registry: Arc<Registry>,
    entry: Entry,
    /// What the caller may do here.
    access: Arc<Access>,
    /// Who the caller is, as tokens of the registry name it.
    pub(super) subject: Arc<str>,
    /// Who that is in the registry's log.
    identity: Arc<Identity>,
    /// The region that serves it, where regions may differ.
    region: Option<Arc<str>>,
    /// The client's request; `None`: what is done here is not logged.
    asked_by: Option<Arc<Asked>>,
    pub(super) dek: Dek,
    rules: Arc<Vec<CacheRule>>,
    /// What is put here was pulled through a cache rule.
    pub(super) filling: bool,
    /// What is put here takes no tag from another manifest: it comes by this operation, an import that was not forced.
    keeps_tags: Option<Arc<str>>,
    /// How long all this would be answered alike. Of generation 0: not known.
    asked: Under,
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
    /// Asks whether `entry` lets into a registry, and opens its data with its key. `generation` is the store's from
    /// before the transaction read anything.
    pub(super) async fn open(cx: &mut Cx, registry: Registry, entry: Entry, generation: u64) -> Result<Self> {
        let Admitted { access, subject, identity } = entry.ask(cx, &registry).await?;
        let dek = cmk::open(cx, &registry).await?;
        let rules = store::registry::children::list(&mut cx.tx, registry.id, Kind::CACHE_RULE).await?;
        Ok(Self {
            registry: Arc::new(registry),
            entry,
            access: Arc::new(access),
            subject: subject.into(),
            identity: Arc::new(identity),
            region: None,
            asked_by: None,
            dek,
            rules: Arc::new(rules.iter().map(CacheRule::of).collect()),
            filling: false,
            keeps_tags: None,
            asked: Under { generation, until: cx.until },
        })
    }

    /// Asks all of it again: whether the registry is still there, and not another one of its name; its firewall; the
    /// caller's right; the registry's right to its key.
    async fn again(&self, cx: &mut Cx, generation: u64) -> Result<Self> {
        let found = store::registry::registries::find(&mut cx.tx, &self.registry.name).await?;
        let registry = found.filter(|r| r.id == self.registry.id);
        let registry = registry.ok_or_else(|| RegistryError::Unknown(self.registry.name.clone()))?;
        let inside = Self::open(cx, registry, self.entry.clone(), generation).await?;
        let Self { filling, keeps_tags, asked_by, region, .. } = self.clone();
        Ok(Self { filling, keeps_tags, asked_by, region, ..inside })
    }

    /// Who goes on: nobody that the directory knows, for each right is asked of what was shown.
    pub(in crate::app) fn caller(&self) -> Caller {
        Caller::nobody(self.entry.address().unwrap_or(cmk::REGISTRY_ADDRESS))
    }

    /// Goes on to read after waiting for somebody: one transaction, in which all was asked again.
    pub(in crate::app) async fn read(&self, app: &Arc<App>) -> Result<(Cx, Self)> {
        let mut cx = app.read(self.caller()).await?;
        let generation = app.generation();
        let inside = self.again(&mut cx, generation).await?;
        Ok((cx, inside))
    }

    /// Whether it may still be read, after a while in which others may have written.
    pub(in crate::app) async fn still(&self, app: &Arc<App>) -> Result<Self> {
        if self.asked.holds(app.generation(), app.now()) {
            return Ok(self.clone());
        }
        self.read(app).await.map(|(_, inside)| inside)
    }

    /// Goes on to write: the one way to change what lies in a registry.
    pub async fn write(&self, app: &Arc<App>) -> Result<Writing> {
        let mut cx = app.write(self.caller()).await?;
        // Nobody else writes now. What an access token gives depends on nothing but what was written.
        let generation = app.generation();
        let known = self.asked.holds(generation, cx.now) && matches!(*self.access, Access::Token(_));
        let inside = if known { self.clone() } else { self.again(&mut cx, generation).await? };
        Ok(Writing { cx, inside })
    }

    /// The cache rule that fills a repository.
    pub(in crate::app) fn cached_from(&self, repository: &str) -> Option<CachedFrom> {
        let (rule, source) = cache_rule::cached_from(&self.rules, repository)?;
        Some(CachedFrom { rule: rule.name.clone(), source, credentials: rule.credentials.clone() })
    }

    /// The same for what is pulled through, which may be put where nobody else may, and in any order.
    pub(in crate::app) fn to_fill(&self) -> Self {
        Self { filling: true, ..self.clone() }
    }

    /// The same for an import that was not forced.
    pub(in crate::app) fn keeping_tags(&self, operation: &str) -> Self {
        Self { keeps_tags: Some(operation.into()), ..self.clone() }
    }

    /// The same as one region serves it, which may not have all yet that others have.
    #[must_use]
    pub fn served_in(self, region: Option<Arc<str>>) -> Self {
        Self { region, ..self }
    }

    /// What the region that serves this has of a reference that it does not have in its newest state: another digest, or
    /// nothing. `None`: it has what all have.
    pub(super) async fn not_yet(
        &self,
        cx: &mut Cx,
        repository: &str,
        reference: &str,
    ) -> Result<Option<Option<String>>> {
        let Some(region) = &self.region else { return Ok(None) };
        store::registry::unreplicated::elsewhere(&mut cx.tx, self.registry.id, repository, reference, region).await
    }

    /// The region where something happens, if others learn of it later.
    pub(super) async fn region(&self, cx: &mut Cx) -> Result<Option<Arc<str>>> {
        match &self.region {
            Some(region) => Ok(Some(region.clone())),
            None => replications::serving(cx, &self.registry, &self.registry.login_server()).await,
        }
    }

    /// The same for a client's request, so that what it does is logged.
    #[must_use]
    pub fn for_client(self, asked: Asked) -> Self {
        Self { asked_by: Some(Arc::new(asked)), ..self }
    }

    /// What the registry's log is to tell of something that was done. Filling a repository from its source is no
    /// client's doing.
    fn logged(&self, now: Timestamp, deed: Deed, status: u16) -> Option<resource_log::Record<'_>> {
        let asked = self.asked_by.as_deref().filter(|_| !self.filling)?;
        let took = clock::machine().0 - asked.began.0;
        let (registry, identity) = (&*self.registry, &*self.identity);
        Some(resource_log::Record { time: now, registry, identity, asked: Some(asked), deed, status, took })
    }

    /// Logs that something was read.
    pub fn log_read(&self, app: &App, operation: &'static str, object: Object) {
        if let Some(record) = self.logged(app.now(), Deed::Repository(operation, object), 200) {
            app.audit().logged(&record);
        }
    }

    /// Whether a tag that is there already may be pointed at another manifest.
    pub(in crate::app) fn check_tag_may_move(&self, repository: &str, tag: &str) -> Result<()> {
        let Some(operation) = &self.keeps_tags else { return Ok(()) };
        let (operation, registry) = (operation.to_string(), self.registry.arm_id());
        Err(RegistryError::TagExists { operation, registry, image: format!("{repository}:{tag}") }.into())
    }

    /// Nobody pushes into, or imports to, a repository that a cache rule fills [issue], unless the registry allows
    /// it [spec: writableCacheRepos]. How it is refused is not published. What fills it comes only while there is a rule.
    pub(super) fn check_writable(&self, repository: &str) -> Result<()> {
        let cached = self.cached_from(repository).is_some();
        if self.filling {
            return if cached { Ok(()) } else { Err(ContentError::NameUnknown(repository.to_owned()).into()) };
        }
        if cached && !self.registry.settings().cached_writable() {
            return Err(ContentError::Locked.into());
        }
        Ok(())
    }

    /// Whether what is pushed here waits in quarantine.
    pub(super) fn quarantines(&self) -> bool {
        self.registry.settings().quarantine()
    }

    /// Whether the caller's token also holds another right.
    #[must_use]
    pub fn may(&self, need: &Need<'_>) -> bool {
        self.access.holds(need)
    }
}

/// A registry, entered to change what lies in it: the transaction that changes it, in which all that let the caller
/// in was asked. Every verb that changes content wants one, and only [`Inside::write`] makes one.
#[derive(Debug)]
pub struct Writing {
    pub(super) cx: Cx,
    pub(super) inside: Inside,
}

impl Writing {
    /// To look at what the transaction has changed.
    pub fn parts(&mut self) -> (&mut Cx, &Inside) {
        (&mut self.cx, &self.inside)
    }

    /// Has the registry's log told of what was done here, once it lasts.
    pub(super) fn log(&mut self, operation: &'static str, object: Object, status: u16) {
        if let Some(record) = self.inside.logged(self.cx.now, Deed::Repository(operation, object), status) {
            self.cx.log(&record);
        }
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<()> {
        self.cx.commit().await
    }
}

/// Who was let in, by registry and `Authorization` header, so that the next request of a busy client need not ask
/// all of it again. What depends on machine time (the token's end) and on the request (address, need) is asked each
/// time.
pub type Entrances = Memo<(String, String), Entrance>;

#[derive(Debug, Clone)]
pub struct Entrance {
    claims: Claims,
    presented: Arc<Presented>,
    inside: Inside,
}

/// Entrances kept.
pub(in crate::app) const ENTRANCES: usize = 1024;

/// Enters a registry: the one way to its content and to what is told about it. `authorization` is the header
/// that came with the request.
pub async fn enter(
    app: &Arc<App>,
    caller: Caller,
    registry: &str,
    authorization: Option<&str>,
    need: &Need<'_>,
) -> Result<(Cx, Inside)> {
    cmk::faults::at_unwrapping(app, registry).await?;
    // The transaction sees a state at least as new as the generation read after it was asked for and before
    // it first reads.
    let mut cx = app.read(caller).await?;
    let generation = app.generation();
    let address = cx.caller.address;
    let name = authorization.map(|shown| (registry.to_owned(), shown.to_owned()));
    if let Some(Entrance { claims, presented, inside }) =
        name.as_ref().and_then(|name| app.entrances.get(name, generation, cx.now))
        && claims.lasts()
        && inside.access.holds(need)
    {
        firewall::admit(&inside.registry, address)?;
        let entry = Entry::Shown { presented, address, need: need.to_keep() };
        return Ok((cx, Inside { entry, ..inside }));
    }
    let presented = Arc::new(credentials::present(app, registry, authorization).await?);
    let found = registries::by_name(&mut cx, registry).await?;
    let entry = Entry::Shown { presented: presented.clone(), address, need: need.to_keep() };
    let inside = Inside::open(&mut cx, found, entry, generation).await?;
    // Passwords are not kept: whether they have expired is asked in simulated time.
    if let (Presented::Token(claims), Some(name), true) = (&*presented, name, inside.access.keeps()) {
        let entrance = Entrance { claims: claims.clone(), presented: presented.clone(), inside: inside.clone() };
        app.entrances.keep(name, inside.asked, entrance);
    }
    Ok((cx, inside))
}

/// Enters a registry with a credential that was looked at already.
pub(in crate::app) async fn enter_with(
    cx: &mut Cx,
    registry: Registry,
    presented: Presented,
    need: &Need<'_>,
) -> Result<Inside> {
    let entry = Entry::Shown { presented: Arc::new(presented), address: cx.caller.address, need: need.to_keep() };
    Inside::open(cx, registry, entry, 0).await
}

/// Enters a registry to import into it, as the caller of resource management.
pub(in crate::app) async fn enter_to_import(cx: &mut Cx, registry: Registry) -> Result<Inside> {
    let entry = Entry::Import(cx.caller.clone());
    Inside::open(cx, registry, entry, 0).await
}

/// Enters a registry to pull from a repository what is imported elsewhere, as the caller of resource management.
pub(in crate::app) async fn enter_to_export(cx: &mut Cx, registry: Registry, repository: &str) -> Result<Inside> {
    let entry = Entry::Export(cx.caller.clone(), repository.to_owned());
    Inside::open(cx, registry, entry, 0).await
}

/// Enters a registry to keep the log of a run in a repository, or to read it there.
pub(in crate::app) async fn enter_for_log(cx: &mut Cx, registry: Registry, repository: &str) -> Result<Inside> {
    Inside::open(cx, registry, Entry::Log(repository.to_owned()), 0).await
}
