//! The only thing that acts because time passed: it does every due job at its due instant, in order. While the user lets
//! time pass, the clock goes from one such instant to the next: whoever asks meanwhile sees the one that was reached, with
//! all done that was due by then.
//! Must not know: how a job is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

use crate::app::directory::deleted;
use crate::app::registry::cmk::looks::{Looks, Move, Moved, Seen};
use crate::app::registry::{arrivals, content, tasks};
use crate::app::vault::rotation::{self, Preparation, Prepared};
use crate::app::vault::vaults;
use crate::app::world::{clock, work};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::{Error, Result, Timestamp};
use crate::store::{self, Store};

/// When the next job is due, in simulated time, as known under a generation of the store.
#[derive(Debug)]
pub struct Due {
    next: AtomicI64,
    generation: AtomicU64,
    turn: Mutex<Ready>,
    /// Changes of the clock are made one after the other, each with all that it makes due.
    pub(super) changing: Mutex<()>,
}

/// What is known of what comes, and the slow work that was done for it.
#[derive(Debug, Default)]
struct Ready {
    looks: Looks,
    moved: HashMap<i64, Moved>,
    prepared: Prepared,
}

impl Default for Due {
    fn default() -> Self {
        // At once: the first call looks for what became due while the emulator was not running.
        let (next, generation) = (AtomicI64::new(i64::MIN), AtomicU64::new(0));
        Self { next, generation, turn: Mutex::default(), changing: Mutex::default() }
    }
}

impl Due {
    #[cfg(test)]
    pub(super) async fn looks_made(&self) -> u64 {
        self.turn.lock().await.looks.made
    }

    /// The next due instant, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let at = self.next.load(Ordering::Acquire);
        (at != i64::MAX && at != i64::MIN).then_some(Timestamp(at))
    }
}

/// Whether nothing was written and nothing is due since the last time.
fn idle(app: &App) -> bool {
    app.clock.now().0 < app.poll.next.load(Ordering::Acquire)
        && app.poll.generation.load(Ordering::Acquire) == app.store.settled_generation()
}

/// Does all that is due by now, in the order of its instants. O(1) when nothing was written and nothing is
/// due since the last time.
pub async fn catch_up(app: &Arc<App>) -> Result<()> {
    while !idle(app) {
        // Every request begins here: what it seldom needs is not to lie in the memory of each.
        Box::pin(step(app, None)).await?;
    }
    Ok(())
}

/// Lets the clock go to `target`, and does all that becomes due on the way.
pub async fn pass(app: &Arc<App>, target: Timestamp) -> Result<()> {
    while app.clock.now() < target {
        Box::pin(step(app, Some(target))).await?;
    }
    catch_up(app).await
}

/// How often a step begins again because somebody else wrote meanwhile, before it lets nobody else begin to.
const PATIENCE: u32 = 3;

/// Goes to the next instant at which something is due, `target` or, without one, now at the latest, and does it.
async fn step(app: &Arc<App>, target: Option<Timestamp>) -> Result<()> {
    let mut ready = app.poll.turn.lock().await;
    let mut kept: Option<Plan> = None;
    let mut tried = 0;
    loop {
        if target.is_none() && idle(app) {
            return Ok(());
        }
        let generation = app.store.settled_generation();
        let mut plan = match kept.take().filter(|plan| plan.generation == generation) {
            Some(plan) => plan,
            None => {
                let mut cx = app.read_now(Caller::system()).await?;
                Plan::make(&mut cx, &mut ready, generation, target).await?
            }
        };
        if !plan.slow.is_empty() {
            // Where time has not come there yet, nobody needs to wait for it.
            let waits = plan.at <= app.now() || tried >= PATIENCE;
            ready = do_slow_work(app, ready, std::mem::take(&mut plan.slow), waits).await?;
            kept = Some(plan);
            tried += 1;
            continue;
        }
        if !plan.writes {
            app.poll.next.store(plan.next.map_or(i64::MAX, |t| t.0), Ordering::Release);
            app.poll.generation.store(generation, Ordering::Release);
            return Ok(());
        }
        if settle(app, &mut ready, plan, target).await? {
            return Ok(());
        }
        tried += 1;
    }
}

/// RSA, which no transaction waits for.
enum Slow {
    Move(Box<Move>),
    Key(Preparation),
}

/// What a step does.
struct Plan {
    /// The store's settled generation that it was made under.
    generation: u64,
    /// The instant it does it at.
    at: Timestamp,
    /// What looks find by then.
    seen: Seen,
    /// Which jobs are due then: of vaults, keys and secrets, content, the directory, tasks, replication.
    jobs: [bool; 6],
    /// What has to be done before.
    slow: Vec<Slow>,
    /// Whether there is anything to write.
    writes: bool,
    /// When the next thing is due.
    next: Option<Timestamp>,
}

impl Plan {
    async fn make(cx: &mut Cx, ready: &mut Ready, generation: u64, target: Option<Timestamp>) -> Result<Self> {
        let now = cx.now;
        let horizon = target.map_or(now, |target| target.max(now));
        let jobs = [
            vaults::due(cx).await?,
            rotation::due(cx).await?,
            content::ageing::due(cx).await?,
            deleted::due(cx).await?,
            tasks::ageing::due(cx).await?,
            arrivals::due(cx).await?,
        ];
        let job = jobs.iter().flatten().min().copied();
        let look = store::registry::registries::next_look(&mut cx.tx).await?;
        let due = job.filter(|at| *at <= horizon);
        // Vaults before registries: a version made at this very instant is seen by a look at it.
        let before = due.map_or(horizon, |at| at.plus(-1));
        let seen = match look.filter(|look| *look <= before) {
            Some(_) => ready.looks.scan(cx, generation, before).await?,
            None => Seen::nothing(before),
        };
        let cut_short = seen.until < before || !seen.moves.is_empty();
        let at = if cut_short { seen.until } else { due.unwrap_or(horizon) };
        let jobs = jobs.map(|job| job.is_some_and(|job| job <= at));
        let mut slow = Vec::new();
        for to in &seen.moves {
            if !ready.moved.get(&to.registry()).is_some_and(|moved| to.is(moved)) {
                slow.push(Slow::Move(Box::new(to.clone())));
            }
        }
        if jobs[1] {
            let workers = work::places();
            let lacking = rotation::lacking(cx, &mut ready.prepared, (at, horizon), workers).await?;
            slow.extend(lacking.into_iter().map(Slow::Key));
        }
        let next = job.into_iter().chain(look).min();
        let writes = at > now || jobs.contains(&true) || look.is_some_and(|look| look <= seen.until);
        Ok(Self { generation, at, seen, jobs, slow, writes, next })
    }
}

/// Does slow work, spread over the machine's cores. `waits`: nobody else has a turn meanwhile.
async fn do_slow_work<'a>(
    app: &'a Arc<App>,
    ready: MutexGuard<'a, Ready>,
    slow: Vec<Slow>,
    waits: bool,
) -> Result<MutexGuard<'a, Ready>> {
    let held = waits.then_some(ready);
    let mut moves = Vec::new();
    let (mut moved, mut prepared) = (Vec::new(), Vec::new());
    let mut keys = JoinSet::new();
    for slow in slow {
        match slow {
            Slow::Move(to) => match to.fault(app) {
                Some(failed) => moved.push((to.registry(), failed)),
                None => moves.push(*to),
            },
            Slow::Key(preparation) => drop(keys.spawn(work::run(move || preparation.work()))),
        }
    }
    let mut shares = JoinSet::new();
    for share in moves.chunks(moves.len().div_ceil(work::places()).max(1)) {
        let share = share.to_vec();
        shares.spawn(work::run(move || share.iter().map(|to| (to.registry(), to.work())).collect::<Vec<_>>()));
    }
    while let Some(done) = shares.join_next().await {
        moved.extend(done.map_err(Error::internal)??);
    }
    while let Some(done) = keys.join_next().await {
        prepared.push(done.map_err(Error::internal)???);
    }
    let mut ready = match held {
        Some(ready) => ready,
        None => app.poll.turn.lock().await,
    };
    ready.moved.extend(moved);
    ready.prepared.extend(prepared);
    Ok(ready)
}

/// Writes a step in one transaction: the clock comes to its instant, and all of it is done. `false`: somebody wrote since
/// the plan was made, and it has to be made again.
async fn settle(app: &Arc<App>, ready: &mut Ready, plan: Plan, target: Option<Timestamp>) -> Result<bool> {
    let mut cx = app.write_now(Caller::system()).await?;
    // Nobody else writes now.
    let generation = app.store.settled_generation();
    let plan =
        if plan.generation == generation { plan } else { Plan::make(&mut cx, ready, generation, target).await? };
    let moved = |to: &Move| ready.moved.get(&to.registry()).is_some_and(|moved| to.is(moved));
    if !plan.slow.is_empty() || !plan.writes || !plan.seen.moves.iter().all(moved) {
        return Ok(false);
    }
    let machine = clock::machine();
    let setting = app.clock.setting();
    if plan.at > setting.at(machine) {
        app.clock.set(&mut cx.tx, setting.showing(plan.at, machine)).await?;
    }
    cx.now = plan.at;
    plan.seen.settle(&mut cx, &mut ready.moved).await?;
    if plan.jobs[0] {
        vaults::do_due(&mut cx).await?;
    }
    let rotated = if plan.jobs[1] { rotation::do_due(&mut cx, &mut ready.prepared).await? } else { Vec::new() };
    if plan.jobs[2] {
        content::ageing::do_due(&mut cx).await?;
    }
    if plan.jobs[3] {
        deleted::do_due(&mut cx).await?;
    }
    if plan.jobs[4] {
        tasks::ageing::do_due(&mut cx).await?;
    }
    if plan.jobs[5] {
        arrivals::do_due(&mut cx).await?;
    }
    cx.commit().await?;
    // Nothing of this lets a look find anything but the new versions: what is known of looks goes on being known.
    let generation = Store::generation_after(generation);
    ready.looks.settled(&plan.seen, generation);
    for (vault, key) in rotated {
        ready.looks.new_version(&vault, &key, plan.at);
    }
    if !plan.seen.moves.is_empty() {
        ready.moved.clear();
    }
    if plan.jobs[2] && content::sweep_any(app).await? {
        let swept = Store::generation_after(generation);
        if app.store.settled_generation() == swept {
            ready.looks.carry(swept);
        }
    }
    Ok(true)
}
