//! Experiments on simulated limiters, in virtual time: they find what the limiters enforce.

mod anchored;
mod claims;
#[path = "../audit/limiters.rs"]
#[allow(dead_code, reason = "the audit's tests need more of it")]
mod limiters;
mod properties;
mod sharing;
mod simulation;
mod worlds;

use limiters::{Algorithm, Fault, Limiter};
use loadgen::base::Nanos;
use loadgen::core::discovery::{Bounds, Ending, Experiment, Findings, Found, Shares};
use simulation::{World, discover, run};
use std::collections::BTreeSet;

const SECOND: u64 = 1_000_000_000;

/// The longest ways of requests and of answers, in the same network and across an ocean.
const NEAR: Nanos = Nanos(2_000_000);
const FAR: Nanos = Nanos(60_000_000);

/// The algorithm and the kind that an explanation names.
fn name(found: &Found) -> (&'static str, &'static str) {
    let about = found.limit.algorithm.about();
    (about.name, about.kinds[found.limit.kind.unwrap_or(0)].name)
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
    let quota = found.limit.quota;
    // A bucket's window is the time in which so many requests come back.
    let window = u128::from(window) * u128::from(quota.limit) / u128::from(limit);
    let is_within_error = u128::from(quota.window.0).abs_diff(window) <= u128::from(found.error.0);
    let burst = &found.burst;
    name(found) == expected(algorithm) && burst.contains(&limit) && is_within_error
}

/// Whether it is what was configured, to the nanosecond.
fn is_configured(found: &Found, limit: u64, window: u64) -> bool {
    let quota = found.limit.quota;
    u128::from(quota.window.0) * u128::from(limit) == u128::from(window) * u128::from(quota.limit)
        && quota.burst == limit
}

#[test]
fn a_limit_of_some_seconds_is_found() {
    check(20, 10 * SECOND, NEAR);
}

#[test]
fn a_limit_of_a_second_is_found() {
    check(5, SECOND, NEAR);
}

#[test]
#[ignore = "takes a minute without optimization: `cargo test --profile properties --test discovery -- --ignored`"]
fn a_limit_of_a_minute_is_found_within_five() {
    check(3, 60 * SECOND, NEAR);
}

#[test]
#[ignore = "takes a minute without optimization: `cargo test --profile properties --test discovery -- --ignored`"]
fn a_limit_far_away_is_found_with_several_requests_in_flight() {
    check(60, 10 * SECOND, FAR);
}

/// Checks what an experiment finds out about each algorithm.
fn check(limit: u64, window: u64, latency: Nanos) {
    for algorithm in Algorithm::ALL {
        let world = World {
            seed: limit,
            nodes: 3,
            limits: vec![(algorithm, limit, window)],
            latency,
            millionths: 100,
        };
        let findings = discover(&world);
        let explanations = &findings.explanations;
        let shown = format!("{algorithm:?}, {limit} in {}: {findings:#?}", Nanos(window));
        let is_it = |one: &Vec<Found>| one.len() == 1 && is_true(&one[0], algorithm, limit, window);
        assert!(explanations.iter().any(is_it), "{shown}");
        let is_aligned = |one: &Found| match algorithm {
            Algorithm::ClockWindow => one.begins_on_multiples() == Some(true),
            Algorithm::Counter => one.begins_on_multiples() != Some(false),
            _ => one.begins.is_none(),
        };
        let truth = explanations.iter().find(|one| is_it(one));
        let is_exact = |one: &Found| is_aligned(one) && is_configured(one, limit, window);
        assert!(truth.is_some_and(|one| is_exact(&one[0])), "{shown}");
        let names = explanations.iter().flatten().map(name);
        let others: BTreeSet<_> = names.filter(|name| *name != expected(algorithm)).collect();
        assert!(others.len() <= 2, "{shown}");
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

/// What an experiment finds out about a limiter of 20 requests per 10 s on three nodes.
fn findings_of(limiter: &mut Limiter) -> Findings {
    let world = World {
        seed: 1,
        nodes: 3,
        limits: Vec::new(),
        latency: NEAR,
        millionths: 0,
    };
    run(
        &world,
        Experiment::new(Bounds::DEFAULT, world.nodes),
        limiter,
    )
}

fn faulty(fault: Fault) -> Findings {
    let mut limiter = limiters::faulty(Algorithm::SlidingLog, fault, 20, 10 * SECOND, 0);
    findings_of(&mut limiter)
}

/// The limits and whether blocked requests count, by each explanation.
fn explained(findings: &Findings) -> Vec<(&'static str, u64, bool)> {
    let found = findings.explanations.iter().flatten();
    let shown = found.map(|one| (name(one).0, one.limit.quota.limit, one.counts_blocked));
    shown.collect()
}

#[test]
fn without_a_limit_none_is_found_and_nothing_is_said_of_counts() {
    let findings = faulty(Fault::AlwaysOpen);
    assert_eq!(findings.ending, Ending::OutOfRequests);
    assert_eq!(findings.admitted, 20_000);
    assert_eq!(explained(&findings), []);
    assert_eq!(findings.keys, Shares::Unknown);
}

#[test]
fn a_limiter_that_blocks_everything_shows_no_shared_count() {
    let findings = faulty(Fault::BlocksAll);
    assert_eq!(findings.ending, Ending::NothingAdmitted);
    assert!(findings.lasted < Nanos(70 * SECOND), "{findings:#?}");
    assert_eq!(explained(&findings), []);
    let Findings {
        connections, keys, ..
    } = findings;
    assert_eq!((connections, keys), (Shares::Unknown, Shares::Unknown));
}

#[test]
fn nodes_that_count_alone_are_told_apart() {
    let findings = faulty(Fault::NodesAlone);
    assert_eq!(findings.nodes[1..], [Shares::No; 2]);
    assert_eq!(findings.keys, Shares::No);
    assert_eq!(explained(&findings), [("sliding-window", 20, false)]);
}

#[test]
fn blocked_requests_that_count_are_noticed() {
    let findings = faulty(Fault::CountsBlocked);
    assert_eq!(explained(&findings), [("sliding-window", 20, true)]);
}

#[test]
fn a_count_that_all_keys_share_is_noticed() {
    let mut one = limiters::exact(Algorithm::SlidingLog, 20, 10 * SECOND);
    let mut limiter: Limiter = Box::new(move |_, node, at| one(0, node, at));
    let findings = findings_of(&mut limiter);
    assert_eq!(findings.keys, Shares::Yes);
    assert_eq!(explained(&findings), [("sliding-window", 20, false)]);
}

#[test]
fn a_limiter_that_blocks_at_random_does_not_seem_to_share_a_count() {
    let findings = faulty(Fault::BlocksSometimes(50));
    assert_ne!(findings.keys, Shares::Yes);
    assert_eq!(explained(&findings), []);
}
