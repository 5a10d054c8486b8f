//! The only thing that acts because time passed: it does every due job at its due instant, in order.
//! Must not know: how a job is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::app::App;
use crate::app::registry::{cmk, content};
use crate::app::vault::{rotation, vaults};
use crate::domain::access::Caller;
use crate::domain::{Result, Timestamp};

/// When the next job is due, in simulated time, as known under a generation of the store.
#[derive(Debug)]
pub struct Due {
    next: AtomicI64,
    generation: AtomicU64,
    turn: Mutex<()>,
}

impl Default for Due {
    fn default() -> Self {
        // At once: the first call looks for what became due while the emulator was not running.
        Self { next: AtomicI64::new(i64::MIN), generation: AtomicU64::new(0), turn: Mutex::new(()) }
    }
}

impl Due {
    /// The next due instant, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let at = self.next.load(Ordering::Acquire);
        (at != i64::MAX && at != i64::MIN).then_some(Timestamp(at))
    }
}

/// Does all that is due by now, in the order of its instants. O(1) when nothing was written and nothing is
/// due since the last time.
pub async fn catch_up(app: &Arc<App>) -> Result<()> {
    let idle = || {
        app.clock.now().0 < app.poll.next.load(Ordering::Acquire)
            && app.poll.generation.load(Ordering::Acquire) == app.store.settled_generation()
    };
    if idle() {
        return Ok(());
    }
    let _turn = app.poll.turn.lock().await;
    while !idle() {
        let generation = app.store.settled_generation();
        let mut cx = app.read_now(Caller::system()).await?;
        let jobs = [
            vaults::next_due(&mut cx).await?,
            rotation::due(&mut cx.tx).await?,
            cmk::next_look(&mut cx).await?,
            content::ageing::due(&mut cx).await?,
        ];
        let now = cx.now;
        drop(cx);
        let next = jobs.into_iter().flatten().min();
        match next.filter(|at| *at <= now) {
            // Vaults before registries: a version made at this very instant is seen by a look at it.
            Some(at) => {
                vaults::do_due(app, at).await?;
                rotation::do_due(app, at).await?;
                cmk::look_for_new_versions(app, at).await?;
                content::ageing::do_due(app, at).await?;
            }
            None => {
                app.poll.next.store(next.map_or(i64::MAX, |t| t.0), Ordering::Release);
                app.poll.generation.store(generation, Ordering::Release);
            }
        }
    }
    Ok(())
}
