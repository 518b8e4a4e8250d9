//! The reporter's part in what was when: phases, and what is told of a run while it goes on.

use crate::base::{Moment, Nanos, Sample};
use crate::core::schedule::Schedule;
use crate::core::stats::{Counters, Known, PerSecond, PhaseTallies, Phases, Seconds};
use crate::report::Recording;
use crate::system::Stop;
use std::time::SystemTime;

pub(super) struct Recorder<'a> {
    recording: Recording<'a>,
    /// If anybody is told of them.
    seconds: Option<Seconds<'a>>,
    phases: Phases<'a>,
    schedule: &'a Schedule,
    counters: &'a Counters,
    stop: &'a Stop,
    start: Moment,
    dropped: Vec<std::ops::Range<u64>>,
}

impl<'a> Recorder<'a> {
    /// Of a run that starts at `start`, by the calendar at `started`.
    pub fn new(
        mut recording: Recording<'a>,
        schedule: &'a Schedule,
        counters: &'a Counters,
        stop: &'a Stop,
        targets: usize,
        (start, started): (Moment, SystemTime),
    ) -> Self {
        recording.begin(started);
        if let Some(requests) = &mut recording.requests {
            requests.begin(start);
        }
        let any = !recording.seconds.is_empty();
        Recorder {
            seconds: any.then(|| Seconds::new(schedule, targets, start)),
            recording,
            phases: Phases::new(schedule),
            schedule,
            counters,
            stop,
            start,
            dropped: Vec::new(),
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        self.phases.add(sample);
        if let Some(seconds) = &mut self.seconds {
            seconds.add(sample, &mut self.recording);
        }
        if let Some(requests) = &mut self.recording.requests {
            requests.add(sample);
        }
    }

    /// All that was sent before `all_taken` has been added.
    pub fn advance(&mut self, all_taken: Moment) {
        let now = Moment::now();
        if let Some(requests) = &mut self.recording.requests {
            requests.advance(now);
        }
        // Before the counters are read: what is counted now is not due later than a stop that is not known here.
        let stopped = self.stop.requested_at();
        let known = Known {
            now: now.since(self.start),
            all_taken: all_taken.since(self.start),
            handed_over: self.counters.scheduled.get(),
            stopped: stopped.map(|at| at.since(self.start)),
        };
        self.counters.take_dropped(&mut self.dropped);
        for dropped in self.dropped.drain(..) {
            self.phases.drop_tokens(dropped.clone());
            if let Some(seconds) = &mut self.seconds {
                seconds.add_dropped(dropped, &mut self.recording);
            }
        }
        if let Some(seconds) = &mut self.seconds {
            seconds.advance(known, &mut self.recording);
        }
    }

    /// Tells the rest of a run that is over.
    pub fn finish(mut self) -> PhaseTallies {
        let stopped = self.stop.requested_at();
        let paced = stopped.unwrap_or_else(Moment::now).since(self.start);
        let paced = self
            .schedule
            .end()
            .map_or(paced, |end: Nanos| end.min(paced));
        let scheduled = self.counters.ledger().scheduled;
        if let Some(seconds) = self.seconds.take() {
            seconds.finish(scheduled, paced, &mut self.recording);
        }
        self.phases.finish(paced, scheduled)
    }
}
