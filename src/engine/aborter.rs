//! The reporter's part in thresholds: it stops a run that can no longer meet one.

use super::audit_feed::AuditFeed;
use crate::base::{Moment, Nanos};
use crate::core::plan::Plan;
use crate::core::schedule::Schedule;
use crate::core::stats::{Counters, Tally};
use crate::core::threshold::{Ahead, Seen, Threshold, Whole};
use crate::system::Stop;
use std::sync::OnceLock;

/// How often it looks: each threshold on a percentile or a mean takes as long as a histogram has bins.
const LOOK_EVERY: Nanos = Nanos(1_000_000_000);

#[derive(Debug)]
pub(super) struct Aborter<'a> {
    thresholds: &'a [Threshold],
    schedule: &'a Schedule,
    whole: Whole,
    start: Moment,
    next_look: Moment,
    stop: &'a Stop,
    /// The place of the threshold that stopped the run.
    aborted_by: &'a OnceLock<usize>,
}

impl<'a> Aborter<'a> {
    /// Of a run that starts at `start`, if it is to be stopped.
    pub fn new(
        plan: &'a Plan,
        targets: usize,
        start: Moment,
        stop: &'a Stop,
        aborted_by: &'a OnceLock<usize>,
    ) -> Option<Aborter<'a>> {
        let thresholds = &plan.thresholds;
        let is_asked = thresholds.abort_on_fail && !thresholds.all.is_empty();
        is_asked.then(|| Aborter {
            thresholds: &thresholds.all,
            schedule: &plan.schedule,
            whole: Whole::of(&plan.schedule, targets),
            start,
            next_look: start + LOOK_EVERY,
            stop,
            aborted_by,
        })
    }

    /// Stops the run, once a second at most, and returns the threshold that it can no longer meet. Past the end of the
    /// schedule, or after a stop, there is nothing to stop.
    pub fn look(
        &mut self,
        counters: &Counters,
        tally: &Tally,
        audit_feed: Option<&AuditFeed>,
    ) -> Option<&'a Threshold> {
        let now = Moment::now();
        let followed = now.since(self.start);
        let ended = self.schedule.end().is_some_and(|end| end <= followed);
        // Asked after the clock was: without a stop the schedule was followed at least until then.
        if now < self.next_look || ended || self.stop.is_requested() {
            return None;
        }
        self.next_look = now + LOOK_EVERY;
        let ledgers = counters.ledgers();
        let seen = Seen {
            ledgers: &ledgers,
            tally,
            followed,
            late: tally.late + counters.unsent_late(),
            audit_broken: audit_feed.is_some_and(AuditFeed::is_broken),
        };
        let ahead = Ahead::RestOf(&self.whole);
        let lost = |threshold: &Threshold| !threshold.claim.may_be_met(&seen, ahead);
        let place = self.thresholds.iter().position(lost)?;
        let _ = self.aborted_by.set(place);
        self.stop.request();
        Some(&self.thresholds[place])
    }
}
