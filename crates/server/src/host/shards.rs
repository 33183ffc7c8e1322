//! A map that many threads use at once: sixteen locks instead of one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. Sixteen keep a handful of threads out of each other's way and cost nothing when idle.
const SHARDS: usize = 16;

/// The map. Whoever needs a key locks the part that holds it, briefly.
#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    hasher: RandomState,
    parts: [Mutex<HashMap<K, V>>; SHARDS],
}

impl<K: Eq + Hash, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), parts: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<K: Eq + Hash, V> Shards<K, V> {
    /// The part that holds `key`, locked.
    pub(crate) fn of(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        // The remainder is below 16.
        lock(&self.parts[(self.hasher.hash_one(key) % SHARDS as u64) as usize])
    }

    /// Every part in turn, locked one at a time.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, HashMap<K, V>>> {
        self.parts.iter().map(lock)
    }
}

/// A panic under one of these locks leaves whole entries, so its poison says nothing.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
