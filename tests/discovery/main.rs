//! Experiments on simulated limiters, in virtual time: they find what the limiters enforce.

#[path = "../audit/limiters.rs"]
#[allow(dead_code, reason = "the audit's tests need more of it")]
mod limiters;
mod simulation;

use limiters::Algorithm;
use loadgen::base::Nanos;
use loadgen::core::discovery::{Ending, Found, Shares};
use simulation::{World, discover};
use std::collections::BTreeSet;

const SECOND: u64 = 1_000_000_000;

/// The algorithm and the kind that an explanation names.
fn name(found: &Found) -> (&'static str, &'static str) {
    let about = found.limit.algorithm.about();
    let kind = found.limit.kind.expect("a kind");
    (about.name, about.kinds[kind].name)
}

fn expected(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::SlidingLog => ("sliding-window", "log"),
        Algorithm::ClockWindow => ("fixed-window", "clock"),
        Algorithm::KeyWindow => ("fixed-window", "key"),
        Algorithm::OpenedWindow => ("fixed-window", "admission"),
        Algorithm::Gcra | Algorithm::Bucket => ("token-bucket", "bucket"),
        Algorithm::Counter => ("sliding-counter", "clock"),
    }
}

/// Whether an explanation is the limiter, with its limit, and a window within the stated error.
fn is_true(found: &Found, algorithm: Algorithm, limit: u64, window: u64) -> bool {
    let (stated, burst) = (found.window, &found.burst);
    // A bucket's window is the time in which so many requests come back.
    let window = u128::from(window) * u128::from(found.limit.quota.limit) / u128::from(limit);
    let drift = |time: Nanos| u128::from(time.0) / 2_000;
    let within = u128::from(stated.0.0) - drift(stated.0) <= window
        && window <= u128::from(stated.1.0) + drift(stated.1);
    name(found) == expected(algorithm) && burst.contains(&limit) && within
}

#[test]
fn a_limit_of_some_seconds_is_found() {
    check(20, 10 * SECOND);
}

#[test]
fn a_limit_of_a_second_is_found() {
    check(5, SECOND);
}

#[test]
fn a_limit_of_a_minute_is_found_within_five() {
    check(3, 60 * SECOND);
}

/// Checks what an experiment finds out about each algorithm.
fn check(limit: u64, window: u64) {
    for algorithm in Algorithm::ALL {
        let world = World {
            seed: limit,
            nodes: 3,
            limits: vec![(algorithm, limit, window)],
            latency: Nanos(2_000_000),
            millionths: 100,
        };
        let findings = discover(&world);
        let explanations = &findings.explanations;
        let shown = format!("{algorithm:?}, {limit} in {}: {findings:#?}", Nanos(window));
        let is_it = |one: &Vec<Found>| one.len() == 1 && is_true(&one[0], algorithm, limit, window);
        assert!(explanations.iter().any(is_it), "{shown}");
        let names = explanations.iter().flatten().map(name);
        let others: BTreeSet<_> = names.filter(|name| *name != expected(algorithm)).collect();
        assert!(others.len() <= 1, "{shown}");
        assert_eq!(findings.keys, Shares::No, "{shown}");
        assert!(!findings.nodes[1..].contains(&Shares::No), "{shown}");
        assert!(
            matches!(findings.ending, Ending::Complete | Ending::OutOfTime),
            "{shown}"
        );
        assert!(
            findings.asked <= 20_000 && findings.lasted <= Nanos(301 * SECOND),
            "{shown}"
        );
    }
}
