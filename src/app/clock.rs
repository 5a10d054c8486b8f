//! The user's clock: the only place that asks the machine for the time.
//! Must not know: what happens when time passes (see poller).

use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{App, poller};
use crate::domain::time::ClockSetting;
use crate::domain::{Error, Result, Timestamp};
use crate::store::{self, Store};

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

/// A change the user asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Forward by microseconds.
    Advance(i64),
    /// To a point in time.
    Set(Timestamp),
    /// Stand still.
    Freeze,
    /// Run again.
    Resume,
    /// Simulated seconds for each second.
    Rate(f64),
}

/// The clock of one instance.
#[derive(Debug)]
pub struct Clock {
    setting: RwLock<ClockSetting>,
}

/// Machine time: for tokens and certificates, which clients judge by their own clock.
#[must_use]
pub fn machine() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Clock {
    /// Loads the setting kept in the store, or begins with machine time.
    pub async fn load(store: &Store, start: Option<Start>) -> Result<Self> {
        let mut tx = store.read().await?;
        let kept = store::world::get(&mut tx, "clock").await?;
        drop(tx);
        let machine = machine();
        let mut setting = kept
            .and_then(|bytes| serde_json::from_slice::<ClockSetting>(&bytes).ok())
            .unwrap_or_else(|| ClockSetting::real(machine));
        if let Some(start) = start {
            let at = start.at.unwrap_or_else(|| setting.at(machine));
            setting = ClockSetting { machine, simulated: at, rate: start.rate, frozen: start.frozen };
            let mut tx = store.write().await?;
            store::world::set(&mut tx, "clock", &serde_json::to_vec(&setting).map_err(Error::internal)?).await?;
            tx.commit().await?;
        }
        Ok(Self { setting: RwLock::new(setting) })
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.setting().at(machine())
    }

    /// The setting.
    #[must_use]
    pub fn setting(&self) -> ClockSetting {
        *self.setting.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What the clock shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Simulated time.
    pub now: Timestamp,
    /// Machine time.
    pub machine: Timestamp,
    /// Simulated seconds for each second.
    pub rate: f64,
    /// Whether it stands still.
    pub frozen: bool,
    /// When something is next due by itself.
    pub next_due: Option<Timestamp>,
}

/// Reads the clock.
pub async fn show(app: &Arc<App>) -> Result<Shown> {
    poller::catch_up(app).await?;
    let setting = app.clock.setting();
    let machine = machine();
    Ok(Shown {
        now: setting.at(machine),
        machine,
        rate: setting.rate,
        frozen: setting.frozen,
        next_due: app.poll.next(),
    })
}

/// Changes the clock, then does all that has become due, in order. Time never goes back: what was
/// decided at a later time would have to be undone.
pub async fn change(app: &Arc<App>, change: Change) -> Result<Shown> {
    poller::catch_up(app).await?;
    let machine = machine();
    let before = app.clock.setting();
    let now = before.at(machine);
    let invalid = |message: &str| {
        Error::from(crate::domain::error::RequestError::InvalidValue {
            property: "clock".to_owned(),
            message: message.to_owned(),
        })
    };
    let shown = before.showing(now, machine);
    let after = match change {
        Change::Advance(by) if by < 0 => {
            return Err(invalid("time does not go back; start a new instance for an earlier time"));
        }
        Change::Advance(by) => before.showing(now.plus(by), machine),
        Change::Set(to) if to < now => {
            return Err(invalid("time does not go back; start a new instance for an earlier time"));
        }
        Change::Set(to) => before.showing(to, machine),
        Change::Freeze => ClockSetting { frozen: true, ..shown },
        Change::Resume => ClockSetting { frozen: false, ..shown },
        Change::Rate(rate) if !rate.is_finite() || !(0.0..=1_000_000.0).contains(&rate) || rate == 0.0 => {
            return Err(invalid("the rate must be above 0 and at most 1000000; to stop the clock, freeze it"));
        }
        Change::Rate(rate) => ClockSetting { rate, ..shown },
    };
    let mut tx = app.store.write().await?;
    store::world::set(&mut tx, "clock", &serde_json::to_vec(&after).map_err(Error::internal)?).await?;
    tx.commit().await?;
    *app.clock.setting.write().unwrap_or_else(std::sync::PoisonError::into_inner) = after;
    show(app).await
}
