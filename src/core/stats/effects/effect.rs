use super::history::{History, SpanNumbers, Spans};
use super::opened::Opened;
use super::periods::FirstFelt;
use super::recovery::{Harm, Recovery};
use super::{EffectsParts, Histogram, significance};
use crate::base::{FailureCause, Nanos};
use crate::core::audit::AuditReport;
use crate::core::events::EventRecord;
use crate::core::outages::Outage;
use crate::core::stats::Failures;
use std::ops::Range;

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
    /// Whether requests were admitted beyond the limit, or marked as failing open, because of it.
    pub open: Opened,
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

impl Effects {
    /// The effects of these events, in a run that was audited with this result.
    pub fn of(
        parts: &EffectsParts,
        records: &[EventRecord],
        audit: Option<&AuditReport>,
    ) -> Effects {
        History::new(parts, records, audit).effects()
    }
}

impl History<'_> {
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
        for (outage, event) in self.parts.outages.iter().zip(&self.causes) {
            let event = *event;
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
            during: self.begin(event)
                ..until
                    .unwrap_or(Nanos::MAX)
                    .min(self.parts.paced)
                    .max(self.begin(event)),
            ended_by: spans.ended_by,
            all,
            targets: of_targets,
            failures,
            latency,
        }
    }

    fn failed(&self, spans: &Spans, target: usize) -> Failed {
        let begin = self.begin(spans.event);
        let outages = || {
            let outages = self.parts.outages.iter().zip(&self.causes);
            outages.filter(|(outage, _)| outage.targets.contains(&(target as u32)))
        };
        let goes_on = |outage: &Outage| self.began_before(spans.event, outage) && outage.to > begin;
        if outages().any(|(outage, _)| goes_on(outage)) {
            return Failed::Before;
        }
        let ended = spans.ended_by.map_or(Nanos::MAX, |place| self.begin(place));
        let mut of_event = outages().filter(|(_, cause)| **cause == Some(spans.event));
        if of_event.any(|(outage, _)| outage.from < ended)
            || self.is_more_failed(spans, Some(target))
        {
            Failed::Yes
        } else {
            Failed::No
        }
    }

    /// Whether more failed during an event than before, without requests that never left this machine, and without the failures
    /// of outages that began with another event, or with none.
    fn is_more_failed(&self, spans: &Spans, target: Option<usize>) -> bool {
        let begin = self.begin(spans.event);
        let others = self.parts.outages.iter().zip(&self.causes);
        let others = others.filter(|(outage, cause)| {
            let is_of_scope = |target| outage.targets.contains(&(target as u32));
            let is_another = **cause != Some(spans.event) && outage.first_done >= begin;
            target.is_none_or(is_of_scope) && is_another
        });
        let others: u64 = others.map(|(outage, _)| outage.failed).sum();
        let [before, during] =
            [&spans.before, &spans.during].map(|span| self.numbers(span, target));
        let [now, then] = [&during, &before].map(|span| {
            let SpanNumbers { counts, local, .. } = span;
            (counts.failed - local, counts.sent - local)
        });
        let failed = now.0.saturating_sub(others);
        significance::is_more(failed, now.1, then.0, then.1)
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
        let open = self.opened(spans, target, &before, &during);
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
        effect.felt = self.felt(spans, target, &effect, harmed);
        if failed == Failed::Yes || open == Opened::Yes {
            effect.recovery = Some(self.recovery(
                spans,
                target,
                Harm {
                    has_failed: failed == Failed::Yes,
                    targets: harmed,
                    is_open: open == Opened::Yes,
                    is_marked: effect.during.failing_open > 0,
                },
            ));
        }
        effect
    }

    fn felt(
        &self,
        spans: &Spans,
        target: Option<usize>,
        effect: &ScopeEffect,
        harmed: &[usize],
    ) -> Option<Felt> {
        let begin = self.begin(spans.event);
        let mut all = Vec::new();
        for (target, period) in self.of_scope(&spans.during, target) {
            let mut feel = |first: Option<FirstFelt>, how: fn(&FirstFelt) -> Option<Feeling>| {
                let felt = first.and_then(|first| Some((first, how(&first)?)));
                all.extend(felt.map(|(first, how)| (first.sent, first.sequence, target, how)));
            };
            if effect.failed == Failed::Yes && (harmed.is_empty() || harmed.contains(&target)) {
                feel(period.first_failed, |first| {
                    first.cause.map(Feeling::Failed)
                });
            }
            if effect.is_slow {
                feel(period.first_slow, |_| Some(Feeling::Slow));
            }
            if effect.open == Opened::Yes {
                feel(period.first_open, |_| Some(Feeling::FailingOpen));
            }
        }
        if effect.open == Opened::Yes {
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
}
