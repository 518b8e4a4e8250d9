use super::Lateness;
use crate::base::Ledger;

const ON_TIME_PERCENT: u64 = 99;

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within
/// [`TOLERANCE`](super::TOLERANCE) of their due times. A request that never left this machine, or whose stripe of the schedule
/// had stopped, was not sent on time. If it did not, the run's numbers describe the generator as much as
/// the limiter.
///
/// This is about the requests that did not wait for their target. A request that was late or dropped because its target
/// held all workers that it can is the target's fault, and tells nothing about requests to other targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleVerdict {
    pub scheduled: u64,
    /// Requests that were dropped for want of a worker or of processor time, or because the process was suspended.
    pub dropped: u64,
    /// Requests that were late for the same reasons.
    pub late: u64,
    /// The dropped ones because of a suspension.
    pub suspended_dropped: u64,
    /// The late ones because of a suspension.
    pub suspended_late: u64,
    /// Requests that never left this machine, because it had no file descriptor, local port or memory left for them.
    pub local: u64,
    /// Requests that were not sent because the stripe of the schedule that they belong to stopped before the others.
    pub unreached: u64,
    /// Requests that were not sent because the run joined its schedule after they were due.
    pub before_joining: u64,
    /// Requests that were late or dropped because their target did not answer in time.
    pub waited: u64,
}

impl ScheduleVerdict {
    /// The verdict on requests to all targets.
    pub fn new(ledger: &Ledger, lateness: Lateness) -> Self {
        let dropped = ledger.dropped.saturating_sub(lateness.backlog_dropped);
        ScheduleVerdict {
            scheduled: ledger.scheduled,
            dropped,
            late: lateness.late + lateness.suspended_late,
            suspended_dropped: lateness.suspended_dropped.min(dropped),
            suspended_late: lateness.suspended_late,
            local: lateness.local,
            unreached: lateness.unreached,
            before_joining: lateness.before_joining,
            waited: lateness.backlog_late + lateness.backlog_dropped,
        }
    }

    pub fn schedule_kept(&self) -> bool {
        let not_on_time = self.late + self.local + self.unreached + self.before_joining;
        self.dropped == 0 && not_on_time * 100 <= self.others() * (100 - ON_TIME_PERCENT)
    }

    /// The requests that were late or dropped because the process was suspended.
    pub fn suspended(&self) -> u64 {
        self.suspended_late + self.suspended_dropped
    }

    /// The verdict on all requests that no suspension delayed, and whose stripe of the schedule had joined and not stopped.
    #[must_use]
    pub fn but_for_stops(&self) -> ScheduleVerdict {
        ScheduleVerdict {
            scheduled: self
                .scheduled
                .saturating_sub(self.suspended() + self.unreached + self.before_joining),
            dropped: self.dropped - self.suspended_dropped,
            late: self.late - self.suspended_late,
            suspended_dropped: 0,
            suspended_late: 0,
            unreached: 0,
            before_joining: 0,
            ..*self
        }
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
    fn requests_that_never_left_this_machine_were_not_sent_on_time() {
        let ledger = Ledger {
            scheduled: 200,
            ..Ledger::default()
        };
        let mut lateness = Lateness {
            late: 1,
            local: 1,
            ..Lateness::default()
        };
        assert!(ScheduleVerdict::new(&ledger, lateness).schedule_kept());
        lateness.local += 1;
        assert!(!ScheduleVerdict::new(&ledger, lateness).schedule_kept());
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
            ..Lateness::default()
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

    #[test]
    fn a_schedule_is_not_kept_in_a_suspension_but_may_be_kept_otherwise() {
        let ledger = Ledger {
            scheduled: 1_000,
            dropped: 40,
            ..Ledger::default()
        };
        let lateness = Lateness {
            suspended_late: 60,
            suspended_dropped: 40,
            late: 9,
            ..Lateness::default()
        };
        let verdict = ScheduleVerdict::new(&ledger, lateness);
        assert!(!verdict.schedule_kept());
        assert_eq!(verdict.suspended(), 100);
        let others = verdict.but_for_stops();
        assert_eq!((others.scheduled, others.dropped, others.late), (900, 0, 9));
        assert!(others.schedule_kept());
        // A drop that no suspension explains stays the generator's.
        let ledger = Ledger {
            dropped: 41,
            ..ledger
        };
        let verdict = ScheduleVerdict::new(&ledger, lateness);
        assert!(!verdict.but_for_stops().schedule_kept());
    }
}
