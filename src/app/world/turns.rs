//! Turns: who wants to work on the same thing waits for the one before.
//! Must not know: what is worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

type Things<T> = HashMap<String, Arc<tokio::sync::Mutex<T>>>;

/// The things that somebody works on or waits for, by their names, and what is remembered of some between turns.
#[derive(Debug)]
pub struct Turns<T = ()> {
    most: usize,
    things: Mutex<Things<T>>,
}

impl<T: Default> Turns<T> {
    /// Remembers things that nobody works on or waits for as long as there are fewer than `most` in all.
    pub(in crate::app) fn remembering(most: usize) -> Self {
        Self { most, things: Mutex::default() }
    }

    fn things(&self) -> MutexGuard<'_, Things<T>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn, and has it until the guard goes. Turns come in the order in which they were asked for.
    pub(in crate::app) async fn take(&self, thing: &str) -> OwnedMutexGuard<T> {
        let turn = {
            let mut things = self.things();
            if things.len() >= self.most && !things.contains_key(thing) {
                // Whoever has or awaits a turn holds a second reference to it.
                let idle = things.iter().find(|(_, turn)| Arc::strong_count(turn) == 1).map(|(name, _)| name.clone());
                idle.map(|name| things.remove(&name));
            }
            things.entry(thing.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Forgets a thing that is no more.
    pub(in crate::app) fn forget(&self, thing: &str) {
        self.things().remove(thing);
    }

    /// Forgets all: another world has taken the place of theirs.
    pub(in crate::app) fn forget_all(&self) {
        self.things().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_worked_on_is_remembered_and_what_is_idle_makes_room() {
        let turns: Turns<u8> = Turns::remembering(2);
        let mut held = turns.take("a").await;
        *held = 1;
        *turns.take("b").await = 2;
        assert_eq!(*turns.take("b").await, 2);
        turns.take("c").await;
        assert_eq!(*turns.take("b").await, 0, "b made room for c");
        drop(held);
        assert_eq!(*turns.take("a").await, 1, "a was in use, and stayed");
        turns.forget("a");
        assert_eq!(*turns.take("a").await, 0);
    }

    #[tokio::test]
    async fn who_comes_second_waits() {
        let turns: Turns = Turns::remembering(1);
        let held = turns.take("a").await;
        let mut second = Box::pin(turns.take("a"));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(Box::pin(turns.take("b"))).is_ready());
        drop(held);
        second.await;
    }
}
