//! The numbers of a run so far, or in the end, and the requests that may still come.

use crate::base::{Ledger, Nanos};
use crate::core::audit;
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::Schedule;
use crate::core::stats::{Failures, Lateness, Results, ScheduleVerdict, Tally};

/// The requests that a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// The requests to one target, by its place in the plan, from 0.
    Target(usize),
}

/// The numbers of a run so far, or in the end.
///
/// During a run, ledgers and tally need not be of the same instant. Each counts only requests that have ended, and its
/// counts never decrease.
#[derive(Debug, Clone, Copy)]
pub struct Measurements<'a> {
    /// One ledger for each target, in the plan's order.
    pub ledgers: &'a [Ledger],
    pub tally: &'a Tally,
    /// The time for which the schedule has been followed, up to its end or a stop.
    pub followed: Nanos,
    /// The requests to each target that were late or dropped.
    pub lateness: &'a [Lateness],
    /// The audit's verdict. During the run, this is known only once every promise is proved broken.
    pub audit: Option<audit::AuditVerdict>,
}

/// The requests and the length of a whole schedule.
#[derive(Debug, Clone)]
pub struct WholeSchedule {
    /// Requests by target.
    targets: Vec<u64>,
    length: Nanos,
}

impl WholeSchedule {
    /// # Panics
    /// If there is no target.
    pub fn of(schedule: &Schedule, targets: usize) -> WholeSchedule {
        let total = schedule.total().unwrap_or(u64::MAX);
        let mut shares = vec![0; targets];
        for (target, share) in RoundRobin::new(targets).shares(0..total) {
            shares[target] = share;
        }
        WholeSchedule {
            targets: shares,
            length: schedule.end().unwrap_or(Nanos::MAX),
        }
    }
}

/// The requests that may still come.
#[derive(Debug, Clone, Copy)]
pub enum Ahead<'a> {
    /// The run is over.
    Nothing,
    /// The rest of a schedule at most.
    RestOf(&'a WholeSchedule),
}

impl Ahead<'_> {
    pub(super) fn is_nothing(self) -> bool {
        matches!(self, Ahead::Nothing)
    }

    /// The most requests that may come in addition to this many.
    pub(super) fn beside(self, scope: Scope, known: u64) -> u64 {
        let Ahead::RestOf(whole) = self else {
            return 0;
        };
        let all = match scope {
            Scope::All => whole.targets.iter().sum(),
            Scope::Target(place) => whole.targets[place],
        };
        all.saturating_sub(known)
    }

    /// The longest time for which the schedule may have been followed in the end.
    pub(super) fn longest(self, followed: Nanos) -> Nanos {
        match self {
            Ahead::Nothing => followed,
            Ahead::RestOf(whole) => whole.length,
        }
    }
}

impl<'a> Measurements<'a> {
    /// The final numbers of a run whose schedule ends at `end`, if it does. `tally` is that of the results, or one made of it.
    pub fn of(results: &'a Results, tally: &'a Tally, end: Option<Nanos>) -> Measurements<'a> {
        Measurements {
            ledgers: &results.ledgers,
            tally,
            followed: results.paced.min(end.unwrap_or(Nanos::MAX)),
            lateness: &results.lateness,
            audit: results.audited(),
        }
    }
}

impl Measurements<'_> {
    pub(super) fn ended(&self, scope: Scope) -> Ended {
        match scope {
            Scope::All => Ended {
                ledger: self.ledgers.iter().copied().sum(),
                failures: self.tally.failures(),
            },
            Scope::Target(place) => Ended {
                ledger: self.ledgers[place],
                failures: self.tally.targets[place].failures.clone(),
            },
        }
    }

    /// The verdict on the generator if all requests ahead are sent on time.
    pub(super) fn verdict(&self, ahead: Ahead) -> ScheduleVerdict {
        let ended = self.ended(Scope::All);
        let known = ended.scheduled();
        let ledger = Ledger {
            scheduled: known + ahead.beside(Scope::All, known),
            ..ended.ledger
        };
        ScheduleVerdict::new(&ledger, self.lateness.iter().copied().sum())
    }

    pub(super) fn schedule_kept(&self, ahead: Ahead) -> bool {
        self.verdict(ahead).schedule_kept()
    }

    /// Whether the final numbers in this scope describe the limiter: the generator kept its schedule, and no full backlog
    /// dropped any of these requests.
    pub(super) fn support(&self, scope: Scope) -> bool {
        let lateness = match scope {
            Scope::All => self.lateness,
            Scope::Target(place) => &self.lateness[place..=place],
        };
        let is_whole = lateness.iter().all(|target| target.backlog_dropped == 0);
        is_whole && self.schedule_kept(Ahead::Nothing)
    }
}

/// The requests that have come to an end.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its counts of scheduled, sent and failed requests are not used: the first two are ahead of the ends, and the
    /// last one is ahead of the failures by kind.
    pub ledger: Ledger,
    pub failures: Failures,
}

impl Ended {
    pub fn failed(&self) -> u64 {
        self.failures.by_kind().map(|(_, count)| count).sum()
    }

    pub fn sent(&self) -> u64 {
        self.ledger.allowed + self.ledger.blocked + self.failed() + self.ledger.abandoned
    }

    pub fn scheduled(&self) -> u64 {
        self.sent() + self.not_sent()
    }

    pub fn not_sent(&self) -> u64 {
        self.ledger.dropped + self.ledger.unsent
    }

    /// The requests that ended without an answer that was allowed or blocked.
    pub fn unanswered(&self) -> u64 {
        self.not_sent() + self.ledger.abandoned + self.failed()
    }
}
