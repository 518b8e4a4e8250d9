//! Finds out when no target answers while all workers wait for answers. Requests that are late or dropped then are so because
//! of the targets, and not for want of workers.
//!
//! Workers note when requests end, and how long answers usually take. The pacer, which has a step every few milliseconds while
//! requests come due, watches. It counts only the time between steps that it had as planned, so that a generator without
//! processor time does not blame the targets.

use crate::base::{Moment, Nanos};
use crate::core::stats::Counters;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A shorter time without an answer is no silence.
const SHORTEST: Nanos = Nanos(200_000_000);

/// A time without an answer is a silence only if it is this many times as long as answers usually take.
const TIMES: u64 = 5;

/// Ends of requests that are closer together than this count as one.
const APART: Nanos = Nanos(10_000_000);

/// One request of so many counts for the usual time.
const COUNTED: u64 = 16;

/// How late a step of the pacer may be.
const GRACE: Nanos = Nanos(10_000_000);

/// The most ranges of dropped tokens that are remembered until it is known whether targets are silent.
const RANGES: usize = 1_024;

/// The part that workers and the pacer share.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When a request ended last, by the clock of [`Moment`]; 0 before the first.
    last_end: AtomicU64,
    /// How long answers usually take, in nanoseconds; 0 before the first.
    usual: AtomicU64,
    /// Tokens that were due by this instant, and are late, are so because of a silence.
    until: AtomicU64,
}

impl Silence {
    /// Notes that a request has ended, and how long it took if it was answered. This costs two reads of memory that is seldom
    /// written.
    pub fn ended(&self, place: u64, done: Moment, answered_after: Option<Nanos>) {
        let last = self.last_end.load(Relaxed);
        if done.as_nanos() > last.saturating_add(APART.0) {
            self.last_end.store(done.as_nanos(), Relaxed);
        }
        let usual = self.usual.load(Relaxed);
        // Timeouts say how long loadgen waits, and not how long answers take.
        let counted = answered_after.filter(|_| usual == 0 || place.is_multiple_of(COUNTED));
        if let Some(took) = counted {
            let took = took.0.max(1);
            // A silence must not make itself usual.
            let next = match usual {
                0 => took,
                usual => (usual - usual / 8 + took / 8).min(usual * 2),
            };
            self.usual.store(next.max(1), Relaxed);
        }
    }

    /// Whether a token that was due at this instant, and is late, is so because of a silence.
    pub fn is_why(&self, due: Moment) -> bool {
        due.as_nanos() <= self.until.load(Relaxed)
    }

    /// Whether a time without an answer is so long that targets do not answer in time. Before the first answer, nothing is
    /// known of how long they take.
    fn is_long(&self, time: Nanos) -> bool {
        let usual = self.usual.load(Relaxed);
        usual > 0 && time >= SHORTEST && time >= Nanos(usual) * TIMES
    }
}

/// The pacer's part.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    silence: &'a Silence,
    /// The latest end of a request that was known at the last step.
    last_end: u64,
    stepped: Moment,
    /// When the next step is planned.
    planned: Moment,
    /// For how long no request has ended while due tokens waited for a worker.
    silent: Nanos,
    is_silence: bool,
    /// Tokens that were dropped in that time, before it was known to be a silence.
    dropped: Vec<Range<u64>>,
}

impl<'a> Watch<'a> {
    pub fn new(silence: &'a Silence) -> Watch<'a> {
        Watch {
            silence,
            last_end: 0,
            stepped: Moment::MAX,
            planned: Moment::MAX,
            silent: Nanos::ZERO,
            is_silence: false,
            dropped: Vec::new(),
        }
    }

    /// The pacer has a step. `waits` is whether tokens that are due wait for a worker.
    pub fn step(&mut self, now: Moment, waits: bool, counters: &Counters) {
        let last_end = self.silence.last_end.load(Relaxed);
        if !waits || last_end != self.last_end {
            self.last_end = last_end;
            self.silent = Nanos::ZERO;
            self.is_silence = false;
            self.dropped.clear();
        } else {
            let counted = now.min(self.planned + GRACE).since(self.stepped);
            self.silent = self.silent + counted;
            let begins = !self.is_silence && self.silence.is_long(self.silent);
            if begins && holds_for_all_targets(counters) {
                self.is_silence = true;
                for tokens in self.dropped.drain(..) {
                    blame(counters, tokens);
                }
            }
            if self.is_silence {
                // Workers may need as long again for the tokens that wait by then.
                let until = now + self.silent;
                self.silence.until.store(until.as_nanos(), Relaxed);
            }
        }
        self.stepped = now;
    }

    /// The next step is planned for this instant.
    pub fn plan(&mut self, next: Moment) {
        self.planned = next;
    }

    /// The pacer is about to drop these tokens, of which the first is due at this instant.
    pub fn drop_tokens(&mut self, tokens: Range<u64>, due: Moment, counters: &Counters) {
        if self.is_silence || self.silence.is_why(due) {
            blame(counters, tokens);
            return;
        }
        let has_room = self.dropped.len() < RANGES;
        match self.dropped.last_mut() {
            Some(last) if last.end == tokens.start => last.end = tokens.end,
            _ if has_room => self.dropped.push(tokens),
            _ => {}
        }
    }
}

/// Whether every target has requests that are not answered. If one has none, it has no part in this.
fn holds_for_all_targets(counters: &Counters) -> bool {
    let ledgers = counters.ledgers();
    ledgers.iter().all(|ledger| ledger.in_flight() > 0)
}

/// Counts dropped tokens as dropped because of their targets.
fn blame(counters: &Counters, tokens: Range<u64>) {
    for (target, count) in counters.round_robin.shares(tokens) {
        counters.target(target).backlog_dropped.add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stripe::Stripe;

    const MILLI: u64 = 1_000_000;

    fn at(millis: u64) -> Moment {
        Moment::at(millis * MILLI)
    }

    /// Targets of which answers took so long before, and that each have a request under way.
    fn silent_targets(usual: u64, targets: usize) -> (Silence, Counters) {
        let silence = Silence::default();
        silence.ended(0, at(1_000), Some(Nanos(usual * MILLI)));
        let counters = Counters::new(targets, Stripe::WHOLE);
        (0..targets).for_each(|target| counters.target(target).sent.add(1));
        counters.scheduled.add(1_000);
        (silence, counters)
    }

    /// Steps every 5 ms between these instants, as planned.
    fn step(watch: &mut Watch, (from, to): (u64, u64), waits: bool, counters: &Counters) {
        for now in (from..to).step_by(5) {
            watch.step(at(now), waits, counters);
            watch.plan(at(now + 5));
        }
    }

    #[test]
    fn what_is_late_in_a_silence_and_soon_after_it_is_late_because_of_the_targets() {
        let (silence, counters) = silent_targets(2, 3);
        let mut watch = Watch::new(&silence);
        step(&mut watch, (1_000, 1_150), true, &counters);
        assert!(!silence.is_why(at(1_100)));
        step(&mut watch, (1_150, 3_000), true, &counters);
        assert!(silence.is_why(at(1_100)) && silence.is_why(at(3_500)));
        assert!(!silence.is_why(at(5_100)));
    }

    #[test]
    fn tokens_that_are_dropped_in_a_silence_are_blamed_on_their_targets_from_its_begin() {
        let (silence, counters) = silent_targets(2, 2);
        let mut watch = Watch::new(&silence);
        let blamed = || [0, 1].map(|target| counters.target(target).backlog_dropped.get());
        step(&mut watch, (1_000, 1_100), true, &counters);
        watch.drop_tokens(10..14, at(1_100), &counters);
        watch.drop_tokens(14..15, at(1_100), &counters);
        assert_eq!(blamed(), [0, 0]);
        step(&mut watch, (1_100, 1_400), true, &counters);
        assert_eq!(blamed(), [3, 2]);
        watch.drop_tokens(20..22, at(1_400), &counters);
        assert_eq!(blamed(), [4, 3]);
    }

    #[test]
    fn targets_that_are_as_slow_as_ever_are_not_silent() {
        let (silence, counters) = silent_targets(500, 1);
        let mut watch = Watch::new(&silence);
        step(&mut watch, (1_000, 3_000), true, &counters);
        watch.drop_tokens(10..12, at(3_000), &counters);
        assert!(!silence.is_why(at(1_100)));
        assert_eq!(counters.target(0).backlog_dropped.get(), 0);
    }

    #[test]
    fn targets_that_answer_or_have_no_request_are_not_silent() {
        let (silence, counters) = silent_targets(2, 1);
        let mut watch = Watch::new(&silence);
        for round in 0..10 {
            let from = 1_000 + round * 150;
            silence.ended(1, at(from), Some(Nanos(2 * MILLI)));
            step(&mut watch, (from, from + 150), true, &counters);
        }
        step(&mut watch, (2_500, 5_000), false, &counters);
        assert!(!silence.is_why(at(1_100)));
        let (silence, counters) = silent_targets(2, 2);
        counters.target(1).allowed.add(1);
        let mut watch = Watch::new(&silence);
        step(&mut watch, (1_000, 3_000), true, &counters);
        assert!(!silence.is_why(at(1_100)));
    }

    #[test]
    fn a_generator_without_processor_time_does_not_blame_the_targets() {
        let (silence, counters) = silent_targets(2, 1);
        let mut watch = Watch::new(&silence);
        for now in (1_000..9_000).step_by(1_000) {
            watch.step(at(now), true, &counters);
            watch.plan(at(now + 5));
            silence.ended(1, at(now + 20), Some(Nanos(20 * MILLI)));
        }
        assert!(!silence.is_why(at(1_100)));
    }

    #[test]
    fn a_silence_does_not_become_usual() {
        let silence = Silence::default();
        let after = |millis: u64| Some(Nanos(millis * MILLI));
        silence.ended(0, at(2), after(2));
        // Nobody knows how long an answer would have taken.
        for request in 1..10_000 {
            silence.ended(request, at(16_000), None);
        }
        assert!(silence.is_long(SHORTEST));
        for request in 1..100 {
            silence.ended(request, at(16_000), after(15_000));
        }
        assert!(silence.is_long(Nanos(1_500 * MILLI)));
        for request in 0..2_000 {
            silence.ended(request, at(20_002), after(2));
        }
        assert!(silence.is_long(SHORTEST) && !silence.is_long(Nanos(199 * MILLI)));
    }
}
