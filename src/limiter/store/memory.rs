//! The store within the process: a hash map in shards, each behind its own lock.

use super::states::States;
use super::{Store, StoreError};
use crate::limiter::algorithm::{Algorithm, AlgorithmKind, ForAlgorithm};
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::Clock;
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

const SHARDS: usize = 64;

/// Keys and their states under the algorithm `A`, with the time of the clock `C`. It never fails.
///
/// A key is active until its state expires, at most a window after its latest check. In memory are the active keys and
/// those that expired since the last checks.
pub struct MemoryStore<A, C> {
    shards: Box<[Mutex<States<A>>]>,
    hasher: RandomState,
    clock: C,
}

impl<A: Algorithm, C: Clock> MemoryStore<A, C> {
    pub fn new(clock: C) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clock,
        }
    }
}

impl<A: Algorithm, C: Clock> Store for MemoryStore<A, C> {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let shard = self.hasher.hash_one(&check.key) as usize % SHARDS;
        let mut shard = self.shards[shard].lock();
        // Read under the lock, so that the key's checks are in the order of their time.
        let now = self.clock.now();
        Ok(shard.change(now, &check.key, |state| {
            let decision = state.check(now, check.limit, check.window);
            (decision, state.expiry(check.window))
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

impl AlgorithmKind {
    /// An empty [`MemoryStore`] with this algorithm.
    pub fn in_memory(self, clock: impl Clock) -> Arc<dyn Store> {
        struct InMemory<C>(C);
        impl<C: Clock> ForAlgorithm for InMemory<C> {
            type Output = Arc<dyn Store>;
            fn with<A: Algorithm>(self) -> Arc<dyn Store> {
                Arc::new(MemoryStore::<A, C>::new(self.0))
            }
        }
        self.apply(InMemory(clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::algorithm::{FixedWindow, SlidingLog, TokenBucket};
    use crate::limiter::check::{Key, Limit, Window};
    use crate::limiter::clock::{ManualClock, Micros, SystemClock, Timestamp};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::thread;

    fn check(key: &str, limit: u64, window_millis: u64) -> Check {
        Check {
            key: Key::new(key).unwrap(),
            limit: Limit::new(limit).unwrap(),
            window: Window::from_millis(window_millis).unwrap(),
        }
    }

    fn noon() -> ManualClock {
        ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000))
    }

    fn allowed(store: &dyn Store, check: &Check) -> bool {
        store.check(check).unwrap().allowed
    }

    #[test]
    fn many_threads_on_one_key_get_exactly_the_limit() {
        const THREADS: usize = 8;
        const CHECKS: usize = 500;
        let check = check("k", 1_000, 86_400_000);
        for kind in AlgorithmKind::ALL {
            // A day refills a token in 86 s: none comes back while the threads run.
            let store = kind.in_memory(noon());
            let admitted: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|_| {
                        scope.spawn(|| (0..CHECKS).filter(|_| allowed(&*store, &check)).count())
                    })
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(admitted, 1_000, "{kind}");
        }
    }

    #[test]
    fn keys_do_not_share_a_limit() {
        let store = AlgorithmKind::SlidingLog.in_memory(SystemClock::new());
        assert!(allowed(&*store, &check("a", 1, 60_000)));
        assert!(!allowed(&*store, &check("a", 1, 60_000)));
        assert!(allowed(&*store, &check("b", 1, 60_000)));
    }

    #[test]
    fn a_stream_of_fresh_keys_leaves_only_the_active_ones_in_memory() {
        fn peak<A: Algorithm>() -> u64 {
            let clock = noon();
            let store = MemoryStore::<A, _>::new(clock.clone());
            let mut peak = 0;
            for key in 0..100_000 {
                store.check(&check(&key.to_string(), 1, 1_000)).unwrap();
                // A thousand keys a window.
                clock.advance(Micros::new(1_000));
                peak = peak.max(store.keys().unwrap());
            }
            peak
        }
        // The expired ones of a shard wait for its next check: about one each.
        let bound = 1_000 + 4 * SHARDS as u64;
        for peak in [
            peak::<SlidingLog>(),
            peak::<FixedWindow>(),
            peak::<TokenBucket>(),
        ] {
            assert!((1_000..=bound).contains(&peak), "{peak} keys in memory");
        }
    }

    #[test]
    fn idle_keys_are_forgotten_while_one_active_key_is_kept() {
        let clock = noon();
        let store = MemoryStore::<SlidingLog, _>::new(clock.clone());
        for key in 0..1_000 {
            store.check(&check(&key.to_string(), 1, 1_000)).unwrap();
        }
        clock.advance(Micros::new(1_000_000));
        // Enough to fall into every shard as often as there are keys to forget in it.
        for key in 1_000..3_000 {
            store.check(&check(&key.to_string(), 1, 60_000)).unwrap();
        }
        assert_eq!(store.keys().unwrap(), 2_000);
        assert!(!allowed(&store, &check("1000", 1, 60_000)));
    }

    proptest! {
        /// The model never forgets.
        #[test]
        fn forgetting_is_never_noticed(steps in prop::collection::vec((0..40_u32, 0..3_000_u64), 1..400)) {
            let clock = noon();
            let store = MemoryStore::<TokenBucket, _>::new(clock.clone());
            let mut model: HashMap<u32, TokenBucket> = HashMap::new();
            for (key, gap) in steps {
                clock.advance(Micros::new(gap));
                let check = check(&key.to_string(), 3, 20);
                let expected = model.entry(key).or_default().check(clock.now(), check.limit, check.window);
                prop_assert_eq!(store.check(&check).unwrap(), expected);
            }
        }
    }
}
