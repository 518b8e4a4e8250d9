use super::Histogram;
use crate::base::Outcome;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What happened in one second of a run: what came due, left and was answered in it.
///
/// A request is counted as scheduled, and as dropped, in the second in which it was due; as sent in that of its sent; as
/// allowed, blocked, failed or abandoned, and in `latency` and `service_time`, in that of its done; in `send_lag` in that
/// of its sent. So over all seconds of a run each of these adds up to the ledger's.
#[derive(Debug, Default)]
pub struct Second {
    /// From 0 at the schedule's start.
    pub number: u64,
    /// What the schedule asked for, in requests per second, in the mean of this second.
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
    pub sent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    #[serde(skip)]
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

impl AddAssign<&OutcomeCounts> for OutcomeCounts {
    fn add_assign(&mut self, other: &OutcomeCounts) {
        self.sent += other.sent;
        self.allowed += other.allowed;
        self.blocked += other.blocked;
        self.failed += other.failed;
        self.abandoned += other.abandoned;
    }
}

impl Second {
    /// Over all targets.
    pub fn total(&self) -> OutcomeCounts {
        let mut total = OutcomeCounts::default();
        self.targets.iter().for_each(|target| total += target);
        total
    }
}
