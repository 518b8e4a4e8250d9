use super::terms::{Bounds, PriorUse};

/// The fewest tokens that one key's bucket may hold, as far as its answered requests tell: it gets them back 1 % slower
/// than promised, and gave each at the latest instant at which it may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Right after the latest admission.
    tokens: f64,
    /// Its done, in nanoseconds.
    at: u64,
}

const SLOW: f64 = 0.99;

impl Level {
    pub fn new(prior_use: PriorUse) -> Level {
        let tokens = match prior_use {
            // As full as it ever was: no clock makes it less.
            PriorUse::None => f64::INFINITY,
            PriorUse::EarlierRun | PriorUse::Anyone => 0.0,
        };
        Level { tokens, at: 0 }
    }

    /// Gives one for an admission that was done after all others.
    pub fn admit(&mut self, done: u64, bounds: &Bounds) {
        let refilled = self.tokens + done.saturating_sub(self.at) as f64 * bounds.rate * SLOW;
        *self = Level {
            tokens: refilled.min(bounds.limit as f64) - 1.0,
            at: done,
        };
    }

    /// Whether it surely held one for a request that was sent and done then, the latter after all admissions so far,
    /// if it gave at most `others` more.
    pub fn had_one(&self, sent: u64, done: u64, others: u64, bounds: &Bounds) -> bool {
        let refilled = |since: u64| since as f64 * bounds.rate * SLOW;
        let tokens = match sent.checked_sub(self.at) {
            Some(since) => self.tokens + refilled(since),
            // When some of them were not given yet, it held less by no more than it got back since.
            None => {
                let back = (done - sent) as f64 * bounds.rate;
                self.tokens + refilled(done - self.at) - back
            }
        };
        // A full bucket is as full for a slower clock; one that others took from since need not be.
        let tokens = match others {
            0 => tokens,
            _ => tokens.min(bounds.limit as f64),
        };
        tokens - others as f64 >= 1.0 + bounds.spare
    }
}
