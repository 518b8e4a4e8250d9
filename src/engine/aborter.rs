//! Stops a run as soon as one of its thresholds can no longer be met.

use super::audit_feed::AuditFeed;
use super::{Run, Targets};
use crate::base::{Moment, Nanos};
use crate::core::schedule::Schedule;
use crate::core::stats::{Counters, Tally};
use crate::core::threshold::{Ahead, Measurements, Threshold, WholeSchedule};
use crate::system::Stop;
use std::sync::OnceLock;

/// The time between two checks. Checking a percentile or a mean takes time in proportion to its histogram's bins.
const LOOK_EVERY: Nanos = Nanos(1_000_000_000);

pub(super) struct Aborter<'a> {
    thresholds: &'a [Threshold],
    schedule: &'a Schedule,
    counters: &'a Counters,
    whole: WholeSchedule,
    start: Moment,
    next_look: Moment,
    stop: &'a Stop,
    /// The index of the threshold that stopped the run.
    aborted_by: &'a OnceLock<usize>,
}

impl<'a> Aborter<'a> {
    /// Returns `None` if the plan has no thresholds, or no threshold stops its run, or if it is judged with other stripes.
    pub fn new<T: Targets>(run: &'a Run<'a, T>, start: Moment) -> Option<Aborter<'a>> {
        let thresholds = &run.plan.thresholds;
        let is_judged = run.plan.is_whole() && !thresholds.all.is_empty();
        if !thresholds.abort_on_fail || !is_judged {
            return None;
        }
        Some(Aborter {
            thresholds: &thresholds.all,
            schedule: &run.plan.schedule,
            counters: &run.counters,
            whole: WholeSchedule::of(&run.plan.schedule, run.targets.names().len()),
            start,
            next_look: start + LOOK_EVERY,
            stop: run.stop,
            aborted_by: &run.aborted_by,
        })
    }

    /// Checks the thresholds, at most once a second. If one can no longer be met, stops the run and returns it. After
    /// the end of the schedule, or after a stop, there is nothing left to stop.
    pub fn look(&mut self, tally: &Tally, audit_feed: Option<&AuditFeed>) -> Option<&'a Threshold> {
        let now = Moment::now();
        let followed = now.since(self.start);
        let ended = self.schedule.end().is_some_and(|end| end <= followed);
        // The stop is read after the clock, so without a stop the schedule was followed at least until `now`.
        if now < self.next_look || ended || self.stop.is_requested() {
            return None;
        }
        self.next_look = now + LOOK_EVERY;
        let ledgers = self.counters.ledgers();
        let broken = audit_feed.is_some_and(AuditFeed::is_broken);
        let lateness = tally.lateness(self.counters);
        let measurements = Measurements::so_far(&ledgers, tally, &lateness, followed, broken);
        let ahead = Ahead::RestOf(&self.whole);
        let lost = |threshold: &Threshold| !threshold.may_be_met(&measurements, ahead);
        let place = self.thresholds.iter().position(lost)?;
        let _ = self.aborted_by.set(place);
        self.stop.request();
        Some(&self.thresholds[place])
    }
}
