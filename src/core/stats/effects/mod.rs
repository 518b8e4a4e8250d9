//! What the events of a run did to its answers.
//!
//! The begins of the events divide a run into *periods*. A request that was refused, cut off or answered with a failure belongs
//! to the period in which that happened. Any other request belongs to the period in which it was due, unless an event began
//! before it was done and nine tenths of its latency lie after that: then the event is why it took so long. [`EffectsTally`]
//! takes samples in any order, and events as soon as they have begun.
//!
//! # Effects
//!
//! The effect of an event is read off three spans of whole periods: *before*, the period that it ends; *during*, up to the
//! begin of the event that ends it, which is its undo if that ran, or else the next event; and *after*, the period of that one.
//! A span before with few answers is made longer, up to the run's start.
//!
//! A target *failed* in an event if a span of failures ([`outages`](crate::core::outages)) began with it, at most
//! [`ATTRIBUTED`] after its command had ended, or if so many more of its requests failed than before that chance would show as
//! much less than once in a thousand times. A target that failed already when the event began is not counted. Answers were
//! *slow* if at least three of them, and 1 %, took longer than five times the 99th percentile of the period before, and 50 ms
//! longer.
//!
//! The limiter *failed open* if answers say so that did not say so just before the event, or if more was admitted beyond the limit
//! than before. The latter counts only if keys had been blocked before without an excess: otherwise, a limiter that always admits
//! too many would be blamed on the event. If that was for less than a window, the excess must begin at once, since a limiter with
//! fixed windows admits too much at a boundary. It did *not* fail open if keys were blocked up to the event's end, and
//! nothing was too many. Everything else is unknown.
//!
//! # Right again
//!
//! Answers are *right again* with the end of the first answered request after which no request to its target failed for a
//! second, at every target that failed, and with the last admission that was too many, or was marked as failing open, if a second
//! without one follows. If all was right before the event that ends this one began, the time is counted from the end of the event's
//! own command. Otherwise, it is counted from the begin of the event that ends it. Requests are taken in the order in which they
//! were sent, so that a request that took long to fail counts where it was sent.

mod effect;
mod history;
mod opened;
mod periods;
mod recovery;
mod significance;
mod watch;

pub use effect::{Effect, Effects, Failed, Feeling, Felt, ObservedOutage, ScopeEffect};
pub use history::SpanNumbers;
pub use opened::{Opened, WhyUnknown};
pub use recovery::{Excess, Recovery, RecoveryFrom};

use super::{CoarseHistogram, Histogram, OutcomeCounts, Percentiles};
use crate::base::{Moment, Nanos, Sample};
use crate::core::outages::{Outage, Outages, Response};
use periods::Periods;
use watch::OfEvent;

/// How long after an event's command has ended its failures may begin.
pub const ATTRIBUTED: Nanos = Nanos(10_000_000_000);

/// The time without a failure after which answers are right again.
pub const GOOD: Nanos = Nanos(1_000_000_000);

/// Everything that the effects of events are made of. Its memory depends on the number of events and targets.
#[derive(Debug)]
pub struct EffectsTally {
    start: Moment,
    targets: usize,
    periods: Periods,
    watches: Vec<OfEvent>,
    outages: Outages,
    /// The responses that were not taken in the order of their sents yet.
    responses: Vec<Response>,
}

impl EffectsTally {
    pub fn new(targets: usize, start: Moment) -> EffectsTally {
        EffectsTally {
            start,
            targets,
            periods: Periods::new(targets),
            watches: Vec::new(),
            outages: Outages::by_target(targets, GOOD),
            responses: Vec::new(),
        }
    }

    /// The number of events that have begun.
    pub fn events(&self) -> usize {
        self.watches.len()
    }

    /// What has come since the last event began. `None` without any.
    pub fn since_last(&self) -> Option<SinceEvent> {
        let last = self.events();
        let before = self.periods.get(last.checked_sub(1)?);
        let period = self.periods.get(last);
        let targets = period.targets.iter();
        Some(SinceEvent {
            counts: targets.clone().map(|target| &target.counts).sum(),
            failing_open: targets.map(|target| target.failing_open).sum(),
            before: before.latency.percentiles(),
            since: period.latency.percentiles(),
        })
    }

    /// An event has begun at `at`, since the schedule's start. No sample that was added before was done after that.
    pub fn begin(&mut self, at: Nanos) {
        self.periods.begin(at);
        self.watches.push(OfEvent::new(at, self.targets));
    }

    /// Adds a sample. Returns the number of its period.
    pub fn add(&mut self, sample: &Sample) -> u16 {
        let sent = sample.answer.sent.since(self.start);
        let done = sample.answer.done.since(self.start).max(sent);
        if let Some(response) = Response::of_sample(sample, sent, done) {
            self.responses.push(response);
        }
        self.periods.add(sample, sent, done)
    }

    /// Every sample sent before `watermark`, since the schedule's start, has been added.
    pub fn advance(&mut self, watermark: Nanos) {
        let responses = &mut self.responses;
        responses.sort_unstable_by_key(Response::order);
        let known = responses.partition_point(|response| response.sent < watermark);
        for response in responses.drain(..known) {
            self.outages.add(&response);
            for watch in &mut self.watches {
                watch.add(&response);
            }
        }
    }

    /// Ends a run in which no request was due after `paced`, since the schedule's start.
    pub fn finish(mut self, paced: Nanos) -> EffectsParts {
        self.advance(Nanos::MAX);
        self.outages.end();
        for watch in &mut self.watches {
            watch.finish(paced);
        }
        EffectsParts {
            periods: self.periods,
            watches: self.watches,
            outages: self.outages.into_list(),
            paced,
        }
    }
}

/// What has come since an event began, while the run goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SinceEvent {
    pub counts: OutcomeCounts,
    /// Admissions that the answer marked as failing open.
    pub failing_open: u64,
    /// The percentiles of latency between the event before and this one.
    pub before: Percentiles,
    /// The percentiles of latency since.
    pub since: Percentiles,
}

/// All that was counted of a run that is over. With the records of its events, it becomes [`Effects`].
#[derive(Debug)]
pub struct EffectsParts {
    periods: Periods,
    watches: Vec<OfEvent>,
    outages: Vec<Outage>,
    paced: Nanos,
}

#[cfg(test)]
mod tests;
