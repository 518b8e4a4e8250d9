//! Searches on simulated servers, in virtual time: they find the rates up to which the servers hold.

mod command;
#[path = "../support/mod.rs"]
mod support;
mod worlds;

use loadgen::base::Nanos;
use loadgen::core::capacity::{Bounds, Finding, Limit, Search};
use loadgen::core::schedule::Rate;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use worlds::{Cap, Dip, Disturbed, Drift, FailsAtRandom, Queue, Race, SlowGenerator, World};

const PRECISION: f64 = 0.05;
const RUNS: u64 = 100;

fn bounds() -> Bounds {
    Bounds {
        from: Rate::per_second(100.0).unwrap(),
        to: Rate::per_second(50_000.0).unwrap(),
        precision: PRECISION,
    }
}

/// A whole search, and its number of steps.
fn search(bounds: Bounds, world: &mut impl World, seed: u64) -> (Finding, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut search = Search::new(bounds);
    let mut steps = 0;
    while let Some(step) = search.next() {
        let outcome = world.step(step.rate.as_f64(), &mut random);
        search.add(step.rate, outcome);
        steps += 1;
    }
    assert!(steps <= search.most_steps());
    (search.finding(), steps)
}

/// Runs seeded searches in worlds with this knee. At least 95 of 100 find it within the precision, all of them find no rate
/// that is above it by more than the precision, and none takes more than `most_steps`.
fn check<W: World>(make: impl Fn() -> W, knee: f64, most_steps: usize) {
    check_drifting(make, [knee, knee], most_steps);
}

/// The same with a knee that drifts between two rates.
fn check_drifting<W: World>(make: impl Fn() -> W, [lowest, highest]: [f64; 2], most_steps: usize) {
    let (mut found, mut longest) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 0..RUNS {
        let (finding, steps) = search(bounds(), &mut make(), seed);
        let held = finding.held.map_or(0.0, Rate::as_f64);
        assert!(
            held <= highest * (1.0 + PRECISION),
            "{seed}: {finding:?}, knee {highest}"
        );
        longest = longest.max(steps);
        if held >= lowest / (1.0 + PRECISION) {
            found += 1;
        } else {
            wrong.push(held);
        }
    }
    assert!(
        found >= 95,
        "only {found} found the knee {lowest}; the others: {wrong:?}"
    );
    assert!(longest <= most_steps, "{longest} steps");
}

#[test]
fn the_knee_of_a_queue_is_found() {
    for capacity in [1_300.0, 9_000.0] {
        let queue = Queue {
            capacity,
            longest: 20.0 / capacity,
        };
        let knee = queue.knee();
        assert!((0.7..0.95).contains(&(knee / capacity)), "{knee}");
        check(|| queue, knee, 30);
    }
}

#[test]
fn a_hard_cap_is_found_wherever_it_is() {
    for cap in [105.0, 333.0, 6_400.0, 12_345.0, 31_000.0] {
        check(|| Cap(cap), cap, 17);
    }
}

#[test]
fn the_rate_above_which_a_race_breaks_the_limit_is_found() {
    check(|| Race { knee: 4_200.0 }, 4_200.0, 30);
}

#[test]
fn failures_at_random_below_the_threshold_do_not_hide_the_knee() {
    for cap in [900.0, 7_700.0] {
        let world = || FailsAtRandom {
            share: 0.000_5,
            cap: Cap(cap),
        };
        check(world, cap, 30);
    }
}

#[test]
fn a_capacity_that_drifts_is_found_where_it_drifts() {
    let drift = Drift {
        mean: 5_000.0,
        noise: 0.01,
        amplitude: 0.02,
        step: 0,
    };
    check_drifting(|| drift, [4_850.0, 5_150.0], 34);
}

#[test]
fn nothing_above_a_dip_counts() {
    let dip = Dip {
        from: 2_500.0,
        to: 4_500.0,
        cap: 9_000.0,
    };
    check(|| dip, dip.from, 17);
}

#[test]
fn a_slow_generator_is_not_taken_for_a_slow_limiter() {
    for seed in 0..RUNS {
        let generator = SlowGenerator {
            fastest: 8_000.0,
            limiter: Cap(8_600.0),
        };
        let (finding, _) = search(bounds(), &mut { generator }, seed);
        assert_eq!(finding.limit, Limit::Generator, "{finding:?}");

        let generator = SlowGenerator {
            fastest: 9_500.0,
            limiter: Cap(8_600.0),
        };
        let (finding, _) = search(bounds(), &mut { generator }, seed);
        assert_eq!(finding.limit, Limit::Limiter, "{finding:?}");
    }
}

#[test]
fn other_processes_on_this_machine_do_not_hide_the_knee() {
    let disturbed = Disturbed {
        share: 0.15,
        limiter: Cap(3_333.0),
    };
    check(|| disturbed, disturbed.limiter.0, 34);
}

#[test]
fn the_bounds_are_named_if_they_end_the_search() {
    let (finding, steps) = search(bounds(), &mut Cap(1e6), 1);
    assert_eq!(finding.held, Some(bounds().to));
    assert_eq!((finding.limit, finding.not_held), (Limit::To, None));
    // Ten doublings, and a repetition of the last.
    assert_eq!(steps, 11);

    let (finding, steps) = search(bounds(), &mut Cap(90.0), 1);
    assert_eq!(
        (finding.held, finding.not_held),
        (None, Some(bounds().from))
    );
    assert_eq!((finding.limit, steps), (Limit::Limiter, 2));
}

#[test]
fn the_forecast_is_about_right() {
    let step = Nanos(10_000_000_000);
    for cap in [150.0, 3_000.0, 20_000.0] {
        let mut world = Cap(cap);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut search = Search::new(bounds());
        let longest = search.longest();
        let (mut forecasts, mut requests) = (Vec::new(), 0.0);
        while let Some(next) = search.next() {
            forecasts.push(search.left().steps);
            requests += next.rate.as_f64() * step.as_secs_f64();
            let outcome = world.step(next.rate.as_f64(), &mut random);
            search.add(next.rate, outcome);
        }
        let steps = forecasts.len();
        assert!(steps <= longest.steps);
        assert!(requests <= longest.requests(step) as f64);
        for (done, forecast) in forecasts.into_iter().enumerate() {
            let left = steps - done;
            assert!(
                forecast.abs_diff(left) <= 9,
                "{cap}: {forecast} of {left} left"
            );
        }
    }
}
