//! A token bucket holds L tokens and is full at first. It gets L of them back per W and gives one for each admission, so
//! that at most L + T·L/W are admitted in any interval of length T.
//!
//! It is broken when more than L + (T + ρ)·r allowed requests lie within T. Here r is 1.0005·L/W, since the limiter's
//! clock may run fast, and ρ is the resolution of its clock ([`BusyPeriod::is_overdrawn`]).
//!
//! A request is wrongly blocked if even the [`FewestTokens`] that the bucket can have held were enough for it.

use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Latest, Nanos, Observation,
    PriorUse,
};
use crate::core::audit::busy_period::BusyPeriod;

pub const ABOUT: About = About {
    name: "token-bucket",
    limiter: "a token bucket",
    kinds: &["a bucket"],
    limits_to_exceed: 2,
    busiest_window_is_proof: false,
    block_is_general: false,
    excess: super::more_than_promised,
    wrong_block: |_| "a bucket would have had a token".to_owned(),
};

#[derive(Debug, Clone)]
pub struct TokenBucket {
    overdrawn: bool,
    tokens: FewestTokens,
}

impl TokenBucket {
    pub fn new(prior_use: PriorUse) -> TokenBucket {
        TokenBucket {
            overdrawn: false,
            tokens: FewestTokens::new(prior_use),
        }
    }
}

impl Evidence for TokenBucket {
    fn count(&mut self, done: Nanos, bounds: &Bounds) {
        self.tokens.give_one(done, bounds);
    }

    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        self.overdrawn |= log.busy_period().is_overdrawn(latest.done, bounds);
    }

    fn explains(&self, _kind: usize) -> bool {
        !self.overdrawn
    }

    fn is_wrongly_blocked(&self, request: &BlockedRequest, bounds: &Bounds) -> bool {
        self.tokens.had_one_for(request, bounds)
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let busy = log.busy_period();
        let mut sents = log.latest_sents().zip(1..);
        let shortest = sents.find_map(|(since, given)| {
            let period = BusyPeriod { since, given };
            period.is_overdrawn(latest.done, bounds).then_some(since)
        });
        let since = shortest.unwrap_or(busy.since);
        let lasted = u128::from(latest.done.saturating_sub(since).0);
        let refilled = u128::from(bounds.limit) * lasted / u128::from(bounds.window.0);
        let promised = bounds.limit.saturating_add(refilled as u64);
        let mut span = log.span(latest, since, bounds.targets);
        // The proof may have begun before anything that is remembered.
        if span.admitted <= promised {
            span.from = busy.since;
            span.admitted = busy.given;
        }
        (span, promised)
    }
}

/// The fewest tokens that one key's bucket may hold, as far as its answered requests tell: it gets tokens back 1 % more
/// slowly than promised, and gave each one at the latest instant at which it may have.
#[derive(Debug, Clone, Copy)]
struct FewestTokens {
    /// The number of tokens right after the latest admission.
    tokens: f64,
    /// When the latest admission was done.
    at: Nanos,
}

/// How slow the bucket's clock may be, as a factor of its rate.
const SLOW: f64 = 0.99;

impl FewestTokens {
    fn new(prior_use: PriorUse) -> FewestTokens {
        let tokens = match prior_use {
            // A bucket that was never used is full by any clock.
            PriorUse::None => f64::INFINITY,
            PriorUse::EarlierRun | PriorUse::Anyone => 0.0,
        };
        FewestTokens {
            tokens,
            at: Nanos::ZERO,
        }
    }

    /// Gives a token for an admission that was done later than all others.
    fn give_one(&mut self, done: Nanos, bounds: &Bounds) {
        let since = done.saturating_sub(self.at);
        let refilled = self.tokens + since.0 as f64 * tokens_per_nanosecond(bounds) * SLOW;
        *self = FewestTokens {
            tokens: refilled.min(bounds.limit as f64) - 1.0,
            at: done,
        };
    }

    /// Whether the bucket surely held a token for the request, although it may have given one to each pending request.
    /// It must have had as many to spare as it gets back in ε + ρ: its clock may be that far from this machine's.
    fn had_one_for(&self, request: &BlockedRequest, bounds: &Bounds) -> bool {
        let rate = tokens_per_nanosecond(bounds);
        let refilled = |since: Nanos| since.0 as f64 * rate * SLOW;
        let tokens = match request.sent.checked_sub(self.at) {
            Some(since) => self.tokens + refilled(since),
            // Some admissions may not have been decided when this request was, so the latest instants of their tokens
            // are not all over. The bucket then held fewer, by no more than it got back since.
            None => {
                let back = (request.done - request.sent).0 as f64 * rate;
                self.tokens + refilled(request.done - self.at) - back
            }
        };
        // A full bucket is as full by a slower clock, unless others took tokens from it meanwhile.
        let tokens = if request.pending == 0 {
            tokens
        } else {
            tokens.min(bounds.limit as f64)
        };
        let spare = rate * (bounds.tolerance + bounds.resolution).0 as f64;
        tokens - request.pending as f64 >= 1.0 + spare
    }
}

fn tokens_per_nanosecond(bounds: &Bounds) -> f64 {
    bounds.limit as f64 / bounds.window.0 as f64
}
