//! The rate-limiting algorithms, one file each, and the list of them.
//!
//! An algorithm is the state of one key and what a check does to it: arithmetic on integers, exact, with the time as an
//! argument. It is written twice: in Rust, and in Lua for stores in Redis, where only doubles are at hand. A property
//! test of the Redis store holds the two to the same answers. A new algorithm is its two files here, its `mod` line,
//! and its line in the list.

mod fixed_window;
mod sliding_log;
mod token_bucket;

use super::check::{Decision, Limit, Window};
use super::clock::Timestamp;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The state of one key. Its default is that of a key never seen.
pub trait Algorithm: Clone + Default + Send + 'static {
    /// Its name in options and reports.
    const NAME: &'static str;

    /// The same in Lua 5.1, as Redis runs it: defines
    ///
    /// ```lua
    /// local function check(key, now, limit, window) ... return allowed, remaining, reset, expires_in end
    /// ```
    ///
    /// which reads and writes the state under `key` alone. `now`, the limit and the window are those of
    /// [`check`](Self::check); what it returns are the fields of the [`Decision`] and the time from `now` to the
    /// [`expiry`](Self::expiry). Time is in µs. The state exists when it returns; expiring it is the caller's part.
    ///
    /// Doubles are exact for integers up to 2^53, and so must be every value in between: `now` may be
    /// [`Timestamp::MAX`], so nothing may be added to an instant. `a % b` and `math.floor(a / b)` are exact for such
    /// integers. Numbers become text by `string.format('%.0f', number)`, as `tostring` keeps 14 digits only.
    const SCRIPT: &'static str;

    /// Decides about one request at `now` and counts it if it is allowed. Calls come in the order of their time; a
    /// `now` before the last one's is a clock that stepped back, and is tolerated.
    fn check(&mut self, now: Timestamp, limit: Limit, window: Window) -> Decision;

    /// From when on, if no check comes before, the state decides as the default does, so that it may be forgotten:
    /// for checks with `window`, that of the latest check.
    fn expiry(&self, window: Window) -> Timestamp;
}

/// Work to be done with an algorithm whose name is known only at run time; see [`AlgorithmKind::apply`].
pub trait ForAlgorithm {
    type Output;

    fn with<A: Algorithm>(self) -> Self::Output;
}

macro_rules! algorithms {
    ($($file:ident::$algorithm:ident),+ $(,)?) => {
        $(pub use $file::$algorithm;)+

        /// Which algorithm. Parsed from its [`NAME`](Algorithm::NAME) and displayed as it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AlgorithmKind {
            $($algorithm),+
        }

        impl AlgorithmKind {
            pub const ALL: &[Self] = &[$(Self::$algorithm),+];

            /// Does `work` with the algorithm this names.
            pub fn apply<W: ForAlgorithm>(self, work: W) -> W::Output {
                match self {
                    $(Self::$algorithm => work.with::<$algorithm>()),+
                }
            }
        }
    };
}

algorithms! {
    sliding_log::SlidingLog,
    fixed_window::FixedWindow,
    token_bucket::TokenBucket,
}

impl AlgorithmKind {
    pub fn name(self) -> &'static str {
        struct Name;
        impl ForAlgorithm for Name {
            type Output = &'static str;
            fn with<A: Algorithm>(self) -> &'static str {
                A::NAME
            }
        }
        self.apply(Name)
    }

    pub(super) fn script(self) -> &'static str {
        struct Script;
        impl ForAlgorithm for Script {
            type Output = &'static str;
            fn with<A: Algorithm>(self) -> &'static str {
                A::SCRIPT
            }
        }
        self.apply(Script)
    }
}

impl fmt::Display for AlgorithmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AlgorithmKind {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownAlgorithm)
    }
}

/// A name that no algorithm has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of {}", AlgorithmKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))]
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

    /// A policy, and the instants of checks made under it: bunched, spread, and one window apart to the microsecond.
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

    /// Any clock and any policy, the extremes of both included.
    pub fn any_check() -> impl Strategy<Value = (Timestamp, Limit, Window)> {
        let time = prop_oneof![Just(0), Just(u64::MAX), 0..200_000_u64, any::<u64>()];
        let requests = prop_oneof![1..4_u64, 1..=1_000_000_u64, Just(1_000_000)];
        let millis = prop_oneof![1..100_u64, 1..=86_400_000_u64, Just(86_400_000)];
        (time, requests, millis)
            .prop_map(|(time, requests, millis)| (at(time), limit(requests), window(millis)))
    }
}

/// What holds for every algorithm in the list.
#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use crate::limiter::clock::Micros;
    use proptest::prelude::*;

    type Held = Result<(), TestCaseError>;

    fn of_each_algorithm(claim: impl ForAlgorithm<Output = Held> + Copy) -> Held {
        AlgorithmKind::ALL
            .iter()
            .try_for_each(|kind| kind.apply(claim))
    }

    /// How many checks at `now` would be allowed.
    fn available<A: Algorithm>(state: &A, now: Timestamp, limit: Limit, window: Window) -> u32 {
        let mut state = state.clone();
        let mut allowed = 0;
        while state.check(now, limit, window).allowed {
            allowed += 1;
        }
        allowed
    }

    #[derive(Clone, Copy)]
    struct RemainingAndResetAreTrue<'a>(Limit, Window, &'a [Timestamp]);

    impl ForAlgorithm for RemainingAndResetAreTrue<'_> {
        type Output = Held;

        fn with<A: Algorithm>(self) -> Held {
            let Self(limit, window, times) = self;
            let mut state = A::default();
            for &now in times {
                let decision = state.check(now, limit, window);
                prop_assert_eq!(decision.limit, limit);
                prop_assert!(decision.reset > Micros::default());
                prop_assert!(decision.reset <= window.length());
                let before_reset = now + Micros::new(decision.reset.get() - 1);
                let available = |at| available(&state, at, limit, window);
                prop_assert_eq!(available(now), decision.remaining);
                prop_assert_eq!(available(before_reset), decision.remaining);
                prop_assert!(available(now + decision.reset) > decision.remaining);
            }
            Ok(())
        }
    }

    #[derive(Clone, Copy)]
    struct RetryAfterIsExact<'a>(Limit, Window, &'a [Timestamp]);

    impl ForAlgorithm for RetryAfterIsExact<'_> {
        type Output = Held;

        fn with<A: Algorithm>(self) -> Held {
            let Self(limit, window, times) = self;
            let mut state = A::default();
            for &now in times {
                let decision = state.check(now, limit, window);
                prop_assert_eq!(decision.allowed, decision.retry_after().is_none());
                if let Some(wait) = decision.retry_after() {
                    let early = now + Micros::new(wait.get() - 1);
                    prop_assert!(!state.clone().check(early, limit, window).allowed);
                    prop_assert!(state.clone().check(now + wait, limit, window).allowed);
                }
            }
            Ok(())
        }
    }

    #[derive(Clone, Copy)]
    struct AnExpiredStateDecidesAsAFreshOne<'a>(Limit, Window, &'a [Timestamp]);

    impl ForAlgorithm for AnExpiredStateDecidesAsAFreshOne<'_> {
        type Output = Held;

        fn with<A: Algorithm>(self) -> Held {
            let Self(limit, window, times) = self;
            let mut kept = A::default();
            let mut forgetful = A::default();
            for &now in times {
                if forgetful.expiry(window) <= now {
                    forgetful = A::default();
                }
                prop_assert_eq!(
                    kept.check(now, limit, window),
                    forgetful.check(now, limit, window)
                );
            }
            Ok(())
        }
    }

    #[derive(Clone, Copy)]
    struct EveryWaitIsWithinTheWindow<'a>(&'a [(Timestamp, Limit, Window)]);

    impl ForAlgorithm for EveryWaitIsWithinTheWindow<'_> {
        type Output = Held;

        fn with<A: Algorithm>(self) -> Held {
            let mut state = A::default();
            for &(now, limit, window) in self.0 {
                let decision = state.check(now, limit, window);
                prop_assert!(decision.remaining < limit.get());
                prop_assert!(decision.allowed || decision.remaining == 0);
                prop_assert!(decision.reset > Micros::default());
                prop_assert!(decision.reset <= window.length());
                prop_assert!(state.expiry(window).since(now) <= window.length());
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn what_remains_is_available_and_no_more_before_the_reset((limit, window, times) in history()) {
            of_each_algorithm(RemainingAndResetAreTrue(limit, window, &times))?;
        }

        #[test]
        fn waiting_exactly_retry_after_admits_and_a_microsecond_less_does_not((limit, window, times) in history()) {
            of_each_algorithm(RetryAfterIsExact(limit, window, &times))?;
        }

        #[test]
        fn forgetting_an_expired_state_changes_no_decision((limit, window, times) in history()) {
            of_each_algorithm(AnExpiredStateDecidesAsAFreshOne(limit, window, &times))?;
        }

        #[test]
        fn any_clock_and_any_change_of_policy_keep_the_wait_within_the_window(
            checks in prop::collection::vec(any_check(), 1..60)
        ) {
            of_each_algorithm(EveryWaitIsWithinTheWindow(&checks))?;
        }
    }

    #[test]
    fn a_kind_is_known_by_its_name() {
        for (name, kind) in [
            ("sliding-log", AlgorithmKind::SlidingLog),
            ("fixed-window", AlgorithmKind::FixedWindow),
            ("token-bucket", AlgorithmKind::TokenBucket),
        ] {
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(kind.to_string(), name);
        }
        assert_eq!(
            "leaky".parse::<AlgorithmKind>().unwrap_err().to_string(),
            "must be one of sliding-log, fixed-window, token-bucket"
        );
    }
}
