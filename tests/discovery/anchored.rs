//! Sliding counters whose windows begin with each key's first request, as HAProxy and most counters in Redis have them.

use super::limiters::Limiter;
use super::simulation::{World, run};
use super::{NEAR, SECOND, name};
use loadgen::base::Nanos;
use loadgen::core::discovery::{Bounds, Ending, Experiment, Findings};
use std::collections::HashMap;

/// The windows of a key: when the present one began, and what counts in it and in the one before.
#[derive(Default)]
struct Windows {
    began: Option<i128>,
    before: u64,
    now: u64,
}

/// At most `limit` in a window and the weighted one before.
fn counter(limit: u64, window: u64, counts_blocked: bool) -> Limiter {
    let mut keys: HashMap<usize, Windows> = HashMap::new();
    let window = i128::from(window);
    Box::new(move |key, _, at| {
        let windows = keys.entry(key).or_default();
        let mut began = *windows.began.get_or_insert(at);
        if at >= began + 2 * window {
            *windows = Windows::default();
            (began, windows.began) = (at, Some(at));
        } else if at >= began + window {
            began += window;
            windows.began = Some(began);
            (windows.before, windows.now) = (windows.now, 0);
        }
        let left = (window - (at - began)) as f64 / window as f64;
        let admits = windows.before as f64 * left + (windows.now as f64) < limit as f64;
        windows.now += u64::from(admits || counts_blocked);
        admits
    })
}

fn found(limit: u64, window: u64, counts_blocked: bool, seed: u64) -> Findings {
    let world = World {
        seed,
        nodes: 1,
        limits: Vec::new(),
        latency: NEAR,
        millionths: 50,
    };
    let mut limiter = counter(limit, window, counts_blocked);
    run(&world, Experiment::new(Bounds::DEFAULT, 1), &mut limiter)
}

#[test]
fn a_counter_whose_windows_begin_with_a_keys_first_request_is_found() {
    for (limit, window) in [(12, 5 * SECOND), (15, 3 * SECOND), (100, 20 * SECOND)] {
        for counts_blocked in [false, true] {
            let findings = found(limit, window, counts_blocked, limit);
            let shown = format!(
                "{limit} per {}, {counts_blocked}: {findings:#?}",
                Nanos(window)
            );
            let is_it = |one: &Vec<loadgen::core::discovery::Found>| {
                let [one] = &one[..] else { return false };
                let windows = u128::from(one.window.0.0) * 1999 / 2000
                    ..=u128::from(one.window.1.0) * 2001 / 2000;
                name(one) == ("sliding-counter", "key")
                    && one.limit.quota.limit == limit
                    && windows.contains(&u128::from(window))
                    && one.counts_blocked == counts_blocked
            };
            assert!(findings.explanations.iter().any(is_it), "{shown}");
            // If blocked requests count, a key that is asked is never admitted again, and fewer answers tell.
            let most = if counts_blocked { 4 } else { 2 };
            assert!(findings.explanations.len() <= most, "{shown}");
        }
    }
}

/// The first block of a counter may take much longer than the later ones. It is not that of a second limit, for which the
/// experiment would go on until it has spent its requests or its time.
#[test]
fn a_counter_whose_first_block_is_the_longest_takes_a_minute() {
    for seed in 0..8 {
        let findings = found(12, 5 * SECOND, false, seed);
        assert_eq!(findings.ending, Ending::Complete);
        assert!(findings.lasted < Nanos(100 * SECOND), "{findings:#?}");
        assert!(findings.asked < 5_000, "{findings:#?}");
    }
}
