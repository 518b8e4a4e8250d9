//! The rate-limiting algorithms.
//!
//! An algorithm is the state of one key and what a check does to it: exact integer arithmetic, with the time as an
//! argument. It is written twice: in Rust, and in Lua for Redis, where numbers are doubles. A property test of the Redis
//! store checks that both decide alike. A new algorithm is its two files here, its `mod` line, and its line in
//! [`Algorithm::ALL`].

mod fixed_window;
mod sliding_log;
mod token_bucket;

pub use fixed_window::FixedWindow;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;

use super::check::{Decision, Limit, Window};
use super::clock::Timestamp;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// An algorithm. Parsed from its name and displayed as it.
#[derive(Clone, Copy)]
pub struct Algorithm {
    pub name: &'static str,
    pub new_state: fn() -> Box<dyn KeyState>,
    /// The algorithm in Lua 5.1, as Redis runs it. It defines
    ///
    /// ```lua
    /// local function check(key, now, limit, window) ... return allowed, remaining, reset, expires_in end
    /// ```
    ///
    /// which reads and writes the state under `key` alone. `now`, `limit` and `window` are those of
    /// [`KeyState::check`]; it returns the fields of the [`Decision`] and the time from `now` to the
    /// [`KeyState::expiry`]. Time is in microseconds. The state exists when the function returns; the caller sets when
    /// it expires.
    ///
    /// Doubles are exact for integers up to 2^53, and every intermediate value must stay within that: `now` may be
    /// [`Timestamp::MAX`], so nothing may be added to an instant. `a % b` and `math.floor(a / b)` are exact for such
    /// integers. Numbers become text by `string.format('%.0f', number)`, since `tostring` keeps only 14 digits.
    pub(super) script: &'static str,
}

pub trait KeyState: Send {
    /// Decides about one request at `now` and counts it if it is allowed. Calls come in the order of their time. If
    /// `now` is before the last call's, the clock stepped back, which is tolerated.
    fn check(&mut self, now: Timestamp, limit: Limit, window: Window) -> Decision;

    /// The instant from which the state decides like a new one if no check comes before, so that it may be forgotten.
    /// `window` is that of the latest check.
    fn expiry(&self, window: Window) -> Timestamp;

    fn copy(&self) -> Box<dyn KeyState>;
}

impl Algorithm {
    /// The first is the default.
    pub const ALL: &[Self] = &[
        sliding_log::ALGORITHM,
        fixed_window::ALGORITHM,
        token_bucket::ALGORITHM,
    ];

    /// All names, separated by commas.
    pub fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|algorithm| algorithm.name).collect();
        names.join(", ")
    }
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::ALL[0]
    }
}

impl PartialEq for Algorithm {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Algorithm {}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.name == name)
            .ok_or(UnknownAlgorithm)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of {}", Algorithm::names())]
pub struct UnknownAlgorithm;

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::limiter::clock::Micros;
    use proptest::prelude::*;

    pub fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    pub fn limit(requests: u64) -> Limit {
        Limit::new(requests).unwrap()
    }

    pub fn window(millis: u64) -> Window {
        Window::from_millis(millis).unwrap()
    }

    pub fn policy() -> impl Strategy<Value = (Limit, Window)> {
        (1_u64..=12, 1_u64..=20).prop_map(|(requests, millis)| (limit(requests), window(millis)))
    }

    /// A policy and the instants of checks: bunched, spread, and one window apart to the microsecond.
    pub fn history() -> impl Strategy<Value = (Limit, Window, Vec<Timestamp>)> {
        policy().prop_flat_map(|(limit, window)| {
            let length = window.length().get();
            let gap = prop_oneof![
                3 => Just(0),
                3 => 0..=length / u64::from(limit.get()),
                1 => 0..=2 * length,
                1 => length - 1..=length + 1,
            ];
            let start = 1_700_000_000_000_000..1_700_000_001_000_000_u64;
            (start, prop::collection::vec(gap, 1..120)).prop_map(move |(start, gaps)| {
                let mut now = at(start);
                let times = gaps.into_iter().map(|gap| {
                    now = now + Micros::new(gap);
                    now
                });
                (limit, window, times.collect())
            })
        })
    }

    /// Any clock and any policy, including the extremes of both.
    pub fn any_check() -> impl Strategy<Value = (Timestamp, Limit, Window)> {
        let time = prop_oneof![Just(0), Just(u64::MAX), 0..200_000_u64, any::<u64>()];
        let requests = prop_oneof![1..4_u64, 1..=1_000_000_u64, Just(1_000_000)];
        let millis = prop_oneof![1..100_u64, 1..=86_400_000_u64, Just(86_400_000)];
        (time, requests, millis)
            .prop_map(|(time, requests, millis)| (at(time), limit(requests), window(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use crate::limiter::clock::Micros;
    use proptest::prelude::*;

    fn new_states() -> impl Iterator<Item = Box<dyn KeyState>> {
        Algorithm::ALL.iter().map(|one| (one.new_state)())
    }

    /// The number of checks at `now` that would be allowed.
    fn available(state: &dyn KeyState, now: Timestamp, limit: Limit, window: Window) -> u32 {
        let mut state = state.copy();
        let mut allowed = 0;
        while state.check(now, limit, window).allowed {
            allowed += 1;
        }
        allowed
    }

    proptest! {
        #[test]
        fn exactly_what_remains_is_available_until_the_reset((limit, window, times) in history()) {
            for mut state in new_states() {
                for &now in &times {
                    let decision = state.check(now, limit, window);
                    prop_assert_eq!(decision.limit, limit);
                    prop_assert!(decision.reset > Micros::default());
                    prop_assert!(decision.reset <= window.length());
                    let before_reset = now + Micros::new(decision.reset.get() - 1);
                    let available = |at| available(&*state, at, limit, window);
                    prop_assert_eq!(available(now), decision.remaining);
                    prop_assert_eq!(available(before_reset), decision.remaining);
                    prop_assert!(available(now + decision.reset) > decision.remaining);
                    prop_assert_eq!(decision.allowed, decision.retry_after().is_none());
                }
            }
        }

        #[test]
        fn forgetting_an_expired_state_changes_no_decision((limit, window, times) in history()) {
            for (algorithm, mut kept) in Algorithm::ALL.iter().zip(new_states()) {
                let mut forgetful = (algorithm.new_state)();
                for &now in &times {
                    if forgetful.expiry(window) <= now {
                        forgetful = (algorithm.new_state)();
                    }
                    let decision = kept.check(now, limit, window);
                    prop_assert_eq!(decision, forgetful.check(now, limit, window));
                }
            }
        }

        #[test]
        fn every_wait_is_within_the_window_whatever_the_clock_and_the_policy_do(
            checks in prop::collection::vec(any_check(), 1..60)
        ) {
            for mut state in new_states() {
                for &(now, limit, window) in &checks {
                    let decision = state.check(now, limit, window);
                    prop_assert!(decision.remaining < limit.get());
                    prop_assert!(decision.allowed || decision.remaining == 0);
                    prop_assert!(decision.reset > Micros::default());
                    prop_assert!(decision.reset <= window.length());
                    prop_assert!(state.expiry(window).since(now) <= window.length());
                }
            }
        }
    }

    /// So that a stack can hold its nodes to their own algorithm.
    #[test]
    fn the_name_of_an_algorithm_is_that_of_a_promise() {
        use crate::base::Nanos;
        use crate::core::audit::{Promise, Quota};
        for algorithm in Algorithm::ALL {
            let promise = Promise::alternatives(algorithm.name, Quota::new(1, Nanos(1)));
            assert_eq!(promise.expect(algorithm.name).len(), 1);
        }
    }

    #[test]
    fn an_algorithm_is_parsed_from_its_name() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        let error = "leaky".parse::<Algorithm>().unwrap_err().to_string();
        assert!(error.starts_with("must be one of sliding-log, "), "{error}");
    }
}
