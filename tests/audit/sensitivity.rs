//! Faulty limiters are caught at the rates of a default run or little more. The tests print after how many requests.

use super::cluster::{History, MILLISECOND, SECOND, in_batches};
use super::limiters::{Algorithm, Fault, Limiter, exact, faulty};
use loadgen::base::Nanos;
use loadgen::core::audit::{
    Algorithm as Promised, AuditReport, AuditVerdict, AuditedKey, Decision, Observation,
    PromiseReport, Terms,
};
use loadgen::core::keys::{Dealer, Distribution, Keys};
use loadgen::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate, Schedule};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::HashMap;

pub const LIMIT: u64 = 100;
pub const WINDOW: u64 = 60 * SECOND;
const NODES: usize = 3;

#[derive(Debug, Clone, Copy)]
pub enum Traffic {
    /// 10/s, and 50/s for 5 s every 30 s.
    Default,
    Even(u32),
    Random(u32),
}

use Traffic::{Default, Even, Random};

/// The traffic, and how long it lasts. Seven keys are used, and all nodes in turn. Each request takes a few milliseconds.
/// The limiter's clock is 80 millionths fast.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    traffic: Traffic,
    seconds: u64,
}

const BY_DEFAULT: Run = Run::of(Default);

impl Run {
    pub const fn of(traffic: Traffic) -> Run {
        Run {
            traffic,
            seconds: 60,
        }
    }

    pub fn lasting(self, seconds: u64) -> Run {
        Run { seconds, ..self }
    }

    fn schedule(self) -> Schedule {
        let rate = |rate| Rate::per_second(f64::from(rate)).expect("a rate within range");
        let span = |seconds| Nanos(seconds * SECOND);
        let end = Some(span(self.seconds));
        match self.traffic {
            Default => Schedule::new(Bursts::new(rate(10), rate(50), span(5), span(30)), end),
            Even(rps) => Schedule::new(Profile::steady(rate(rps)), end),
            Random(rps) => Schedule::new(Profile::steady(rate(rps)), end)
                .with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(7)))),
        }
    }

    /// `edge` is the end of one of the windows aligned to the limiter's clock, in nanoseconds.
    pub fn history_at(self, mut limiter: Limiter, edge: u64) -> History {
        let schedule = self.schedule();
        let mut dealer = Dealer::new(&Keys::generated(7, 1, ""), Distribution::Uniform, 1);
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let mut up_to = |most: u64| dice.next_u64() % most;
        let due = (0..).map_while(|sequence| Some((sequence, schedule.due(sequence)?)));
        let mut requests: Vec<_> = due
            .map(|(sequence, due)| {
                let sent = due.0 + up_to(MILLISECOND / 10);
                let decided = sent + MILLISECOND / 5 + up_to(MILLISECOND);
                let done = decided + MILLISECOND / 5 + up_to(2 * MILLISECOND);
                (decided, sent, done, sequence, dealer.deal(sequence))
            })
            .collect();
        requests.sort_unstable_by_key(|(decided, ..)| *decided);
        let mut seen = Vec::new();
        for (decided, sent, done, sequence, key) in requests {
            let at = i128::from(decided) - i128::from(edge) + i128::from(decided / 12_500);
            let target = sequence % NODES as u64;
            let is_admitted = limiter(key.0 as usize % 7 * 7, target as usize, at);
            let observation = Observation {
                key: AuditedKey::Load(key),
                sequence,
                target: target as u32,
                node: target as u32,
                sent: Nanos(sent),
                done: Nanos(done),
                decision: if is_admitted {
                    Decision::Allowed
                } else {
                    Decision::Blocked
                },
                failure: None,
                failing_open: false,
                phase: None,
                period: None,
            };
            seen.push((done, observation));
        }
        History {
            terms: Terms::of_all_promises(LIMIT, Nanos(WINDOW), NODES),
            batches: in_batches(seen, 100 * MILLISECOND),
            admitted: HashMap::new(),
        }
    }

    fn report_at(self, limiter: Limiter, edge: u64) -> AuditReport {
        self.history_at(limiter, edge).audit()
    }

    fn report(self, algorithm: Algorithm, limit: u64) -> AuditReport {
        self.report_at(exact(algorithm, limit, WINDOW), 0)
    }

    fn faulty(self, fault: Fault) -> AuditReport {
        self.report_at(faulty(Algorithm::SlidingLog, fault, LIMIT, WINDOW, 0), 0)
    }
}

fn on(report: &AuditReport, algorithm: Promised) -> &PromiseReport {
    let of = |one: &&PromiseReport| one.promise.limits[0].algorithm == algorithm;
    report.promises.iter().find(of).expect("asked for")
}

/// The promise was proved broken. Prints after how many requests.
#[track_caller]
fn is_found(what: &str, report: &AuditReport, promise: Promised) {
    let proof = on(report, promise).limits[0].excess.as_ref().expect(what);
    let (after, observed) = (proof.after, report.observed);
    let (admitted, promised) = (proof.span.admitted, proof.promised);
    println!(
        "{what}: {promise} broken after {after} of {observed} requests, {admitted} of {promised}"
    );
}

#[track_caller]
fn is_kept(report: &AuditReport, promise: Promised) {
    let judged = on(report, promise);
    assert!(!judged.is_broken(), "{judged:#?}");
}

#[test]
fn a_right_limiter_keeps_its_promise_and_is_tested() {
    for run in [BY_DEFAULT, Run::of(Even(60)), Run::of(Random(600))] {
        let report = run.faulty(Fault::None);
        is_kept(&report, Promised::SlidingWindow);
        assert_eq!(report.verdict(true), AuditVerdict::Kept, "{run:?}");
        assert_eq!(on(&report, Promised::SlidingWindow).judged, 7);
        assert_eq!(report.causes(None, &[]), []);
        assert_eq!(report.keys_over, 0);
    }
}

#[test]
fn faults_of_a_sliding_window_are_found() {
    let away = |from: f64| Fault::Open(from / 60.0, (from + 5.0) / 60.0);
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        for (what, fault) in [
            ("nodes that count alone", Fault::NodesAlone),
            ("one more than the limit", Fault::OneMore),
            ("half the window", Fault::HalfWindow),
            ("a store that is away for 5 s", away(20.0)),
            ("a store that is away for 5 s in a burst", away(52.0)),
        ] {
            let report = run.faulty(fault);
            is_found(what, &report, Promised::SlidingWindow);
            match fault {
                Fault::NodesAlone => assert_eq!(report.keys_over, 7),
                Fault::OneMore => {
                    assert_eq!(report.peak.map(|peak| peak.at_least), Some(LIMIT + 1));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn nodes_that_count_alone_are_told_from_other_faults() {
    let named = |report: &AuditReport| {
        let causes = report.causes(None, &[]);
        causes
            .iter()
            .any(|cause| cause.name == "each node counts alone")
    };
    let report = Run::of(Even(60)).faulty(Fault::NodesAlone);
    assert_eq!(report.verdict(true), AuditVerdict::Broken);
    assert!(named(&report));
    for algorithm in [
        Algorithm::ClockWindow,
        Algorithm::OpenedWindow,
        Algorithm::Gcra,
    ] {
        let limiter = faulty(algorithm, Fault::NodesAlone, LIMIT, WINDOW, 0);
        let report = Run::of(Even(600)).report_at(limiter, 30 * SECOND);
        assert!(named(&report), "{algorithm:?}: {:?}", report.peak);
    }
    for traffic in [Default, Even(20), Even(60), Even(600)] {
        for fault in [Fault::AlwaysOpen, Fault::OneMore, Fault::HalfWindow] {
            let report = Run::of(traffic).faulty(fault);
            assert!(!named(&report), "{traffic:?} {fault:?}");
        }
    }
}

#[test]
fn a_race_between_nodes_is_found() {
    let report = Run::of(Random(600)).faulty(Fault::Race(20.0 / 60_000.0));
    is_found("a race of 20 ms", &report, Promised::SlidingWindow);
}

#[test]
fn a_limiter_that_counts_what_it_blocks_is_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        let report = run.lasting(180).faulty(Fault::CountsBlocked);
        let judged = on(&report, Promised::SlidingWindow);
        let (blocks, observed) = (judged.false_blocks, report.observed);
        println!("counts what it blocks: {blocks} false blocks in {observed} requests");
        assert!(judged.is_broken() && !judged.is_exceeded());
        let names = report
            .causes(None, &[])
            .iter()
            .map(|cause| cause.name)
            .collect::<Vec<_>>();
        assert_eq!(names, ["blocked requests count too"]);
    }
    let report = Run::of(Even(60)).faulty(Fault::BlocksSometimes(100));
    assert!(on(&report, Promised::SlidingWindow).false_blocks > 0);
    assert_eq!(report.causes(None, &[]), []);
}

#[test]
fn fixed_windows_keep_their_own_promise_and_break_that_of_sliding_ones() {
    // A window ends in the middle of a burst.
    let by_the_clock = |run: Run| {
        let limiter = exact(Algorithm::ClockWindow, LIMIT, WINDOW);
        run.report_at(limiter, 32_500 * MILLISECOND)
    };
    let report = by_the_clock(BY_DEFAULT);
    is_found("windows by the clock", &report, Promised::SlidingWindow);
    is_kept(&report, Promised::FixedWindow);
    assert!(on(&report, Promised::FixedWindow).limits[0].kinds[0].explains);

    // In a minute, two windows explain all admissions.
    assert_eq!(report.verdict(true), AuditVerdict::Inconclusive);
    let longer = BY_DEFAULT.lasting(180);
    assert_eq!(by_the_clock(longer).verdict(true), AuditVerdict::Kept);

    let report = longer.report(Algorithm::OpenedWindow, LIMIT);
    is_kept(&report, Promised::FixedWindow);
    assert!(on(&report, Promised::FixedWindow).limits[0].kinds[1].explains);
    is_found(
        "windows opened by admissions",
        &report,
        Promised::SlidingWindow,
    );
}

#[test]
fn a_bucket_keeps_its_own_promise_and_breaks_that_of_sliding_windows() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        for algorithm in [Algorithm::Gcra, Algorithm::Bucket] {
            let report = run.report(algorithm, LIMIT);
            is_found("a token bucket", &report, Promised::SlidingWindow);
            is_kept(&report, Promised::TokenBucket);
            assert_ne!(report.verdict(true), AuditVerdict::Broken);
        }
    }
}

#[test]
fn a_bucket_with_one_token_more_is_found() {
    for run in [Run::of(Even(60)), Run::of(Even(600))] {
        let report = run.report(Algorithm::Gcra, LIMIT + 1);
        is_found(
            "a bucket with one token more",
            &report,
            Promised::TokenBucket,
        );
    }
}

#[test]
fn a_window_too_short_by_at_most_a_tenth_is_found() {
    let shortest = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        .into_iter()
        .find(|thousandths| {
            let window = WINDOW as f64 * (1.0 - thousandths / 1_000.0);
            let limiter = exact(Algorithm::SlidingLog, LIMIT, window as u64);
            let report = Run::of(Even(600)).lasting(120).report_at(limiter, 0);
            on(&report, Promised::SlidingWindow).is_exceeded()
        });
    println!("at 600/s, of a window that is too short by: {shortest:?} thousandths");
    assert!(shortest.is_some());
}
