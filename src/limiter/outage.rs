//! When a store began to fail, in words for whoever reads a node's standard error.

use super::store::StoreError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An outage is told at most this often: a store that fails every other call fills no log.
const QUIET: Duration = Duration::from_secs(1);

/// Follows the outcomes of a store's calls.
#[derive(Default)]
pub(super) struct Outage {
    /// Told, and not yet over. Looked at by every call, without a lock.
    told: AtomicBool,
    began: Mutex<Option<Instant>>,
}

impl Outage {
    /// What there is to tell, if this outcome at the instant `now` begins or ends an outage.
    pub fn follow<T>(&self, outcome: &Result<T, StoreError>, now: Instant) -> Option<String> {
        if outcome.is_err() == self.told.load(Ordering::Relaxed) {
            return None;
        }
        let mut began = self.began.lock();
        let just_told = began.is_some_and(|began| now.saturating_duration_since(began) < QUIET);
        match outcome {
            Err(error) if !self.told.load(Ordering::Relaxed) && !just_told => {
                self.told.store(true, Ordering::Relaxed);
                *began = Some(now);
                Some(format!("the store fails: {error}"))
            }
            Ok(_) if self.told.swap(false, Ordering::Relaxed) => {
                let lasted = now.saturating_duration_since((*began)?);
                Some(format!("the store answers again, after {lasted:.1?}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), StoreError> {
        Err(StoreError::new("no route"))
    }

    #[test]
    fn an_outage_is_told_once_when_it_begins_and_once_when_it_ends() {
        let outage = Outage::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(outage.follow(&Ok(()), after(0)), None);
        assert_eq!(
            outage.follow(&failed(), after(1)).unwrap(),
            "the store fails: no route"
        );
        assert_eq!(outage.follow(&failed(), after(2)), None);
        assert_eq!(
            outage.follow(&Ok(()), after(13)).unwrap(),
            "the store answers again, after 12.0s"
        );
        assert_eq!(outage.follow(&Ok(()), after(14)), None);
    }

    #[test]
    fn a_store_that_fails_every_other_call_is_told_once_a_second() {
        let outage = Outage::default();
        let start = Instant::now();
        let calls = (0..10_000_u64).map(|call| {
            let outcome = if call % 2 == 0 { failed() } else { Ok(()) };
            outage.follow(&outcome, start + Duration::from_millis(call))
        });
        assert_eq!(calls.flatten().count(), 20);
    }
}
