//! The pacer: hands over each token at the instant it is due.

use super::queue::Feed;
use super::silence::{Silence, Watch};
use crate::base::{Mode, Moment, Nanos, Token};
use crate::core::keys::Dealer;
use crate::core::schedule::{Phase, Schedule, Tokens};
use crate::core::stats::Counters;
use crate::system::Stop;
use crate::system::timer::Timer;
use crossbeam_channel::TrySendError;

pub(super) struct Pacer<'a> {
    schedule: &'a Schedule,
    start: Moment,
    keys: Dealer,
    /// Owned, because the workers see the end of the queue when this is dropped.
    queue: Feed,
    counters: &'a Counters,
    stop: &'a Stop,
    tokens: Tokens<'a>,
    /// The place of the next token in the process's stripe.
    next: u64,
    /// The instant from which on tokens are sent.
    joined: Moment,
    watch: Watch<'a>,
}

/// The pacer is two to three strides ahead of the schedule. A stride is the time in which this many tokens come due,
/// within the bounds below.
///
/// So a token lies in the queue for a stride. Under load, some worker ends a request in that time and takes the token
/// without having to be woken for it, then sleeps until the token is due. For a token that still lies there at the next
/// step, a worker is called, with a stride left to wake up in.
const STRIDE_TOKENS: u64 = 8;
const SHORTEST_STRIDE: Nanos = Nanos(50_000);
/// The longest stride. A worker that sleeps until its token is due must still notice a stop in time.
const LONGEST_STRIDE: Nanos = Nanos(5_000_000);

impl<'a> Pacer<'a> {
    /// A pacer whose schedule begins at `start`.
    pub fn new(
        schedule: &'a Schedule,
        start: Moment,
        keys: Dealer,
        queue: Feed,
        counters: &'a Counters,
        stop: &'a Stop,
        silence: &'a Silence,
    ) -> Self {
        Pacer {
            schedule,
            start,
            keys,
            queue,
            counters,
            stop,
            tokens: schedule.tokens(),
            next: 0,
            joined: start,
            watch: Watch::new(silence),
        }
    }

    /// Leaves out the tokens that were due before this time of the schedule: they count as unsent. Returns how many
    /// they are.
    pub fn join_after(&mut self, late: Nanos) -> u64 {
        let missed = self.tokens.due_by(late - Nanos(1));
        for (target, count) in self.counters.round_robin.shares(0..missed) {
            let target = self.counters.target(target);
            target.unsent.add(count);
            target.before_joining.add(count);
        }
        self.go_on(missed);
        self.joined = self.start + late;
        missed
    }

    /// Ends with the schedule, even if its last token is due long before that, or at a stop.
    pub fn run(mut self, timer: &impl Timer, mut announce: impl FnMut(Phase)) {
        let start = self.start;
        let end = self.schedule.end().map(|end| start + end);
        let mut phases = self.schedule.phases().peekable();
        // A steady phase at the start is not announced, and neither is one that was over before the run joined.
        let joined = self.joined;
        while phases
            .next_if(|phase| phase.end().is_some_and(|end| start + end < joined))
            .is_some()
        {}
        phases.next_if(|first| first.mode() == Mode::Steady && start + first.start <= joined);
        while !self.stop.is_requested() {
            let now = timer.now();
            while let Some(phase) = phases.next_if(|next| start + next.start <= now) {
                announce(phase);
            }
            let mut wake = self.step(now);
            if self.has_lost_its_recording() {
                // Other requests than those of the schedule must not be sent in their place.
                self.stop.request();
                break;
            }
            if end.is_some_and(|end| end <= now) {
                break;
            }
            let next_phase = phases.peek().map(|next| start + next.start);
            for event in [end, next_phase].into_iter().flatten() {
                wake = wake.min(event);
            }
            self.watch.plan(wake);
            timer.sleep_until(wake, self.stop);
        }
    }

    /// Hands over the tokens that come due within three strides. Returns when to do so again.
    fn step(&mut self, now: Moment) -> Moment {
        let untaken = self.queue.untaken();
        self.queue.call(untaken);
        // Of the untaken tokens, the last ones may not be due.
        let waits = untaken > 0 && {
            let due = self.tokens.due_by(now.since(self.start));
            untaken as u64 > self.next.saturating_sub(due)
        };
        self.watch.step(now, waits, self.counters);
        let stride = stride(&mut self.tokens, self.next);
        let soon = now + stride;
        let mut uncalled = 0;
        let mut again = Moment::MAX;
        while let Some(due) = self.tokens.due(self.next) {
            let due = self.start + due;
            if due > now + stride * 3 {
                again = due - stride * 2;
                break;
            }
            if self.hand_over(due) {
                if due < soon {
                    self.queue.call(1);
                } else {
                    uncalled += 1;
                }
            } else if due > now {
                again = self.retry_at(due, soon);
                break;
            } else {
                self.drop_due(now);
            }
        }
        match uncalled {
            0 => again,
            // The tokens are so far apart that no worker is likely to return for this one by itself.
            1 => {
                self.queue.call(1);
                again
            }
            _ => again.min(soon),
        }
    }

    /// Queues the next token, or counts it as unsent if no worker is left to send it. Returns false if the queue is
    /// full.
    fn hand_over(&mut self, due: Moment) -> bool {
        let place = self.next;
        let key = self.keys.deal(self.schedule.stripe().number(place));
        match self.queue.offer(Token { place, due, key }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return false,
            Err(TrySendError::Disconnected(_)) => {
                let target = self.counters.round_robin.target(place);
                self.counters.target(target).unsent.add(1);
            }
        }
        self.go_on(place + 1);
        true
    }

    /// When to look for room in the queue for a token that is not due yet. If the workers are busy, the pacer looks
    /// once for all tokens of a stride, because a wake-up for each would take the workers' processor time.
    fn retry_at(&self, due: Moment, soon: Moment) -> Moment {
        if self.queue.untaken() as u64 > STRIDE_TOKENS {
            soon
        } else {
            due
        }
    }

    /// Drops every token that has come due by now, so that a pacer behind its schedule soon catches up with it at any
    /// rate.
    fn drop_due(&mut self, now: Moment) {
        let due = self.tokens.due_by(now.since(self.start));
        let end = due.max(self.next + 1);
        let first = self.tokens.due(self.next);
        let first = first.map_or(now, |due| self.start + due);
        // This is counted first, so that the generator never seems to have dropped them.
        self.watch.drop_tokens(self.next..end, first, self.counters);
        self.counters.drop_tokens(self.next..end);
        self.go_on(end);
    }

    /// Whether the recording of a replay can't be read any more, so that nobody knows what is due.
    fn has_lost_its_recording(&self) -> bool {
        let recording = self.schedule.recording();
        recording.is_some_and(|replay| replay.requests.store.failure().is_some())
    }

    /// Counts the tokens up to `next` as scheduled.
    fn go_on(&mut self, next: u64) {
        self.counters.scheduled.add(next - self.next);
        self.next = next;
    }
}

/// The length of the stride that begins with the token `next`.
fn stride(tokens: &mut Tokens<'_>, next: u64) -> Nanos {
    let ends = [next, next + STRIDE_TOKENS].map(|token| tokens.due(token));
    let [Some(from), Some(to)] = ends else {
        return LONGEST_STRIDE;
    };
    match to - from {
        // The tokens are due at once, and handing all of them over and waking their workers takes time.
        Nanos::ZERO => LONGEST_STRIDE,
        apart => apart.clamp(SHORTEST_STRIDE, LONGEST_STRIDE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::{Distribution, Keys};
    use crate::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate};
    use crate::core::stripe::Stripe;
    use crate::engine::queue::{Intake, queue};
    use std::cell::{Cell, RefCell};

    const SECOND: u64 = 1_000_000_000;

    /// Sleeps take no time and wake `late` after their deadline; each reading costs `step`. With
    /// an `intake`, every token is taken at the first sleep after it was handed over.
    #[derive(Default)]
    struct FakeTimer {
        now: Cell<u64>,
        intake: Option<Intake>,
        taken: RefCell<Vec<(u64, Token)>>,
        late: u64,
        step: u64,
        stop_at: Option<u64>,
    }

    impl Timer for FakeTimer {
        fn now(&self) -> Moment {
            self.now.set(self.now.get() + self.step);
            Moment::at(self.now.get())
        }

        fn sleep_until(&self, deadline: Moment, stop: &Stop) {
            let taken = self.intake.iter().flat_map(Intake::waiting);
            let taken = taken.map(|token| (self.now.get(), token));
            self.taken.borrow_mut().extend(taken);
            let mut wake = deadline + Nanos(self.late);
            if let Some(at) = self.stop_at.filter(|at| Moment::at(*at) <= wake) {
                wake = Moment::at(at);
                stop.request();
            }
            self.now
                .set(self.now.get().max(wake.since(Moment::at(0)).0));
        }

        fn allow_slack(&self, _: Nanos) {}
    }

    struct Paced {
        tokens: Vec<Token>,
        phases: Vec<(u64, Phase)>,
        counters: Counters,
        ended_at: u64,
    }

    fn pace(schedule: &Schedule, timer: &FakeTimer, capacity: usize) -> Paced {
        let (feed, intake) = queue(capacity);
        pace_into(schedule, timer, feed, &intake)
    }

    fn pace_into(schedule: &Schedule, timer: &FakeTimer, queue: Feed, intake: &Intake) -> Paced {
        pace_from(Moment::at(0), schedule, timer, queue, intake)
    }

    /// Each token with the time at which it was taken.
    fn pace_and_take(schedule: &Schedule) -> (Paced, Vec<u64>, Vec<Token>) {
        let (feed, intake) = queue(10_000);
        let timer = FakeTimer {
            intake: Some(intake.clone()),
            ..FakeTimer::default()
        };
        let paced = pace_into(schedule, &timer, feed, &intake);
        let (at, tokens) = timer.taken.take().into_iter().unzip();
        (paced, at, tokens)
    }

    fn pace_from(
        start: Moment,
        schedule: &Schedule,
        timer: &FakeTimer,
        queue: Feed,
        intake: &Intake,
    ) -> Paced {
        let (counters, stop) = (Counters::new(3, Stripe::WHOLE), Stop::default());
        let mut phases = Vec::new();
        let keys = Keys::generated(7, 1, "");
        let keys = Dealer::new(&keys, Distribution::Uniform, 1);
        let silence = Silence::default();
        let pacer = Pacer::new(schedule, start, keys, queue, &counters, &stop, &silence);
        pacer.run(timer, |phase| phases.push((timer.now.get(), phase)));
        Paced {
            tokens: intake.waiting().collect(),
            phases,
            counters,
            ended_at: timer.now.get(),
        }
    }

    fn steady(rps: f64, seconds: u64) -> Schedule {
        let profile = Profile::steady(Rate::per_second(rps).unwrap());
        Schedule::new(profile, Some(Nanos(seconds * SECOND)))
    }

    /// Bursts for 5 s every 30 s.
    fn bursts(steady: f64, burst: f64, seconds: u64) -> Schedule {
        let [steady, burst] = [steady, burst].map(|rps| Rate::per_second(rps).unwrap());
        let profile = Bursts::new(steady, burst, Nanos(5 * SECOND), Nanos(30 * SECOND));
        Schedule::new(profile, Some(Nanos(seconds * SECOND)))
    }

    fn poisson(schedule: Schedule) -> Schedule {
        schedule.with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(7))))
    }

    #[test]
    fn every_token_is_handed_over_in_order_with_its_scheduled_due_time() {
        let schedule = steady(1_000.0, 2);
        let paced = pace(&schedule, &FakeTimer::default(), 10_000);
        assert_eq!(paced.tokens.len(), 2_000);
        for (k, token) in paced.tokens.iter().enumerate() {
            assert_eq!(token.place, k as u64);
            assert_eq!(token.due, Moment::at(k as u64 * SECOND / 1_000));
        }
        assert_eq!(paced.ended_at, 2 * SECOND);
    }

    #[test]
    fn a_token_is_handed_over_a_little_before_it_is_due() {
        for (rps, latest, earliest) in [
            (1.0, 10_000_000, 15_000_000),
            (1_000.0, 10_000_000, 15_000_000),
            (10_000.0, 1_600_000, 2_400_000),
            (1e6, 100_000, 150_000),
        ] {
            let (_, at, tokens) = pace_and_take(&steady(rps, 2));
            assert_eq!(tokens.len() as f64, 2.0 * rps);
            for (at, token) in at.into_iter().zip(tokens) {
                let due = token.due.since(Moment::at(0)).0;
                let by = due.saturating_sub(earliest)..=due.saturating_sub(latest);
                assert!(by.contains(&at), "due {due}, handed over {at}, at {rps}/s");
            }
        }
    }

    #[test]
    fn late_wake_ups_never_shift_the_schedule() {
        let timer = FakeTimer {
            late: 7_300_000,
            ..FakeTimer::default()
        };
        let paced = pace(&steady(1_000.0, 1), &timer, 10_000);
        assert_eq!(paced.tokens.len(), 1_000);
        assert_eq!(paced.tokens[999].due, Moment::at(999_000_000));
        assert_eq!(paced.counters.ledger().dropped, 0);
    }

    #[test]
    fn a_full_queue_drops_and_never_delays() {
        let paced = pace(&steady(100.0, 1), &FakeTimer::default(), 30);
        assert_eq!(paced.tokens.len(), 30);
        let ledger = paced.counters.ledger();
        assert_eq!((ledger.scheduled, ledger.dropped), (100, 70));
        assert_eq!(paced.ended_at, SECOND);
    }

    #[test]
    fn a_rate_that_no_pacer_reaches_still_ends_on_time_with_all_accounted_for() {
        for schedule in [steady(1e9, 1), poisson(steady(1e9, 1))] {
            let timer = FakeTimer {
                step: 1_000_000,
                ..FakeTimer::default()
            };
            let paced = pace(&schedule, &timer, 100);
            assert_eq!(paced.tokens.len(), 100);
            let ledger = paced.counters.ledger();
            assert_eq!(Some(ledger.scheduled), schedule.total());
            assert_eq!(ledger.dropped, ledger.scheduled - 100);
            assert!(paced.ended_at < SECOND + SECOND / 10, "{}", paced.ended_at);
        }
    }

    #[test]
    fn phases_are_announced_at_their_instants_even_with_no_token_due() {
        let paced = pace(&bursts(0.001, 0.005, 65), &FakeTimer::default(), 10);
        let seen = announced(&paced).into_iter();
        let seen: Vec<_> = seen.map(|(at, mode)| (at / SECOND, mode)).collect();
        let expected = [(30, Mode::Burst), (35, Mode::Steady), (60, Mode::Burst)];
        // Nothing at the start, and nothing for a burst cut off by the end.
        assert_eq!(seen, expected);
        assert_eq!(paced.tokens.len(), 1);
    }

    #[test]
    fn a_phase_at_or_after_the_end_is_not_announced_however_late_the_pacer_is() {
        for (end, late, phases) in [(60, 0, 2), (32, 10 * SECOND, 1)] {
            let schedule = bursts(1.0, 5.0, end);
            let timer = FakeTimer {
                late,
                ..FakeTimer::default()
            };
            let paced = pace(&schedule, &timer, 1_000);
            assert_eq!(paced.phases.len(), phases);
            assert_eq!(paced.tokens.len() as u64, schedule.total().unwrap());
        }
    }

    #[test]
    fn a_stop_ends_pacing_between_tokens() {
        let timer = FakeTimer {
            stop_at: Some(3 * SECOND + 1),
            ..FakeTimer::default()
        };
        let paced = pace(&of("1/s"), &timer, 100);
        assert_eq!(paced.tokens.len(), 4);
        assert_eq!(paced.ended_at, 3 * SECOND + 1);
    }

    fn of(profile: &str) -> Schedule {
        Schedule::new(profile.parse::<Profile>().unwrap(), None)
    }

    /// Each phase announced, with the time.
    fn announced(paced: &Paced) -> Vec<(u64, Mode)> {
        let phases = paced.phases.iter();
        phases.map(|(at, phase)| (*at, phase.mode())).collect()
    }

    #[track_caller]
    fn assert_as_scheduled(tokens: &[Token], schedule: &Schedule) {
        assert_eq!(Some(tokens.len() as u64), schedule.total());
        for (k, token) in tokens.iter().enumerate() {
            assert_eq!(token.place, k as u64);
            let due = schedule.due(k as u64).unwrap();
            assert_eq!(token.due, Moment::at(0) + due, "{k}");
        }
    }

    #[test]
    fn a_pause_holds_back_what_comes_after_it_and_nothing_else() {
        let schedule = of("100/s for 1s, pause 10s, 100/s for 1s");
        let (paced, at, tokens) = pace_and_take(&schedule);
        assert_as_scheduled(&tokens, &schedule);
        assert_eq!(tokens[100].due, Moment::at(11 * SECOND));
        let just_before = 11 * SECOND - 15_000_000..11 * SECOND;
        assert!(just_before.contains(&at[100]), "{}", at[100]);
        let expected = [(SECOND, Mode::Pause), (11 * SECOND, Mode::Steady)];
        assert_eq!(announced(&paced), expected);
        assert_eq!(paced.ended_at, 12 * SECOND);
    }

    #[test]
    fn of_more_at_once_than_the_queue_holds_the_rest_is_dropped_and_counted() {
        let schedule = of("100/s for 1s, burst 1000 at once, 100/s for 1s");
        let paced = pace(&schedule, &FakeTimer::default(), 300);
        let at_once = |token: &Token| token.due == Moment::at(SECOND);
        assert_eq!(paced.tokens.len(), 300);
        assert!(paced.tokens[100..].iter().all(at_once));
        let ledger = paced.counters.ledger();
        assert_eq!((ledger.scheduled, ledger.dropped), (1_200, 900));
        let (at, first) = &paced.phases[0];
        assert_eq!((*at, first.at_once()), (SECOND, Some(1_000)));
        assert_eq!(announced(&paced)[1..], [(SECOND, Mode::Steady)]);
        assert_eq!(paced.ended_at, 2 * SECOND);
    }

    #[test]
    fn what_comes_at_once_is_handed_over_before_its_instant() {
        let schedule = of("1/s for 2s, burst 5000 at once");
        let (paced, at, tokens) = pace_and_take(&schedule);
        assert_as_scheduled(&tokens, &schedule);
        assert!(at[2..].iter().all(|at| *at <= 2 * SECOND - 5_000_000));
        assert_eq!(announced(&paced), [(2 * SECOND, Mode::Burst)]);
        assert_eq!(paced.ended_at, 2 * SECOND);
    }

    #[test]
    fn a_ramp_from_nothing_and_back_is_paced_as_scheduled() {
        let schedule = of("ramp 0/s to 1000/s over 2s, ramp 1000/s to 0/s over 2s");
        let paced = pace(&schedule, &FakeTimer::default(), 10_000);
        assert_eq!(paced.tokens.len(), 2_000);
        assert_as_scheduled(&paced.tokens, &schedule);
        let expected = [(0, Mode::Ramp), (2 * SECOND, Mode::Ramp)];
        assert_eq!(announced(&paced), expected);
    }

    #[test]
    fn nothing_happens_before_the_start() {
        let schedule = of("burst 5 at once");
        let (feed, intake) = queue(10);
        let timer = FakeTimer::default();
        let start = Moment::at(40 * SECOND);
        let paced = pace_from(start, &schedule, &timer, feed, &intake);
        assert!(paced.tokens.iter().all(|token| token.due == start));
        assert_eq!(paced.tokens.len(), 5);
        assert_eq!(announced(&paced), [(40 * SECOND, Mode::Burst)]);
        assert_eq!(paced.ended_at, 40 * SECOND);

        let (feed, intake) = queue(10);
        let timer = FakeTimer {
            stop_at: Some(3 * SECOND),
            ..FakeTimer::default()
        };
        let paced = pace_from(start, &schedule, &timer, feed, &intake);
        assert_eq!((paced.tokens.len(), paced.phases.len()), (0, 0));
        assert_eq!(paced.counters.ledger().scheduled, 0);
        assert_eq!(paced.ended_at, 3 * SECOND);
    }

    #[test]
    fn random_arrivals_are_paced_as_scheduled() {
        let schedule = poisson(steady(1_000.0, 2));
        let paced = pace(&schedule, &FakeTimer::default(), 10_000);
        assert_as_scheduled(&paced.tokens, &schedule);
        let count = paced.tokens.len();
        assert!(count.abs_diff(2_000) < 300, "{count}");
    }

    #[test]
    fn without_workers_what_comes_due_is_unsent() {
        let (queue, intake) = queue(10);
        drop(intake);
        let (counters, stop) = (Counters::new(3, Stripe::WHOLE), Stop::default());
        let keys = Dealer::new(&Keys::fresh(""), Distribution::Uniform, 0);
        let (schedule, start) = (steady(5.0, 1), Moment::at(0));
        let silence = Silence::default();
        let pacer = Pacer::new(&schedule, start, keys, queue, &counters, &stop, &silence);
        pacer.run(&FakeTimer::default(), |_| {});
        assert_eq!(counters.ledger().unsent, 5);
    }
}
