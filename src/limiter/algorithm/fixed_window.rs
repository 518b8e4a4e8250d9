//! Fixed windows: at most `limit` admissions in each window. Windows start at the multiples of their length since the
//! Unix epoch, so they are the same for every node and every key.
//!
//! This is the simplest algorithm, with two numbers a key, and the coarsest: around a boundary, up to twice the limit can
//! pass within one window's length.
//!
//! The count is valid while the newest admission lies in the window of the present check. Therefore:
//! - **Another limit**: the count is compared with the new one.
//! - **Another window**: the whole count stays if the newest admission lies in the new window; otherwise it is 0.
//! - **The clock stepped back**: the count stays, and expires with the window of the present check.

use super::{Algorithm, KeyState};
use crate::limiter::check::{Decision, Limit, Window};
use crate::limiter::clock::{Micros, Timestamp};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "fixed-window",
    new_state: || Box::<FixedWindow>::default(),
    script: include_str!("fixed_window.lua"),
};

#[derive(Debug, Clone, Copy, Default)]
pub struct FixedWindow {
    count: u32,
    newest: Timestamp,
}

impl KeyState for FixedWindow {
    fn check(&mut self, now: Timestamp, limit: Limit, window: Window) -> Decision {
        let end = window_end(now, window);
        self.newest = self.newest.min(now);
        if window_end(self.newest, window) < end {
            self.count = 0;
        }

        let allowed = self.count < limit.get();
        if allowed {
            self.count += 1;
            self.newest = now;
            Decision::allow(limit, limit.get() - self.count, end.since(now))
        } else {
            Decision::block(limit, end.since(now))
        }
    }

    fn expiry(&self, window: Window) -> Timestamp {
        window_end(self.newest, window)
    }

    fn copy(&self) -> Box<dyn KeyState> {
        Box::new(*self)
    }
}

fn window_end(at: Timestamp, window: Window) -> Timestamp {
    let length = window.length().get();
    at + Micros::new(length - at.as_micros() % length)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, history, limit, window};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn each_aligned_window_admits_its_first_checks_up_to_the_limit((limit, window, times) in history()) {
            let mut state = FixedWindow::default();
            let mut made: BTreeMap<u64, u32> = BTreeMap::new();
            for now in times {
                let in_window = made.entry(now.as_micros() / window.length().get()).or_default();
                *in_window += 1;
                let decision = state.check(now, limit, window);
                prop_assert_eq!(decision.allowed, *in_window <= limit.get());
                prop_assert_eq!(decision.remaining, limit.get().saturating_sub(*in_window));
                prop_assert_eq!((now + decision.reset).as_micros() % window.length().get(), 0);
            }
        }
    }

    #[test]
    fn a_longer_window_keeps_the_count_and_a_later_one_drops_it() {
        let mut state = FixedWindow::default();
        state.check(at(25_000), limit(2), window(10));
        assert_eq!(state.check(at(31_000), limit(2), window(60)).remaining, 0);
        assert!(!state.check(at(32_000), limit(2), window(60)).allowed);
        assert_eq!(state.check(at(60_000), limit(2), window(60)).remaining, 1);
    }

    #[test]
    fn a_clock_that_steps_back_keeps_the_count_until_the_present_window_ends() {
        let (limit, window) = (limit(1), window(10));
        let mut state = FixedWindow::default();
        state.check(at(3_600_000_000), limit, window);
        let decision = state.check(at(4_000), limit, window);
        assert_eq!(decision.retry_after().unwrap().get(), 6_000);
        assert!(state.check(at(10_000), limit, window).allowed);
    }
}
