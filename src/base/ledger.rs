use super::Outcome;
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// The counts of requests by their fate: scheduled = sent + dropped + unsent, and sent = allowed + blocked + failed +
/// abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Counts"))]
pub struct Ledger {
    /// Requests that were due before the run ended.
    pub scheduled: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were due while the queue was full, and were never sent.
    pub dropped: u64,
    /// Requests that were still queued when the run was stopped.
    pub unsent: u64,
    /// Requests that the limiter let pass.
    pub allowed: u64,
    /// Requests that the limiter refused.
    pub blocked: u64,
    /// Requests that were answered otherwise, or not at all.
    pub failed: u64,
    /// Requests that were in flight when the drain timeout passed.
    pub abandoned: u64,
}

impl Ledger {
    /// Returns whether every request is accounted for. After every run that has ended, it is. Counts that overflow do not
    /// balance.
    pub fn balances(&self) -> bool {
        let sum = |counts: &[u64]| {
            counts
                .iter()
                .try_fold(0u64, |sum, count| sum.checked_add(*count))
        };
        let ended = [self.allowed, self.blocked, self.failed, self.abandoned];
        sum(&[self.sent, self.dropped, self.unsent]) == Some(self.scheduled)
            && sum(&ended) == Some(self.sent)
    }

    /// Counts a request that was sent, and its outcome.
    pub(crate) fn count_sent(&mut self, outcome: Outcome) {
        self.sent += 1;
        *match outcome {
            Outcome::Allowed => &mut self.allowed,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Abandoned => &mut self.abandoned,
        } += 1;
    }

    /// The requests that the limiter allowed or blocked.
    pub fn success(&self) -> u64 {
        self.allowed + self.blocked
    }

    /// The requests that are due and wait for a worker.
    pub fn queued(&self) -> u64 {
        let accounted = self.sent + self.dropped + self.unsent;
        self.scheduled.saturating_sub(accounted)
    }

    /// The requests that were sent and have no outcome yet.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.ended())
    }

    fn ended(&self) -> u64 {
        self.allowed + self.blocked + self.failed + self.abandoned
    }
}

impl Add for Ledger {
    type Output = Ledger;

    fn add(self, other: Ledger) -> Ledger {
        Ledger {
            scheduled: self.scheduled + other.scheduled,
            sent: self.sent + other.sent,
            dropped: self.dropped + other.dropped,
            unsent: self.unsent + other.unsent,
            allowed: self.allowed + other.allowed,
            blocked: self.blocked + other.blocked,
            failed: self.failed + other.failed,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Ledger) {
        *self = *self + other;
    }
}

impl Sum for Ledger {
    fn sum<I: Iterator<Item = Ledger>>(ledgers: I) -> Ledger {
        ledgers.fold(Ledger::default(), Ledger::add)
    }
}
