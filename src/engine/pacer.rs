//! The pacer: hands over each token at the instant it is due.

use super::timer::Timer;
use crate::clock::Moment;
use crate::keys::{Dealer, KeyId};
use crate::schedule::{Nanos, Phase, Schedule};
use crate::stats::Counters;
use crate::stop::Stop;
use crossbeam_channel::{Sender, TrySendError};

/// One scheduled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// From 0, in the order of due times. Its target is this modulo the number of targets.
    pub sequence: u64,
    pub due: Moment,
    pub key: KeyId,
}

pub(super) struct Pacer<'a> {
    pub schedule: &'a Schedule,
    pub start: Moment,
    pub keys: Dealer,
    /// Owned, so that the workers see the end of the queue when the pacer ends.
    pub queue: Sender<Token>,
    pub counters: &'a Counters,
    pub stop: &'a Stop,
}

impl Pacer<'_> {
    /// Ends when the schedule does, even if its last token is due long before, or at a stop.
    ///
    /// One step handles the next thing on the schedule: its end, a new phase, or a token, in this
    /// order where they fall together. The clock is read again only when that lies ahead, so a
    /// pacer that was woken late catches up without waiting.
    pub fn run(mut self, timer: &impl Timer, mut announce: impl FnMut(Phase)) {
        let mut sequence = 0;
        let mut due = self.schedule.due(sequence);
        let mut phase = self.schedule.phase(Nanos::ZERO);
        let end = self.schedule.end();
        let mut now = timer.now();
        while !self.stop.is_requested() {
            let next = [end, phase.end, due]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(Nanos::MAX);
            let at = self.start + next;
            if now < at {
                timer.sleep_until(at, self.stop);
                now = timer.now();
            } else if end == Some(next) {
                break;
            } else if phase.end == Some(next) {
                phase = self.schedule.phase(next);
                announce(phase);
            } else {
                let key = self.keys.deal(sequence);
                let token = Token {
                    sequence,
                    due: at,
                    key,
                };
                let by = now.since(self.start);
                sequence = self.hand_over(token, by);
                due = self.schedule.due(sequence);
            }
        }
    }

    /// Never waits: a token that finds the queue full is dropped, and with it all that have come
    /// due `by` now. So a pacer behind its schedule, whatever the rate, is soon up to it again.
    /// Returns the number of the next token.
    fn hand_over(&self, token: Token, by: Nanos) -> u64 {
        let next = match self.queue.try_send(token) {
            Ok(()) => token.sequence + 1,
            Err(TrySendError::Full(_)) => {
                let next = self.schedule.due_by(by).max(token.sequence + 1);
                self.counters.dropped.add(next - token.sequence);
                next
            }
            // No worker is left to send it, now or later.
            Err(TrySendError::Disconnected(_)) => {
                self.counters.unsent.add(1);
                token.sequence + 1
            }
        };
        self.counters.scheduled.add(next - token.sequence);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;
    use crate::schedule::{Bursts, Mode, Rate, Steady};
    use crossbeam_channel::bounded;
    use std::cell::Cell;

    const SECOND: u64 = 1_000_000_000;

    /// Sleeps take no time and wake `late` after their deadline; each reading costs `step`.
    struct FakeTimer {
        now: Cell<u64>,
        late: u64,
        step: u64,
        sleeps: Cell<u32>,
        stop_at: Option<u64>,
    }

    impl FakeTimer {
        fn new() -> Self {
            FakeTimer {
                now: Cell::new(0),
                late: 0,
                step: 0,
                sleeps: Cell::new(0),
                stop_at: None,
            }
        }
    }

    impl Timer for FakeTimer {
        fn now(&self) -> Moment {
            self.now.set(self.now.get() + self.step);
            Moment::at(self.now.get())
        }

        fn sleep_until(&self, deadline: Moment, stop: &Stop) {
            self.sleeps.set(self.sleeps.get() + 1);
            let mut wake = deadline + Nanos(self.late);
            if let Some(at) = self.stop_at.filter(|at| Moment::at(*at) <= wake) {
                wake = Moment::at(at);
                stop.request();
            }
            self.now
                .set(self.now.get().max(wake.since(Moment::at(0)).0));
        }
    }

    struct Paced {
        tokens: Vec<Token>,
        phases: Vec<(u64, Phase)>,
        counters: Counters,
        ended_at: u64,
    }

    fn pace(schedule: &Schedule, timer: &FakeTimer, capacity: usize) -> Paced {
        let (queue, tokens) = bounded(capacity);
        let (counters, stop) = (Counters::default(), Stop::default());
        let mut phases = Vec::new();
        let keys = Dealer::new(&Keys::new(7, 1), 1);
        let start = Moment::at(0);
        Pacer {
            schedule,
            start,
            keys,
            queue,
            counters: &counters,
            stop: &stop,
        }
        .run(timer, |phase| phases.push((timer.now.get(), phase)));
        Paced {
            tokens: tokens.iter().collect(),
            phases,
            counters,
            ended_at: timer.now.get(),
        }
    }

    fn steady(rps: f64, seconds: u64) -> Schedule {
        let profile = Steady::new(Rate::per_second(rps).unwrap());
        Schedule::new(Box::new(profile), Some(Nanos(seconds * SECOND)))
    }

    #[test]
    fn every_token_is_handed_over_in_order_with_its_scheduled_due_time() {
        let schedule = steady(1_000.0, 2);
        let paced = pace(&schedule, &FakeTimer::new(), 10_000);
        assert_eq!(paced.tokens.len(), 2_000);
        for (k, token) in paced.tokens.iter().enumerate() {
            assert_eq!(token.sequence, k as u64);
            assert_eq!(token.due, Moment::at(k as u64 * SECOND / 1_000));
        }
        assert_eq!(paced.ended_at, 2 * SECOND);
    }

    #[test]
    fn late_wake_ups_never_shift_the_schedule() {
        let mut timer = FakeTimer::new();
        timer.late = 7_300_000;
        let paced = pace(&steady(1_000.0, 1), &timer, 10_000);
        assert_eq!(paced.tokens.len(), 1_000);
        assert_eq!(paced.tokens[999].due, Moment::at(999_000_000));
        // Each wake-up hands over the token it was for and the seven that came due meanwhile.
        assert!(
            timer.sleeps.get() <= 1_000 / 8 + 1,
            "{} sleeps",
            timer.sleeps.get()
        );
    }

    #[test]
    fn a_full_queue_drops_and_never_delays() {
        let timer = FakeTimer::new();
        let paced = pace(&steady(100.0, 1), &timer, 30);
        assert_eq!(paced.tokens.len(), 30);
        let ledger = paced.counters.ledger();
        assert_eq!((ledger.scheduled, ledger.dropped), (100, 70));
        assert_eq!(paced.ended_at, SECOND);
    }

    #[test]
    fn a_rate_that_no_pacer_reaches_still_ends_on_time_with_all_accounted_for() {
        let schedule = steady(1e9, 1);
        let timer = FakeTimer {
            step: 1_000_000,
            ..FakeTimer::new()
        };
        let paced = pace(&schedule, &timer, 100);
        assert_eq!(paced.tokens.len(), 100);
        let ledger = paced.counters.ledger();
        assert_eq!(ledger.scheduled, 1_000_000_000);
        assert_eq!(ledger.dropped, ledger.scheduled - 100);
        assert!(paced.ended_at < SECOND + SECOND / 10, "{}", paced.ended_at);
    }

    #[test]
    fn phases_are_announced_at_their_instants_even_with_no_token_due() {
        let rate = |rps| Rate::per_second(rps).unwrap();
        let profile = Bursts::new(
            rate(0.001),
            rate(0.005),
            Nanos(5 * SECOND),
            Nanos(30 * SECOND),
        );
        let schedule = Schedule::new(Box::new(profile), Some(Nanos(65 * SECOND)));
        let paced = pace(&schedule, &FakeTimer::new(), 10);
        let seen: Vec<_> = paced
            .phases
            .iter()
            .map(|(at, p)| (at / SECOND, p.mode))
            .collect();
        assert_eq!(
            seen,
            [(30, Mode::Burst), (35, Mode::Steady), (60, Mode::Burst)],
            "nothing at the start, and nothing for a burst cut off by the end"
        );
        assert_eq!(paced.tokens.len(), 1);
    }

    #[test]
    fn a_phase_that_starts_at_the_end_is_not_announced() {
        let rate = |rps| Rate::per_second(rps).unwrap();
        let profile = Bursts::new(rate(1.0), rate(5.0), Nanos(5 * SECOND), Nanos(30 * SECOND));
        let schedule = Schedule::new(Box::new(profile), Some(Nanos(60 * SECOND)));
        let paced = pace(&schedule, &FakeTimer::new(), 1_000);
        assert_eq!(paced.phases.len(), 2);
        assert_eq!(paced.tokens.len() as u64, schedule.total().unwrap());
    }

    #[test]
    fn a_stop_ends_pacing_between_tokens() {
        let mut timer = FakeTimer::new();
        timer.stop_at = Some(3 * SECOND + 1);
        let profile = Steady::new(Rate::per_second(1.0).unwrap());
        let paced = pace(&Schedule::new(Box::new(profile), None), &timer, 100);
        assert_eq!(paced.tokens.len(), 4);
        assert_eq!(paced.ended_at, 3 * SECOND + 1);
    }

    #[test]
    fn without_workers_what_comes_due_is_unsent() {
        let (queue, tokens) = bounded(10);
        drop(tokens);
        let (counters, stop) = (Counters::default(), Stop::default());
        let (schedule, keys) = (steady(5.0, 1), Dealer::new(&Keys::Fresh, 0));
        let start = Moment::at(0);
        Pacer {
            schedule: &schedule,
            start,
            keys,
            queue,
            counters: &counters,
            stop: &stop,
        }
        .run(&FakeTimer::new(), |_| {});
        assert_eq!(counters.ledger().unsent, 5);
    }
}
