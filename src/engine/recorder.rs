//! The reporter's record of what happened when: by phase of the schedule, and by second for observers that want it.

use super::{Observer, Run, Start, Targets};
use crate::base::{Moment, Nanos, Sample};
use crate::core::stats::{Known, PerSecond, PhaseTallies, Phases, Second, Seconds};
use std::ops::Range;
use std::sync::Arc;

pub(super) struct Recorder<'a, T: Targets> {
    run: &'a Run<'a, T>,
    start: Moment,
    phases: Phases<'a>,
    /// `None` if the observer wants no seconds.
    seconds: Option<Seconds<'a>>,
    wants_samples: bool,
    dropped: Vec<Range<u64>>,
}

/// Passes seconds on to an observer.
struct Passed<'a>(&'a mut dyn Observer);

impl PerSecond for Passed<'_> {
    fn second(&mut self, second: &Arc<Second>) {
        self.0.second(second);
    }
}

impl<'a, T: Targets> Recorder<'a, T> {
    pub fn new(run: &'a Run<'a, T>, start: &Start, observer: &dyn Observer) -> Self {
        let schedule = &run.plan.schedule;
        let seconds = || Seconds::new(schedule, run.targets.names().len(), start.at);
        Recorder {
            run,
            start: start.at,
            phases: Phases::new(schedule),
            seconds: observer.wants_seconds().then(seconds),
            wants_samples: observer.wants_samples(),
            dropped: Vec::new(),
        }
    }

    pub fn add(&mut self, sample: &Sample, observer: &mut dyn Observer) {
        self.phases.add(sample);
        if let Some(seconds) = &mut self.seconds {
            seconds.add(sample, &mut Passed(observer));
        }
        if self.wants_samples {
            observer.sample(sample);
        }
    }

    /// Every sample sent before `all_taken` has been added.
    pub fn advance(&mut self, all_taken: Moment, observer: &mut dyn Observer) {
        let now = Moment::now();
        observer.samples_taken(now);
        // Read before the counters: nothing that they count is due later than a stop that is not known here.
        let stopped = self.run.stop.requested_at();
        let known = Known {
            now: now.since(self.start),
            all_taken: all_taken.since(self.start),
            handed_over: self.run.counters.scheduled.get(),
            stopped: stopped.map(|at| at.since(self.start)),
        };
        self.run.counters.take_dropped(&mut self.dropped);
        let mut passed = Passed(observer);
        for dropped in self.dropped.drain(..) {
            self.phases.drop_tokens(dropped.clone());
            if let Some(seconds) = &mut self.seconds {
                seconds.add_dropped(dropped, &mut passed);
            }
        }
        if let Some(seconds) = &mut self.seconds {
            seconds.advance(known, &mut passed);
        }
    }

    /// Passes on the last seconds of a run that is over.
    pub fn finish(self, observer: &mut dyn Observer) -> PhaseTallies {
        let stopped = self.run.stop.requested_at();
        let paced = stopped.unwrap_or_else(Moment::now).since(self.start);
        let end = self.run.plan.schedule.end().unwrap_or(Nanos::MAX);
        let paced = paced.min(end);
        let scheduled = self.run.counters.ledger().scheduled;
        if let Some(seconds) = self.seconds {
            seconds.finish(scheduled, paced, &mut Passed(observer));
        }
        self.phases.finish(paced, scheduled)
    }
}
