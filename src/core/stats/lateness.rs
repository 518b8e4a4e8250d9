use crate::base::Nanos;
use std::iter::Sum;
use std::ops::Add;

/// A request that leaves up to this long after its due time is on time. The time spent on a new connection does not count.
pub const TOLERANCE: Nanos = Nanos(10_000_000);

/// The requests that did not leave in time, to one target or to all, by whose fault it was.
///
/// A request is late if it was sent, or was still unsent at the end, more than [`TOLERANCE`] after its due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// Requests that were late for want of a worker or of processor time.
    pub late: u64,
    /// Requests that were late because their target held all workers that it can, while other targets had workers left, or
    /// because all targets were silent.
    pub backlog_late: u64,
    /// Requests that were dropped because their target's backlog was full, while other targets had workers left, or
    /// because all targets were silent.
    pub backlog_dropped: u64,
    /// Requests that never left this machine, because it had no file descriptor, local port or memory left for a connection.
    /// These do not count as late.
    pub local: u64,
    /// Requests that were late because the process was [suspended](super::Suspension). These do not count in `late`, nor in
    /// `backlog_late`.
    pub suspended_late: u64,
    /// Requests that were dropped for the same reason. Some of them may be in `backlog_dropped`, too.
    pub suspended_dropped: u64,
    /// Unsent requests of stripes of the schedule that stopped before the others. These do not count as late.
    pub unreached: u64,
    /// Unsent requests that were due before the run joined its schedule. These do not count as late.
    pub before_joining: u64,
}

impl Lateness {
    pub fn all_late(&self) -> u64 {
        self.late + self.backlog_late + self.suspended_late
    }
}

impl Add for Lateness {
    type Output = Lateness;

    fn add(self, other: Lateness) -> Lateness {
        Lateness {
            late: self.late + other.late,
            backlog_late: self.backlog_late + other.backlog_late,
            backlog_dropped: self.backlog_dropped + other.backlog_dropped,
            local: self.local + other.local,
            suspended_late: self.suspended_late + other.suspended_late,
            suspended_dropped: self.suspended_dropped + other.suspended_dropped,
            unreached: self.unreached + other.unreached,
            before_joining: self.before_joining + other.before_joining,
        }
    }
}

impl Sum for Lateness {
    fn sum<I: Iterator<Item = Lateness>>(lateness: I) -> Lateness {
        lateness.fold(Lateness::default(), Lateness::add)
    }
}
