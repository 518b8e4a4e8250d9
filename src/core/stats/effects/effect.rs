use super::periods::{FirstFelt, Periods, TargetPeriod};
use super::watch::Pair;
use super::{ATTRIBUTED, CoarseHistogram, EffectsParts, GOOD, Histogram, significance};
use crate::base::{FailureCause, Nanos};
use crate::core::audit::{AuditReport, PeriodBeyond, TargetBeyond};
use crate::core::events::{EventKind, EventRecord};
use crate::core::outages::Outage;
use crate::core::stats::{Failures, OutcomeCounts, Percentiles};
use std::ops::Range;

/// A span before an event with fewer answers is made longer.
const FEWEST_BEFORE: u64 = 20;

/// With fewer slow answers, answers were not slow.
const FEWEST_SLOW: u64 = 3;

/// What all events of a run did.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// In the order of the events' records.
    pub events: Vec<Effect>,
    /// All spans in which targets failed.
    pub outages: Vec<ObservedOutage>,
}

/// A span in which targets failed.
#[derive(Debug, Clone)]
pub struct ObservedOutage {
    pub outage: Outage,
    /// The event with which it began, by its place.
    pub event: Option<usize>,
}

/// What one event did.
#[derive(Debug, Clone)]
pub struct Effect {
    /// From its begin to the begin of the event that ended it, or to the end of the run.
    pub during: Range<Nanos>,
    /// The event that ended it, by its place: its undo, or the next event. `None` if there was none.
    pub ended_by: Option<usize>,
    pub all: ScopeEffect,
    /// By target, in the plan's order.
    pub targets: Vec<ScopeEffect>,
    /// The failures during it.
    pub failures: Failures,
    /// done − due of the answered requests during it.
    pub latency: Histogram,
}

/// What an event did to one target, or to all.
#[derive(Debug, Clone)]
pub struct ScopeEffect {
    pub before: SpanNumbers,
    pub during: SpanNumbers,
    /// `None` if no event ended it.
    pub after: Option<SpanNumbers>,
    pub failed: Failed,
    /// Whether requests were admitted beyond the limit, or marked as failing open, because of it. `None` if that could not
    /// have been seen.
    pub open: Option<bool>,
    pub is_slow: bool,
    /// The first request that felt it.
    pub felt: Option<Felt>,
    /// `None` if it did nothing that there is to recover from.
    pub recovery: Option<Recovery>,
}

/// Whether requests failed because of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    No,
    Yes,
    /// They failed already when it began.
    Before,
}

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
    /// done − due of answered requests. The counts are zero for a target of a run with many.
    pub latency: Percentiles,
    /// Admissions that were surely too many, by the promise that is nearest to being kept. `None` without an audit.
    pub beyond: Option<u64>,
}

/// The first request that felt an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Felt {
    /// From the event's begin to the instant at which the request was sent; zero if it was in flight.
    pub after: Nanos,
    pub sequence: u64,
    /// The target's place.
    pub target: usize,
    pub how: Feeling,
}

/// How a request felt an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feeling {
    /// It failed.
    Failed(FailureCause),
    /// It was answered slowly.
    Slow,
    /// It was admitted with an answer that says that the limiter failed open.
    FailingOpen,
    /// It was admitted beyond the limit.
    Beyond,
}

/// How answers became right again. Each time is counted from the same instant; zero if that was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    pub from: RecoveryFrom,
    /// The instant, since the schedule's start.
    pub from_at: Nanos,
    /// Until the first answer of a target that failed.
    pub first_answer: Option<Nanos>,
    /// Until the end of the first answered request after which none failed for a second, of every target that failed.
    pub good_second: Option<Nanos>,
    /// Until the last admission that was too many, or marked as failing open; zero without any. `None` without an audit.
    pub kept: Option<Nanos>,
    /// Until all of it was right. `None` if that was not seen.
    pub total: Option<Nanos>,
    /// Requests that failed later, before the event after that.
    pub failed_later: bool,
}

/// The instant from which a recovery is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryFrom {
    /// The begin of the event that ended it, by its place.
    Event(usize),
    /// The end of its own command.
    OwnEnd,
    /// Its own begin: it has no command, or one that did not end.
    OwnBegin,
}

impl Effects {
    /// The effects of these events, in a run that was audited with this result.
    pub fn of(
        parts: &EffectsParts,
        records: &[EventRecord],
        audit: Option<&AuditReport>,
    ) -> Effects {
        let nearest = audit.and_then(|audit| Some(&audit.promises[audit.nearest()?]));
        let making = Making {
            parts,
            records: &records[..records.len().min(parts.watches.len())],
            beyond: nearest.map(|promise| &promise.beyond.by_period[..]),
        };
        making.effects()
    }
}

struct Making<'a> {
    parts: &'a EffectsParts,
    records: &'a [EventRecord],
    /// By period. `None` without an audit.
    beyond: Option<&'a [PeriodBeyond]>,
}

/// The spans of one event, as periods.
struct Spans {
    event: usize,
    before: Range<usize>,
    during: Range<usize>,
    after: Option<Range<usize>>,
    ended_by: Option<usize>,
}

impl Making<'_> {
    fn effects(&self) -> Effects {
        Effects {
            outages: self.outages(),
            events: (0..self.records.len())
                .map(|event| self.effect(event))
                .collect(),
        }
    }

    /// The outages of all targets. Those that began with one event, or with none, at one time are one.
    fn outages(&self) -> Vec<ObservedOutage> {
        let mut outages: Vec<ObservedOutage> = Vec::new();
        for outage in &self.parts.outages {
            let event = self.event_of(outage);
            let is_one = |other: &&mut ObservedOutage| {
                let overlaps = other.outage.from <= outage.to && outage.from <= other.outage.to;
                other.event == event && overlaps
            };
            match outages.iter_mut().find(is_one) {
                Some(other) => other.outage.merge(outage.clone()),
                None => outages.push(ObservedOutage {
                    outage: outage.clone(),
                    event,
                }),
            }
        }
        outages
    }

    fn periods(&self) -> &Periods {
        &self.parts.periods
    }

    /// When an event began.
    fn begin(&self, event: usize) -> Nanos {
        self.periods().begins()[event]
    }

    /// When its command ended; its begin without one.
    fn end(&self, event: usize) -> Nanos {
        let command = self.records[event].command.as_ref();
        let ended = command.and_then(|command| command.ended);
        ended.unwrap_or(self.begin(event)).max(self.begin(event))
    }

    /// The last event with which this outage may have begun.
    fn event_of(&self, outage: &Outage) -> Option<usize> {
        let mut events = (0..self.records.len()).rev();
        events.find(|event| self.may_have_caused(*event, outage))
    }

    /// Whether its first failed request was in flight when the event began, or was sent soon after it.
    fn may_have_caused(&self, event: usize, outage: &Outage) -> bool {
        let until = self.end(event) + ATTRIBUTED;
        outage.first_done >= self.begin(event) && outage.from <= until
    }

    fn spans(&self, event: usize) -> Spans {
        let undo = |record: &&EventRecord| {
            record.kind == EventKind::Undo && record.name == self.records[event].name
        };
        let later = || self.records.iter().enumerate().skip(event + 1);
        let is_command = self.records[event].kind == EventKind::Command;
        let own = later().find(|(_, record)| is_command && undo(record));
        let ended_by = own.or(later().next()).map(|(place, _)| place);
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

    fn effect(&self, event: usize) -> Effect {
        let spans = self.spans(event);
        let watches = &self.parts.watches[event];
        let targets = watches.targets.len();
        let of_targets: Vec<_> = (0..targets)
            .map(|target| {
                let failed = self.failed(&spans, target);
                let harmed = [target];
                let harmed = if failed == Failed::Yes {
                    &harmed[..]
                } else {
                    &[]
                };
                self.scope(&spans, Some(target), failed, harmed)
            })
            .collect();
        let any = |failed| of_targets.iter().any(|one| one.failed == failed);
        let failed = if any(Failed::Yes) {
            Failed::Yes
        } else if any(Failed::Before) {
            Failed::Before
        } else {
            Failed::No
        };
        let places = of_targets.iter().enumerate();
        let harmed = places.filter(|(_, one)| one.failed == Failed::Yes);
        let harmed: Vec<_> = harmed.map(|(place, _)| place).collect();
        let mut all = self.scope(&spans, None, failed, &harmed);
        // Few failures of each of many targets may be many in all.
        if all.failed == Failed::No && self.is_more_failed(&spans, None) {
            all = self.scope(&spans, None, Failed::Yes, &[]);
        }
        let mut failures = Failures::default();
        let mut latency = Histogram::default();
        for period in spans.during.clone() {
            let period = self.periods().get(period);
            failures += &period.failures();
            latency += &period.latency;
        }
        let until = spans.ended_by.map(|place| self.begin(place));
        Effect {
            during: self.begin(event)..until.unwrap_or(self.parts.paced.max(self.begin(event))),
            ended_by: spans.ended_by,
            all,
            targets: of_targets,
            failures,
            latency,
        }
    }

    fn failed(&self, spans: &Spans, target: usize) -> Failed {
        let begin = self.begin(spans.event);
        let of_target = |outage: &&Outage| outage.targets.contains(&(target as u32));
        let outages = || self.parts.outages.iter().filter(of_target);
        let goes_on = |outage: &Outage| outage.first_done < begin && outage.to > begin;
        if outages().any(goes_on) {
            return Failed::Before;
        }
        let until = self.end(spans.event) + ATTRIBUTED;
        let ended = spans.ended_by.map_or(Nanos::MAX, |place| self.begin(place));
        let begins = |outage: &Outage| {
            outage.first_done >= begin && outage.from <= until && outage.from < ended
        };
        if outages().any(begins) || self.is_more_failed(spans, Some(target)) {
            Failed::Yes
        } else {
            Failed::No
        }
    }

    /// Whether more failed during an event than before, without the failures of outages that began later.
    fn is_more_failed(&self, spans: &Spans, target: Option<usize>) -> bool {
        let begin = self.begin(spans.event);
        let others = self.parts.outages.iter().filter(|outage| {
            let is_of_scope = |target| outage.targets.contains(&(target as u32));
            let began_later =
                outage.first_done >= begin && !self.may_have_caused(spans.event, outage);
            target.is_none_or(is_of_scope) && began_later
        });
        let others: u64 = others.map(|outage| outage.failed).sum();
        let [before, during] =
            [&spans.before, &spans.during].map(|span| self.numbers(span, target));
        let (now, then) = (&during.counts, &before.counts);
        let failed = now.failed.saturating_sub(others);
        significance::is_more(failed, now.sent, then.failed, then.sent)
    }

    /// What an event did to a scope, of which these targets failed.
    fn scope(
        &self,
        spans: &Spans,
        target: Option<usize>,
        failed: Failed,
        harmed: &[usize],
    ) -> ScopeEffect {
        let [before, during] =
            [&spans.before, &spans.during].map(|span| self.numbers(span, target));
        let after = spans.after.as_ref().map(|span| self.numbers(span, target));
        let open = open(&before, &during);
        let answered = during.counts.allowed + during.counts.blocked;
        let mut effect = ScopeEffect {
            before,
            during,
            after,
            failed,
            open,
            is_slow: during.slow >= FEWEST_SLOW && during.slow * 100 >= answered,
            felt: None,
            recovery: None,
        };
        effect.felt = self.felt(spans, target, &effect);
        if failed == Failed::Yes || open == Some(true) {
            effect.recovery = Some(self.recovery(spans, target, harmed));
        }
        effect
    }

    /// The targets of a scope, in these periods.
    fn of_scope(
        &self,
        span: &Range<usize>,
        target: Option<usize>,
    ) -> impl Iterator<Item = (usize, &TargetPeriod)> {
        let periods = span.clone().map(|period| self.periods().get(period));
        periods.flat_map(move |period| {
            let targets = period.targets.iter().enumerate();
            targets.filter(move |(place, _)| target.is_none_or(|target| target == *place))
        })
    }

    fn numbers(&self, span: &Range<usize>, target: Option<usize>) -> SpanNumbers {
        let mut numbers = SpanNumbers::default();
        let mut latency = CoarseHistogram::empty();
        for (_, period) in self.of_scope(span, target) {
            numbers.counts += &period.counts;
            numbers.failing_open += period.failing_open;
            numbers.unanswered += period.unanswered;
            numbers.slow += period.slow;
            if target.is_some() {
                latency += &period.latency;
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
        numbers.beyond = self.beyond.map(|_| beyond().sum());
        numbers
    }

    /// The admissions that were too many in these periods, by target.
    fn beyond_in(
        &self,
        span: &Range<usize>,
        target: Option<usize>,
    ) -> impl Iterator<Item = (usize, TargetBeyond)> {
        let periods = span.clone().filter_map(|period| self.beyond?.get(period));
        periods.flat_map(move |PeriodBeyond(targets)| {
            let targets = targets.iter().copied().enumerate();
            targets.filter(move |(place, _)| target.is_none_or(|target| target == *place))
        })
    }

    fn felt(&self, spans: &Spans, target: Option<usize>, effect: &ScopeEffect) -> Option<Felt> {
        let begin = self.begin(spans.event);
        let mut all = Vec::new();
        for (target, period) in self.of_scope(&spans.during, target) {
            let mut feel = |first: Option<FirstFelt>, how: fn(&FirstFelt) -> Option<Feeling>| {
                let felt = first.and_then(|first| Some((first, how(&first)?)));
                all.extend(felt.map(|(first, how)| (first.sent, first.sequence, target, how)));
            };
            if effect.failed == Failed::Yes {
                feel(period.first_failed, |first| {
                    first.cause.map(Feeling::Failed)
                });
            }
            if effect.is_slow {
                feel(period.first_slow, |_| Some(Feeling::Slow));
            }
            if effect.open == Some(true) {
                feel(period.first_open, |_| Some(Feeling::FailingOpen));
            }
        }
        if effect.open == Some(true) {
            let beyond = self.beyond_in(&spans.during, target);
            let first = beyond.filter_map(|(target, beyond)| Some((target, beyond.first?)));
            all.extend(
                first.map(|(target, (sent, number))| (sent, number, target, Feeling::Beyond)),
            );
        }
        let first = all
            .into_iter()
            .min_by_key(|(sent, number, ..)| (*sent, *number));
        first.map(|(sent, sequence, target, how)| Felt {
            after: sent.saturating_sub(begin),
            sequence,
            target,
            how,
        })
    }

    fn watch(&self, event: usize, target: Option<usize>) -> &Pair {
        let watches = &self.parts.watches[event];
        target.map_or(&watches.all, |target| &watches.targets[target])
    }

    /// How the answers of these targets became right again: those of a scope that the event did harm to. Without any, all
    /// targets of the scope are taken together.
    fn recovery(&self, spans: &Spans, target: Option<usize>, harmed: &[usize]) -> Recovery {
        let places: Vec<_> = match harmed {
            [] => vec![target],
            harmed => harmed.iter().copied().map(Some).collect(),
        };
        let ended = spans.ended_by.map_or(Nanos::MAX, |place| self.begin(place));
        let has_healed = |place: Option<usize>| {
            let own = self.watch(spans.event, place).from_failure.good;
            own.is_some_and(|good| {
                let is_last = self.last_failed(&spans.during, place) < Some(good.sent);
                // Answers that came only after the event that ended it are no sign that it healed before.
                is_last && good.sent + GOOD <= ended && good.last_done < ended
            })
        };
        let ending = spans
            .ended_by
            .filter(|_| !places.iter().copied().all(has_healed));
        let (from, from_at, span) = match ending {
            Some(place) => {
                let after = spans.after.clone().unwrap_or_default();
                (RecoveryFrom::Event(place), self.begin(place), after)
            }
            None => (
                self.own_end(spans.event),
                self.end(spans.event),
                spans.during.clone(),
            ),
        };
        let watch = |place: Option<usize>| match ending {
            Some(event) => self.watch(event, place).from_begin,
            None => self.watch(spans.event, place).since_harm(),
        };
        let watches: Vec<_> = places.iter().copied().map(watch).collect();
        let since = |at: Nanos| at.saturating_sub(from_at);
        let good: Option<Vec<_>> = watches.iter().map(|watch| Some(watch.good?.done)).collect();
        let good = good.and_then(|all| all.into_iter().max()).map(since);
        let failed_later = watches.iter().zip(&places).any(|(watch, place)| {
            let sent = watch.good.map(|good| good.sent);
            sent.is_some() && self.last_failed(&span, *place) > sent
        });
        let beyond = self.beyond_in(&span, target);
        let beyond = beyond.map(|(_, one)| one.last_outside).max();
        let of_scope = self.of_scope(&span, target);
        let open = of_scope.filter_map(|(_, period)| period.last_open).max();
        let kept = since(beyond.max(open).unwrap_or_default());
        let kept = (self.beyond.is_some() || open.is_some()).then_some(kept);
        Recovery {
            from,
            from_at,
            first_answer: watches
                .iter()
                .filter_map(|watch| watch.first_answer)
                .min()
                .map(since),
            good_second: good,
            kept,
            total: good.map(|good| good.max(kept.unwrap_or_default())),
            failed_later,
        }
    }

    /// The sent of the last failed request of a span.
    fn last_failed(&self, span: &Range<usize>, target: Option<usize>) -> Option<Nanos> {
        let of_scope = self.of_scope(span, target);
        of_scope.filter_map(|(_, period)| period.last_failed).max()
    }

    fn own_end(&self, event: usize) -> RecoveryFrom {
        let command = self.records[event].command.as_ref();
        match command.and_then(|command| command.ended) {
            Some(_) => RecoveryFrom::OwnEnd,
            None => RecoveryFrom::OwnBegin,
        }
    }
}

/// Whether more was admitted beyond the limit, or marked as failing open, than before. `None` if nothing would have shown it.
fn open(before: &SpanNumbers, during: &SpanNumbers) -> Option<bool> {
    let (now, then) = (during.counts.allowed, before.counts.allowed);
    let is_more = |during, before| significance::is_more(during, now, before, then);
    if is_more(during.failing_open, before.failing_open) {
        return Some(true);
    }
    let beyond = during.beyond.zip(before.beyond);
    match beyond {
        Some((during, before)) if is_more(during, before) => Some(true),
        // As many were too many before: that hides what the event did.
        Some((during, before)) if during > 0 && before > 0 => None,
        Some(_) if during.counts.blocked > 0 || now == 0 => Some(false),
        None if now == 0 => Some(false),
        Some(_) | None => None,
    }
}
