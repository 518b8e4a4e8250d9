//! The store within the process: hash maps in shards, each behind its own lock.

use super::states::States;
use super::{Store, StoreError};
use crate::limiter::algorithm::Algorithm;
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::Clock;
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};

const SHARDS: usize = 64;

/// Keys and their states under one algorithm, with the time of one clock. It never fails.
///
/// A key is active until its state expires, at most a window after its latest check. The store holds the active keys and
/// those that expired since the last checks.
pub struct MemoryStore {
    shards: Box<[Mutex<States>]>,
    hasher: RandomState,
    clock: Box<dyn Clock>,
}

impl MemoryStore {
    pub fn new(algorithm: Algorithm, clock: impl Clock) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(States::new(algorithm)));
        Self {
            shards: shards.collect(),
            hasher: RandomState::new(),
            clock: Box::new(clock),
        }
    }
}

impl Store for MemoryStore {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let shard = self.hasher.hash_one(&check.key) as usize % SHARDS;
        let mut shard = self.shards[shard].lock();
        // Read under the lock, so that the key's checks are in the order of their time.
        let now = self.clock.now();
        Ok(shard.change(now, check, |state| {
            state.check(now, check.limit, check.window)
        }))
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn keys(&self) -> Result<u64, StoreError> {
        let keys = self.shards.iter().map(|shard| shard.lock().len());
        Ok(keys.sum::<usize>() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, noon};
    use super::*;
    use crate::limiter::clock::Micros;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::thread;

    fn allowed(store: &MemoryStore, check: &Check) -> bool {
        store.check(check).unwrap().allowed
    }

    #[test]
    fn many_threads_on_one_key_get_exactly_the_limit() {
        const THREADS: usize = 8;
        const CHECKS: usize = 500;
        let check = check("k", 1_000, 86_400_000);
        for &algorithm in Algorithm::ALL {
            // A day refills a token in 86 s: none comes back while the threads run.
            let store = MemoryStore::new(algorithm, noon());
            let admitted: usize = thread::scope(|scope| {
                let count = || (0..CHECKS).filter(|_| allowed(&store, &check)).count();
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(admitted, 1_000, "{algorithm}");
        }
    }

    #[test]
    fn a_stream_of_fresh_keys_leaves_only_the_active_ones_in_memory() {
        for &algorithm in Algorithm::ALL {
            let clock = noon();
            let store = MemoryStore::new(algorithm, clock.clone());
            let mut peak = 0;
            for key in 0..100_000 {
                store.check(&check(&key.to_string(), 1, 1_000)).unwrap();
                // A thousand keys a window.
                clock.advance(Micros::new(1_000));
                peak = peak.max(store.keys().unwrap());
            }
            // A shard's expired keys wait for its next check: about one each.
            let bound = 1_000 + 4 * SHARDS as u64;
            assert!((1_000..=bound).contains(&peak), "{peak} keys in memory");
        }
    }

    #[test]
    fn idle_keys_are_forgotten_while_one_active_key_is_kept() {
        let clock = noon();
        let store = MemoryStore::new(Algorithm::default(), clock.clone());
        for key in 0..1_000 {
            store.check(&check(&key.to_string(), 1, 1_000)).unwrap();
        }
        clock.advance(Micros::new(1_000_000));
        // Enough for every shard to get as many checks as it has keys to forget.
        for key in 1_000..3_000 {
            store.check(&check(&key.to_string(), 1, 60_000)).unwrap();
        }
        assert_eq!(store.keys().unwrap(), 2_000);
        assert!(!allowed(&store, &check("1000", 1, 60_000)));
    }

    proptest! {
        /// The model never forgets.
        #[test]
        fn forgetting_changes_no_decision(steps in prop::collection::vec((0..40_u32, 0..3_000_u64), 1..400)) {
            let algorithm: Algorithm = "token-bucket".parse().unwrap();
            let clock = noon();
            let store = MemoryStore::new(algorithm, clock.clone());
            let mut model = HashMap::new();
            for (key, gap) in steps {
                clock.advance(Micros::new(gap));
                let check = check(&key.to_string(), 3, 20);
                let state = model.entry(key).or_insert_with(algorithm.new_state);
                let expected = state.check(clock.now(), check.limit, check.window);
                prop_assert_eq!(store.check(&check).unwrap(), expected);
            }
        }
    }
}
