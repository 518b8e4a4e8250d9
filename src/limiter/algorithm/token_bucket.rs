//! The token bucket, as the generic cell rate algorithm (GCRA) in its virtual-scheduling form.
//!
//! Source: ITU-T Recommendation I.371 and ATM Forum Traffic Management Specification 4.0, section 4.4.3. The bucket
//! holds `limit` tokens and refills continuously, at `limit` tokens per window. With the increment T = window / limit (the
//! time in which one token refills) and the tolerance τ = window − T:
//!
//! - the state is the theoretical arrival time TAT, the instant when the bucket will be full again;
//! - a check at t is admitted if t ≥ TAT − τ, and then TAT := max(t, TAT) + T.
//!
//! So any interval of length D admits at most limit + D · limit / window.
//!
//! T is rarely a whole number of microseconds. Therefore TAT is kept as whole microseconds and a numerator over `limit`,
//! and no rounding ever accumulates. An admission takes only additions and comparisons of numbers under 2^53. The
//! remaining number of tokens is the largest k with k · T ≤ t + window − TAT. With doubles, k · T is exact as
//! k · ⌊window / limit⌋ microseconds and k · (window mod limit) / limit.
//!
//! - **Another limit or window**: TAT stays, so a bucket that would be full in a second still will be. The numerator is
//!   read over the new limit, which moves TAT by less than a microsecond.
//! - **The clock stepped back, or the window shrank**: if TAT is further away than the window, the bucket is empty.

use super::{Algorithm, KeyState};
use crate::limiter::check::{Decision, Limit, Window};
use crate::limiter::clock::{Micros, Timestamp};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "token-bucket",
    new_state: || Box::<TokenBucket>::default(),
    script: include_str!("token_bucket.lua"),
};

#[derive(Debug, Clone, Copy, Default)]
pub struct TokenBucket {
    full_at: ArrivalTime,
}

/// TAT: `micros + numerator / limit`, with `numerator < limit`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct ArrivalTime {
    micros: u64,
    numerator: u32,
}

impl ArrivalTime {
    fn whole(at: Timestamp) -> Self {
        Self {
            micros: at.as_micros(),
            numerator: 0,
        }
    }

    fn plus_one_token(self, limit: Limit, window: Window) -> Self {
        let (window, limit) = (window.length().get(), u64::from(limit.get()));
        let numerator = u64::from(self.numerator) + window % limit;
        Self {
            micros: self.micros + window / limit + numerator / limit,
            numerator: (numerator % limit) as u32,
        }
    }
}

impl KeyState for TokenBucket {
    fn check(&mut self, now: Timestamp, limit: Limit, window: Window) -> Decision {
        let empty = ArrivalTime::whole(now + window.length());
        self.full_at.numerator = self.full_at.numerator.min(limit.get() - 1);
        self.full_at = self.full_at.clamp(ArrivalTime::whole(now), empty);

        let after = self.full_at.plus_one_token(limit, window);
        let allowed = after <= empty;
        if allowed {
            self.full_at = after;
        }

        // In units of 1/limit µs a token takes `window` units to refill; window · limit is below 2^57.
        let per_micro = u64::from(limit.get());
        let per_token = window.length().get();
        let tokens =
            (empty.micros - self.full_at.micros) * per_micro - u64::from(self.full_at.numerator);
        let remaining = tokens / per_token;
        let to_next = (remaining + 1) * per_token - tokens;
        let reset = Micros::new(to_next.div_ceil(per_micro));
        if allowed {
            Decision::allow(limit, remaining as u32, reset)
        } else {
            Decision::block(limit, reset)
        }
    }

    fn expiry(&self, _window: Window) -> Timestamp {
        let ArrivalTime { micros, numerator } = self.full_at;
        Timestamp::default() + Micros::new(micros + u64::from(numerator > 0))
    }

    fn copy(&self) -> Box<dyn KeyState> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, history, limit, window};
    use super::*;
    use proptest::prelude::*;

    /// A bucket counted in 1/window tokens, so that a microsecond refills exactly `limit` of them.
    struct Bucket {
        level: u128,
        refilled: Timestamp,
    }

    impl Bucket {
        fn take(&mut self, now: Timestamp, limit: Limit, window: Window) -> bool {
            let (limit, token) = (u128::from(limit.get()), u128::from(window.length().get()));
            let refill = u128::from(now.since(self.refilled).get()) * limit;
            self.level = (self.level + refill).min(limit * token);
            self.refilled = now;
            let full_enough = self.level >= token;
            if full_enough {
                self.level -= token;
            }
            full_enough
        }
    }

    proptest! {
        #[test]
        fn it_decides_as_a_bucket_of_exact_fractions_does((limit, window, times) in history()) {
            let mut state = TokenBucket::default();
            let mut bucket = Bucket {
                level: u128::from(limit.get()) * u128::from(window.length().get()),
                refilled: times[0],
            };
            for now in times {
                let decision = state.check(now, limit, window);
                prop_assert_eq!(decision.allowed, bucket.take(now, limit, window));
                prop_assert_eq!(
                    u128::from(decision.remaining),
                    bucket.level / u128::from(window.length().get())
                );
            }
        }
    }

    #[test]
    fn thirds_of_a_microsecond_do_not_drift() {
        let (limit, window) = (limit(3), window(1));
        let mut state = TokenBucket::default();
        for _ in 0..3 {
            assert!(state.check(at(0), limit, window).allowed);
        }
        for token in 1..=30_000_u64 {
            let refilled = (token * 1_000).div_ceil(3);
            assert!(!state.check(at(refilled - 1), limit, window).allowed);
            assert!(state.check(at(refilled), limit, window).allowed);
        }
    }

    #[test]
    fn the_largest_bucket_holds_exactly_its_limit() {
        let (limit, window) = (limit(1_000_000), window(86_400_000));
        let mut state = TokenBucket::default();
        for left in (0..1_000_000).rev() {
            assert_eq!(state.check(Timestamp::MAX, limit, window).remaining, left);
        }
        let decision = state.check(Timestamp::MAX, limit, window);
        assert_eq!(decision.retry_after().unwrap().get(), 86_400);
    }

    #[test]
    fn a_full_bucket_stays_full_when_the_limit_changes() {
        let window = window(10);
        let mut state = TokenBucket::default();
        state.check(at(0), limit(7), window);
        assert_eq!(state.check(at(20_000), limit(100), window).remaining, 99);
    }

    #[test]
    fn a_clock_that_steps_back_finds_at_worst_an_empty_bucket() {
        let (limit, window) = (limit(10), window(10));
        let mut state = TokenBucket::default();
        state.check(at(3_600_000_000), limit, window);
        let decision = state.check(at(0), limit, window);
        assert_eq!(decision.retry_after().unwrap().get(), 1_000);
        assert!(state.check(at(1_000), limit, window).allowed);
    }
}
