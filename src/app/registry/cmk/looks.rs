//! The hourly look of registries that follow new versions of their keys: which looks can find anything, what they
//! find, and the move to it.
//! Must not know: when it is called, how the clock comes there (see poller).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{authorize, principal};
use crate::app::vault::keys;
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::audit::Call;
use crate::domain::registry::Registry;
use crate::domain::registry::cmk::{Cmk, KeyId, KeyIdentity, WRAP_ALGORITHM};
use crate::domain::vault::key::Operation;
use crate::domain::world::crypto;
use crate::domain::world::time::HOUR;
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// Where time decides nothing.
const NEVER: Timestamp = Timestamp(i64::MAX);
/// Audit records of looks that are made before they are written.
const RECORDS: usize = 1000;

/// What is known of looks to come. A look depends on what is written and, where time decides something, on the time:
/// so one that finds nothing is known to find nothing until something is written or time decides otherwise, and the
/// looks between need not be made to know what came of them.
#[derive(Debug, Default)]
pub struct Looks {
    /// The store's generation under which all this is known.
    generation: u64,
    /// The registries whose first look that was not made yet is due by this instant are all among the `known`.
    covered: Option<Timestamp>,
    known: HashMap<i64, Known>,
    /// The looks that may find something: the first of each registry.
    queue: BTreeSet<(Timestamp, i64)>,
    /// Looks that were made one by one, for tests.
    #[cfg(test)]
    pub made: u64,
}

#[derive(Debug)]
struct Known {
    key: KeyId,
    /// One of its looks. The others are whole hours from it.
    look: Timestamp,
    /// The first that may find something; `None`: none does.
    next: Option<Timestamp>,
}

/// What looks find.
#[derive(Debug)]
pub struct Seen {
    /// All looks up to this instant are made, it included.
    pub until: Timestamp,
    /// The registries that move to a new version, all at `until`.
    pub moves: Vec<Move>,
    /// What the looks leave in the audit log.
    records: Vec<Call>,
    /// Registries that were refused last, and the look at which they may be again, with another record.
    refused: HashMap<i64, Timestamp>,
}

impl Looks {
    /// The registries of `cx` that find something, and at which instant they are the first to; `until` is as far as to
    /// look. `generation` is the store's from before the transaction read anything. What is found is not noted before
    /// [`Looks::settled`].
    pub async fn scan(&mut self, cx: &mut Cx, generation: u64, until: Timestamp) -> Result<Seen> {
        if self.generation != generation {
            *self = self.forgotten();
            self.generation = generation;
        }
        let mut rows = HashMap::new();
        if self.covered < Some(until) {
            for (registry, look) in store::registry::registries::looking(&mut cx.tx, until).await? {
                if let Some(cmk) = &registry.cmk
                    && !self.known.contains_key(&registry.id)
                {
                    self.known.insert(registry.id, Known { key: cmk.key.clone(), look, next: Some(look) });
                    self.queue.insert((look, registry.id));
                    rows.insert(registry.id, registry);
                }
            }
            self.covered = Some(until);
        }
        let outer = std::mem::replace(&mut cx.unaudited, true);
        let (now, holds) = (cx.now, cx.until);
        let seen = self.scan_known(cx, rows, until).await;
        (cx.unaudited, cx.now, cx.until) = (outer, now, holds);
        seen
    }

    async fn scan_known(&mut self, cx: &mut Cx, mut rows: HashMap<i64, Registry>, until: Timestamp) -> Result<Seen> {
        let mut look = Look::new(cx);
        let mut seen = Seen::nothing(until);
        // Refused registries are looked at hour by hour. That they were is noted when their records are.
        let mut due: BTreeSet<(Timestamp, i64)> = self.queue.range(..=(until, i64::MAX)).copied().collect();
        while let Some((at, _)) = due.first().copied() {
            let beyond: BTreeSet<_> = due.split_off(&(at.plus(1), i64::MIN));
            let ids: Vec<i64> = std::mem::replace(&mut due, beyond).into_iter().map(|(_, id)| id).collect();
            read_missing(look.cx, &mut rows, &ids).await?;
            for id in ids {
                #[cfg(test)]
                {
                    self.made += 1;
                }
                let Some(registry) = rows.get(&id) else { continue };
                seen.refused.remove(&id);
                match look.at(at, registry).await? {
                    Outcome::Moves(to) => seen.moves.push(*to),
                    Outcome::Refused => {
                        due.insert((at.plus(HOUR), id));
                        seen.refused.insert(id, at.plus(HOUR));
                    }
                    Outcome::Nothing(same_until) => {
                        let next = self.finds_nothing(id, at, same_until);
                        due.extend(next.filter(|next| *next <= until).map(|next| (next, id)));
                    }
                }
            }
            if !seen.moves.is_empty() || look.records.len() >= RECORDS {
                seen.until = at;
                break;
            }
            due.retain(|(at, _)| *at <= until);
        }
        seen.records = look.records;
        Ok(seen)
    }

    /// Notes that a registry's look at `at` found nothing, and the later ones will not before `until`. Returns the next
    /// one that may.
    fn finds_nothing(&mut self, id: i64, at: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let known = self.known.get(&id)?;
        let next = (until != NEVER).then(|| known.look.recurring(HOUR, until.max(at.plus(1))));
        self.plan(id, next);
        next
    }

    fn plan(&mut self, id: i64, next: Option<Timestamp>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut known.next, next) {
            self.queue.remove(&(before, id));
        }
        if let Some(next) = next {
            self.queue.insert((next, id));
        }
    }

    /// Notes that what was seen is written, in the commit that made the store's generation this one.
    pub fn settled(&mut self, seen: &Seen, generation: u64) {
        self.generation = generation;
        for (id, next) in &seen.refused {
            self.plan(*id, Some(*next));
        }
        for to in &seen.moves {
            self.plan(to.registry.id, Some(seen.until.plus(HOUR)));
        }
    }

    /// Notes that what made the store's generation this one changes nothing for looks.
    pub fn carry(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Notes that a key got a new version at `at`: the next looks of those who follow it may find it.
    pub fn new_version(&mut self, vault: &str, key: &str, at: Timestamp) {
        let follows = |k: &KeyId| k.vault.eq_ignore_ascii_case(vault) && k.key.eq_ignore_ascii_case(key);
        let followers: Vec<(i64, Timestamp)> = self
            .known
            .iter()
            .filter(|(_, k)| follows(&k.key))
            .map(|(id, k)| (*id, k.look.recurring(HOUR, at)))
            .collect();
        for (id, next) in followers {
            self.plan(id, Some(next));
        }
    }

    fn forgotten(&self) -> Self {
        Self {
            #[cfg(test)]
            made: self.made,
            ..Self::default()
        }
    }
}

/// Reads those of the registries that were not read yet.
async fn read_missing(cx: &mut Cx, rows: &mut HashMap<i64, Registry>, ids: &[i64]) -> Result<()> {
    let missing: Vec<i64> = ids.iter().copied().filter(|id| !rows.contains_key(id)).collect();
    if !missing.is_empty() {
        let read = store::registry::registries::looking_ones(&mut cx.tx, &missing).await?;
        rows.extend(read.into_iter().map(|registry| (registry.id, registry)));
    }
    Ok(())
}

/// What comes of a look.
enum Outcome {
    /// There is a new version, and all it takes is allowed.
    Moves(Box<Move>),
    /// There is a new version, and the vault refused to let it be used: it has noted that.
    Refused,
    /// Nothing, and nothing before this instant either if nothing is written.
    Nothing(Timestamp),
}

/// A registry's move to a new version, and what it takes.
#[derive(Debug, Clone)]
pub struct Move {
    registry: Registry,
    cmk: Cmk,
    old: Arc<keys::Handle>,
    wrap: Arc<keys::Handle>,
    unwrap: Arc<keys::Handle>,
}

/// Looks in one transaction. Registries share identities and keys, and the vault's answer to the same question is the
/// same, as long as time does not decide otherwise: each is asked once.
struct Look<'a> {
    cx: &'a mut Cx,
    callers: HashMap<Identities, Answer<Option<Caller>>>,
    /// By caller and key: the newest version, where the caller may see it.
    newest: HashMap<(String, KeyId), Answer<Option<String>>>,
    /// By caller, key version and operation: leave to use it.
    uses: HashMap<(String, KeyId, &'static str), Answer<Use>>,
    records: Vec<Call>,
}

/// What decides who a registry goes to its vault as: the identities attached to it, its own, and which of them it uses.
type Identities = (Vec<String>, Option<String>, String);

/// An answer, and until when it would be the same.
#[derive(Clone)]
struct Answer<T> {
    is: T,
    until: Timestamp,
}

enum Use {
    Leave(Arc<keys::Handle>),
    /// What the vault notes of it, if there is a vault, and when it noted it last.
    Refused(Option<Box<Call>>, Option<Timestamp>),
}

impl<'a> Look<'a> {
    fn new(cx: &'a mut Cx) -> Self {
        let (callers, newest, uses) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { cx, callers, newest, uses, records: Vec::new() }
    }

    /// A registry's look at an instant.
    async fn at(&mut self, at: Timestamp, registry: &Registry) -> Result<Outcome> {
        self.cx.now = at;
        let Some(cmk) = registry.cmk.clone().filter(Cmk::follows_new_versions) else {
            return Ok(Outcome::Nothing(NEVER));
        };
        let caller = self.caller(registry, &cmk.identity).await?;
        let Some(as_whom) = caller.is else { return Ok(Outcome::Nothing(caller.until)) };
        let newest = self.newest(&as_whom, &cmk.key).await?;
        let until = caller.until.min(newest.until);
        let Some(newest) = newest.is else { return Ok(Outcome::Nothing(until)) };
        if newest == cmk.version {
            // Whatever else becomes allowed or forbidden: there is nothing to move to.
            return Ok(Outcome::Nothing(NEVER));
        }
        let new = cmk.key.at(&newest);
        let audited = self.records.len();
        let mut until = until;
        let mut leave = Vec::new();
        for (key, operation) in
            [(&cmk.versioned(), Operation::UnwrapKey), (&new, Operation::WrapKey), (&new, Operation::UnwrapKey)]
        {
            let answer = self.leave(&as_whom, key, operation).await?;
            until = until.min(answer.until);
            leave.extend(answer.is);
        }
        let Ok([old, wrap, unwrap]) = <[_; 3]>::try_from(leave) else {
            return Ok(if self.records.len() > audited { Outcome::Refused } else { Outcome::Nothing(until) });
        };
        if !wrap.version.is_rsa() {
            return Ok(Outcome::Nothing(until));
        }
        let cmk = Cmk { version: newest, rotated_at: Some(at), ..cmk };
        Ok(Outcome::Moves(Box::new(Move { registry: registry.clone(), cmk, old, wrap, unwrap })))
    }

    async fn caller(&mut self, registry: &Registry, identity: &KeyIdentity) -> Result<Answer<Option<Caller>>> {
        let (users, system) = (registry.user_identities.clone(), registry.system_principal.clone());
        let asked = (users, system, identity.as_str().to_owned());
        if let Some(known) = self.callers.get(&asked).filter(|known| self.cx.now < known.until) {
            return Ok(known.clone());
        }
        self.cx.until = NEVER;
        let is = allowed(principal(self.cx, registry, identity).await)?;
        let answer = Answer { is, until: self.cx.until };
        self.callers.insert(asked, answer.clone());
        Ok(answer)
    }

    async fn newest(&mut self, caller: &Caller, key: &KeyId) -> Result<Answer<Option<String>>> {
        let asked = (caller.object_id.clone(), key.clone());
        if let Some(known) = self.newest.get(&asked).filter(|known| self.cx.now < known.until) {
            return Ok(known.clone());
        }
        self.cx.until = NEVER;
        let outer = self.cx.act_as(caller.clone());
        let found = keys::get(self.cx, &key.vault, &key.key, None).await;
        self.cx.act_as(outer);
        let is = allowed(found)?.map(|(_, _, version)| version.version);
        let answer = Answer { is, until: self.cx.until };
        self.newest.insert(asked, answer.clone());
        Ok(answer)
    }

    /// Leave to use a key version. A refusal is noted once at each instant.
    async fn leave(
        &mut self,
        caller: &Caller,
        key: &KeyId,
        operation: Operation,
    ) -> Result<Answer<Option<Arc<keys::Handle>>>> {
        let now = self.cx.now;
        let asked = (caller.object_id.clone(), key.clone(), operation.as_str());
        if self.uses.get(&asked).is_none_or(|known| known.until <= now) {
            let answer = self.ask(caller, key, operation).await?;
            self.uses.insert(asked.clone(), answer);
        }
        let Some(answer) = self.uses.get_mut(&asked) else {
            return Err(Error::Internal("an answer was not kept".to_owned()));
        };
        let is = match &mut answer.is {
            Use::Leave(handle) => {
                if handle.at != now {
                    *handle = Arc::new(handle.given_at(now));
                }
                Some(handle.clone())
            }
            Use::Refused(call, noted) => {
                if noted.replace(now) != Some(now) {
                    self.records.extend(call.as_deref().map(|call| keys::again(call, now)));
                }
                None
            }
        };
        Ok(Answer { is, until: answer.until })
    }

    async fn ask(&mut self, caller: &Caller, key: &KeyId, operation: Operation) -> Result<Answer<Use>> {
        self.cx.until = NEVER;
        let is = match authorize(self.cx, caller, key, operation).await {
            Ok(handle) => Use::Leave(Arc::new(handle.audited_as(caller))),
            Err(failure) if failure.is_failure() => return Err(failure),
            Err(why) => {
                tracing::info!(%key, operation = operation.as_str(), %why, "a new key version was refused to a registry");
                let object = (key.key.as_str(), key.version.as_deref().unwrap_or_default());
                let call = keys::refusal(self.cx, caller, &key.vault, object, operation, &why).await?;
                Use::Refused(call.map(Box::new), None)
            }
        };
        Ok(Answer { is, until: self.cx.until })
    }
}

/// A refusal is an answer here, not a failure.
fn allowed<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_failure() => Err(failure),
        Err(why) => {
            tracing::info!(%why, "a look for a new key version was refused");
            Ok(None)
        }
    }
}

/// What a move takes from the key, once it was done, and what that left in the audit log.
#[derive(Debug)]
pub struct Moved {
    from: Vec<u8>,
    to: Cmk,
    wrapped: Result<Vec<u8>>,
    records: Vec<Call>,
}

impl Move {
    /// The registry's row id.
    #[must_use]
    pub fn registry(&self) -> i64 {
        self.registry.id
    }

    /// Whether this is what was done for it.
    #[must_use]
    pub fn is(&self, moved: &Moved) -> bool {
        moved.from == self.registry.wrapped_dek && moved.to == self.cmk
    }

    /// What becomes of it where the vault fails as a test asked for, if it did.
    #[must_use]
    pub fn fault(&self, app: &App) -> Option<Moved> {
        let why = super::faults::at_rotation(app, &self.registry, &self.cmk).err()?;
        let (from, to) = (self.registry.wrapped_dek.clone(), self.cmk.clone());
        Some(Moved { from, to, wrapped: Err(why), records: Vec::new() })
    }

    /// The RSA work: not within a transaction.
    #[must_use]
    pub fn work(&self) -> Moved {
        let mut records = Vec::new();
        let wrapped = self.rewrap(&mut records);
        Moved { from: self.registry.wrapped_dek.clone(), to: self.cmk.clone(), wrapped, records }
    }

    /// Unwraps with the old version, wraps with the new one, and unwraps once more to be sure.
    fn rewrap(&self, records: &mut Vec<Call>) -> Result<Vec<u8>> {
        let dek = Zeroizing::new(self.old.run_recorded(WRAP_ALGORITHM, &self.registry.wrapped_dek, records)?);
        let new = self.wrap.run_recorded(WRAP_ALGORITHM, &dek, records)?;
        let back = Zeroizing::new(self.unwrap.run_recorded(WRAP_ALGORITHM, &new, records)?);
        if !crypto::same_secret(&back, &dek) {
            return Err(Error::Internal("the new key version did not give back what it wrapped".to_owned()));
        }
        Ok(new)
    }

    /// Writes it.
    async fn settle(&self, cx: &mut Cx, moved: Moved) -> Result<()> {
        let Registry { id, name, .. } = &self.registry;
        moved.records.iter().for_each(|call| cx.record(call));
        match moved.wrapped {
            Ok(wrapped) => {
                let at = cx.now;
                if store::registry::registries::rewrap(&mut cx.tx, *id, &moved.from, &self.cmk, &wrapped, at).await? {
                    let key = self.cmk.versioned();
                    tracing::info!(registry = %name, %key, "rotated to the key's new version");
                    cx.passing(format!("registry {name} is rotated to {key}"));
                }
            }
            Err(why) => {
                tracing::warn!(registry = %name, %why, "could not rotate to the key's new version");
                cx.passing(format!("registry {name} could not be rotated to {}: {why}", self.cmk.versioned()));
            }
        }
        Ok(())
    }
}

impl Seen {
    /// Writes what was seen: looks are made, registries moved. `moved` is the work of all moves, by registry.
    pub async fn settle(&self, cx: &mut Cx, moved: &mut HashMap<i64, Moved>) -> Result<()> {
        store::registry::registries::put_off_looks(&mut cx.tx, self.until).await?;
        self.records.iter().for_each(|call| cx.record(call));
        for to in &self.moves {
            if let Some(moved) = moved.remove(&to.registry()) {
                to.settle(cx, moved).await?;
            }
        }
        Ok(())
    }

    /// What there is where no look is due.
    #[must_use]
    pub fn nothing(until: Timestamp) -> Self {
        Self { until, moves: Vec::new(), records: Vec::new(), refused: HashMap::new() }
    }
}
