use super::Histogram;
use crate::base::Outcome;
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::AddAssign;

/// The events of one second of a run.
///
/// A request counts as scheduled and as dropped in the second in which it was due, as sent and in `send_lag` in the second
/// in which it was sent, and in everything else in the second in which it was done. So each count, added up over all
/// seconds, is the ledger's.
#[derive(Debug, Default)]
pub struct Second {
    /// The second that begins at the schedule's start is number 0.
    pub number: u64,
    /// The mean rate of the schedule in this second, in requests per second.
    pub asked: f64,
    pub scheduled: u64,
    pub dropped: u64,
    /// By target, in the plan's order.
    pub targets: Vec<OutcomeCounts>,
    pub latency: Histogram,
    pub service_time: Histogram,
    pub send_lag: Histogram,
}

/// How many requests were sent, and how many ended in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TargetSlot"))]
pub struct OutcomeCounts {
    /// Requests that were sent in this slot.
    pub sent: u64,
    /// Requests that were allowed in this slot.
    pub allowed: u64,
    /// Requests that were blocked in this slot.
    pub blocked: u64,
    /// Requests that failed in this slot.
    pub failed: u64,
    /// Requests that were given up in this slot, when the drain timeout passed.
    #[serde(default)]
    pub abandoned: u64,
}

impl OutcomeCounts {
    pub(super) fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Allowed => &mut self.allowed,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Abandoned => &mut self.abandoned,
        } += 1;
    }
}

impl<'a> Sum<&'a OutcomeCounts> for OutcomeCounts {
    fn sum<I: Iterator<Item = &'a OutcomeCounts>>(counts: I) -> OutcomeCounts {
        let mut sum = OutcomeCounts::default();
        counts.for_each(|counts| sum += counts);
        sum
    }
}

impl AddAssign<&OutcomeCounts> for OutcomeCounts {
    /// Saturates, since a saved summary may have any numbers.
    fn add_assign(&mut self, other: &OutcomeCounts) {
        for (sum, more) in [
            (&mut self.sent, other.sent),
            (&mut self.allowed, other.allowed),
            (&mut self.blocked, other.blocked),
            (&mut self.failed, other.failed),
            (&mut self.abandoned, other.abandoned),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl Second {
    pub fn total(&self) -> OutcomeCounts {
        self.targets.iter().sum()
    }
}
