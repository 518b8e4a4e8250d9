//! The interface by which the engine reports a run.

use super::SnapshotRequests;
use crate::base::{Ledger, Moment, Nanos, Sample};
use crate::core::events::EventRecord;
use crate::core::schedule::Phase;
use crate::core::stats::{Failures, Second, Tally, TimelineTally};
use crate::core::threshold::Threshold;
use std::sync::Arc;
use std::time::SystemTime;

/// Receives the events of a run as they happen.
///
/// The engine calls the methods in this order:
///
/// 1. [`begin`](Self::begin), once, from the thread that called [`run`](super::run).
/// 2. [`phase`](Self::phase), [`sample`](Self::sample), [`probe_sample`](Self::probe_sample), [`second`](Self::second), [`progress`](Self::progress),
///    [`event`](Self::event), [`abort`](Self::abort) and [`samples_taken`](Self::samples_taken), in any order, from the reporter's thread.
/// 3. [`end`](Self::end), once, from the reporter's thread, when every request has ended.
///
/// No method may wait: while one does, the workers' samples pile up.
pub trait Observer: Send {
    /// Whether [`sample`](Self::sample) is to be called.
    fn wants_samples(&self) -> bool {
        false
    }

    /// Whether [`second`](Self::second) is to be called.
    fn wants_seconds(&self) -> bool {
        false
    }

    /// The requests for snapshots that the engine answers. `None` if nobody needs snapshots.
    fn snapshot_requests(&self) -> Option<&SnapshotRequests> {
        None
    }

    /// The run begins: at least one target has an address, and every thread has been started.
    fn begin(&mut self, _start: &Start) {}

    /// A phase of the schedule has begun.
    fn phase(&mut self, _phase: &Phase) {}

    /// A request has ended. Samples come in no particular order.
    fn sample(&mut self, _sample: &Sample) {}

    /// A request of the audit's probe has ended. Its key is one of the probe's, and its sequence number is the probe's own.
    /// Called if samples are wanted.
    fn probe_sample(&mut self, _sample: &Sample) {}

    /// All samples that the workers had until `now` have been passed on, and are in the tally. Called about ten times a
    /// second.
    fn samples_taken(&mut self, _now: Moment, _tally: &Tally) {}

    /// A second of the schedule is complete. Seconds come in order, without a gap. Keeping the `Arc` for long keeps its
    /// memory from being used again.
    fn second(&mut self, _second: &Arc<Second>) {}

    /// A stats interval has passed, or the run is over.
    fn progress(&mut self, _progress: &Progress) {}

    /// An event has begun, or its command has ended. An event comes before the second in which it began is complete.
    fn event(&mut self, _event: &EventRecord) {}

    /// The run stops because this threshold can no longer be met.
    fn abort(&mut self, _lost: &Threshold) {}

    /// Every request has ended. `missed_phases` phases could not be reported, because too many waited already.
    fn end(&mut self, _missed_phases: u64) {}
}

/// The start of a run.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// The schedule's zero.
    pub at: Moment,
    /// The same instant by the calendar.
    pub by_calendar: SystemTime,
    /// The time that the run waits for the clock before that, if its plan aligns its bursts.
    pub alignment_delay: Option<Nanos>,
    /// The time by which the run is late for its planned start. It joins the schedule there.
    pub late: Nanos,
}

impl Start {
    /// A start at a planned instant, for which the run is late by this much.
    pub(super) fn planned(at: Moment, by_calendar: SystemTime, late: Nanos) -> Start {
        Start {
            at,
            by_calendar,
            alignment_delay: None,
            late,
        }
    }
}

/// The run's totals until now.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The time since the schedule's start.
    pub elapsed: Nanos,
    /// Whether requests still come due.
    pub is_pacing: bool,
    pub totals: Ledger,
    /// Requests sent since the last progress was reported.
    pub newly_sent: u64,
    /// The time since the last progress was reported.
    pub span: Nanos,
    /// The requests that failed since then.
    pub failures: Failures,
}

/// An observer that ignores everything.
impl Observer for () {}

impl Observer for &mut TimelineTally {
    fn wants_seconds(&self) -> bool {
        true
    }

    fn second(&mut self, second: &Arc<Second>) {
        self.add(second);
    }
}
