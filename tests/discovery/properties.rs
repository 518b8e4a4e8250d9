//! Any limiter that the bounds allow to see is found, and nothing else is said of one that they do not.
//!
//! `PROPTEST_CASES` sets the number of cases. Each takes about two seconds in an optimized build.

use super::limiters::Algorithm;
use super::simulation::{World, discover};
use super::{is_true, name};
use loadgen::base::Nanos;
use loadgen::core::discovery::{Bounds, Findings, Found, Shares};
use proptest::prelude::*;
use std::time::Duration;

/// The number of cases unless the environment says another one.
const CASES: u32 = 2;

/// With more explanations of different kinds than these, nothing is found out. A limit of one or two shows hardly any
/// difference between them.
const UNDECIDED: usize = 4;
const FEW: u64 = 2;

#[derive(Debug, Clone)]
struct Case {
    algorithm: Algorithm,
    limit: u64,
    window: u64,
    latency: u64,
    millionths: i128,
    seed: u64,
}

impl Case {
    /// Requests per second.
    fn rate(&self) -> f64 {
        self.limit as f64 / Duration::from_nanos(self.window).as_secs_f64()
    }

    /// Whether the bounds allow to see several full windows of several keys.
    fn is_easy(&self) -> bool {
        let bounds = Bounds::DEFAULT;
        self.rate() <= bounds.per_second as f64 / 2.0
            && self.window <= bounds.time.0 / 4
            && self.limit <= bounds.requests / 20
            && self.latency * 20 < self.window
            && self.rate() * Duration::from_nanos(2 * self.latency).as_secs_f64() < 1.0
    }

    fn findings(&self) -> Findings {
        discover(&World {
            seed: self.seed,
            nodes: 3,
            limits: vec![(self.algorithm, self.limit, self.window)],
            latency: Nanos(self.latency),
            millionths: self.millionths,
        })
    }

    fn is_found_by(&self, limits: &[Found]) -> bool {
        matches!(limits, [one] if is_true(one, self.algorithm, self.limit, self.window))
    }
}

/// A value whose logarithm is evenly distributed.
fn log_uniform(from: u64, to: u64) -> impl Strategy<Value = u64> {
    let (from, to) = ((from as f64).ln(), (to as f64).ln());
    (from..=to).prop_map(|log| log.exp().round() as u64)
}

fn case() -> impl Strategy<Value = Case> {
    let numbers = (
        log_uniform(1, 10_000),
        log_uniform(100_000_000, 600_000_000_000),
        log_uniform(1_000_000, 50_000_000),
    );
    let world = (-200_i128..=200, any::<u32>());
    (prop::sample::select(&Algorithm::ALL[..]), numbers, world).prop_map(
        |(algorithm, (limit, window, latency), (millionths, seed))| Case {
            algorithm,
            limit,
            window,
            latency,
            millionths,
            seed: seed.into(),
        },
    )
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig {
        cases,
        failure_persistence: None,
        // Each case takes long.
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_limiter_within_reach_is_found(case in case().prop_filter("in reach", Case::is_easy)) {
        let findings = case.findings();
        let explanations = &findings.explanations;
        prop_assert!(explanations.iter().any(|one| case.is_found_by(one)), "{findings:#?}");
        let mut names: Vec<_> = explanations.iter().flatten().map(name).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert!(names.len() <= UNDECIDED || case.limit <= FEW, "{names:?}");
        prop_assert_ne!(findings.keys, Shares::Yes);
    }

    #[test]
    fn an_explanation_is_never_without_the_truth(case in case()) {
        let findings = case.findings();
        let explanations = &findings.explanations;
        let is_found = explanations.iter().any(|one| case.is_found_by(one));
        prop_assert!(explanations.is_empty() || is_found, "{findings:#?}");
        prop_assert!(findings.asked <= findings.bounds.requests);
        prop_assert!(findings.lasted <= findings.bounds.time + Nanos(1_000_000_000));
    }
}
