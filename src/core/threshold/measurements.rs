//! The numbers of a run so far, or in the end, and the requests that may still come.

use crate::base::{Ledger, Nanos};
use crate::core::audit;
use crate::core::events::EventRecord;
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::Schedule;
use crate::core::stats::effects::Effects;
use crate::core::stats::{Failures, Lateness, PhaseTallies, Results, ScheduleVerdict, Tally};
use crate::core::stripe::Stripe;

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
    /// `None` while the run goes on.
    pub(super) parts: Option<Parts<'a>>,
}

/// The parts of a run that are known when it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub phases: &'a PhaseTallies,
    /// How many of the unsent requests of each phase may belong to another phase. It is empty if all are known.
    pub unplaced: &'a [u64],
    pub events: &'a [EventRecord],
    pub effects: &'a Effects,
}

/// The requests and the length of a whole schedule.
#[derive(Debug, Clone)]
pub struct WholeSchedule {
    /// Requests by target.
    targets: Vec<u64>,
    length: Nanos,
    pub(super) phases: WholePhases,
}

/// What is known of the phases of a whole schedule of which some results are missing, by the place of a phase's tally in the
/// results.
#[derive(Debug, Clone, Default)]
pub struct WholePhases {
    /// The most requests of each phase. A phase without a number has no more than the schedule.
    pub most: Vec<u64>,
    /// How many of the requests that count as unsent in each phase may belong to another one.
    pub unplaced: Vec<u64>,
    /// Whether the results have every phase with its whole length.
    pub are_over: bool,
}

impl WholeSchedule {
    /// # Panics
    /// If there is no target.
    pub fn of(schedule: &Schedule, targets: usize) -> WholeSchedule {
        WholeSchedule {
            targets: by_target(schedule.total(), targets, schedule.stripe()),
            length: schedule.end().unwrap_or(Nanos::MAX),
            phases: WholePhases::default(),
        }
    }

    /// The schedule of all stripes with so many requests, of this length. Each is `None` if the schedule has no end.
    ///
    /// # Panics
    /// If there is no target.
    pub fn of_all(
        requests: Option<u64>,
        length: Option<Nanos>,
        targets: usize,
        phases: WholePhases,
    ) -> WholeSchedule {
        WholeSchedule {
            targets: by_target(requests, targets, Stripe::WHOLE),
            length: length.unwrap_or(Nanos::MAX),
            phases,
        }
    }
}

/// The requests of a stripe to each target. `None` stands for more than any run sends.
fn by_target(requests: Option<u64>, targets: usize, stripe: Stripe) -> Vec<u64> {
    let mut shares = vec![0; targets];
    let round_robin = RoundRobin::new(targets, stripe);
    for (target, share) in round_robin.shares(0..requests.unwrap_or(u64::MAX)) {
        shares[target] = share;
    }
    shares
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

    /// The most requests, to one target or to all, that may come in addition to this many.
    pub(super) fn beside(self, target: Option<usize>, known: u64) -> u64 {
        let Ahead::RestOf(whole) = self else {
            return 0;
        };
        let all = match target {
            None => whole.targets.iter().sum(),
            Some(place) => whole.targets[place],
        };
        all.saturating_sub(known)
    }

    /// The most requests that may come in the phases at these places, in addition to this many in them, and to so many in all
    /// phases.
    pub(super) fn beside_in_phases(self, places: &[usize], known: u64, in_all: u64) -> u64 {
        let Ahead::RestOf(whole) = self else {
            return 0;
        };
        let most = places.iter().fold(0u64, |sum, place| {
            sum.saturating_add(whole.phases.most.get(*place).copied().unwrap_or(u64::MAX))
        });
        most.saturating_sub(known).min(self.beside(None, in_all))
    }

    /// The longest that phases may become whose length is this one by now.
    pub(super) fn longest_phases(self, length: Nanos) -> Nanos {
        match self {
            Ahead::RestOf(whole) if !whole.phases.are_over => whole.length,
            _ => length,
        }
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
            parts: Some(Parts {
                phases: &results.phases,
                unplaced: &[],
                events: &results.events,
                effects: &results.effects,
            }),
        }
    }

    /// The numbers of a run that goes on. It has been followed for this time, and its audit is broken or not known yet.
    pub fn so_far(
        ledgers: &'a [Ledger],
        tally: &'a Tally,
        lateness: &'a [Lateness],
        followed: Nanos,
        is_broken: bool,
    ) -> Measurements<'a> {
        Measurements {
            ledgers,
            tally,
            followed,
            lateness,
            audit: is_broken.then_some(audit::AuditVerdict::Broken),
            parts: None,
        }
    }
}

impl Measurements<'_> {
    /// The requests of the whole run.
    pub(super) fn ended(&self) -> Ended {
        Ended {
            ledger: self.ledgers.iter().copied().sum(),
            failures: self.tally.failures(),
            failing_open: self.tally.failing_open(),
        }
    }

    /// The verdict on the generator if all requests ahead are sent on time.
    pub(super) fn verdict(&self, ahead: Ahead) -> ScheduleVerdict {
        let ended = self.ended();
        let known = ended.scheduled();
        let ledger = Ledger {
            scheduled: known + ahead.beside(None, known),
            ..ended.ledger
        };
        ScheduleVerdict::new(&ledger, self.lateness.iter().copied().sum())
    }

    pub(super) fn schedule_kept(&self, ahead: Ahead) -> bool {
        self.verdict(ahead).schedule_kept()
    }
}

/// The requests that have come to an end.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its counts of scheduled, sent and failed requests are not used: the first two are ahead of the ends, and the
    /// last one is ahead of the failures by kind.
    pub ledger: Ledger,
    pub failures: Failures,
    /// The allowed requests of which the answers say that the limiter fails open.
    pub failing_open: u64,
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
