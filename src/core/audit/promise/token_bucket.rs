//! A token bucket holds B tokens and is full at first. It gets L of them back per W, and gives one for each admission, or
//! as many as the request costs.
//!
//! **Bound.** At most B + T·L/W tokens are given in any interval of length T.
//!
//! **Excess.** It is broken when more than B + (T + ρ)·r tokens were given for requests that lie within T. Here r is
//! 1.0005·L/W, since the limiter's clock may run fast, and ρ is how far its clocks may be apart, with their resolution
//! ([`BusyPeriod::is_overdrawn`]).
//!
//! **False block.** A request is wrongly blocked if even the [`FewestTokens`] that the bucket can have held were enough for
//! it.

use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Kind, Latest, Limit, Nanos,
    Needed, Observation, Possible,
};
use crate::core::audit::bounds::PriorUse;
use crate::core::audit::busy_period::BusyPeriod;

pub const ABOUT: About = About {
    name: "token-bucket",
    limiter: "a token bucket",
    kinds: &[Kind {
        name: "bucket",
        limiter: "a bucket",
        by_default: true,
        has_one_clock: false,
    }],
    has_burst: true,
    limits_to_exceed: 2,
    windows: 1,
    more_in_any_window: "a full token bucket may be emptied, and the tokens that it gets back as well",
    busiest_window_is_proof: false,
    block_is_general: false,
    excess: super::more_than_promised,
    wrong_block: |_| "a bucket would have had a token".to_owned(),
};

#[derive(Debug, Clone)]
pub struct TokenBucket {
    overdrawn: bool,
    tokens: FewestTokens,
    most: MostTaken,
    needed: Needed,
}

impl TokenBucket {
    pub fn new(_: &Limit, bounds: &Bounds) -> TokenBucket {
        TokenBucket {
            overdrawn: false,
            tokens: FewestTokens::new(bounds.prior_use),
            most: MostTaken::default(),
            needed: Needed::NOTHING,
        }
    }
}

/// The bucket is overdrawn.
pub fn is_too_many(latest: &Latest, log: &AdmissionLog, bounds: &Bounds) -> bool {
    log.busy_period().is_overdrawn(latest.done, bounds)
}

impl Evidence for TokenBucket {
    fn count(&mut self, done: Nanos, bounds: &Bounds) {
        self.tokens.give_one(done, bounds);
    }

    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        self.most.take_one(latest, bounds);
        let busy = log.busy_period();
        if busy.is_overdrawn(latest.done, bounds) {
            self.overdrawn = true;
            self.needed = self.needed.and(needed(busy, latest.done, bounds));
        }
    }

    fn explains(&self, _kind: usize) -> bool {
        !self.overdrawn
    }

    fn is_wrongly_blocked(
        &mut self,
        request: &BlockedRequest,
        _: &AdmissionLog,
        bounds: &Bounds,
    ) -> bool {
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
        let refilled = u128::from(bounds.rate) * lasted / u128::from(bounds.window.0);
        let promised = bounds.burst.saturating_add(refilled as u64) / bounds.cost;
        let mut span = log.span(latest, since, bounds.targets);
        // The proof may have begun before anything that is remembered.
        if span.admitted <= promised {
            span.from = busy.since;
            span.admitted = busy.given;
        }
        (span, promised)
    }

    fn unseen(&self, _kind: usize, possible: &Possible, bounds: &Bounds) -> u64 {
        self.most.beyond(possible.uncertain, bounds)
    }

    fn needed(&self, _kind: usize, _bounds: &Bounds) -> Needed {
        self.needed
    }
}

/// The tolerances that explain that a bucket gave so much by `done`.
fn needed(busy: BusyPeriod, done: Nanos, bounds: &Bounds) -> Needed {
    let given = (busy.given * bounds.cost) as f64;
    let burst = bounds.burst as f64;
    let rate = fastest(bounds);
    let lasted = ((done - busy.since) + bounds.skew).0 as f64;
    let missing = (given - burst) / rate - lasted;
    Needed::NOTHING
        .with_excess(given / (burst + lasted * rate) - 1.0)
        .with_clock(Nanos(missing.max(0.0).ceil() as u64), bounds)
}

/// The most that may have been taken from a bucket beyond what it got back.
///
/// Each token may have been taken as late as its request's done, or as early as its sent, which is at most the longest
/// time that a request took before. So in any span of length T, no more were taken than were done within that much more
/// than T.
#[derive(Debug, Clone, Copy, Default)]
struct MostTaken {
    /// The units that a full bucket lacked after the latest admission.
    missing: f64,
    /// When that was done.
    at: Nanos,
    /// The most units taken beyond what the bucket got back since.
    most: f64,
    longest: Nanos,
}

impl MostTaken {
    fn take_one(&mut self, latest: &Latest, bounds: &Bounds) {
        self.longest = self.longest.max(latest.done - latest.sent);
        let back = (latest.done - self.at).0 as f64 * fastest(bounds);
        self.missing = (self.missing - back).max(0.0) + bounds.cost as f64;
        self.at = latest.done;
        self.most = self.most.max(self.missing);
    }

    /// The requests beyond those of a bucket, if so many more were admitted.
    fn beyond(&self, uncertain: u64, bounds: &Bounds) -> u64 {
        if self.most == 0.0 {
            return 0;
        }
        let early = self.longest.0 as f64 * fastest(bounds);
        let units = self.most + early - bounds.burst as f64;
        let requests = (units / bounds.cost as f64 - 1e-6).ceil().max(0.0) as u64;
        requests + uncertain
    }
}

/// The fewest units that one key's bucket may hold, as far as its answered requests tell: it gets units back 1 % more
/// slowly than promised, and gave each one at the latest instant at which it may have.
#[derive(Debug, Clone, Copy)]
struct FewestTokens {
    /// The number of units right after the latest admission.
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
            PriorUse::Anyone => 0.0,
        };
        FewestTokens {
            tokens,
            at: Nanos::ZERO,
        }
    }

    /// Gives units for an admission that was done later than all others.
    fn give_one(&mut self, done: Nanos, bounds: &Bounds) {
        let since = done.saturating_sub(self.at);
        let refilled = self.tokens + since.0 as f64 * units_per_nanosecond(bounds) * SLOW;
        *self = FewestTokens {
            tokens: refilled.min(bounds.burst as f64) - bounds.cost as f64,
            at: done,
        };
    }

    /// Whether the bucket surely held enough for the request, although it may have given as much to each pending request.
    /// It must have had as many to spare as it gets back in ε + ρ: its clock may be that far from this machine's.
    fn had_one_for(&self, request: &BlockedRequest, bounds: &Bounds) -> bool {
        let rate = units_per_nanosecond(bounds);
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
            tokens.min(bounds.burst as f64)
        };
        let cost = bounds.cost as f64;
        let spare = rate * (bounds.tolerance + bounds.skew).0 as f64;
        // A bucket smaller than one request admits nothing.
        bounds.burst >= bounds.cost && tokens - request.pending as f64 * cost >= cost + spare
    }
}

fn units_per_nanosecond(bounds: &Bounds) -> f64 {
    bounds.rate as f64 / bounds.window.0 as f64
}

/// The units that a bucket gets back per nanosecond by the fastest clock.
fn fastest(bounds: &Bounds) -> f64 {
    units_per_nanosecond(bounds) * 1.0005
}
