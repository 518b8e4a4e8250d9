//! A store that counts wrongly: what it has read may have changed by the time it writes.

use super::states::States;
use super::{Store, StoreError};
use crate::limiter::algorithm::Algorithm;
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::Clock;
use parking_lot::Mutex;
use std::thread;
use std::time::Duration;

/// Keys and their states under one algorithm, with the time of one clock. It never fails, and does not keep limits.
///
/// A check reads its key's state, decides, and writes the state back some time later, like a node that uses a remote store
/// with a `GET` and a `SET`. What others wrote in between is lost, so of checks that overlap, as few as one is counted.
/// Checks one after another are decided as by a [`MemoryStore`](super::MemoryStore), and keys are forgotten alike.
pub struct RacyStore {
    states: Mutex<States>,
    clock: Box<dyn Clock>,
    write_delay: Duration,
}

impl RacyStore {
    /// Each check takes `write_delay`, the time between its read and its write.
    pub fn new(algorithm: Algorithm, clock: impl Clock, write_delay: Duration) -> Self {
        Self {
            states: Mutex::new(States::new(algorithm)),
            clock: Box::new(clock),
            write_delay,
        }
    }
}

impl Store for RacyStore {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let mut state = self.states.lock().copy(&check.key);
        let decision = state.check(self.clock.now(), check.limit, check.window);
        thread::sleep(self.write_delay);
        let mut states = self.states.lock();
        states.change(self.clock.now(), check, |written| *written = state);
        Ok(decision)
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
    use super::super::testing::{check, noon};
    use super::*;
    use crate::limiter::clock::Micros;
    use std::sync::Barrier;

    #[test]
    fn checks_that_overlap_are_admitted_over_the_limit_and_later_ones_up_to_it() {
        const THREADS: usize = 8;
        let check = check("k", 2, 86_400_000);
        for &algorithm in Algorithm::ALL {
            let store = RacyStore::new(algorithm, noon(), Duration::from_millis(100));
            let allowed = || store.check(&check).unwrap().allowed;
            let ready = Barrier::new(THREADS);
            let overlapping = || {
                ready.wait();
                usize::from(allowed())
            };
            let at_once: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(overlapping)).collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert!(at_once > 2, "{algorithm}: {at_once}");
            let later = (0..3).filter(|_| allowed()).count();
            assert!(later < 2, "{algorithm}: {later}");
        }
    }

    #[test]
    fn checks_one_after_another_are_decided_as_in_memory_and_keys_are_forgotten() {
        for &algorithm in Algorithm::ALL {
            let clock = noon();
            let racy = RacyStore::new(algorithm, clock.clone(), Duration::ZERO);
            let sound = MemoryStore::new(algorithm, clock.clone());
            for turn in 0..2_000 {
                clock.advance(Micros::new(turn * 7_919 % 1_000));
                // Keys come in groups of three, each for fifty checks.
                let check = check(&(turn / 50 * 3 + turn % 3).to_string(), 4, 10);
                assert_eq!(racy.check(&check).unwrap(), sound.check(&check).unwrap());
            }
            // Fifty checks take 25 ms, more than two windows.
            assert!(racy.keys().unwrap() <= 6, "{algorithm}");
        }
    }
}
