//! A worker: takes tokens from the queue, and sends a request for each.

use super::queue::{Intake, Seat};
use super::run_end::RunEnd;
use super::sample_buffer::SampleBuffer;
use super::silence::Silence;
use super::worker_pool::{Entry, Turn, WorkerPool};
use crate::base::{Answer, Moment, Nanos, Outcome, Sample, Token};
use crate::core::stats::{Counters, TOLERANCE};
use crate::system::timer::{EXACT, Timer};

/// How a worker sends its requests.
pub(super) trait Calls {
    /// Reads what the token's request needs, before it is due. The worker may send another token first.
    fn prepare(&mut self, _token: &Token) {}

    /// Sends a token's request to a target, and waits for the answer.
    fn call(&mut self, token: &Token, target: usize) -> Answer;
}

pub(super) struct Worker<'a> {
    pub queue: Intake,
    pub pool: &'a WorkerPool,
    pub counters: &'a Counters,
    pub samples: &'a SampleBuffer,
    pub sample_capacity: usize,
    pub end: RunEnd<'a>,
    pub silence: &'a Silence,
}

impl Worker<'_> {
    /// Ends when the pacer has ended and the queue is empty, and no token waits that this worker may send.
    pub fn run(self, timer: &impl Timer, mut calls: impl Calls) {
        let seat = Seat::for_this_thread();
        let mut last = None;
        while let Some(token) = self.queue.next(&seat) {
            timer.allow_slack(slack(last.replace(token), token));
            calls.prepare(&token);
            let mut now = timer.now();
            while now < token.due && !self.end.is_over() {
                timer.sleep_until(token.due, self.end.stop);
                now = timer.now();
            }
            let target = self.counters.round_robin.target(token.place);
            if self.end.is_over() {
                self.leave_unsent(target, &Turn::at_once(token));
                continue;
            }
            // By now the token is due: one that a stop may still withdraw neither waits nor is dropped.
            let on_time = now.since(token.due) <= TOLERANCE;
            match self.pool.enter(target, token, on_time) {
                Entry::Send(turn) => self.send_in_turn(target, turn, now, timer, &mut calls),
                Entry::Waits => {}
                Entry::NoRoom { because_of_target } => {
                    let because_of_target = because_of_target || self.silence.is_why(token.due);
                    self.drop_token(target, token.place, because_of_target);
                }
            }
        }
        // No tokens come any more with which the common workers would enter.
        while let Some((target, turn)) = self.pool.enter_waiting() {
            self.send_in_turn(target, turn, timer.now(), timer, &mut calls);
        }
    }

    /// Sends a token, and then, if the worker is one of its target's own, whatever is in the target's backlog.
    fn send_in_turn(
        &self,
        target: usize,
        turn: Turn,
        now: Moment,
        timer: &impl Timer,
        calls: &mut impl Calls,
    ) {
        let mut next = Some((turn, now));
        while let Some((turn, now)) = next {
            if self.end.is_over() {
                self.leave_unsent(target, &turn);
            } else {
                self.send(target, &turn, now, calls);
            }
            let turn = self.pool.leave(target);
            next = turn.map(|turn| (turn, timer.now()));
        }
    }

    fn drop_token(&self, target: usize, place: u64, because_of_target: bool) {
        if because_of_target {
            // This is counted first, so that the generator never seems to have dropped it.
            self.counters.target(target).backlog_dropped.add(1);
        }
        self.counters.drop_tokens(place..place + 1);
    }

    fn leave_unsent(&self, target: usize, turn: &Turn) {
        let counters = self.counters.target(target);
        let due = turn.token.due;
        let ended = self.end.stop.requested_at().unwrap_or_else(Moment::now);
        if due > ended {
            counters.withdrawn.add(1);
            return;
        }
        counters.unsent.add(1);
        if ended.since(due) <= TOLERANCE {
            return;
        }
        if turn.waited_for_target || self.silence.is_why(due) {
            counters.backlog_unsent_late.add(1);
        } else {
            counters.unsent_late.add(1);
        }
    }

    /// Sends a request at `now` or later.
    fn send(&self, target: usize, turn: &Turn, now: Moment, calls: &mut impl Calls) {
        let counters = self.counters.target(target);
        counters.sent.add(1);
        self.samples.begin(now);
        let (answer, _) = self.end.guard(|| (calls.call(&turn.token, target), None));
        let counter = match answer.outcome {
            Outcome::Allowed => &counters.allowed,
            Outcome::Blocked => &counters.blocked,
            Outcome::Failed(_) => &counters.failed,
            Outcome::Abandoned => &counters.abandoned,
        };
        counter.add(1);
        let Token { place, due, key } = turn.token;
        let took = answer.done.since(answer.sent);
        let is_answered = matches!(answer.outcome, Outcome::Allowed | Outcome::Blocked);
        self.silence
            .ended(place, answer.done, is_answered.then_some(took));
        let is_late = now.since(due) > TOLERANCE;
        let sample = Sample {
            sequence: self.counters.round_robin.stripe().number(place),
            key,
            target: target as u32,
            due,
            waited_for_target: turn.waited_for_target || is_late && self.silence.is_why(due),
            answer,
        };
        self.samples.push(sample, self.sample_capacity);
    }
}

/// Workers may be woken together if tokens are closer together than this, that is above 20,000/s: separate sleeps then
/// cost more than the requests around them. At 50,000/s this saves a tenth of the processor time and half of the send
/// lag's 99th percentile, and costs 20 µs of its median.
const DENSE: Nanos = Nanos(50_000);

/// The time by which the token `this` may be sent late, from its distance to the `last` token.
fn slack(last: Option<Token>, this: Token) -> Nanos {
    let dense =
        last.is_some_and(|last| this.due.since(last.due) < DENSE * (this.place - last.place));
    if dense { DENSE } else { EXACT }
}

#[cfg(test)]
mod tests {
    use super::super::run_end::PassedDeadlines;
    use super::*;
    use crate::base::{FailureKind, KeyId};
    use crate::core::stripe::Stripe;
    use crate::core::worker_shares::WorkerShares;
    use crate::engine::queue::queue;
    use crate::system::Stop;
    use std::cell::Cell;

    impl<F: FnMut(&Token, usize) -> Answer> Calls for F {
        fn call(&mut self, token: &Token, target: usize) -> Answer {
            self(token, target)
        }
    }

    fn token(sequence: u64) -> Token {
        Token {
            place: sequence,
            due: Moment::now(),
            key: KeyId(0),
        }
    }

    fn answer(outcome: Outcome) -> Answer {
        let now = Moment::now();
        Answer::new(now, now, outcome)
    }

    /// Tokens are due when they are made, so nobody has to sleep.
    struct RealTime;

    impl Timer for RealTime {
        fn now(&self) -> Moment {
            Moment::now()
        }

        fn sleep_until(&self, _: Moment, _: &Stop) {}

        fn allow_slack(&self, _: Nanos) {}
    }

    /// Runs one worker over `tokens` queued tokens.
    fn work(
        tokens: u64,
        stop: &Stop,
        passed: &PassedDeadlines,
        call: impl FnMut(&Token, usize) -> Answer,
    ) -> (Counters, Vec<Sample>) {
        let tokens = (0..tokens).map(token).collect();
        work_on(tokens, &RealTime, RunEnd { stop, passed }, call)
    }

    fn work_on(
        tokens: Vec<Token>,
        timer: &impl Timer,
        end: RunEnd,
        call: impl FnMut(&Token, usize) -> Answer,
    ) -> (Counters, Vec<Sample>) {
        let shares = WorkerShares::new(1, tokens.len().max(1), 3);
        let (feed, queue) = queue(tokens.len());
        (tokens.into_iter()).for_each(|token| feed.offer(token).unwrap());
        drop(feed);
        let (counters, samples) = (Counters::new(3, Stripe::WHOLE), SampleBuffer::default());
        Worker {
            queue,
            pool: &WorkerPool::new(shares, 3),
            counters: &counters,
            samples: &samples,
            sample_capacity: 1_000,
            end,
            silence: &Silence::default(),
        }
        .run(timer, call);
        let mut taken = Vec::new();
        samples.take_into(&mut taken);
        (counters, taken)
    }

    #[test]
    fn a_panic_costs_one_request_and_not_the_worker() {
        let call = |token: &Token, _| match token.place {
            3 => panic!("a bug in the client, provoked by a test"),
            _ => answer(Outcome::Allowed),
        };
        let (counters, samples) = work(10, &Stop::default(), &PassedDeadlines::default(), call);
        let ledger = counters.ledger();
        assert_eq!((ledger.sent, ledger.allowed, ledger.failed), (10, 9, 1));
        let lost = Outcome::Failed(FailureKind::Panic);
        assert_eq!(samples[3].answer.outcome, lost);
        assert_eq!(samples.len(), 10);
    }

    #[test]
    fn targets_go_round_robin_by_number() {
        let mut seen = Vec::new();
        let call = |_: &Token, target| {
            seen.push(target);
            answer(Outcome::Blocked)
        };
        let (counters, samples) = work(7, &Stop::default(), &PassedDeadlines::default(), call);
        assert_eq!(seen, [0, 1, 2, 0, 1, 2, 0]);
        let blocked: Vec<_> = counters.ledgers().iter().map(|l| l.blocked).collect();
        assert_eq!(blocked, [3, 2, 2]);
        assert_eq!(samples[4].target, 1);
    }

    #[test]
    fn after_a_stop_the_queue_stays_unsent() {
        let stop = Stop::default();
        let call = |token: &Token, _| {
            if token.place == 2 {
                stop.request();
            }
            answer(Outcome::Allowed)
        };
        let (counters, samples) = work(10, &stop, &PassedDeadlines::default(), call);
        let ledger = counters.ledger();
        assert_eq!((ledger.sent, ledger.unsent, ledger.allowed), (3, 7, 3));
        assert_eq!(samples.len(), 3);
    }

    #[test]
    fn a_token_is_kept_until_it_is_due_and_not_sent_before() {
        struct Recorded(Cell<Moment>, Cell<Option<Moment>>);
        impl Timer for Recorded {
            fn now(&self) -> Moment {
                self.0.get()
            }

            fn sleep_until(&self, deadline: Moment, _: &Stop) {
                assert!(self.1.replace(Some(deadline)).is_none(), "one sleep");
                self.0.set(deadline);
            }

            fn allow_slack(&self, slack: Nanos) {
                assert_eq!(slack, EXACT);
            }
        }
        let due = Moment::at(7_000_000);
        let timer = Recorded(Cell::new(Moment::at(1_000)), Cell::new(None));
        let end = RunEnd {
            stop: &Stop::default(),
            passed: &PassedDeadlines::default(),
        };
        let (_, sent) = work_on(vec![Token { due, ..token(0) }], &timer, end, |_, _| {
            assert_eq!(timer.0.get(), due);
            answer(Outcome::Allowed)
        });
        assert_eq!((sent.len(), timer.1.get()), (1, Some(due)));
    }

    #[test]
    fn only_tokens_less_than_50_us_apart_have_slack() {
        let at = |sequence, micros: u64| Token {
            due: Moment::at(micros * 1_000),
            ..token(sequence)
        };
        assert_eq!(slack(None, at(0, 0)), EXACT);
        assert_eq!(slack(Some(at(0, 0)), at(1, 50)), EXACT);
        assert_eq!(slack(Some(at(0, 0)), at(10, 500)), EXACT);
        assert_eq!(slack(Some(at(0, 0)), at(1, 49)), DENSE);
        assert_eq!(slack(Some(at(7, 100)), at(17, 599)), DENSE);
    }

    #[test]
    fn a_token_not_yet_due_at_a_stop_was_never_scheduled() {
        let (stop, second) = (Stop::default(), Nanos(1_000_000_000));
        stop.request();
        let dues = [Moment::now() - second, Moment::now() + second * 1_000];
        let tokens = (0..).zip(dues).map(|(sequence, due)| Token {
            due,
            ..token(sequence)
        });
        let end = RunEnd {
            stop: &stop,
            passed: &PassedDeadlines::default(),
        };
        let call = |_: &Token, _| answer(Outcome::Allowed);
        let (counters, _) = work_on(tokens.collect(), &RealTime, end, call);
        counters.scheduled.add(2);
        let ledger = counters.ledger();
        assert_eq!((ledger.scheduled, ledger.unsent, ledger.sent), (1, 1, 0));
    }

    #[test]
    fn requests_in_flight_at_the_cut_off_are_abandoned_and_the_rest_stay_unsent() {
        let passed = PassedDeadlines::default();
        let call = |token: &Token, _| {
            if token.place == 1 {
                passed.cut_off();
            }
            answer(Outcome::Allowed)
        };
        let (counters, samples) = work(5, &Stop::default(), &passed, call);
        let ledger = counters.ledger();
        assert_eq!((ledger.allowed, ledger.abandoned, ledger.unsent), (1, 1, 3));
        assert_eq!(samples[1].answer.outcome, Outcome::Abandoned);
    }
}
