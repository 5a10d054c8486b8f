//! The only thing that acts because time passed: it does every due job at its due instant, in order.
//! Must not know: how a job is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::App;
use crate::domain::{Result, Timestamp};

/// When the next job is due, in simulated time.
#[derive(Debug)]
pub struct Due(AtomicI64);

impl Default for Due {
    fn default() -> Self {
        // At once: the first call looks for what became due while the emulator was not running.
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Due {
    /// The next due instant, if one is known.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Acquire);
        (at != i64::MAX && at != i64::MIN).then_some(Timestamp(at))
    }
}

/// Does all that is due by now. O(1) when nothing is.
pub async fn catch_up(app: &Arc<App>) -> Result<()> {
    if app.clock.now().0 < app.poll.0.load(Ordering::Acquire) {
        return Ok(());
    }
    Ok(())
}
