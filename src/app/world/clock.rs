//! The user's clock: the only place that asks the machine for the time.
//! Must not know: what happens when time passes (see poller).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::world::time::ClockSetting;
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::{Store, Tx};

/// What the clock is to show from the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// A point in time; `None`: go on from where it was.
    pub at: Option<Timestamp>,
    /// Simulated seconds for each second.
    pub rate: f64,
    /// Stand still.
    pub frozen: bool,
}

/// The clock of one instance.
#[derive(Debug)]
pub struct Clock {
    setting: Arc<RwLock<ClockSetting>>,
}

/// Machine time: for tokens and certificates, which clients judge by their own clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place for what Azure does")]
pub fn machine() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Clock {
    /// Loads the setting kept in the store, or begins with machine time.
    pub async fn load(store: &Store, start: Option<Start>) -> Result<Self> {
        let mut tx = store.read().await?;
        let kept = store::world::values::get(&mut tx, "clock").await?;
        drop(tx);
        let machine = machine();
        let damaged = |why| Error::Internal(format!("the database is damaged: the clock's setting: {why}"));
        let kept = kept.map(|bytes| serde_json::from_slice::<ClockSetting>(&bytes).map_err(damaged)).transpose()?;
        let mut setting = kept.unwrap_or_else(|| ClockSetting::real(machine));
        if let Some(start) = start {
            let at = start.at.unwrap_or_else(|| setting.at(machine));
            setting = ClockSetting { machine, simulated: at, rate: start.rate, frozen: start.frozen };
            let clock = Self { setting: Arc::new(RwLock::new(setting)) };
            let mut tx = store.write().await?;
            clock.set(&mut tx, setting).await?;
            tx.commit().await?;
            return Ok(clock);
        }
        Ok(Self { setting: Arc::new(RwLock::new(setting)) })
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.setting().at(machine())
    }

    /// Keeps a new setting in the store, and goes by it from the commit on.
    pub async fn set(&self, tx: &mut Tx, setting: ClockSetting) -> Result<()> {
        store::world::values::set(tx, "clock", &serde_json::to_vec(&setting).map_err(Error::internal)?).await?;
        let shown = self.setting.clone();
        tx.then(move || *shown.write().unwrap_or_else(PoisonError::into_inner) = setting);
        Ok(())
    }

    /// Lets time pass as a running clock does, without a write.
    #[cfg(test)]
    pub(in crate::app) fn run(&self, by: i64) {
        let mut setting = self.setting.write().unwrap_or_else(PoisonError::into_inner);
        setting.simulated = setting.simulated.plus(by);
    }

    /// The setting.
    #[must_use]
    pub fn setting(&self) -> ClockSetting {
        *self.setting.read().unwrap_or_else(PoisonError::into_inner)
    }
}
