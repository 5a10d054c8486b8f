//! The user moves time: reads and changes the clock, and has done what that makes due.
//! Must not know: what becomes due.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::world::clock;
use crate::app::{App, poller};
use crate::domain::error::RequestError;
use crate::domain::world::time::{ClockSetting, END_OF_TIME};
use crate::domain::{Error, Result, Timestamp};

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

/// Something that happened by itself because time passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub at: Timestamp,
    /// In words.
    pub what: String,
}

/// What happened by itself since the user last let time pass: the newest of it.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<VecDeque<Note>>);

/// Notes that are kept.
const NOTES: usize = 1000;

impl Notes {
    pub fn add(&self, notes: Vec<Note>) {
        if !notes.is_empty() {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(notes);
            let over = kept.len().saturating_sub(NOTES);
            kept.drain(..over);
        }
    }

    fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
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
    let machine = clock::machine();
    Ok(Shown {
        now: setting.at(machine),
        machine,
        rate: setting.rate,
        frozen: setting.frozen,
        next_due: app.poll.next(),
    })
}

/// Changes the clock, and does all that becomes due, in order; tells what that was. Time never goes back: what was decided at a later time
/// would have to be undone. It goes from one due instant to the next: whoever asks meanwhile is answered as of the
/// instant that was reached. Where it cannot go on, the clock stays there.
pub async fn change(app: &Arc<App>, change: Change) -> Result<(Shown, Vec<Note>)> {
    // One after the other, so that two changes at the same time are both made.
    let _turn = app.poll.changing.lock().await;
    poller::catch_up(app).await?;
    // What a running clock brought before is no part of this.
    app.notes.take();
    let shown = changed(app, change).await?;
    Ok((shown, app.notes.take()))
}

async fn changed(app: &Arc<App>, change: Change) -> Result<Shown> {
    let machine = clock::machine();
    let before = app.clock.setting();
    let now = before.at(machine);
    let invalid = |message: &str| {
        Error::from(RequestError::InvalidValue { property: "clock".to_owned(), message: message.to_owned() })
    };
    let shown = before.showing(now, machine);
    let after = match change {
        Change::Advance(by) if by < 0 => {
            return Err(invalid("time does not go back; start a new instance for an earlier time"));
        }
        Change::Set(to) if to < now => {
            return Err(invalid("time does not go back; start a new instance for an earlier time"));
        }
        Change::Advance(by) => return pass(app, now.plus(by)).await,
        Change::Set(to) => return pass(app, to).await,
        Change::Freeze => ClockSetting { frozen: true, ..shown },
        Change::Resume => ClockSetting { frozen: false, ..shown },
        Change::Rate(rate) if !rate.is_finite() || !(0.0..=1_000_000.0).contains(&rate) || rate == 0.0 => {
            return Err(invalid("the rate must be above 0 and at most 1000000; to stop the clock, freeze it"));
        }
        Change::Rate(rate) => ClockSetting { rate, ..shown },
    };
    let mut tx = app.begin().await?;
    app.clock.set(&mut tx, after).await?;
    tx.commit().await?;
    show(app).await
}

async fn pass(app: &Arc<App>, target: Timestamp) -> Result<Shown> {
    poller::pass(app, target.min(END_OF_TIME)).await?;
    show(app).await
}
