//! A limiter that keeps its promise is never accused, whatever the clocks and the network do.

use super::brute::Brute;
use super::cluster::{World, quota, world, world_of_tiers};
use super::limiters::{Algorithm, Fault};
use loadgen::base::Nanos;
use loadgen::core::audit::{
    Algorithm as Promised, AuditReport, AuditVerdict, Limit, Promise, Quota,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseResult, TestRunner};
use std::collections::HashSet;
use std::env;
use std::fmt::Debug;

/// Tries so many cases, unless `PROPTEST_CASES` is set.
pub fn for_all<T: Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    holds: impl Fn(T) -> TestCaseResult,
) {
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if let Err(failure) = TestRunner::new(config).run(&strategy, holds) {
        panic!("{failure}");
    }
}

/// What a limiter of this algorithm promises, as text, and its place among the promises of `auto`.
fn promise(algorithm: Algorithm) -> (&'static str, usize) {
    match algorithm {
        Algorithm::SlidingLog => ("sliding-window", 0),
        Algorithm::ClockWindow => ("fixed-window by clock", 1),
        Algorithm::OpenedWindow => ("fixed-window by admission", 1),
        Algorithm::KeyWindow => ("fixed-window by key", 1),
        Algorithm::Gcra | Algorithm::Bucket => ("token-bucket", 2),
        Algorithm::Counter => ("sliding-counter", 3),
    }
}

fn is_never_accused(algorithm: Algorithm) {
    let (text, place) = promise(algorithm);
    for_all(250, world(120), |world| {
        let history = world.play(algorithm, Fault::None);
        let report = history.audit();
        let judged = &report.promises[place];
        prop_assert!(!judged.is_broken(), "{judged:#?}");
        let kinds = &judged.limits[0].kinds;
        match algorithm {
            Algorithm::OpenedWindow => prop_assert!(kinds[1].explains),
            Algorithm::KeyWindow => prop_assert!(kinds[2].explains),
            _ => prop_assert!(kinds[0].explains),
        }
        prop_assert_ne!(report.verdict(true), AuditVerdict::Broken);
        // The promise alone gives the same verdict as beside the others.
        if world.requests.len() % 4 == 0 {
            let report = history.audit_by(text);
            prop_assert_ne!(report.verdict(true), AuditVerdict::Broken);
        }
        Ok(())
    });
}

/// The limit that a limiter of this algorithm keeps.
pub fn limit(algorithm: Algorithm, quota: Quota) -> Limit {
    let (promised, kind) = match algorithm {
        Algorithm::SlidingLog => (Promised::SlidingWindow, 0),
        Algorithm::ClockWindow => (Promised::FixedWindow, 0),
        Algorithm::OpenedWindow => (Promised::FixedWindow, 1),
        Algorithm::KeyWindow => (Promised::FixedWindow, 2),
        Algorithm::Gcra | Algorithm::Bucket => (Promised::TokenBucket, 0),
        Algorithm::Counter => (Promised::SlidingCounter, 0),
    };
    Limit {
        kind: Some(kind),
        ..Limit::new(promised, quota)
    }
}

/// What a world's limiter promises of the keys without a tier.
pub fn own_quota(world: &World) -> Quota {
    Quota::new(world.limit, Nanos(world.window))
}

fn is_not_broken(report: &AuditReport) -> TestCaseResult {
    let judged = &report.promises[0];
    prop_assert!(
        !judged.is_broken(),
        "{judged:#?}\n{:#?}",
        report.false_blocks
    );
    let mut limits = judged.limits.iter();
    prop_assert!(limits.all(|limit| limit.is_explained()), "{judged:#?}");
    prop_assert_ne!(report.verdict(true), AuditVerdict::Broken);
    Ok(())
}

/// The nodes' clocks are far apart, and more is admitted than the limit, both as far as it is granted.
fn is_never_accused_within_tolerances(algorithm: Algorithm) {
    let excess = select(&[0.0, 0.05, 0.2, 0.5, 1.0][..]);
    let cases = (world(120), 0.0..0.4, excess, 0.0..=1.0);
    for_all(250, cases, |(mut world, apart, excess, part)| {
        (world.clock.apart, world.excess) = (apart, excess);
        let quota = own_quota(&world);
        let beyond = (quota.limit as f64 * excess + 1e-9).floor() * part;
        let extended = Quota::new(quota.limit + beyond as u64, quota.window);
        let history = world.play_limits(&[(algorithm, extended)]);
        is_not_broken(&history.audit_of(vec![Promise::of(limit(algorithm, quota))]))
    });
}

#[test]
fn limiters_with_two_limits_are_never_accused() {
    let algorithm = || select(&Algorithm::ALL[..]);
    let cases = world(120).prop_flat_map(move |world| {
        let quotas = (quota(world.window), quota(world.window));
        (Just(world), algorithm(), algorithm(), quotas)
    });
    for_all(250, cases, |(world, first, second, quotas)| {
        let limits = [(first, quotas.0), (second, quotas.1)];
        let history = world.play_limits(&limits);
        let limits = limits.map(|(algorithm, quota)| limit(algorithm, quota));
        let promise = Promise {
            limits: limits.into(),
        };
        is_not_broken(&history.audit_of(vec![promise]))
    });
}

#[test]
fn limiters_with_tiers_and_costs_are_never_accused() {
    let algorithm = select(&Algorithm::ALL[..]);
    for_all(
        1_000,
        (world_of_tiers(120), algorithm),
        |(world, algorithm)| {
            let quota = own_quota(&world);
            let history = world.play_limits(&[(algorithm, quota)]);
            is_not_broken(&history.audit_of(vec![Promise::of(limit(algorithm, quota))]))
        },
    );
}

/// The brute-force audit has to be right, too, so that the audit can be compared with it.
fn is_never_accused_by_trying_everything(algorithm: Algorithm) {
    for_all(150, world(60), |world| {
        let history = world.play(algorithm, Fault::None);
        let brute = Brute::new(&history.terms, history.observations());
        match algorithm {
            Algorithm::SlidingLog => prop_assert!(!brute.sliding_broken()),
            Algorithm::ClockWindow => prop_assert!(brute.clock_explains(brute.keys(), 8, 0)),
            Algorithm::KeyWindow => {
                prop_assert!(brute.keys().all(|key| brute.clock_explains([key], 8, 0)));
            }
            Algorithm::Counter => {}
            Algorithm::OpenedWindow => {
                let explained = |key| brute.opened_explains(key).unwrap_or(true);
                prop_assert!(brute.keys().all(explained));
            }
            Algorithm::Gcra | Algorithm::Bucket => prop_assert!(!brute.bucket_broken()),
        }
        let wrongly_blocked = match algorithm {
            Algorithm::Gcra | Algorithm::Bucket => brute.falsely_dry(true),
            Algorithm::Counter => HashSet::new(),
            _ => brute.falsely_blocked(),
        };
        prop_assert!(wrongly_blocked.is_empty());
        let is_possible = |key| brute.at_least(key) <= history.peak(key);
        prop_assert!(brute.keys().all(is_possible));
        Ok(())
    });
}

/// Three tests of each limiter.
macro_rules! sound {
    ($($limiter:ident: $algorithm:ident),+ $(,)?) => {
        $(mod $limiter {
            use super::Algorithm;

            #[test]
            fn is_never_accused() {
                super::is_never_accused(Algorithm::$algorithm);
            }

            #[test]
            fn is_never_accused_within_tolerances() {
                super::is_never_accused_within_tolerances(Algorithm::$algorithm);
            }

            #[test]
            fn is_never_accused_by_trying_everything() {
                super::is_never_accused_by_trying_everything(Algorithm::$algorithm);
            }
        })+
    };
}

sound! {
    a_sliding_log: SlidingLog,
    windows_laid_by_a_clock: ClockWindow,
    windows_opened_by_admissions: OpenedWindow,
    a_generic_cell_rate_algorithm: Gcra,
    a_token_bucket: Bucket,
    windows_laid_by_a_clock_for_each_key: KeyWindow,
    a_sliding_counter: Counter,
}
