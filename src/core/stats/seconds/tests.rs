use super::*;
use crate::base::{Answer, FailureKind, KeyId, Outcome};
use crate::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate};
use crate::core::stats::Histogram;
use proptest::prelude::*;

const MILLI: u64 = 1_000_000;
const TARGETS: usize = 3;

fn seconds(count: u64) -> Nanos {
    SECOND * count
}

fn rate(rps: f64) -> Rate {
    Rate::per_second(rps).unwrap()
}

fn steady(rps: f64, length: Option<u64>) -> Schedule {
    Schedule::new(Profile::steady(rate(rps)), length.map(seconds))
}

fn of_profile(text: &str) -> Schedule {
    Schedule::new(text.parse::<Profile>().unwrap(), None)
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (1.0f64..60.0, 1u64..9, 0u8..4, any::<u64>()).prop_map(|(rps, length, kind, seed)| {
        let end = Some(seconds(length) - Nanos(SECOND.0 / 3));
        match kind {
            0 => steady(rps, Some(length)),
            1 => {
                let bursts = Bursts::new(rate(rps), rate(rps * 3.0), seconds(1), seconds(3));
                Schedule::new(bursts, end)
            }
            2 => Schedule::new(Profile::steady(rate(rps)), end)
                .with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(seed)))),
            _ => of_profile(&format!(
                "pause 1s, burst 20 at once, {rps}/s for {length}s, burst 3 at once"
            )),
        }
    })
}

/// What happens to a scheduled token.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Its send lag, the time from sent to done, and its outcome.
    Sent(Nanos, Nanos, Outcome),
    Dropped,
    Unsent,
}

fn fates(longest: u64) -> impl Strategy<Value = Vec<Fate>> {
    let outcome = prop_oneof![
        Just(Outcome::Allowed),
        Just(Outcome::Blocked),
        Just(Outcome::Failed(FailureKind::Reset)),
        Just(Outcome::Abandoned),
    ];
    let span = move || prop_oneof![3 => 0..5 * MILLI, 1 => 0..longest].prop_map(Nanos);
    let sent = (span(), span(), outcome);
    let sent = sent.prop_map(|(lag, took, outcome)| Fate::Sent(lag, took, outcome));
    let fate = prop_oneof![6 => sent, 1 => Just(Fate::Dropped), 1 => Just(Fate::Unsent)];
    prop::collection::vec(fate, 1..100)
}

/// A whole run, known in advance.
#[derive(Debug)]
struct Run {
    schedule: Schedule,
    start: Moment,
    samples: Vec<Sample>,
    dropped: Vec<u64>,
    scheduled: u64,
    stopped: Option<Nanos>,
    /// How late the pacer hands tokens over, in nanoseconds; negative if early.
    pacer_lag: i64,
}

/// Runs whose tokens take up to `longest` nanoseconds each to be sent and to be answered.
fn run(longest: u64) -> impl Strategy<Value = Run> {
    let stopped = prop::option::of((0..seconds(9).0).prop_map(Nanos));
    let pacer_lag = -15 * MILLI as i64..100 * MILLI as i64;
    (schedule(), fates(longest), stopped, pacer_lag).prop_map(
        |(schedule, fates, stopped, pacer_lag)| Run::new(schedule, &fates, stopped, pacer_lag),
    )
}

/// Instants at which samples are taken, as the distances between them.
fn takes() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(20 * MILLI..300 * MILLI, 1..20)
}

impl Run {
    fn new(schedule: Schedule, fates: &[Fate], stopped: Option<Nanos>, pacer_lag: i64) -> Run {
        let mut run = Run {
            schedule,
            start: Moment::at(seconds(7_000).0),
            samples: Vec::new(),
            dropped: Vec::new(),
            scheduled: 0,
            stopped,
            pacer_lag,
        };
        let end = stopped.map_or(Nanos::MAX, |at| at.min(run.handed_over_by(at)));
        run.scheduled = run.schedule.due_by(end);
        for sequence in 0..run.scheduled {
            let due = run.start + run.schedule.due(sequence).unwrap();
            match fates[sequence as usize % fates.len()] {
                Fate::Dropped => run.dropped.push(sequence),
                Fate::Unsent => {}
                Fate::Sent(lag, took, outcome) => run.samples.push(Sample {
                    sequence,
                    key: KeyId(0),
                    target: (sequence % TARGETS as u64) as u32,
                    due,
                    waited_for_target: false,
                    answer: Answer::new(due + lag, due + lag + took, outcome),
                }),
            }
        }
        run
    }

    /// Tokens due up to this instant have been handed over by `now`.
    fn handed_over_by(&self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add_signed(-self.pacer_lag))
    }

    fn pacing_end(&self) -> Nanos {
        let ends = [self.schedule.end(), self.stopped];
        ends.into_iter().flatten().min().unwrap()
    }

    /// The seconds emitted when samples are taken at these distances.
    fn emitted(&self, takes: &[u64]) -> Vec<Second> {
        let mut emitted = Vec::new();
        let emit = &mut |second| emitted.push(second);
        let mut seconds = Seconds::new(&self.schedule, TARGETS, self.start);
        let mut to_add = self.samples.clone();
        // As each worker hands samples over: the latest first.
        to_add.sort_by_key(|sample| std::cmp::Reverse(sample.answer.done));
        let mut dropped = self.dropped.iter().copied().peekable();
        let (mut now, mut takes) = (Nanos::ZERO, takes.iter().cycle());
        while !to_add.is_empty() || dropped.peek().is_some() || now < self.pacing_end() {
            now = now + Nanos(*takes.next().unwrap());
            let moment = self.start + now;
            let done = to_add.partition_point(|sample| sample.answer.done > moment);
            for sample in to_add.split_off(done) {
                seconds.add(&sample, emit);
            }
            let in_flight = to_add.iter().filter(|sample| sample.answer.sent <= moment);
            let oldest_in_flight = in_flight.map(|sample| sample.due).min();
            let stopped = self.stopped.filter(|at| *at <= now);
            let handed_over = self.handed_over_by(stopped.unwrap_or(now));
            let handed_over = self.schedule.due_by(handed_over);
            while let Some(token) = dropped.next_if(|token| *token < handed_over) {
                seconds.add_dropped(token..token + 1, emit);
            }
            let samples_added = oldest_in_flight.unwrap_or(moment).min(moment);
            let watermark = Watermark {
                now,
                samples_added: samples_added.since(self.start),
                handed_over,
                stopped,
            };
            seconds.advance(watermark, emit);
        }
        seconds.finish(self.scheduled, self.pacing_end(), emit);
        emitted
    }

    /// The same seconds, counted naively.
    fn counted(&self) -> Vec<Second> {
        let mut counted = Vec::new();
        if let Some(last) = self.pacing_end().checked_sub(Nanos(1)) {
            second_at(&mut counted, last);
        }
        for sequence in 0..self.scheduled {
            let due = self.schedule.due(sequence).unwrap();
            second_at(&mut counted, due).scheduled += 1;
            if self.dropped.contains(&sequence) {
                second_at(&mut counted, due).dropped += 1;
            }
        }
        for sample in &self.samples {
            let (due, answer) = (sample.due, sample.answer);
            let second = second_at(&mut counted, answer.sent.since(self.start));
            second.targets[sample.target as usize].sent += 1;
            second.send_lag.record(answer.sent.since(due));
            let second = second_at(&mut counted, answer.done.since(self.start));
            second.targets[sample.target as usize].count(answer.outcome);
            if let Outcome::Allowed | Outcome::Blocked = answer.outcome {
                second.latency.record(answer.done.since(due));
                second.service_time.record(answer.done.since(answer.sent));
            }
        }
        counted
    }
}

fn second_at(seconds: &mut Vec<Second>, at: Nanos) -> &mut Second {
    let place = (at.0 / SECOND.0) as usize;
    while seconds.len() <= place {
        seconds.push(Second {
            number: seconds.len() as u64,
            targets: vec![OutcomeCounts::default(); TARGETS],
            ..Second::default()
        });
    }
    &mut seconds[place]
}

/// Everything in a second but the rate that was asked for.
fn content(second: &Second) -> impl PartialEq + std::fmt::Debug + use<> {
    let histogram = |histogram: &Histogram| histogram.recorded().collect::<Vec<_>>();
    (
        (second.number, second.scheduled, second.dropped),
        second.targets.clone(),
        histogram(&second.latency),
        histogram(&second.service_time),
        histogram(&second.send_lag),
    )
}

proptest! {
    // A case has up to a hundred seconds, with three histograms each.
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn each_event_is_counted_once_and_in_its_second(run in run(6 * SECOND.0), takes in takes()) {
        let contents = |seconds: &[Second]| seconds.iter().map(content).collect::<Vec<_>>();
        prop_assert_eq!(contents(&run.emitted(&takes)), contents(&run.counted()));
    }

    #[test]
    fn even_if_seconds_are_emitted_incomplete_their_sums_are_the_ledger_s(
        run in run(45 * SECOND.0), takes in takes(),
    ) {
        let (emitted, counted) = (run.emitted(&takes), run.counted());
        let numbers = emitted.iter().map(|second| second.number);
        prop_assert!(numbers.eq(0..emitted.len() as u64));
        for count in [
            |second: &Second| second.scheduled,
            |second: &Second| second.dropped,
            |second: &Second| second.total().sent,
            |second: &Second| second.total().abandoned,
            |second: &Second| second.latency.count(),
            |second: &Second| second.send_lag.count(),
        ] {
            let sum = |seconds: &[Second]| seconds.iter().map(count).sum::<u64>();
            prop_assert_eq!(sum(&emitted), sum(&counted));
        }
        // A request is done when it is taken, so only what was sent long before comes too late for its second.
        let done = |second: &Second| (second.latency.count(), second.total().failed);
        prop_assert!(emitted.iter().map(done).eq(counted.iter().map(done)));
    }
}

#[test]
fn the_rate_asked_for_is_the_mean_of_the_second() {
    let asked = |schedule: Schedule, stopped: Option<Nanos>| -> Vec<f64> {
        let run = Run::new(schedule, &[Fate::Unsent], stopped, 0);
        let rounded = |second: Second| (second.asked * 1e6).round() / 1e6;
        let seconds = run.emitted(&[SECOND.0 / 7]);
        seconds.into_iter().map(rounded).collect()
    };
    let half = Nanos(SECOND.0 / 2);
    let bursts = || {
        let bursts = Bursts::new(rate(10.0), rate(50.0), half, seconds(2));
        Schedule::new(bursts, Some(seconds(3) + half))
    };
    assert_eq!(asked(steady(10.0, Some(3)), None), [10.0; 3]);
    assert_eq!(asked(bursts(), None), [10.0, 10.0, 30.0, 5.0]);
    let stopped = Some(seconds(2) + half);
    assert_eq!(asked(bursts(), stopped), [10.0, 10.0, 25.0]);
    let at_once = of_profile("pause 1s, burst 20 at once, pause 1s");
    assert_eq!(asked(at_once, None), [0.0, 20.0]);
    assert!(asked(steady(10.0, None), Some(Nanos::ZERO)).len() <= 1);
}

#[test]
fn a_run_stopped_before_its_start_has_no_second() {
    let schedule = steady(10.0, Some(60));
    let mut emit = |_| panic!("a second");
    let mut seconds = Seconds::new(&schedule, TARGETS, Moment::at(SECOND.0));
    let watermark = Watermark {
        handed_over: 1,
        ..Watermark::default()
    };
    seconds.advance(watermark, &mut emit);
    seconds.finish(0, Nanos::ZERO, &mut emit);
}

#[test]
fn a_second_is_emitted_once_it_is_complete_or_too_many_wait() {
    let schedule = steady(10.0, Some(3600));
    let mut emitted = 0;
    let mut tracker = Seconds::new(&schedule, TARGETS, Moment::at(0));
    let mut emitted_at = |now: u64, samples_added: Nanos, handed_over| {
        let watermark = Watermark {
            now: seconds(now),
            samples_added,
            handed_over,
            stopped: None,
        };
        tracker.advance(watermark, &mut |_| emitted += 1);
        emitted
    };
    let in_flight = seconds(1) - Nanos(1);
    assert_eq!(emitted_at(2, in_flight, 30), 0, "one is in flight");
    assert_eq!(emitted_at(2, seconds(2), 19), 1, "the pacer is behind");
    assert_eq!(emitted_at(2, seconds(2), 20), 2);
    let most = MAX_INCOMPLETE as u64;
    assert_eq!(emitted_at(2 + most, seconds(2), 1000), 2);
    assert_eq!(emitted_at(3 + most, seconds(2), 1000), 3, "too many wait");
}

#[test]
fn the_end_tells_what_was_scheduled_in_all_seconds_before() {
    let schedule = steady(1.0, Some(100));
    let mut tracker = Seconds::new(&schedule, TARGETS, Moment::at(0));
    let mut scheduled = Vec::new();
    let mut emit = |second: Second| scheduled.push(second.scheduled);
    let watermark = Watermark {
        now: seconds(10),
        samples_added: seconds(10),
        handed_over: 10,
        stopped: None,
    };
    tracker.advance(watermark, &mut emit);
    // More seconds than may wait have passed since.
    tracker.finish(100, seconds(100), &mut emit);
    assert_eq!(scheduled, [1; 100]);
}
