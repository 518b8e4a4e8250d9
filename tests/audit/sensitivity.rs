//! Faulty limiters are caught at the rates of a default run or little more. The tests print after how many requests.

use super::cluster::{History, MILLISECOND, SECOND, in_batches};
use super::limiters::{Algorithm, Fault, Limiter, exact, faulty};
use loadgen::base::Nanos;
use loadgen::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Decision, Observation, PriorUse, Promise, Terms,
};
use loadgen::core::keys::{Dealer, Distribution, Keys};
use loadgen::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate, Schedule};
use std::collections::HashMap;

const LIMIT: u64 = 100;
const WINDOW: u64 = 60 * SECOND;
const NODES: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Traffic {
    /// 10/s, and 50/s for 5 s every 30 s.
    Default,
    Even(u32),
    Random(u32),
}

use Traffic::{Default, Even, Random};

/// The traffic, and how long it lasts.
#[derive(Debug, Clone, Copy)]
struct Run {
    traffic: Traffic,
    seconds: u64,
}

const BY_DEFAULT: Run = Run {
    traffic: Default,
    seconds: 60,
};

/// Seven keys are used, and all nodes in turn. Each request takes a few milliseconds. The limiter's clock is 80 millionths
/// fast.
impl Run {
    fn of(traffic: Traffic) -> Run {
        Run {
            traffic,
            ..BY_DEFAULT
        }
    }

    fn schedule(self) -> Schedule {
        let rate = |rate| Rate::per_second(f64::from(rate)).expect("a rate within range");
        let span = |seconds| Nanos(seconds * SECOND);
        let end = Some(span(self.seconds));
        match self.traffic {
            Default => {
                let bursts = Bursts::new(rate(10), rate(50), span(5), span(30));
                Schedule::new(bursts, end)
            }
            Even(rps) => Schedule::new(Profile::steady(rate(rps)), end),
            Random(rps) => Schedule::new(Profile::steady(rate(rps)), end)
                .with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(7)))),
        }
    }

    /// `edge` is the end of one of the windows aligned to the limiter's clock, in nanoseconds.
    fn history_at(self, limiter: &mut dyn Limiter, edge: u64) -> History {
        let schedule = self.schedule();
        let mut dealer = Dealer::new(&Keys::generated(7, 1, ""), Distribution::Uniform, 1);
        let mut requests = Vec::new();
        let mut dice = Dice(1);
        for sequence in 0.. {
            let Some(due) = schedule.due(sequence) else {
                break;
            };
            let sent = due.0 + dice.below(MILLISECOND / 10);
            let decided = sent + MILLISECOND / 5 + dice.below(MILLISECOND);
            let done = decided + MILLISECOND / 5 + dice.below(2 * MILLISECOND);
            requests.push((decided, sent, done, sequence, dealer.deal(sequence)));
        }
        requests.sort_unstable_by_key(|request| request.0);
        let mut history = History {
            terms: terms(),
            batches: Vec::new(),
            admitted: HashMap::new(),
        };
        let mut seen = Vec::new();
        for (decided, sent, done, sequence, key) in requests {
            let at = i128::from(decided) - i128::from(edge) + i128::from(decided / 12_500);
            let target = sequence % NODES as u64;
            let admitted = limiter.admits(key.0 as usize % 7 * 7, target as usize, at);
            if admitted {
                let instants = history.admitted.entry(AuditedKey::Load(key)).or_default();
                instants.push(decided);
            }
            let observation = Observation {
                key: AuditedKey::Load(key),
                sequence,
                target: target as u32,
                sent: Nanos(sent),
                done: Nanos(done),
                decision: if admitted {
                    Decision::Allowed
                } else {
                    Decision::Blocked
                },
            };
            seen.push((done, observation));
        }
        history.batches = in_batches(seen, 100 * MILLISECOND);
        history
    }

    fn report(self, limiter: &mut dyn Limiter) -> AuditReport {
        self.history_at(limiter, 0).audit()
    }

    fn faulty(self, fault: Fault) -> AuditReport {
        self.report(&mut *faulty(
            Algorithm::SlidingLog,
            fault,
            LIMIT,
            WINDOW,
            NODES,
            0,
        ))
    }
}

fn terms() -> Terms {
    Terms {
        promises: Promise::ALL.to_vec(),
        limit: LIMIT,
        window: Nanos(WINDOW),
        targets: NODES,
        timeout: Nanos(10 * SECOND),
        prior_use: PriorUse::None,
        memory: 1 << 28,
    }
}

/// The generator SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit
    }
}

/// After how many requests the promise was proved broken.
fn found(what: &str, report: &AuditReport, promise: Promise) -> u64 {
    let judged = report.promise(promise).expect("what was asked for");
    let proof = judged.excess.as_ref().expect(what);
    let (after, observed) = (proof.after, report.observed);
    let (admitted, promised) = (proof.span.admitted, proof.promised);
    println!(
        "{what}: {promise} broken after {after} of {observed} requests, {admitted} of {promised}"
    );
    after
}

fn keeps(report: &AuditReport, promise: Promise) {
    let judged = report.promise(promise).expect("what was asked for");
    assert!(!judged.is_broken(), "{judged:#?}");
}

#[test]
fn a_right_limiter_keeps_its_promise_and_is_tested() {
    for run in [BY_DEFAULT, Run::of(Even(60)), Run::of(Random(600))] {
        let report = run.faulty(Fault::None);
        keeps(&report, Promise::SlidingWindow);
        assert_eq!(report.verdict(true), AuditVerdict::Kept, "{run:?}");
        assert_eq!(report.promise(Promise::SlidingWindow).unwrap().tested, 7);
        assert!(!report.nodes_count_alone);
        assert_eq!(report.keys_over, 0);
    }
}

#[test]
fn nodes_that_count_alone_are_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        let report = run.faulty(Fault::NodesAlone);
        found("nodes that count alone", &report, Promise::SlidingWindow);
        assert_eq!(report.keys_over, 7);
    }
    let report = Run::of(Even(60)).faulty(Fault::NodesAlone);
    assert_eq!(report.verdict(true), AuditVerdict::Broken);
    assert!(report.nodes_count_alone);
    for algorithm in [
        Algorithm::ClockWindow,
        Algorithm::OpenedWindow,
        Algorithm::Gcra,
    ] {
        let run = Run::of(Even(600));
        let mut limiter = faulty(algorithm, Fault::NodesAlone, LIMIT, WINDOW, NODES, 0);
        let report = run.history_at(&mut *limiter, 30 * SECOND).audit();
        println!("nodes that count alone, {algorithm:?}: {:?}", report.peak);
        assert!(report.nodes_count_alone, "{algorithm:?}");
    }
}

#[test]
fn others_are_not_taken_for_nodes_that_count_alone() {
    for traffic in [Default, Even(20), Even(60), Even(600)] {
        for fault in [Fault::AlwaysOpen, Fault::OneMore, Fault::HalfWindow] {
            let report = Run::of(traffic).faulty(fault);
            assert!(!report.nodes_count_alone, "{traffic:?} {fault:?}");
        }
    }
}

#[test]
fn one_more_than_the_limit_is_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        let report = run.faulty(Fault::OneMore);
        found("one more than the limit", &report, Promise::SlidingWindow);
        assert_eq!(report.peak.map(|peak| peak.at_least), Some(LIMIT + 1));
        let mut limiter = exact(Algorithm::ClockWindow, LIMIT + 1, WINDOW);
        let report = Run {
            seconds: 180,
            ..run
        }
        .report(&mut *limiter);
        print_fixed_windows(&report, "one more than the limit, by the clock");
        let mut limiter = exact(Algorithm::OpenedWindow, LIMIT + 1, WINDOW);
        let report = Run {
            seconds: 180,
            ..run
        }
        .report(&mut *limiter);
        print_fixed_windows(&report, "one more than the limit, opened");
    }
}

/// Prints whether fixed windows were ruled out.
fn print_fixed_windows(report: &AuditReport, what: &str) {
    let judged = report.promise(Promise::FixedWindow).expect("asked for");
    match &judged.excess {
        Some(proof) => {
            let (after, observed) = (proof.after, report.observed);
            println!("{what}: fixed-window broken after {after} of {observed} requests");
        }
        None => {
            let (clock, opened) = (judged.explained_by[0], judged.explained_by[1]);
            println!("{what}: not found, clock explains: {clock}, opened explains: {opened}");
        }
    }
}

#[test]
fn half_the_window_is_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        let report = run.faulty(Fault::HalfWindow);
        found("half the window", &report, Promise::SlidingWindow);
    }
}

#[test]
fn a_race_between_nodes_is_found() {
    let longer = Run {
        seconds: 120,
        ..Run::of(Random(600))
    };
    for (run, milliseconds) in [
        (BY_DEFAULT, 100),
        (Run::of(Even(60)), 100),
        (Run::of(Random(600)), 5),
        (longer, 5),
    ] {
        let lag = f64::from(milliseconds) / 60_000.0;
        let report = run.faulty(Fault::Race(lag));
        let judged = report.promise(Promise::SlidingWindow).expect("asked for");
        let after = judged.excess.as_ref().map(|proof| proof.after);
        println!(
            "a race of {milliseconds} ms, {run:?}: {after:?} of {}",
            report.observed
        );
    }
    let report = Run::of(Random(600)).faulty(Fault::Race(20.0 / 60_000.0));
    found("a race of 20 ms", &report, Promise::SlidingWindow);
}

#[test]
fn a_store_that_is_away_for_seconds_is_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        for from in [20.0, 52.0] {
            let report = run.faulty(Fault::Open(from / 60.0, (from + 5.0) / 60.0));
            found("open for 5 s", &report, Promise::SlidingWindow);
        }
    }
}

#[test]
fn a_limiter_that_counts_what_it_blocks_is_found() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        let run = Run {
            seconds: 180,
            ..run
        };
        let report = run.faulty(Fault::CountsBlocked);
        let judged = report.promise(Promise::SlidingWindow).expect("asked for");
        let (blocks, observed) = (judged.false_blocks, report.observed);
        println!("counts what it blocks: {blocks} false blocks in {observed} requests");
        assert!(judged.is_broken() && judged.excess.is_none());
        assert_eq!(report.counts_blocked, Some(true));
    }
    let report = Run::of(Even(60)).faulty(Fault::BlocksSometimes(100));
    assert!(report.promise(Promise::SlidingWindow).unwrap().false_blocks > 0);
    assert_ne!(report.counts_blocked, Some(true));
}

#[test]
fn fixed_windows_keep_their_own_promise_and_break_that_of_sliding_ones() {
    // A window ends in the middle of a burst.
    let mut limiter = exact(Algorithm::ClockWindow, LIMIT, WINDOW);
    let report = BY_DEFAULT
        .history_at(&mut *limiter, 32_500 * MILLISECOND)
        .audit();
    found("windows by the clock", &report, Promise::SlidingWindow);
    keeps(&report, Promise::FixedWindow);
    assert!(report.promise(Promise::FixedWindow).unwrap().explained_by[0]);

    // In a minute, two windows explain all admissions.
    assert_eq!(report.verdict(true), AuditVerdict::Inconclusive);
    let run = Run {
        seconds: 180,
        ..BY_DEFAULT
    };
    let mut limiter = exact(Algorithm::ClockWindow, LIMIT, WINDOW);
    let report = run.history_at(&mut *limiter, 32_500 * MILLISECOND).audit();
    assert_eq!(report.verdict(true), AuditVerdict::Kept);

    let mut limiter = exact(Algorithm::OpenedWindow, LIMIT, WINDOW);
    let report = run.report(&mut *limiter);
    keeps(&report, Promise::FixedWindow);
    assert!(report.promise(Promise::FixedWindow).unwrap().explained_by[1]);
    found(
        "windows opened by admissions",
        &report,
        Promise::SlidingWindow,
    );
}

#[test]
fn a_bucket_keeps_its_own_promise_and_breaks_that_of_sliding_windows() {
    for run in [BY_DEFAULT, Run::of(Even(60))] {
        for algorithm in [Algorithm::Gcra, Algorithm::Bucket] {
            let report = run.report(&mut *exact(algorithm, LIMIT, WINDOW));
            found("a token bucket", &report, Promise::SlidingWindow);
            keeps(&report, Promise::TokenBucket);
            assert_ne!(report.verdict(true), AuditVerdict::Broken);
        }
    }
}

#[test]
fn a_bucket_with_one_token_more_is_found() {
    for run in [Run::of(Even(60)), Run::of(Even(600))] {
        let report = run.report(&mut *exact(Algorithm::Gcra, LIMIT + 1, WINDOW));
        found(
            "a bucket with one token more",
            &report,
            Promise::TokenBucket,
        );
    }
}

#[test]
fn an_excess_of_one_in_a_hundred_is_proved_within_a_default_run() {
    let smallest = (1..=20).find(|more| {
        let limiter = &mut *exact(Algorithm::SlidingLog, LIMIT + more, WINDOW);
        let report = BY_DEFAULT.report(limiter);
        let judged = report.promise(Promise::SlidingWindow).expect("asked for");
        judged.excess.is_some()
    });
    let smallest = smallest.expect("an excess that is found");
    println!("the smallest excess that is proved: {smallest} of {LIMIT}");
    assert_eq!(smallest, 1);
    // How much too short the window is, in thousandths.
    let shortest = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        .into_iter()
        .find(|less| {
            let window = WINDOW as f64 * (1.0 - less / 1_000.0);
            let limiter = &mut *exact(Algorithm::SlidingLog, LIMIT, window as u64);
            let run = Run {
                seconds: 120,
                ..Run::of(Even(600))
            };
            let report = run.report(limiter);
            let judged = report.promise(Promise::SlidingWindow).expect("asked for");
            judged.excess.is_some()
        });
    println!("at 600/s, of a window that is too short by: {shortest:?} thousandths");
    assert!(shortest.is_some());
}
