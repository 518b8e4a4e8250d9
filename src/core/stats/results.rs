use super::{PhaseTallies, ScheduleVerdict, Snapshot, State, Tally};
use crate::base::{Ledger, Nanos, Target};
use crate::core::audit::{self, probe};
use std::time::SystemTime;

/// What a run was, once it has ended.
#[derive(Debug)]
pub struct Results {
    /// By target, in the plan's order; each of them balances.
    pub ledgers: Vec<Ledger>,
    pub tally: Tally,
    /// By what the schedule did.
    pub phases: PhaseTallies,
    pub verdict: ScheduleVerdict,
    /// Whether the limit was kept, if that was audited.
    pub audit: Option<audit::AuditReport>,
    /// Whether what answers say is true, if that was probed.
    pub probe: Option<probe::ProbeReport>,
    /// The schedule's start by the calendar.
    pub started: SystemTime,
    /// From the schedule's start to the end of pacing.
    pub paced: Nanos,
    /// From the end of pacing to the last answer.
    pub drained: Nanos,
    /// Whether it was stopped before its schedule ended, or while it drained.
    pub interrupted: bool,
    /// The threshold, by its place in the plan, that could no longer be met and so stopped it.
    pub aborted_by: Option<usize>,
}

impl Results {
    /// The totals of all targets.
    pub fn ledger(&self) -> Ledger {
        self.ledgers.iter().copied().sum()
    }

    /// Whether the limit was kept, if that was audited.
    pub fn audited(&self) -> Option<audit::AuditVerdict> {
        let report = self.audit.as_ref();
        report.map(|report| report.verdict(self.verdict.schedule_kept()))
    }

    /// What is seen of the run from now on. `targets` are those it ran against.
    pub fn snapshot(&self, targets: &[Target]) -> Snapshot {
        Snapshot::new(
            State::Ended,
            self.started,
            self.paced + self.drained,
            targets.iter().map(ToString::to_string),
            &self.ledgers,
            &self.tally,
        )
    }
}
