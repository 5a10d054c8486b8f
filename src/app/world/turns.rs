//! Turns: who wants to work on the same thing waits for the one before.
//! Must not know: what is worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The turns that somebody has or waits for, by the name of the thing.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn, and has it until the guard goes. Turns come in the order in which they were asked for.
    pub(in crate::app) async fn take(&self, thing: String) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has or awaits a turn holds a second reference to it.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(thing).or_default().clone()
        };
        turn.lock_owned().await
    }
}
