use super::effects::Effects;
use super::{FailureExample, Lateness, PhaseTallies, ScheduleVerdict, Snapshot, State, Tally};
use crate::base::{Ledger, Moment, Nanos, Target};
use crate::core::audit::{self, probe};
use crate::core::events::{EventRecord, EventsSoFar, PlannedEvent};
use std::time::SystemTime;

/// The results of a run that has ended.
#[derive(Debug)]
pub struct Results {
    /// The totals by target, in the plan's order. Each of them balances.
    pub ledgers: Vec<Ledger>,
    /// The requests to each target that were late or dropped, in the plan's order.
    pub lateness: Vec<Lateness>,
    pub tally: Tally,
    /// The requests by phase of the schedule.
    pub phases: PhaseTallies,
    /// The events of the run, in the order in which they began.
    pub events: Vec<EventRecord>,
    /// What each of them did, and the spans in which targets failed.
    pub effects: Effects,
    pub verdict: ScheduleVerdict,
    /// A few failed requests of each kind.
    pub failure_examples: Vec<FailureExample>,
    /// The audit's report, if the run was audited.
    pub audit: Option<audit::AuditReport>,
    /// The report on whether answers tell the truth about the limit, if the audit probed that.
    pub probe: Option<probe::ProbeReport>,
    /// The schedule's start.
    pub start: Moment,
    /// The schedule's start on the system's clock.
    pub started: SystemTime,
    /// How far the wall clock may have been off during the run, by which `started` and the instants in files are too. `None` if
    /// the system does not know.
    pub clock_error: Option<Nanos>,
    /// The requests that were due before the run joined its schedule. They count as unsent.
    pub missed: u64,
    /// From the schedule's start to the end of pacing.
    pub paced: Nanos,
    /// From the end of pacing to the last answer.
    pub drained: Nanos,
    /// Whether the run was stopped before its schedule ended, or while it drained.
    pub interrupted: bool,
    /// The threshold that stopped the run because it could no longer be met, as its index in the plan.
    pub aborted_by: Option<usize>,
}

impl Results {
    pub fn ledger(&self) -> Ledger {
        self.ledgers.iter().copied().sum()
    }

    pub fn audited(&self) -> Option<audit::AuditVerdict> {
        let report = self.audit.as_ref();
        report.map(|report| report.verdict(self.verdict.schedule_kept()))
    }

    /// The last snapshot of the run. `targets` and `events` are those of the plan.
    pub fn snapshot(&self, targets: &[Target], events: &[PlannedEvent]) -> Snapshot {
        let snapshot = Snapshot::new(
            State::Ended,
            self.started,
            self.paced + self.drained,
            targets.iter().map(ToString::to_string),
            &self.ledgers,
            &self.lateness,
            &self.tally,
        );
        Snapshot {
            events: EventsSoFar {
                begun: self.events.clone().into(),
                ..EventsSoFar::of(events)
            },
            ..snapshot
        }
    }
}
