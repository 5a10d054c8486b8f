//! The number under which reads may be remembered. Every write raises it.
//! Must not know: what is remembered.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts how writes begin to be committed and how they end: odd while one is being committed.
#[derive(Debug)]
pub(in crate::store) struct Generation {
    steps: AtomicU64,
    unlike: AtomicU64,
}

impl Default for Generation {
    fn default() -> Self {
        Self { steps: AtomicU64::new(2), unlike: AtomicU64::new(u64::MAX) }
    }
}

impl Generation {
    /// The number to remember a decision under, from before its first read, and the one that it still counts under.
    /// While a write is being committed nobody can tell what is already seen of it, so each call gives a number that
    /// is like no other: nothing is remembered, and what was remembered does not count.
    pub(in crate::store) fn now(&self) -> u64 {
        match self.steps.load(Ordering::SeqCst) {
            settled if settled % 2 == 0 => settled,
            _ => self.unlike.fetch_sub(1, Ordering::Relaxed),
        }
    }

    /// A number that is another one after each write.
    pub(in crate::store) fn settled(&self) -> u64 {
        self.steps.load(Ordering::SeqCst) & !1
    }

    /// The settled number that one more write makes of this one.
    pub(in crate::store) fn after(settled: u64) -> u64 {
        settled + 2
    }

    /// To be called before a write is committed. There is one writer.
    pub(in crate::store) fn begun(&self) {
        self.steps.fetch_or(1, Ordering::SeqCst);
    }

    /// To be called when that ended, whatever became of it: after some failures nobody can tell whether it took place.
    pub(in crate::store) fn ended(&self) {
        let steps = self.steps.fetch_or(1, Ordering::SeqCst) | 1;
        self.steps.store(steps + 1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_while_a_write_is_committed_is_not_remembered() {
        let generation = Generation::default();
        let before = generation.now();
        assert_eq!(before, generation.now());
        generation.begun();
        let during = generation.now();
        assert!(during != before && during != generation.now());
        generation.ended();
        assert!(![before, during].contains(&generation.now()));
        assert_eq!(generation.now(), generation.settled());
        assert_eq!(generation.settled(), Generation::after(before));
    }
}
