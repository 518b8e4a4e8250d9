//! The store that counts wrongly: what it has read may have changed by the time it writes.

use super::states::States;
use super::{Store, StoreError};
use crate::limiter::algorithm::Algorithm;
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::Clock;
use parking_lot::Mutex;
use std::thread;
use std::time::Duration;

/// Keys and their states under the algorithm `A`, with the time of the clock `C`. It never fails, and does not keep
/// limits: a check reads its key's state, decides, and writes the state back some time later, as a node does that asks
/// a remote store by a `GET` and a `SET`. Whatever others wrote meanwhile is lost, so that of checks that overlap as
/// few as one is counted. Checks one after another are decided as by a [`MemoryStore`](super::MemoryStore), and keys are
/// forgotten alike.
pub struct RacyStore<A, C> {
    states: Mutex<States<A>>,
    clock: C,
    apart: Duration,
}

impl<A: Algorithm, C: Clock> RacyStore<A, C> {
    /// With this time from reading to writing, which each check takes.
    pub fn new(clock: C, apart: Duration) -> Self {
        Self {
            states: Mutex::default(),
            clock,
            apart,
        }
    }
}

impl<A: Algorithm, C: Clock> Store for RacyStore<A, C> {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let read = self.states.lock().get(&check.key).cloned();
        let mut state = read.unwrap_or_default();
        let decision = state.check(self.clock.now(), check.limit, check.window);
        thread::sleep(self.apart);
        let mut states = self.states.lock();
        Ok(states.change(self.clock.now(), &check.key, |written| {
            *written = state;
            (decision, written.expiry(check.window))
        }))
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn keys(&self) -> Result<u64, StoreError> {
        Ok(self.states.lock().len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;
    use crate::limiter::algorithm::{AlgorithmKind, ForAlgorithm, SlidingLog};
    use crate::limiter::check::{Key, Limit, Window};
    use crate::limiter::clock::{ManualClock, Micros, Timestamp};
    use std::sync::{Arc, Barrier};

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

    struct Racy;

    impl ForAlgorithm for Racy {
        type Output = Arc<dyn Store>;

        fn with<A: Algorithm>(self) -> Arc<dyn Store> {
            Arc::new(RacyStore::<A, _>::new(noon(), Duration::from_millis(100)))
        }
    }

    #[test]
    fn checks_that_overlap_are_admitted_over_the_limit_and_later_ones_up_to_it() {
        const THREADS: usize = 8;
        let check = check("k", 2, 86_400_000);
        for kind in AlgorithmKind::ALL {
            let store = kind.apply(Racy);
            let allowed = || store.check(&check).unwrap().allowed;
            let ready = Barrier::new(THREADS);
            let at_once: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|_| {
                        scope.spawn(|| {
                            ready.wait();
                            usize::from(allowed())
                        })
                    })
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert!(at_once > 2, "{kind}: {at_once}");
            let later = (0..3).filter(|_| allowed()).count();
            assert!(later < 2, "{kind}: {later}");
        }
    }

    #[test]
    fn checks_one_after_another_are_decided_as_by_a_store_that_keeps_limits() {
        struct AreDecidedAlike;
        impl ForAlgorithm for AreDecidedAlike {
            type Output = ();
            fn with<A: Algorithm>(self) {
                let clock = noon();
                let racy = RacyStore::<A, _>::new(clock.clone(), Duration::ZERO);
                let sound = MemoryStore::<A, _>::new(clock.clone());
                for turn in 0..2_000 {
                    clock.advance(Micros::new(turn * 7_919 % 1_000));
                    let check = check(&(turn % 3).to_string(), 4, 10);
                    assert_eq!(racy.check(&check).unwrap(), sound.check(&check).unwrap());
                }
            }
        }
        for kind in AlgorithmKind::ALL {
            kind.apply(AreDecidedAlike);
        }
    }

    #[test]
    fn a_stream_of_fresh_keys_leaves_only_the_active_ones_in_memory() {
        let clock = noon();
        let store = RacyStore::<SlidingLog, _>::new(clock.clone(), Duration::ZERO);
        for key in 0..10_000 {
            store.check(&check(&key.to_string(), 1, 1_000)).unwrap();
            // A hundred keys a window.
            clock.advance(Micros::new(10_000));
            assert!(store.keys().unwrap() <= 101, "at {key}");
        }
    }
}
