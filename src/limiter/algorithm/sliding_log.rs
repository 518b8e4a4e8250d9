//! The sliding-window log: at most `limit` admissions in *any* interval of the window's length.
//!
//! The log holds the instants of the admissions, oldest first. An admission at t counts in `[t, t + window)` and is then
//! forgotten; a blocked check is not logged. This algorithm is exact. It takes 8 bytes for each admission that counts, so
//! at most 8 MB a key, at the largest limit.
//!
//! - **Another limit**: the admissions that count are compared with the new one; above it, the key is blocked until
//!   enough of them have expired.
//! - **Another window**: the log is read and cut by the window of the present check. Admissions that a short window has
//!   cut are missing for a longer one.
//! - **The clock stepped back**: admissions in the future count as made now, so none expires too early, and none later
//!   than a window from now.

use super::{Algorithm, KeyState};
use crate::limiter::check::{Decision, Limit, Window};
use crate::limiter::clock::Timestamp;
use std::collections::VecDeque;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "sliding-log",
    new_state: || Box::<SlidingLog>::default(),
    script: include_str!("sliding_log.lua"),
};

#[derive(Debug, Clone, Default)]
pub struct SlidingLog {
    admitted: VecDeque<Timestamp>,
}

impl KeyState for SlidingLog {
    fn check(&mut self, now: Timestamp, limit: Limit, window: Window) -> Decision {
        for future in self.admitted.iter_mut().rev().take_while(|at| **at > now) {
            *future = now;
        }
        let has_expired = |at: &mut Timestamp| *at + window.length() <= now;
        while self.admitted.pop_front_if(has_expired).is_some() {}

        let allowed = self.admitted.len() < limit.get() as usize;
        if allowed {
            self.admitted.push_back(now);
        }
        let counted = self.admitted.len();
        // More is available once fewer than min(counted, limit) count. With a lowered limit, the expiry of the oldest
        // admission is not enough.
        let next_to_matter = counted.saturating_sub(limit.get() as usize);
        let reset = (self.admitted[next_to_matter] + window.length()).since(now);
        if allowed {
            Decision::allow(limit, limit.get() - counted as u32, reset)
        } else {
            Decision::block(limit, reset)
        }
    }

    fn expiry(&self, window: Window) -> Timestamp {
        let newest = self.admitted.back();
        newest.map_or(Timestamp::default(), |&newest| newest + window.length())
    }

    fn copy(&self) -> Box<dyn KeyState> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, history, limit, window};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The model is the definition itself, over all admissions ever made.
        #[test]
        fn it_decides_as_the_definition_does((limit, window, times) in history()) {
            let mut log = SlidingLog::default();
            let mut model: Vec<Timestamp> = Vec::new();
            for now in times {
                let counted = model.iter().filter(|&&t| now.since(t) < window.length()).count();
                let decision = log.check(now, limit, window);
                prop_assert_eq!(decision.allowed, counted < limit.get() as usize);
                if decision.allowed {
                    model.push(now);
                    prop_assert_eq!(decision.remaining as usize, limit.get() as usize - counted - 1);
                }
            }
        }
    }

    #[test]
    fn a_lowered_limit_blocks_until_enough_has_expired() {
        let window = window(10);
        let mut log = SlidingLog::default();
        for now in 0..5 {
            log.check(at(now * 1_000), limit(5), window);
        }
        let decision = log.check(at(5_000), limit(2), window);
        // The fourth of five, made at 3 ms, must expire.
        assert_eq!(decision.retry_after().unwrap().get(), 8_000);
        assert!(!log.check(at(12_999), limit(2), window).allowed);
        assert!(log.check(at(13_000), limit(2), window).allowed);
    }

    #[test]
    fn a_clock_that_steps_back_delays_nobody_by_more_than_the_window() {
        let (limit, window) = (limit(1), window(10));
        let mut log = SlidingLog::default();
        log.check(at(3_600_000_000), limit, window);
        let decision = log.check(at(0), limit, window);
        assert_eq!(decision.retry_after(), Some(window.length()));
        assert!(log.check(at(10_000), limit, window).allowed);
    }
}
