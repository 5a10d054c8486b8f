//! What is remembered so that work is not repeated: in [`Cache`] what stays true, in [`Memo`] what was decided.
//! Must not know: what is remembered.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Timestamp;

/// Values that stay true, a bounded number of them. A full one is emptied: it fills again with those in use.
#[derive(Debug)]
pub struct Cache<K, V> {
    most: usize,
    kept: Mutex<HashMap<K, V>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub(in crate::app) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub(in crate::app) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries().get(key).cloned()
    }

    pub(in crate::app) fn keep(&self, key: K, value: V) {
        let mut kept = self.entries();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.clear();
        }
        kept.insert(key, value);
    }

    pub(in crate::app) fn forget<Q: Eq + Hash + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries().remove(key);
    }

    pub(in crate::app) fn forget_all(&self) {
        self.entries().clear();
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a decision counts: while nothing was written since `generation`, and until the instant at which time
/// alone would decide otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Under {
    /// The store's, from before the first read that the decision rests on.
    pub generation: u64,
    pub until: Timestamp,
}

impl Under {
    pub(in crate::app) fn holds(self, generation: u64, now: Timestamp) -> bool {
        self.generation == generation && now < self.until
    }
}

/// Decisions. One that any write anywhere came after is none any more, so none outlives a revocation.
#[derive(Debug)]
pub struct Memo<K, V>(Cache<K, (Under, V)>);

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    pub(in crate::app) fn new(most: usize) -> Self {
        Self(Cache::new(most))
    }

    /// What was decided, if it still counts.
    pub(in crate::app) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, generation: u64, now: Timestamp) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).filter(|(under, _)| under.holds(generation, now)).map(|(_, value)| value)
    }

    pub(in crate::app) fn keep(&self, key: K, under: Under, value: V) {
        self.0.keep(key, (under, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_counts_until_a_write_or_its_instant() {
        let memo = Memo::new(2);
        let at = Timestamp::from_seconds;
        memo.keep("a".to_owned(), Under { generation: 4, until: at(10) }, 1);
        assert_eq!(memo.get("a", 4, at(9)), Some(1));
        assert_eq!(memo.get("a", 4, at(10)), None);
        assert_eq!(memo.get("a", 6, at(9)), None);
        assert_eq!(memo.get("b", 4, at(9)), None);
    }

    #[test]
    fn a_full_cache_is_emptied() {
        let cache = Cache::new(2);
        for key in 0..3 {
            cache.keep(key, key);
        }
        assert_eq!([0, 1, 2].map(|key| cache.get(&key)), [None, None, Some(2)]);
        cache.keep(2, 5);
        cache.forget(&2);
        assert_eq!(cache.get(&2), None);
    }
}
