use crate::base::{Ledger, Nanos};

/// A request that leaves up to this long after its due time is on time. The time spent on a new connection does not count.
pub const TOLERANCE: Nanos = Nanos(10_000_000);

const ON_TIME_PERCENT: u64 = 99;

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within [`TOLERANCE`] of
/// their due times. If it did not, the run's numbers describe the generator as much as the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleVerdict {
    pub scheduled: u64,
    pub dropped: u64,
    /// Requests that were sent, or still queued at the end, more than [`TOLERANCE`] after their due times.
    pub late: u64,
}

impl ScheduleVerdict {
    pub fn new(ledger: &Ledger, late: u64) -> Self {
        ScheduleVerdict {
            scheduled: ledger.scheduled,
            dropped: ledger.dropped,
            late,
        }
    }

    pub fn schedule_kept(&self) -> bool {
        self.dropped == 0 && self.late * 100 <= self.scheduled * (100 - ON_TIME_PERCENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(scheduled: u64, dropped: u64, late: u64) -> bool {
        let ledger = Ledger {
            scheduled,
            dropped,
            ..Ledger::default()
        };
        ScheduleVerdict::new(&ledger, late).schedule_kept()
    }

    #[test]
    fn one_percent_may_be_late_and_nothing_may_be_dropped() {
        assert!(kept(0, 0, 0));
        assert!(kept(1_000, 0, 10));
        assert!(!kept(1_000, 0, 11));
        assert!(!kept(1_000_000, 1, 0));
        assert!(!kept(50, 0, 1));
    }
}
