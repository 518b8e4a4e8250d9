//! The reporter's counts over time: by phase of the schedule, and by second for observers that want them.

use super::{Observer, Run, Start, Targets};
use crate::base::{Moment, Nanos, Sample};
use crate::core::stats::{PhaseTallies, PhaseTracker, Seconds, Tally, Watermark};
use std::sync::Arc;

pub(super) struct Recorder<'a, T: Targets> {
    run: &'a Run<'a, T>,
    start: Moment,
    phases: PhaseTracker<'a>,
    /// `None` if the observer wants no seconds.
    seconds: Option<Seconds<'a>>,
    wants_samples: bool,
}

impl<'a, T: Targets> Recorder<'a, T> {
    pub fn new(run: &'a Run<'a, T>, start: &Start, observer: &dyn Observer) -> Self {
        let schedule = &run.plan.schedule;
        let seconds = || Seconds::new(schedule, run.targets.names().len(), start.at);
        Recorder {
            run,
            start: start.at,
            phases: PhaseTracker::new(schedule),
            seconds: observer.wants_seconds().then(seconds),
            wants_samples: observer.wants_samples(),
        }
    }

    /// Returns the place of the phase in which the request was due among the phases' tallies.
    pub fn add(&mut self, sample: &Sample, observer: &mut dyn Observer) -> Option<usize> {
        let phase = self.phases.add(sample);
        if let Some(seconds) = &mut self.seconds {
            seconds.add(sample, &mut |second| observer.second(&Arc::new(second)));
        }
        if self.wants_samples {
            observer.sample(sample);
        }
        phase
    }

    /// Passes on a sample of the probe.
    pub fn add_probed(&self, sample: &Sample, observer: &mut dyn Observer) {
        if self.wants_samples {
            observer.probe_sample(sample);
        }
    }

    /// Every sample sent before `all_taken` has been added.
    pub fn advance(&mut self, all_taken: Moment, tally: &mut Tally, observer: &mut dyn Observer) {
        let now = Moment::now();
        observer.samples_taken(now, tally);
        // The stop is read before the counters, so without a stop here, nothing that they count was due after one.
        let stopped = self.run.stop.requested_at();
        let watermark = Watermark {
            now: now.since(self.start),
            samples_added: all_taken.since(self.start),
            handed_over: self.run.counters.scheduled.get(),
            stopped: stopped.map(|at| at.since(self.start)),
        };
        let mut emit = |second| observer.second(&Arc::new(second));
        for dropped in self.run.counters.take_dropped() {
            self.phases.add_dropped(dropped.clone());
            tally.add_dropped(&dropped, self.run.counters.round_robin);
            if let Some(seconds) = &mut self.seconds {
                seconds.add_dropped(dropped, &mut emit);
            }
        }
        if let Some(seconds) = &mut self.seconds {
            seconds.advance(watermark, &mut emit);
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
            seconds.finish(scheduled, paced, &mut |second| {
                observer.second(&Arc::new(second))
            });
        }
        self.phases.finish(paced, scheduled)
    }
}
