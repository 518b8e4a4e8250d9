//! What is known of a run, by the spans around its events.

use super::periods::{Periods, TargetPeriod};
use super::{ATTRIBUTED, CoarseHistogram, EffectsParts, GOOD, Histogram};
use crate::base::Nanos;
use crate::core::audit::{AuditReport, PeriodBeyond, TargetBeyond};
use crate::core::events::{EventKind, EventRecord};
use crate::core::outages::Outage;
use crate::core::stats::{OutcomeCounts, Percentiles};
use std::ops::Range;

/// A span before an event with fewer answers is made longer.
const FEWEST_BEFORE: u64 = 20;

/// The requests of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SpanNumbers {
    pub counts: OutcomeCounts,
    /// Admissions that the answer marked as failing open.
    pub failing_open: u64,
    /// Requests that left and were not answered in full, so that they may have been admitted.
    pub unanswered: u64,
    /// Answers that were slow beside those of the period before.
    pub slow: u64,
    /// Requests that never left this machine. They are among the failed ones.
    pub local: u64,
    /// The first and the last done of blocked requests.
    pub blocked: Option<(Nanos, Nanos)>,
    /// done − due of answered requests. The counts are zero for a target of a run with many.
    pub latency: Percentiles,
    /// Admissions that were surely too many, by the promise that is nearest to being kept. `None` without an audit.
    pub beyond: Option<u64>,
}

/// The history of a run with events, in which spans of periods are looked up.
pub(super) struct History<'a> {
    pub parts: &'a EffectsParts,
    pub records: &'a [EventRecord],
    /// `None` without an audit.
    pub audited: Option<Audited<'a>>,
    /// The 99th percentile of latency before each event.
    usual: Vec<Nanos>,
    /// The event with which each outage began, by its place.
    pub causes: Vec<Option<usize>>,
}

/// What the audit says of the promise that is nearest to being kept.
pub(super) struct Audited<'a> {
    /// The admissions that were too many, by period.
    beyond: &'a [PeriodBeyond],
    pub window: Nanos,
}

/// The spans of one event, as periods.
pub(super) struct Spans {
    pub event: usize,
    pub before: Range<usize>,
    pub during: Range<usize>,
    pub after: Option<Range<usize>>,
    pub ended_by: Option<usize>,
}

impl<'a> History<'a> {
    /// The history of these events, in a run that was audited with this result.
    pub fn new(
        parts: &'a EffectsParts,
        records: &'a [EventRecord],
        audit: Option<&'a AuditReport>,
    ) -> History<'a> {
        let audited = audit.and_then(|audit| {
            let nearest = audit.nearest()?;
            Some(Audited {
                beyond: &audit.promises[nearest].beyond.by_period,
                window: audit.window_of(nearest),
            })
        });
        let mut history = History {
            parts,
            records: &records[..records.len().min(parts.watches.len())],
            audited,
            usual: Vec::new(),
            causes: Vec::new(),
        };
        let events = 0..history.records.len();
        history.usual = events.map(|event| history.usual_before(event)).collect();
        let outages = parts.outages.iter();
        history.causes = outages.map(|outage| history.cause_of(outage)).collect();
        history
    }

    pub fn periods(&self) -> &Periods {
        &self.parts.periods
    }

    /// When an event began.
    pub fn begin(&self, event: usize) -> Nanos {
        self.periods().begins()[event]
    }

    /// When its command ended; its begin without one.
    pub fn end(&self, event: usize) -> Nanos {
        let command = self.records[event].command.as_ref();
        let ended = command.and_then(|command| command.ended);
        ended.unwrap_or(self.begin(event)).max(self.begin(event))
    }

    /// The last event with which this outage may have begun. A command that was running then, or had just ended, is a better
    /// reason than a mark.
    fn cause_of(&self, outage: &Outage) -> Option<usize> {
        let events = || (0..self.records.len()).rev();
        let mut may_be = events().filter(|event| self.may_have_caused(*event, outage));
        let last = may_be.next()?;
        if self.records[last].command.is_some() {
            return Some(last);
        }
        let acts = |event: &usize| {
            self.records[*event].command.is_some() && outage.from <= self.end(*event) + GOOD
        };
        Some(may_be.find(acts).unwrap_or(last))
    }

    /// Whether its first failed request was in flight when the event began, or was sent soon after it.
    fn may_have_caused(&self, event: usize, outage: &Outage) -> bool {
        let until = self.end(event) + ATTRIBUTED;
        !self.began_before(event, outage) && outage.from <= until
    }

    /// Whether its first failed request had failed when the event began, or was stuck already: it took long to fail, and had been
    /// under way for longer than requests usually take.
    pub fn began_before(&self, event: usize, outage: &Outage) -> bool {
        let begin = self.begin(event);
        let took = outage.first_done.saturating_sub(outage.from);
        let usual = Nanos(self.usual[event].0.saturating_mul(2).max(took.0 / 10));
        let is_stuck = took >= GOOD && begin.saturating_sub(outage.from) > usual;
        outage.first_done < begin || is_stuck
    }

    fn usual_before(&self, event: usize) -> Nanos {
        let mut latency = Histogram::default();
        for period in self.spans(event).before {
            latency += &self.periods().get(period).latency;
        }
        latency.quantile(0.99)
    }

    pub fn spans(&self, event: usize) -> Spans {
        let undo = |record: &&EventRecord| {
            record.kind == EventKind::Undo && record.name == self.records[event].name
        };
        let later = || self.records.iter().enumerate().skip(event + 1);
        let is_command = self.records[event].kind == EventKind::Command;
        let own = later().find(|(_, record)| is_command && undo(record));
        // A mark that somebody sets while the command is running says something about it, and does not end it.
        let is_apart = |(place, record): &(usize, &EventRecord)| {
            record.command.is_some() || self.begin(*place) >= self.end(event)
        };
        let ended_by = own
            .or_else(|| later().find(is_apart))
            .map(|(place, _)| place);
        let last = self.periods().begins().len();
        let mut first = event;
        let answered = |period: usize| self.periods().get(period).latency.count();
        while first > 0 && (first..=event).map(answered).sum::<u64>() < FEWEST_BEFORE {
            first -= 1;
        }
        // Period n + 1 begins with event n.
        Spans {
            event,
            before: first..event + 1,
            during: event + 1..ended_by.unwrap_or(last) + 1,
            after: ended_by.map(|place| place + 1..place + 2),
            ended_by,
        }
    }

    /// The targets of a scope, in these periods.
    pub fn of_scope(
        &self,
        span: &Range<usize>,
        target: Option<usize>,
    ) -> impl Iterator<Item = (usize, &TargetPeriod)> {
        let periods = span.clone().map(|period| self.periods().get(period));
        periods.flat_map(move |period| of_target(&period.targets, target))
    }

    pub fn numbers(&self, span: &Range<usize>, target: Option<usize>) -> SpanNumbers {
        let mut numbers = SpanNumbers::default();
        let mut latency = CoarseHistogram::empty();
        for (_, period) in self.of_scope(span, target) {
            numbers.counts += &period.counts;
            numbers.failing_open += period.failing_open;
            numbers.unanswered += period.unanswered;
            numbers.slow += period.slow;
            numbers.local += period.local;
            numbers.blocked = match (numbers.blocked, period.blocked) {
                (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
                (one, other) => one.or(other),
            };
            if target.is_some()
                && let Some(more) = &period.latency
            {
                latency += more;
            }
        }
        numbers.latency = latency.percentiles();
        if target.is_none() {
            let mut all = Histogram::default();
            for period in span.clone() {
                all += &self.periods().get(period).latency;
            }
            numbers.latency = all.percentiles();
        }
        let beyond = || self.beyond_in(span, target).map(|(_, one)| one.count);
        numbers.beyond = self.audited.as_ref().map(|_| beyond().sum());
        numbers
    }

    /// The admissions that were too many in these periods, by target.
    pub fn beyond_in(
        &self,
        span: &Range<usize>,
        target: Option<usize>,
    ) -> impl Iterator<Item = (usize, TargetBeyond)> {
        let beyond = self.audited.as_ref().map(|audited| audited.beyond);
        let periods = span.clone().filter_map(move |period| beyond?.get(period));
        let of_scope = periods.flat_map(move |PeriodBeyond(targets)| of_target(targets, target));
        of_scope.map(|(place, beyond)| (place, *beyond))
    }
}

/// What there is of one target, or of all, with the targets' places.
fn of_target<T>(targets: &[T], target: Option<usize>) -> impl Iterator<Item = (usize, &T)> {
    let (first, most) = target.map_or((0, targets.len()), |target| (target, 1));
    targets.iter().enumerate().skip(first).take(most)
}
