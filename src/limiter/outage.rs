//! The messages on a node's standard error about the beginning and the end of its store's outages.

use super::store::StoreError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The shortest time between two reported outages, so that a store that fails every other call does not fill a log.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Follows the outcomes of a store's calls, and finds the outages among them.
#[derive(Default)]
pub(super) struct Outage {
    /// An outage was reported and is not over. Every call reads this, without a lock.
    is_reported: AtomicBool,
    /// The beginning of the last reported outage.
    began: Mutex<Option<Instant>>,
}

impl Outage {
    /// Takes an outcome at the instant `now`, and returns a message if it begins or ends an outage.
    pub fn message<T>(&self, outcome: &Result<T, StoreError>, now: Instant) -> Option<String> {
        if outcome.is_err() == self.is_reported.load(Ordering::Relaxed) {
            return None;
        }
        let mut began = self.began.lock();
        // Another call may have changed it before this one had the lock.
        let is_reported = self.is_reported.load(Ordering::Relaxed);
        let since = began.map(|began| now.saturating_duration_since(began));
        match outcome {
            Err(error) if !is_reported && since.is_none_or(|since| since >= MIN_INTERVAL) => {
                self.is_reported.store(true, Ordering::Relaxed);
                *began = Some(now);
                Some(format!("the store fails: {error}"))
            }
            Ok(_) if is_reported => {
                self.is_reported.store(false, Ordering::Relaxed);
                Some(format!("the store answers again, after {:.1?}", since?))
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
    fn an_outage_is_reported_once_when_it_begins_and_once_when_it_ends() {
        let outage = Outage::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        for (outcome, seconds, message) in [
            (Ok(()), 0, None),
            (failed(), 1, Some("the store fails: no route")),
            (failed(), 2, None),
            (Ok(()), 13, Some("the store answers again, after 12.0s")),
            (Ok(()), 14, None),
        ] {
            let actual = outage.message(&outcome, after(seconds));
            assert_eq!(actual.as_deref(), message, "{seconds}");
        }
    }

    #[test]
    fn outages_of_a_store_that_fails_every_other_call_are_reported_once_a_second() {
        let outage = Outage::default();
        let start = Instant::now();
        let calls = (0..10_000_u64).map(|call| {
            let outcome = if call % 2 == 0 { failed() } else { Ok(()) };
            outage.message(&outcome, start + Duration::from_millis(call))
        });
        assert_eq!(calls.flatten().count(), 20);
    }
}
