use super::{Counters, Tally};
use crate::base::{Ledger, Nanos};
use std::iter::Sum;
use std::ops::Add;

/// A request that leaves up to this long after its due time is on time. The time spent on a new connection does not count.
pub const TOLERANCE: Nanos = Nanos(10_000_000);

const ON_TIME_PERCENT: u64 = 99;

/// The requests that were late or dropped, to one target or to all, by whose fault it was.
///
/// A request is late if it was sent, or was still unsent at the end, more than [`TOLERANCE`] after its due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// Requests that were late for want of a worker or of processor time.
    pub late: u64,
    /// Requests that were late because their target held all workers that it can, while other targets had workers left.
    pub backlog_late: u64,
    /// Requests that were dropped because their target's backlog was full, while other targets had workers left.
    pub backlog_dropped: u64,
}

impl Lateness {
    /// The lateness by target. If the run goes on, ledgers that go with it have to be read before.
    pub fn of(tally: &Tally, counters: &Counters) -> Vec<Lateness> {
        let targets = tally.targets.iter().enumerate();
        let lateness = targets.map(|(place, tally)| {
            let counters = counters.target(place);
            Lateness {
                late: tally.late + counters.unsent_late.get(),
                backlog_late: tally.backlog_late + counters.backlog_unsent_late.get(),
                backlog_dropped: counters.backlog_dropped.get(),
            }
        });
        lateness.collect()
    }

    pub fn all_late(&self) -> u64 {
        self.late + self.backlog_late
    }
}

impl Add for Lateness {
    type Output = Lateness;

    fn add(self, other: Lateness) -> Lateness {
        Lateness {
            late: self.late + other.late,
            backlog_late: self.backlog_late + other.backlog_late,
            backlog_dropped: self.backlog_dropped + other.backlog_dropped,
        }
    }
}

impl Sum for Lateness {
    fn sum<I: Iterator<Item = Lateness>>(lateness: I) -> Lateness {
        lateness.fold(Lateness::default(), Lateness::add)
    }
}

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within [`TOLERANCE`] of
/// their due times. If it did not, the run's numbers describe the generator as much as the limiter.
///
/// This is about the requests that did not wait for their target. A request that was late or dropped because its target
/// held all workers that it can is the target's fault, and tells nothing about requests to other targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleVerdict {
    pub scheduled: u64,
    /// Requests that were dropped for want of a worker or of processor time.
    pub dropped: u64,
    /// Requests that were late for the same reasons.
    pub late: u64,
    /// Requests that were late or dropped because their target did not answer in time.
    pub waited: u64,
}

impl ScheduleVerdict {
    /// The verdict on requests to all targets.
    pub fn new(ledger: &Ledger, lateness: Lateness) -> Self {
        ScheduleVerdict {
            scheduled: ledger.scheduled,
            dropped: ledger.dropped.saturating_sub(lateness.backlog_dropped),
            late: lateness.late,
            waited: lateness.backlog_late + lateness.backlog_dropped,
        }
    }

    pub fn schedule_kept(&self) -> bool {
        self.dropped == 0 && self.late * 100 <= self.others() * (100 - ON_TIME_PERCENT)
    }

    /// The scheduled requests without those that were late or dropped because of their target.
    pub fn others(&self) -> u64 {
        self.scheduled.saturating_sub(self.waited)
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
        let lateness = Lateness {
            late,
            ..Lateness::default()
        };
        ScheduleVerdict::new(&ledger, lateness).schedule_kept()
    }

    #[test]
    fn one_percent_may_be_late_and_nothing_may_be_dropped() {
        assert!(kept(0, 0, 0));
        assert!(kept(1_000, 0, 10));
        assert!(!kept(1_000, 0, 11));
        assert!(!kept(1_000_000, 1, 0));
        assert!(!kept(50, 0, 1));
    }

    #[test]
    fn requests_that_wait_for_their_target_are_not_the_generator_s_fault() {
        let ledger = Ledger {
            scheduled: 150,
            dropped: 20,
            ..Ledger::default()
        };
        let mut lateness = Lateness {
            late: 1,
            backlog_late: 30,
            backlog_dropped: 20,
        };
        assert!(ScheduleVerdict::new(&ledger, lateness).schedule_kept());
        // One of 99 others is more than a percent.
        lateness.backlog_late += 1;
        assert!(!ScheduleVerdict::new(&ledger, lateness).schedule_kept());
        lateness.backlog_late -= 1;
        lateness.backlog_dropped = 19;
        let verdict = ScheduleVerdict::new(&ledger, lateness);
        assert!(!verdict.schedule_kept());
        assert_eq!((verdict.dropped, verdict.late, verdict.waited), (1, 1, 49));
    }
}
