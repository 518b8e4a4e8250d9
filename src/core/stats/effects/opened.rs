//! Whether a limiter failed open because of an event.

use super::history::{History, SpanNumbers, Spans};
use super::{ATTRIBUTED, GOOD, significance};
use crate::base::Nanos;

/// Beside a span in which some admissions were too many, another one differs if at least so many times that share was.
const MUCH: f64 = 5.0;

/// How soon after an event's command admissions have to be too many, if a boundary between windows may be why.
const AT_ONCE: Nanos = Nanos(3_000_000_000);

/// Whether the limiter failed open because of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It did not, and it would have been seen.
    No,
    Yes,
    Unknown(WhyUnknown),
}

/// Why it is not known whether the limiter failed open because of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnknown {
    /// There is no audit, and no answer says so.
    NotAudited,
    /// No key was blocked towards the end of the event, so that nothing shows whether the limit was kept.
    NotTested,
    /// Too many were admitted before, too, or answers said that the limiter failed open.
    OpenBefore,
    /// Too many were admitted. But no key was blocked before, so that it may have been so before, too.
    NotTestedBefore,
    /// So few were admitted beyond the limit that it may be chance that none was before.
    Few,
    /// The first admission that was too many, or marked as failing open, came this long after the event's begin.
    MuchLater(Nanos),
}

impl History<'_> {
    /// Whether more was admitted beyond the limit, or marked as failing open, because of an event.
    pub(super) fn opened(
        &self,
        spans: &Spans,
        target: Option<usize>,
        before: &SpanNumbers,
        during: &SpanNumbers,
    ) -> Opened {
        let begin = self.begin(spans.event);
        let end = self.end(spans.event);
        let since_begin = |first: Nanos, allowed: Nanos| match first <= end + allowed {
            true => Opened::Yes,
            false => Opened::Unknown(WhyUnknown::MuchLater(first.saturating_sub(begin))),
        };
        let is_more =
            |now, then| significance::is_more(now, during.counts.sent, then, before.counts.sent);
        if during.failing_open > 0 {
            let of_scope = self.of_scope(&spans.before, target);
            let last_before = of_scope.filter_map(|(_, period)| period.last_open).max();
            let goes_on = last_before.is_some_and(|last| last + GOOD > begin);
            if goes_on
                || !is_more(during.failing_open, before.failing_open) && last_before.is_some()
            {
                return Opened::Unknown(WhyUnknown::OpenBefore);
            }
            let of_scope = self.of_scope(&spans.during, target);
            let first = of_scope
                .filter_map(|(_, period)| period.first_open)
                .map(|first| first.sent);
            return since_begin(first.min().unwrap_or(begin), ATTRIBUTED);
        }
        if during.counts.allowed == 0 {
            return Opened::No;
        }
        let (Some(audited), Some(now), Some(then)) = (&self.audited, during.beyond, before.beyond)
        else {
            return Opened::Unknown(WhyUnknown::NotAudited);
        };
        if now == 0 {
            return match self.is_tested_to_its_end(spans, during) {
                true => Opened::No,
                false => Opened::Unknown(WhyUnknown::NotTested),
            };
        }
        let share = |of: u64, span: &SpanNumbers| of as f64 / span.counts.sent.max(1) as f64;
        let is_much_more = is_more(now, then) && share(now, during) >= MUCH * share(then, before);
        if then > 0 && !is_much_more {
            return Opened::Unknown(WhyUnknown::OpenBefore);
        }
        let tested = self.tested_before(spans.event, target);
        let tested = tested.filter(|tested| *tested >= GOOD);
        let Some(tested) = tested else {
            return Opened::Unknown(WhyUnknown::NotTestedBefore);
        };
        if !is_much_more {
            return Opened::Unknown(WhyUnknown::Few);
        }
        let beyond = self.beyond_in(&spans.during, target);
        let first = beyond.filter_map(|(_, one)| one.first).min();
        let first = first.map_or(begin, |(sent, _)| sent);
        let window = audited.window;
        // It takes up to a window until so many have been admitted that one is too many.
        let allowed = match tested >= window {
            true => ATTRIBUTED + window,
            false => AT_ONCE,
        };
        since_begin(first, allowed)
    }

    /// Whether keys were blocked towards the end of an event. If the limiter had failed open until then, none would have been.
    fn is_tested_to_its_end(&self, spans: &Spans, during: &SpanNumbers) -> bool {
        let begin = self.begin(spans.event);
        let end = spans.ended_by.map_or(Nanos::MAX, |place| self.begin(place));
        let end = end.min(self.parts.paced);
        let last_part = GOOD.max(Nanos(end.saturating_sub(begin).0 / 10));
        during
            .blocked
            .is_some_and(|(_, last)| last + last_part >= end)
    }

    /// For how long before an event keys had been blocked and nothing was too many. In that time, a limiter that always admits
    /// too many would have done so, unless that depends on a window's boundary. `None` if no key was blocked.
    fn tested_before(&self, event: usize, target: Option<usize>) -> Option<Nanos> {
        let is_kept = |period: &usize| {
            let span = *period..period + 1;
            let beyond = self.beyond_in(&span, target);
            beyond.map(|(_, one)| one.count).sum::<u64>() == 0
        };
        let before = self.spans(event).before;
        // Farther back than the span before, as long as the limit was kept.
        let earlier = (0..before.start).rev().take_while(is_kept);
        let first = earlier.last().unwrap_or(before.start);
        let blocked = self.numbers(&(first..before.end), target).blocked;
        blocked.map(|(first, _)| self.begin(event).saturating_sub(first))
    }
}
