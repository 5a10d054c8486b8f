//! What one request may use for its templates, those within them included: memory at a time, and work in all.
//! Must not know: what is evaluated.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory held at a time by documents, values, and what is made of them.
const MEMORY: usize = 40 * 1024 * 1024;
/// Steps in all. One is a value looked at, or 32 bytes.
const STEPS: usize = 20_000_000;

/// More was wanted than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

/// What is left to a request.
#[derive(Debug)]
pub struct Budget {
    memory: AtomicUsize,
    steps: AtomicUsize,
}

impl Budget {
    /// The whole budget of a request.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { memory: AtomicUsize::new(MEMORY), steps: AtomicUsize::new(STEPS) })
    }

    /// Memory that is left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// Takes steps.
    pub fn step(&self, steps: usize) -> Result<(), Spent> {
        spend(&self.steps, steps)
    }

    /// Holds memory until what is returned is dropped.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Result<Held, Spent> {
        spend(&self.memory, bytes)?;
        Ok(Held { budget: self.clone(), bytes })
    }

    /// Holds nothing yet.
    #[must_use]
    pub fn nothing(self: &Arc<Self>) -> Held {
        Held { budget: self.clone(), bytes: 0 }
    }
}

fn spend(left: &AtomicUsize, wanted: usize) -> Result<(), Spent> {
    let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(wanted));
    spent.map(|_| ()).map_err(|_| Spent)
}

/// Memory that is held.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// How much.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds more.
    pub fn more(&mut self, bytes: usize) -> Result<(), Spent> {
        spend(&self.budget.memory, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Holds so much from now on.
    pub fn set(&mut self, bytes: usize) -> Result<(), Spent> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.more(more),
            None => {
                self.budget.memory.fetch_add(self.bytes - bytes, Ordering::Relaxed);
                self.bytes = bytes;
                Ok(())
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.memory.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back_and_steps_do_not() {
        let budget = Budget::new();
        let mut held = budget.hold(MEMORY / 2).unwrap();
        assert_eq!(budget.hold(MEMORY).err(), Some(Spent));
        held.set(MEMORY).unwrap();
        assert_eq!(held.more(1), Err(Spent));
        held.set(10).unwrap();
        assert_eq!(budget.left(), MEMORY - 10);
        drop(held);
        assert_eq!(budget.left(), MEMORY);
        budget.step(STEPS).unwrap();
        assert_eq!(budget.step(1), Err(Spent));
    }
}
