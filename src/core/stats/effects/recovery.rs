//! How answers became right again after an event.

use super::GOOD;
use super::history::{History, Spans};
use super::watch::Pair;
use crate::base::Nanos;
use crate::core::events::CommandEnd;
use std::ops::Range;

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
    /// Until the last admission that was too many, or marked as failing open; zero without any. `None` if nothing shows that.
    pub kept: Option<Nanos>,
    /// What that admission was. `None` without any.
    pub last_excess: Option<Excess>,
    /// Until all of it was right. `None` if that was not seen.
    pub total: Option<Nanos>,
    /// Whether it would have been seen that something was not right.
    pub is_known: bool,
    /// Requests that failed later, before the event after that.
    pub failed_later: bool,
}

/// What shows that a limiter fails open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// An admission beyond the limit.
    Beyond,
    /// An answer that says so.
    Marked,
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

/// The harm that an event did to a scope.
#[derive(Clone, Copy)]
pub(super) struct Harm<'a> {
    /// Requests failed.
    pub has_failed: bool,
    /// The targets that failed, each by itself.
    pub targets: &'a [usize],
    /// It failed open.
    pub is_open: bool,
    /// Answers said so.
    pub is_marked: bool,
}

impl History<'_> {
    /// How the answers became right again: those of the targets that the event did harm to. If it did to none of them alone, all
    /// targets of the scope are taken together.
    pub(super) fn recovery(
        &self,
        spans: &Spans,
        target: Option<usize>,
        harm: Harm<'_>,
    ) -> Recovery {
        let places: Vec<_> = match harm.targets {
            _ if !harm.has_failed => Vec::new(),
            [] => vec![target],
            harmed => harmed.iter().copied().map(Some).collect(),
        };
        let (from, from_at, span) = self.recovers_from(spans, target, &places);
        let watch = |place: Option<usize>| match from {
            RecoveryFrom::Event(event) => self.watch(event, place).from_begin,
            _ => self.watch(spans.event, place).since_harm(),
        };
        let watches: Vec<_> = places.iter().copied().map(watch).collect();
        let since = |at: Nanos| at.saturating_sub(from_at);
        let good: Option<Vec<_>> = watches.iter().map(|watch| Some(watch.good?.done)).collect();
        let good = good.map(|all| all.into_iter().max().map_or(Nanos::ZERO, since));
        let failed_later = watches.iter().zip(&places).any(|(watch, place)| {
            let sent = watch.good.map(|good| good.sent);
            sent.is_some() && self.last_failed(&span, *place) > sent
        });

        let excess = self.last_excess_of_row(&span, target);
        let numbers = self.numbers(&span, target);
        let is_shown = harm.is_marked || numbers.beyond.is_some() && numbers.blocked.is_some();
        let kept = match excess {
            Some((at, _)) => Some(since(at)),
            None => is_shown.then_some(Nanos::ZERO),
        };
        let is_over = |at: Nanos| at + GOOD <= self.parts.paced;
        let has_ended = excess.is_none_or(|(at, _)| is_over(at));
        let is_known = !harm.is_open || !has_ended || kept.is_some() && is_over(from_at);
        let total = good.map(|good| good.max(kept.unwrap_or_default()));
        Recovery {
            from,
            from_at,
            first_answer: watches
                .iter()
                .filter_map(|watch| watch.first_answer)
                .min()
                .map(since),
            good_second: good.filter(|_| !places.is_empty()),
            kept,
            last_excess: excess.map(|(_, excess)| excess),
            total: total.filter(|_| is_known && has_ended),
            is_known,
            failed_later,
        }
    }

    /// From where on a recovery is counted, with the periods to look at: from the end of the event's own command, if all was
    /// right before the event that ended it began, and otherwise from there. These targets have failed.
    fn recovers_from(
        &self,
        spans: &Spans,
        target: Option<usize>,
        failed: &[Option<usize>],
    ) -> (RecoveryFrom, Nanos, Range<usize>) {
        let has_healed = |ended: Nanos, place: Option<usize>| {
            let own = self.watch(spans.event, place).from_failure.good;
            own.is_some_and(|good| {
                let is_last = self.last_failed(&spans.during, place) < Some(good.sent);
                // Answers that came only after the event that ended it are no sign that it healed before.
                is_last && good.sent + GOOD <= ended && good.last_done < ended
            })
        };
        let ending = spans.ended_by.filter(|place| {
            let ended = self.begin(*place);
            let last = self.last_excess(&spans.during, target);
            let is_closed = last.is_none_or(|(at, _)| at + GOOD <= ended);
            !is_closed || !failed.iter().all(|place| has_healed(ended, *place))
        });
        match ending {
            Some(place) => {
                let after = spans.after.clone().unwrap_or_default();
                (RecoveryFrom::Event(place), self.begin(place), after)
            }
            None => {
                let (from, at) = self.own_end(spans.event);
                (from, at, spans.during.clone())
            }
        }
    }

    /// The last admission of a span that was too many, or marked as failing open.
    fn last_excess(&self, span: &Range<usize>, target: Option<usize>) -> Option<(Nanos, Excess)> {
        let beyond = self.beyond_in(span, target).map(|(_, one)| one.last);
        let beyond = beyond.filter(|last| *last > Nanos::ZERO).max();
        let of_scope = self.of_scope(span, target);
        let marked = of_scope.filter_map(|(_, period)| period.last_open).max();
        match (beyond, marked) {
            (Some(beyond), marked) if marked.is_none_or(|marked| marked <= beyond) => {
                Some((beyond, Excess::Beyond))
            }
            (_, marked) => marked.map(|marked| (marked, Excess::Marked)),
        }
    }

    /// The last such admission of a span. If it came less than a second before the next period, and that has one, too, it is that
    /// period's last one, and so on.
    fn last_excess_of_row(
        &self,
        span: &Range<usize>,
        target: Option<usize>,
    ) -> Option<(Nanos, Excess)> {
        let mut last = self.last_excess(span, target)?;
        for next in span.end..self.periods().begins().len() + 1 {
            // Period n + 1 begins with event n.
            let goes_on = last.0 + GOOD > self.begin(next - 1);
            match self.last_excess(&(next..next + 1), target) {
                Some(later) if goes_on => last = later,
                _ => break,
            }
        }
        Some(last)
    }

    /// The sent of the last failed request of a span.
    fn last_failed(&self, span: &Range<usize>, target: Option<usize>) -> Option<Nanos> {
        let of_scope = self.of_scope(span, target);
        of_scope.filter_map(|(_, period)| period.last_failed).max()
    }

    fn watch(&self, event: usize, target: Option<usize>) -> &Pair {
        let watches = &self.parts.watches[event];
        target.map_or(&watches.all, |target| &watches.targets[target])
    }

    /// The end of an event's command, or its begin if it has none that ended by itself.
    fn own_end(&self, event: usize) -> (RecoveryFrom, Nanos) {
        let command = self.records[event].command.as_ref();
        let by_itself = command.filter(|command| command.end != CommandEnd::Stopped);
        match by_itself.and_then(|command| command.ended) {
            Some(_) => (RecoveryFrom::OwnEnd, self.end(event)),
            None => (RecoveryFrom::OwnBegin, self.begin(event)),
        }
    }
}
