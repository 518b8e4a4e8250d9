use super::{OutcomeCounts, Second};
use crate::base::{Moment, Nanos, Outcome, Sample};
use crate::core::schedule::{Schedule, Tokens};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// What is told a run's seconds, in order and without a gap.
pub trait PerSecond {
    /// Called before all seconds, with the schedule's start by the calendar.
    fn begin(&mut self, _started: SystemTime) {}

    /// Called once for each second, some time after it has passed; what counts to it does not change any more. Whoever
    /// keeps it for long keeps its memory from being used again.
    fn second(&mut self, second: &Arc<Second>);
}

impl<T: PerSecond + ?Sized> PerSecond for &mut T {
    fn begin(&mut self, started: SystemTime) {
        (**self).begin(started);
    }

    fn second(&mut self, second: &Arc<Second>) {
        (**self).second(second);
    }
}

/// Makes [`Second`]s of samples, which come in any order. A second is told as soon as it is known to be complete.
///
/// A request that takes long keeps the second in which it was due open, and all later ones. Of those no more than
/// [`MOST_OPEN`] wait: then the oldest is told without it, and what comes for it after all is counted in the oldest
/// that is open.
#[derive(Debug)]
pub struct Seconds<'a> {
    schedule: &'a Schedule,
    tokens: Tokens<'a>,
    targets: usize,
    start: Moment,
    open: VecDeque<Open>,
    /// The second to be opened next.
    next: u64,
    /// How many tokens are due before that.
    begun: u64,
    /// How many tokens were scheduled in the seconds told.
    told: u64,
    /// What is known of the run by now.
    known: Known,
    /// Seconds that others may still hold; their memory is used again.
    lent: Vec<Arc<Second>>,
}

/// How many seconds may wait to become complete.
pub const MOST_OPEN: usize = 30;

const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
struct Open {
    second: Second,
    /// The tokens due in it.
    tokens: Range<u64>,
}

/// What is known of a run that goes on. Instants are since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// When that was.
    pub now: Nanos,
    /// All that was sent before this has been added.
    pub all_taken: Nanos,
    /// How many tokens the pacer has handed over or dropped.
    pub handed_over: u64,
    /// When the run was stopped, if it was. A stop that is not known here comes after `now`.
    pub stopped: Option<Nanos>,
}

impl<'a> Seconds<'a> {
    /// Of a run that starts at `start`, against so many targets.
    pub fn new(schedule: &'a Schedule, targets: usize, start: Moment) -> Self {
        Seconds {
            schedule,
            tokens: schedule.tokens(),
            targets,
            start,
            open: VecDeque::with_capacity(MOST_OPEN + 1),
            next: 0,
            begun: 0,
            told: 0,
            known: Known::default(),
            lent: Vec::new(),
        }
    }

    pub fn add(&mut self, sample: &Sample, tell: &mut impl PerSecond) {
        let answer = &sample.answer;
        let sent = answer.sent.since(self.start);
        let done = answer.done.since(self.start).max(sent);
        let target = sample.target as usize;

        let second = self.at(sent, tell);
        second.targets[target].sent += 1;
        second.send_lag.record(answer.sent.since(sample.due));

        let second = self.at(done, tell);
        let counts = &mut second.targets[target];
        match answer.outcome {
            Outcome::Allowed => counts.allowed += 1,
            Outcome::Blocked => counts.blocked += 1,
            Outcome::Failed(_) => counts.failed += 1,
            Outcome::Abandoned => {
                counts.abandoned += 1;
                return;
            }
        }
        second.latency.record(answer.done.since(sample.due));
        if answer.transmitted {
            second.service_time.record(answer.done.since(answer.sent));
        }
    }

    /// Counts the tokens with these sequence numbers as dropped.
    pub fn add_dropped(&mut self, dropped: Range<u64>, tell: &mut impl PerSecond) {
        let Range { mut start, end } = dropped;
        while start < end {
            // They are due by now, so their seconds have begun.
            while self.begun <= start {
                self.open_next(tell);
            }
            let due_in_it = self.open.iter_mut().find(|open| start < open.tokens.end);
            let open = due_in_it.expect("a second that was opened for them");
            let until = end.min(open.tokens.end);
            open.second.dropped += until - start;
            start = until;
        }
    }

    /// Tells what is complete, as far as is known now.
    pub fn advance(&mut self, known: Known, tell: &mut impl PerSecond) {
        self.known = known;
        while (self.next + 1).saturating_mul(SECOND) <= known.now.0 {
            self.open_next(tell);
        }
        while self
            .open
            .front()
            .is_some_and(|oldest| self.is_complete(oldest))
        {
            self.tell_oldest(tell);
        }
    }

    /// Tells the rest, up to the end of pacing, at `paced` since the start, or to the last answer if that is later.
    /// `scheduled` is the ledger's total.
    pub fn finish(mut self, scheduled: u64, paced: Nanos, tell: &mut impl PerSecond) {
        self.known.stopped = Some(paced);
        let is_unplaced = |open: &VecDeque<_>, told| open.is_empty() && told < scheduled;
        while self.next.saturating_mul(SECOND) < paced.0 || is_unplaced(&self.open, self.told) {
            self.open_next(tell);
        }
        while let Some(oldest) = self.open.front() {
            // Whatever the clocks say, nothing is left over in the end.
            let until = match self.open.len() {
                1 => scheduled,
                _ => oldest.tokens.end.min(scheduled),
            };
            self.tell(until, tell);
        }
    }

    /// The second in which an instant lies, or the oldest that is open if that one is over.
    fn at(&mut self, at: Nanos, tell: &mut impl PerSecond) -> &mut Second {
        let number = at.0 / SECOND;
        while self.next <= number || self.open.is_empty() {
            self.open_next(tell);
        }
        let first = self.next - self.open.len() as u64;
        let place = number.saturating_sub(first) as usize;
        &mut self.open[place].second
    }

    fn open_next(&mut self, tell: &mut impl PerSecond) {
        if self.open.len() == MOST_OPEN {
            self.tell_oldest(tell);
        }
        let number = self.next;
        self.next += 1;
        // Those due at its very end are the next second's.
        let end = Nanos(self.next.saturating_mul(SECOND) - 1);
        let begun = std::mem::replace(&mut self.begun, self.tokens.due_by(end));
        let mut second = self.unused();
        second.number = number;
        second
            .targets
            .resize(self.targets, OutcomeCounts::default());
        self.open.push_back(Open {
            second,
            tokens: begun..self.begun,
        });
    }

    fn is_complete(&self, open: &Open) -> bool {
        let end = (open.second.number + 1).saturating_mul(SECOND);
        end <= self.known.all_taken.0 && self.is_scheduled(open)
    }

    /// Whether all of its tokens are known to be scheduled: handed over, and not to be withdrawn by a stop.
    fn is_scheduled(&self, open: &Open) -> bool {
        let last = (open.second.number + 1).saturating_mul(SECOND) - 1;
        let until = self.known.stopped.unwrap_or(self.known.now);
        last <= until.0 && open.tokens.end <= self.known.handed_over
    }

    fn tell_oldest(&mut self, tell: &mut impl PerSecond) {
        let Some(oldest) = self.open.front() else {
            return;
        };
        let until = match self.is_scheduled(oldest) {
            true => oldest.tokens.end,
            false => {
                let until = self.known.stopped.unwrap_or(self.known.now);
                let due = self.schedule.due_by(until);
                oldest.tokens.end.min(due).min(self.known.handed_over)
            }
        };
        self.tell(until, tell);
    }

    /// Tells the oldest, with the tokens up to this one that no other second has had.
    fn tell(&mut self, until: u64, tell: &mut impl PerSecond) {
        let Some(Open { mut second, .. }) = self.open.pop_front() else {
            return;
        };
        second.scheduled = until.saturating_sub(self.told);
        self.told = self.told.max(until);
        second.asked = self.asked(second.number);
        let second = Arc::new(second);
        tell.second(&second);
        self.lent.push(second);
    }

    /// The mean rate of a second, without what a stop kept from coming due.
    fn asked(&self, number: u64) -> f64 {
        let stopped = self.known.stopped.unwrap_or(Nanos::MAX);
        let before = |second: u64| second.saturating_mul(SECOND).checked_sub(1).map(Nanos);
        let mean_by = |at: Nanos| self.schedule.mean_by(at.min(stopped));
        let end = before(number + 1).unwrap_or_default();
        match before(number) {
            Some(begin) => mean_by(end) - mean_by(begin),
            // A nanosecond less than a second.
            None => mean_by(end) * (SECOND as f64 / end.0 as f64),
        }
    }

    /// One without anything in it.
    fn unused(&mut self) -> Second {
        let free = |lent: &Arc<Second>| Arc::strong_count(lent) == 1;
        let Some(place) = self.lent.iter().position(free) else {
            return Second::default();
        };
        let mut second = Arc::into_inner(self.lent.swap_remove(place)).unwrap_or_default();
        second.clear();
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Answer, FailureKind, KeyId};
    use crate::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate};
    use crate::core::stats::Histogram;
    use proptest::prelude::*;

    const MILLI: u64 = 1_000_000;
    const TARGETS: usize = 3;

    /// What is told, as it is.
    #[derive(Default)]
    struct Told(Vec<Arc<Second>>);

    impl PerSecond for Told {
        fn second(&mut self, second: &Arc<Second>) {
            self.0.push(second.clone());
        }
    }

    fn rate(rps: f64) -> Rate {
        Rate::per_second(rps).unwrap()
    }

    fn steady(rps: f64, seconds: Option<u64>) -> Schedule {
        let end = seconds.map(|seconds| Nanos(seconds * SECOND));
        Schedule::new(Profile::steady(rate(rps)), end)
    }

    /// What becomes of a token that is scheduled.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Sent {
            lag: u64,
            took: u64,
            outcome: Outcome,
            left: bool,
        },
        Dropped,
        Unsent,
    }

    fn fate(longest: u64) -> impl Strategy<Value = Fate> {
        let outcome = prop_oneof![
            Just(Outcome::Allowed),
            Just(Outcome::Blocked),
            Just(Outcome::Failed(FailureKind::Reset)),
            Just(Outcome::Abandoned),
        ];
        let span = move || prop_oneof![3 => 0..5 * MILLI, 1 => 0..longest];
        let sent = (span(), span(), outcome, any::<bool>());
        let sent = sent.prop_map(|(lag, took, outcome, left)| Fate::Sent {
            lag,
            took,
            outcome,
            left,
        });
        prop_oneof![6 => sent, 1 => Just(Fate::Dropped), 1 => Just(Fate::Unsent)]
    }

    fn schedule() -> impl Strategy<Value = Schedule> {
        (1.0f64..60.0, 1u64..9, 0u8..4, any::<u64>()).prop_map(|(rps, seconds, kind, seed)| {
            let end = Some(Nanos(seconds * SECOND - SECOND / 3));
            match kind {
                0 => steady(rps, Some(seconds)),
                1 => {
                    let (each, every) = (Nanos(SECOND), Nanos(3 * SECOND));
                    let bursts = Bursts::new(rate(rps), rate(rps * 3.0), each, every);
                    Schedule::new(bursts, end)
                }
                2 => {
                    let arrivals = Poisson::new(seed);
                    Schedule::new(Profile::steady(rate(rps)), end)
                        .with_arrivals(Arrivals::Poisson(Box::new(arrivals)))
                }
                _ => {
                    let pieces = format!(
                        "pause 1s, burst 20 at once, {rps}/s for {seconds}s, burst 3 at once"
                    );
                    Schedule::new(pieces.parse::<Profile>().unwrap(), None)
                }
            }
        })
    }

    /// A run, by what becomes of each of its scheduled tokens, in order.
    struct Model<'a> {
        schedule: &'a Schedule,
        start: Moment,
        samples: Vec<Sample>,
        dropped: Vec<u64>,
        scheduled: u64,
        stopped: Option<Nanos>,
        /// How much later than due the pacer hands a token over, less what it is ahead.
        behind: i64,
    }

    impl<'a> Model<'a> {
        fn new(
            schedule: &'a Schedule,
            fates: &[Fate],
            stopped: Option<u64>,
            behind: i64,
        ) -> Model<'a> {
            let mut model = Model {
                schedule,
                start: Moment::at(7_000 * SECOND),
                samples: Vec::new(),
                dropped: Vec::new(),
                scheduled: 0,
                stopped: stopped.map(Nanos),
                behind,
            };
            let end = stopped.map_or(u64::MAX, |at| at.min(model.paced_by(at)));
            model.scheduled = schedule.due_by(Nanos(end));
            for sequence in 0..model.scheduled {
                let due = schedule.due(sequence).unwrap();
                match fates[sequence as usize % fates.len()] {
                    Fate::Dropped => model.dropped.push(sequence),
                    Fate::Unsent => {}
                    Fate::Sent {
                        lag,
                        took,
                        outcome,
                        left,
                    } => {
                        let due = model.start + due;
                        let answer = Answer {
                            sent: due + Nanos(lag),
                            transmitted: left,
                            done: due + Nanos(lag + took),
                            connecting: None,
                            outcome,
                        };
                        model.samples.push(Sample {
                            sequence,
                            key: KeyId(0),
                            target: (sequence % TARGETS as u64) as u32,
                            due,
                            answer,
                        });
                    }
                }
            }
            model
        }

        /// The instant up to which the pacer hands over by then.
        fn paced_by(&self, now: u64) -> u64 {
            now.saturating_add_signed(-self.behind)
        }

        /// When pacing ends.
        fn paced(&self) -> Nanos {
            let ends = [self.schedule.end(), self.stopped];
            ends.into_iter().flatten().min().unwrap()
        }

        /// What is told when samples are taken this far apart, in some order.
        fn told(&self, takes: &[u64]) -> Vec<Arc<Second>> {
            let mut told = Told::default();
            let mut seconds = Seconds::new(self.schedule, TARGETS, self.start);
            let mut left = self.samples.clone();
            let mut dropped = self.dropped.iter().copied().peekable();
            let (mut now, mut takes) = (0, takes.iter().cycle());
            while !left.is_empty() || dropped.peek().is_some() || now < self.paced().0 {
                now += takes.next().unwrap();
                let moment = self.start + Nanos(now);
                // As of each worker: the latest first.
                left.sort_by_key(|sample| std::cmp::Reverse(sample.answer.done));
                let is_done = |sample: &Sample| sample.answer.done <= moment;
                let taken = left.partition_point(|sample| !is_done(sample));
                for sample in left.split_off(taken) {
                    seconds.add(&sample, &mut told);
                }
                let in_flight = left.iter().filter(|sample| sample.answer.sent <= moment);
                let all_taken = in_flight.map(|sample| sample.due).min();
                let stopped = self.stopped.filter(|at| at.0 <= now);
                let paced = self.paced_by(stopped.map_or(now, |at| at.0));
                let handed_over = self.schedule.due_by(Nanos(paced));
                while let Some(token) = dropped.next_if(|token| *token < handed_over) {
                    seconds.add_dropped(token..token + 1, &mut told);
                }
                let known = Known {
                    now: Nanos(now),
                    all_taken: all_taken.unwrap_or(moment).min(moment).since(self.start),
                    handed_over,
                    stopped,
                };
                seconds.advance(known, &mut told);
            }
            seconds.finish(self.scheduled, self.paced(), &mut told);
            told.0
        }

        /// The same, counted one by one.
        fn counted(&self) -> Vec<Second> {
            let number = |at: Moment| (at.since(self.start).0 / SECOND) as usize;
            let last_paced = self.paced().0.checked_sub(1).map(|last| last / SECOND);
            let mut counted = Counted::default();
            counted.reach(last_paced.map_or(0, |last| last as usize + 1));
            let due = |sequence| self.start + self.schedule.due(sequence).unwrap();
            for sequence in 0..self.scheduled {
                counted.at(number(due(sequence))).scheduled += 1;
            }
            for sequence in &self.dropped {
                counted.at(number(due(*sequence))).dropped += 1;
            }
            for sample in &self.samples {
                let Answer {
                    sent,
                    transmitted,
                    done,
                    outcome,
                    ..
                } = sample.answer;
                let target = sample.target as usize;
                let second = counted.at(number(sent));
                second.targets[target].sent += 1;
                second.send_lag.record(sent.since(sample.due));
                let second = counted.at(number(done));
                let counts = &mut second.targets[target];
                *match outcome {
                    Outcome::Allowed => &mut counts.allowed,
                    Outcome::Blocked => &mut counts.blocked,
                    Outcome::Failed(_) => &mut counts.failed,
                    Outcome::Abandoned => &mut counts.abandoned,
                } += 1;
                if outcome != Outcome::Abandoned {
                    second.latency.record(done.since(sample.due));
                    if transmitted {
                        second.service_time.record(done.since(sent));
                    }
                }
            }
            counted.0
        }
    }

    #[derive(Default)]
    struct Counted(Vec<Second>);

    impl Counted {
        fn reach(&mut self, count: usize) {
            while self.0.len() < count {
                self.0.push(Second {
                    number: self.0.len() as u64,
                    targets: vec![OutcomeCounts::default(); TARGETS],
                    ..Second::default()
                });
            }
        }

        fn at(&mut self, number: usize) -> &mut Second {
            self.reach(number + 1);
            &mut self.0[number]
        }
    }

    /// All that can be told apart of a second, but for the rate asked for.
    fn shown(second: &Second) -> impl PartialEq + std::fmt::Debug + use<> {
        let spans = |spans: &Histogram| {
            let at = |share| spans.quantile(share).0;
            (spans.count(), at(0.5), at(1.0), spans.min().0)
        };
        (
            (second.number, second.scheduled, second.dropped),
            second.targets.clone(),
            spans(&second.latency),
            spans(&second.service_time),
            spans(&second.send_lag),
        )
    }

    fn takes() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(20 * MILLI..300 * MILLI, 1..20)
    }

    proptest! {
        // A case has up to a hundred seconds, with three histograms each.
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn each_thing_is_counted_once_and_in_its_second(
            schedule in schedule(), fates in prop::collection::vec(fate(6 * SECOND), 1..100),
            stopped in prop::option::of(0..9 * SECOND), behind in -15 * MILLI as i64..100 * MILLI as i64,
            takes in takes(),
        ) {
            let model = Model::new(&schedule, &fates, stopped, behind);
            let told = model.told(&takes);
            let told: Vec<_> = told.iter().map(|second| shown(second)).collect();
            let counted = model.counted();
            let counted: Vec<_> = counted.iter().map(shown).collect();
            prop_assert_eq!(told, counted);
        }

        #[test]
        fn whatever_has_to_be_told_early_the_sums_are_the_ledger_s(
            schedule in schedule(), fates in prop::collection::vec(fate(45 * SECOND), 1..100),
            stopped in prop::option::of(0..9 * SECOND), behind in -15 * MILLI as i64..100 * MILLI as i64,
            takes in takes(),
        ) {
            let model = Model::new(&schedule, &fates, stopped, behind);
            let (told, counted) = (model.told(&takes), model.counted());
            prop_assert!(told.iter().enumerate().all(|(place, second)| second.number == place as u64));
            let sum = |of: fn(&Second) -> u64| {
                (told.iter().map(|second| of(second)).sum(), counted.iter().map(of).sum::<u64>())
            };
            for of in [
                |second: &Second| second.scheduled,
                |second: &Second| second.dropped,
                |second: &Second| second.total().sent,
                |second: &Second| second.total().abandoned,
                |second: &Second| second.latency.count(),
                |second: &Second| second.send_lag.count(),
            ] {
                let (told, counted): (u64, u64) = sum(of);
                prop_assert_eq!(told, counted);
            }
            // What is done is done of late: only what was sent long ago comes after its second.
            let done = |seconds: &mut dyn Iterator<Item = &Second>| -> Vec<_> {
                seconds.map(|second| (second.latency.count(), second.total().failed)).collect()
            };
            prop_assert_eq!(done(&mut told.iter().map(|second| &**second)), done(&mut counted.iter()));
        }
    }

    fn asked(schedule: &Schedule, stopped: Option<u64>) -> Vec<f64> {
        let told = Model::new(schedule, &[Fate::Unsent], stopped, 0).told(&[SECOND / 7]);
        told.iter()
            .map(|second| (second.asked * 1e6).round() / 1e6)
            .collect()
    }

    #[test]
    fn the_rate_asked_for_is_the_mean_of_the_second() {
        assert_eq!(asked(&steady(10.0, Some(3)), None), [10.0; 3]);
        let bursts = Bursts::new(rate(10.0), rate(50.0), Nanos(SECOND / 2), Nanos(2 * SECOND));
        let end = Some(Nanos(SECOND * 7 / 2));
        let bursts = Schedule::new(bursts, end);
        assert_eq!(asked(&bursts, None), [10.0, 10.0, 30.0, 5.0]);
        assert_eq!(asked(&bursts, Some(5 * SECOND / 2)), [10.0, 10.0, 25.0]);
        let pieces: Profile = "pause 1s, burst 20 at once, pause 1s".parse().unwrap();
        let at_once = Schedule::new(pieces, None);
        assert_eq!(asked(&at_once, None), [0.0, 20.0]);
    }

    #[test]
    fn a_run_stopped_before_its_start_has_no_second() {
        assert!(asked(&steady(10.0, None), Some(0)).len() <= 1);
        let schedule = steady(10.0, Some(60));
        let mut told = Told::default();
        let mut seconds = Seconds::new(&schedule, TARGETS, Moment::at(SECOND));
        let handed_over = 1;
        seconds.advance(
            Known {
                handed_over,
                ..Known::default()
            },
            &mut told,
        );
        seconds.finish(0, Nanos::ZERO, &mut told);
        assert!(told.0.is_empty());
    }

    #[test]
    fn a_second_is_told_once_it_is_complete_and_memory_is_used_again() {
        let schedule = steady(10.0, Some(3600));
        let mut told = Told::default();
        let mut seconds = Seconds::new(&schedule, TARGETS, Moment::at(0));
        let mut advance = |now: u64, all_taken: u64, handed_over, told: &mut Told| {
            let known = Known {
                now: Nanos(now),
                all_taken: Nanos(all_taken),
                handed_over,
                stopped: None,
            };
            seconds.advance(known, told);
            told.0.len()
        };
        assert_eq!(
            advance(2 * SECOND, SECOND - 1, 30, &mut told),
            0,
            "one is in flight"
        );
        assert_eq!(
            advance(2 * SECOND, 2 * SECOND, 19, &mut told),
            1,
            "the pacer is behind"
        );
        assert_eq!(advance(2 * SECOND, 2 * SECOND, 20, &mut told), 2);
        let most = MOST_OPEN as u64;
        assert_eq!(advance((2 + most) * SECOND, 2 * SECOND, 1000, &mut told), 2);
        assert_eq!(
            advance((3 + most) * SECOND, 2 * SECOND, 1000, &mut told),
            3,
            "too many wait"
        );
        told.0.clear();
        advance(200 * SECOND, 200 * SECOND, 2000, &mut told);
        told.0.clear();
        advance(300 * SECOND, 300 * SECOND, 3000, &mut told);
        let lent = seconds.lent.len();
        told.0.clear();
        let known = Known {
            now: Nanos(301 * SECOND),
            all_taken: Nanos(301 * SECOND),
            handed_over: 3010,
            stopped: None,
        };
        seconds.advance(known, &mut told);
        assert_eq!(seconds.lent.len(), lent);
    }
}
