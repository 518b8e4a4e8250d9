//! A threshold that is given up is not met, whatever comes.

use super::super::*;
use super::texts;
use crate::base::{
    Answer, ConnectTimes, FailureKind, KeyId, Ledger, Moment, Nanos, Outcome, Sample,
};
use crate::core::schedule::{Profile, Rate, Schedule};
use crate::core::stats::{Lateness, Tally};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// How a request ends.
#[derive(Debug, Clone, Copy)]
struct End {
    how: How,
    /// Milliseconds.
    lag: u64,
    service_time: u64,
    connected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Dropped,
    Unsent,
    Sent(Outcome),
}

fn how() -> impl Strategy<Value = How> {
    let kind = prop::sample::select([FailureKind::Timeout, FailureKind::Reset].as_slice());
    prop_oneof![
        1 => Just(How::Dropped),
        1 => Just(How::Unsent),
        1 => Just(How::Sent(Outcome::Abandoned)),
        4 => Just(How::Sent(Outcome::Allowed)),
        3 => Just(How::Sent(Outcome::Blocked)),
        3 => kind.prop_map(|kind| How::Sent(Outcome::Failed(kind))),
    ]
}

fn end() -> impl Strategy<Value = End> {
    (how(), 0u64..15, 0u64..15, any::<bool>()).prop_map(|(how, lag, service_time, connected)| End {
        connected,
        ..End::new(how, lag, service_time)
    })
}

impl End {
    fn new(how: How, lag: u64, service_time: u64) -> End {
        End {
            how,
            lag,
            service_time,
            connected: false,
        }
    }

    /// Some are.
    fn is_of_backlog(self) -> bool {
        self.service_time % 3 == 2
    }
}

/// The measurements when `counted` requests have ended in the counters, and `tallied` in the tally, which is behind.
struct State {
    ledgers: Vec<Ledger>,
    tally: Tally,
    lateness: Vec<Lateness>,
}

impl State {
    fn of(ends: &[End], counted: usize, tallied: usize, targets: usize) -> State {
        let mut state = State {
            ledgers: vec![Ledger::default(); targets],
            tally: Tally::new(targets),
            lateness: vec![Lateness::default(); targets],
        };
        for (sequence, end) in ends[..counted].iter().enumerate() {
            let ledger = &mut state.ledgers[sequence % targets];
            ledger.scheduled += 1;
            let outcome = match end.how {
                How::Dropped => {
                    ledger.dropped += 1;
                    let lateness = &mut state.lateness[sequence % targets];
                    lateness.backlog_dropped += u64::from(end.is_of_backlog());
                    continue;
                }
                How::Unsent => {
                    ledger.unsent += 1;
                    state.lateness[sequence % targets].late += end.lag / 10;
                    continue;
                }
                How::Sent(outcome) => outcome,
            };
            ledger.count_sent(outcome);
            let sent = Moment::at(end.lag * MS);
            if sequence < tallied {
                state.tally.add(&Sample {
                    sequence: sequence as u64,
                    key: KeyId(0),
                    target: (sequence % targets) as u32,
                    due: Moment::at(0),
                    waited_for_target: end.is_of_backlog(),
                    answer: Answer {
                        connecting: end.connected.then_some(ConnectTimes {
                            tcp: Nanos(end.lag * MS / 2),
                            tls: Some(Nanos(end.lag * MS / 3)),
                        }),
                        ..Answer::new(sent, sent + Nanos(end.service_time * MS), outcome)
                    },
                });
            }
        }
        for (lateness, tally) in state.lateness.iter_mut().zip(&state.tally.targets) {
            lateness.late += tally.late;
            lateness.backlog_late += tally.backlog_late;
        }
        state
    }

    fn at(&self, followed: u64) -> Measurements<'_> {
        Measurements {
            ledgers: &self.ledgers,
            tally: &self.tally,
            followed: Nanos(followed * SECOND),
            lateness: &self.lateness,
            audit: None,
            parts: None,
        }
    }
}

/// One request a second.
fn schedule(total: usize) -> Schedule {
    let steady = Profile::steady(Rate::per_second(1.0).unwrap());
    Schedule::new(steady, Some(Nanos(total as u64 * SECOND)))
}

fn range(threshold: &Threshold, measurements: &Measurements, ahead: Ahead) -> Option<Range> {
    threshold.range(&measurements.views(&threshold.scope)[0], ahead)
}

fn is_met(threshold: &Threshold, measurements: &Measurements) -> bool {
    range(threshold, measurements, Ahead::Nothing).is_some()
        && threshold.may_be_met(measurements, Ahead::Nothing)
}

/// The extreme ends of a request.
fn extremes() -> Vec<End> {
    use Outcome::{Abandoned, Allowed, Blocked, Failed};
    let failed = [FailureKind::Timeout, FailureKind::Reset].map(Failed);
    let sent = [Allowed, Blocked, Abandoned].into_iter().chain(failed);
    let times = [(0, 0), (0, 900), (900, 0)];
    let connected = |how, lag, took| End {
        connected: true,
        ..End::new(how, lag, took)
    };
    let fast_or_slow = |how| times.map(|(lag, took)| connected(how, lag, took));
    let sent = sent.map(How::Sent).flat_map(fast_or_slow);
    let not_sent = [How::Dropped, How::Unsent].map(|how| End::new(how, 0, 0));
    sent.chain(not_sent).collect()
}

/// The number of targets, the requests in the order of their ends, how many have been counted and tallied, and a
/// threshold.
fn run() -> impl Strategy<Value = (usize, Vec<End>, usize, usize, Threshold)> {
    (1usize..4).prop_flat_map(|targets| {
        let ends = prop::collection::vec(end(), 1..40);
        let place = || any::<prop::sample::Index>();
        (Just(targets), ends, place(), place(), texts(targets)).prop_map(
            |(targets, ends, counted, behind, text)| {
                let counted = counted.index(ends.len() + 1);
                let tallied = counted - behind.index(4.min(counted + 1));
                (targets, ends, counted, tallied, text.parse().unwrap())
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_threshold_that_is_given_up_is_never_met(
        (targets, ends, counted, tallied, threshold) in run(), cut in any::<prop::sample::Index>()
    ) {
        let total = ends.len();
        let whole = WholeSchedule::of(&schedule(total), targets);
        let before = State::of(&ends, counted, tallied, targets);
        // A request is due each second, so the schedule was followed for at least as many seconds.
        let followed = counted as u64;
        if threshold.may_be_met(&before.at(followed), Ahead::RestOf(&whole)) {
            return Ok(());
        }
        // All of the rest comes, or some of it, or none of it.
        let some = counted + cut.index(total - counted + 1);
        let mut futures: Vec<_> = [total, some, counted].map(|until| ends[..until].to_vec()).into();
        for end in extremes() {
            for until in [total, some] {
                let mut future = ends[..counted].to_vec();
                future.resize(until, end);
                futures.push(future);
            }
        }
        for future in futures {
            let after = State::of(&future, future.len(), future.len(), targets);
            for followed in [followed, (followed + total as u64) / 2, total as u64] {
                prop_assert!(!is_met(&threshold, &after.at(followed)), "{:?} after {:?}", threshold, future);
            }
        }
    }

    #[test]
    fn a_number_ends_up_within_its_range((targets, ends, counted, tallied, threshold) in run()) {
        let whole = WholeSchedule::of(&schedule(ends.len()), targets);
        let before = State::of(&ends, counted, tallied, targets);
        let after = State::of(&ends, ends.len(), ends.len(), targets);
        let before = range(&threshold, &before.at(counted as u64), Ahead::RestOf(&whole));
        let end = range(&threshold, &after.at(ends.len() as u64), Ahead::Nothing);
        if let (Some(range), Some(end)) = (before, end) {
            prop_assert_eq!(end, Range::exactly(end.least));
            prop_assert!(range.least <= end.least, "{:?} {:?}", range, end);
            prop_assert!(range.most.is_none_or(|most| most >= end.least), "{:?} {:?}", range, end);
        }
    }
}

/// After how many bad ends, beside `first` good ones, the threshold is given up.
#[track_caller]
fn given_up_after(text: &str, total: usize, first: usize, bad: How, lag: u64) -> Option<usize> {
    let threshold: Threshold = text.parse().unwrap();
    let whole = WholeSchedule::of(&schedule(total), 1);
    let mut ends = vec![End::new(How::Sent(Outcome::Allowed), 0, 1); first];
    (0..=total - first).find(|_| {
        let state = State::of(&ends, ends.len(), ends.len(), 1);
        let may = threshold.may_be_met(&state.at(ends.len() as u64), Ahead::RestOf(&whole));
        ends.push(End::new(bad, lag, 1));
        !may
    })
}

#[test]
fn a_threshold_is_given_up_with_the_first_request_that_is_too_many() {
    let failed = How::Sent(Outcome::Failed(FailureKind::Timeout));
    let allowed = How::Sent(Outcome::Allowed);
    for (text, bad, lag, after) in [
        ("failed.rate < 1%", failed, 0, Some(10)),
        ("failed.rate <= 1%", failed, 0, Some(11)),
        ("failed[timeout].count < 5", failed, 0, Some(5)),
        ("failed[reset].count < 5", failed, 0, None),
        ("allowed.rate >= 99%", failed, 0, Some(11)),
        ("sent.rate > 99% of scheduled", How::Dropped, 0, Some(10)),
        ("schedule = kept", How::Dropped, 0, Some(1)),
        ("schedule = kept", allowed, 11, Some(11)),
        ("latency.p99 < 50ms", allowed, 60, Some(11)),
        ("latency.p99.9 < 50ms", allowed, 60, Some(2)),
        ("latency.p50 < 50ms", allowed, 60, None),
        ("latency.p75 < 50ms", allowed, 60, Some(251)),
        ("latency.max < 50ms", allowed, 60, Some(1)),
        // 600 of 1000 at 1 ms have passed, and all others may take no time at all.
        ("latency.mean <= 10ms", allowed, 99, Some(95)),
        ("latency.min > 2ms", allowed, 99, Some(0)),
        ("latency.p90 > 50ms", allowed, 60, None),
        ("allowed.per_second < 0.7/s", allowed, 0, Some(100)),
    ] {
        assert_eq!(given_up_after(text, 1_000, 600, bad, lag), after, "{text}");
    }
}

#[test]
fn without_an_end_only_a_lost_threshold_is_given_up() {
    let steady = Profile::steady(Rate::per_second(1.0).unwrap());
    let whole = WholeSchedule::of(&Schedule::new(steady, None), 2);
    let failed = End::new(How::Sent(Outcome::Failed(FailureKind::Timeout)), 100, 1);
    let state = State::of(&[failed; 100], 100, 100, 2);
    for (text, may) in [
        ("failed.rate < 1%", true),
        ("failed.rate = 0%", false),
        ("failed.count <= 99", false),
        ("target[2].failed.count <= 49", false),
        ("target[2].failed.count <= 50", true),
        ("allowed.rate > 99%", true),
        ("allowed.rate = 100%", false),
        ("latency.max < 1ms", true),
        ("send_lag.p50 < 1ms", true),
        ("send_lag.mean < 1ms", true),
        ("send_lag.max < 1ms", false),
        ("failed.per_second < 0.001/s", true),
        ("schedule = kept", true),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        let still = threshold.may_be_met(&state.at(100), Ahead::RestOf(&whole));
        assert_eq!(still, may, "{text}");
    }
}
