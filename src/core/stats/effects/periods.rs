use super::{CoarseHistogram, Histogram};
use crate::base::{Answer, FailureCause, FailureKind, Nanos, Outcome, Sample};
use crate::core::stats::{Failures, OutcomeCounts};

/// With more targets, no latency is kept by target.
const MOST_WITH_LATENCY: usize = 20;

/// The answers before an event of which it is known how slow they were.
const FEWEST_ANSWERS: u64 = 20;

/// How many times the 99th percentile of the period before an answer has to take in order to be slow, and how much longer.
const SLOW_TIMES: u64 = 5;
const SLOW_BY: u64 = 50_000_000;

/// The periods of a run so far: one more than events.
#[derive(Debug)]
pub(super) struct Periods {
    targets: usize,
    begins: Vec<Nanos>,
    periods: Vec<Period>,
}

/// The requests of one period.
#[derive(Debug)]
pub struct Period {
    /// done − due of answered requests.
    pub latency: Histogram,
    pub targets: Vec<TargetPeriod>,
}

/// The requests of one period to one target.
#[derive(Debug)]
pub struct TargetPeriod {
    pub counts: OutcomeCounts,
    /// Admitted requests of which the answer said that the limiter failed open.
    pub failing_open: u64,
    /// Failed requests that were not answered in full, and so may have been admitted.
    pub unanswered: u64,
    pub failures: Failures,
    /// done − due of answered requests. `None` without any, and with many targets.
    pub latency: Option<CoarseHistogram>,
    /// From how long on an answer is slow, beside those of the periods before. `None` if they had too few answers.
    slow_from: Option<Nanos>,
    /// Slow answers.
    pub slow: u64,
    /// The first failed request, by its sent.
    pub first_failed: Option<FirstFelt>,
    /// The sent of the last failed request.
    pub last_failed: Option<Nanos>,
    /// The done of the last admission of which the answer said that the limiter failed open.
    pub last_open: Option<Nanos>,
    /// The first and the last done of blocked requests.
    pub blocked: Option<(Nanos, Nanos)>,
    /// The requests that never left this machine. They are among the failed ones.
    pub local: u64,
    /// The first slow answer, by its sent.
    pub first_slow: Option<FirstFelt>,
    /// The first admission that was marked as failing open, by its sent.
    pub first_open: Option<FirstFelt>,
}

/// The first request that felt something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstFelt {
    pub sequence: u64,
    /// Since the schedule's start.
    pub sent: Nanos,
    /// `None` if it was answered.
    pub cause: Option<FailureCause>,
}

impl Periods {
    pub fn new(targets: usize) -> Periods {
        let mut periods = Periods {
            targets,
            begins: Vec::new(),
            periods: Vec::new(),
        };
        periods.open();
        periods
    }

    /// The instants at which events began.
    pub fn begins(&self) -> &[Nanos] {
        &self.begins
    }

    pub fn get(&self, number: usize) -> &Period {
        &self.periods[number]
    }

    pub fn begin(&mut self, at: Nanos) {
        let last = self.begins.last().copied().unwrap_or_default();
        self.begins.push(at.max(last));
        self.open();
    }

    fn open(&mut self) {
        let slow_from = |target: usize| self.periods.last()?.slow_after(target);
        let targets = (0..self.targets).map(|target| TargetPeriod::new(slow_from(target)));
        let targets = targets.collect();
        self.periods.push(Period {
            latency: Histogram::default(),
            targets,
        });
    }

    /// Returns the number of the sample's period.
    pub fn add(&mut self, sample: &Sample, sent: Nanos, done: Nanos) -> u16 {
        let due = sent.saturating_sub(sample.send_lag());
        let number = self.period(&sample.answer, due, done);
        let has_latency = self.targets <= MOST_WITH_LATENCY;
        self.periods[number].add(sample, sent, done, has_latency);
        u16::try_from(number).unwrap_or(u16::MAX)
    }
}

impl Periods {
    /// The period that a request belongs to, by its number.
    fn period(&self, answer: &Answer, due: Nanos, done: Nanos) -> usize {
        if let Outcome::Failed(kind) = answer.outcome
            && kind != FailureKind::Timeout
        {
            return self.begins.partition_point(|at| *at <= done);
        }
        let began_before = self.begins.partition_point(|at| *at <= due);
        let took = done.saturating_sub(due).0;
        let is_its_time = |at: &Nanos| *at <= done && (*at - due).0 <= took / 10;
        match self.begins.get(began_before) {
            Some(at) if is_its_time(at) => began_before + 1,
            _ => began_before,
        }
    }
}

impl Period {
    pub fn failures(&self) -> Failures {
        let mut sum = Failures::default();
        for target in &self.targets {
            sum += &target.failures;
        }
        sum
    }

    /// From how long on an answer of this target is slow in the next period.
    fn slow_after(&self, target: usize) -> Option<Nanos> {
        let own = &self.targets[target].latency;
        let (count, p99) = if self.targets.len() <= MOST_WITH_LATENCY {
            own.as_ref()
                .map_or((0, Nanos::ZERO), |own| (own.count(), own.quantile(0.99)))
        } else {
            (self.latency.count(), self.latency.quantile(0.99))
        };
        if count < FEWEST_ANSWERS {
            return self.targets[target].slow_from;
        }
        let bound = p99.0.saturating_mul(SLOW_TIMES);
        Some(Nanos(bound.max(p99.0.saturating_add(SLOW_BY))))
    }

    fn add(&mut self, sample: &Sample, sent: Nanos, done: Nanos, has_latency: bool) {
        let target = &mut self.targets[sample.target as usize];
        target.counts.sent += 1;
        target.counts.count(sample.answer.outcome);
        let first = || FirstFelt {
            sequence: sample.sequence,
            sent,
            cause: FailureCause::of(&sample.answer),
        };
        if let Some(cause) = FailureCause::of(&sample.answer) {
            target.failures.add(cause);
            target.last_failed = target.last_failed.max(Some(sent));
            keep_first(&mut target.first_failed, first());
        }
        if let Outcome::Failed(FailureKind::Local | FailureKind::Panic) = sample.answer.outcome {
            target.local += 1;
        }
        if is_unanswered(&sample.answer) {
            target.unanswered += 1;
        }
        if let Some(latency) = sample.latency() {
            self.latency.record(latency);
            if has_latency {
                let of_target = target.latency.get_or_insert_with(CoarseHistogram::empty);
                of_target.record(latency);
            }
            if target.slow_from.is_some_and(|bound| latency > bound) {
                target.slow += 1;
                keep_first(&mut target.first_slow, first());
            }
        }
        if sample.answer.outcome == Outcome::Blocked {
            let (first, last) = target.blocked.unwrap_or((done, done));
            target.blocked = Some((first.min(done), last.max(done)));
        }
        if sample.answer.outcome == Outcome::Allowed && sample.answer.failing_open {
            target.failing_open += 1;
            target.last_open = target.last_open.max(Some(done));
            keep_first(&mut target.first_open, first());
        }
    }
}

/// Whether a request left and was not answered in full, so that it may have been admitted.
fn is_unanswered(answer: &Answer) -> bool {
    let is_lost = match answer.outcome {
        Outcome::Allowed | Outcome::Blocked => false,
        Outcome::Failed(kind) => !kind.is_of_status(),
        Outcome::Abandoned => true,
    };
    answer.transmitted && is_lost
}

fn keep_first(first: &mut Option<FirstFelt>, new: FirstFelt) {
    if first.is_none_or(|first| new.sent < first.sent) {
        *first = Some(new);
    }
}

impl TargetPeriod {
    fn new(slow_from: Option<Nanos>) -> TargetPeriod {
        TargetPeriod {
            counts: OutcomeCounts::default(),
            failing_open: 0,
            unanswered: 0,
            failures: Failures::default(),
            latency: None,
            slow_from,
            slow: 0,
            first_failed: None,
            last_failed: None,
            last_open: None,
            blocked: None,
            local: 0,
            first_slow: None,
            first_open: None,
        }
    }
}
