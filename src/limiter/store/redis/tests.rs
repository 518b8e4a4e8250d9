//! Redis decides as memory does.

#![cfg(unix)]

#[path = "../../../../tests/support/redis.rs"]
#[allow(dead_code, reason = "integration tests use the rest")]
mod server;

use super::super::MemoryStore;
use super::*;
use crate::limiter::algorithm::testing::{any_check, at, history, limit, policy, window};
use crate::limiter::check::{Key, Limit, Window};
use crate::limiter::clock::ManualClock;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use server::RedisServer;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

const LONG: Duration = Duration::from_secs(30);

type Step = (Timestamp, Limit, Window);

fn check((_, limit, window): Step, key: &str) -> Check {
    Check {
        key: Key::new(key).unwrap(),
        limit,
        window,
    }
}

/// One policy: bunched, spread, and one window apart to the microsecond.
fn steady() -> impl Strategy<Value = Vec<Step>> {
    history().prop_map(|(limit, window, times)| {
        times.into_iter().map(|now| (now, limit, window)).collect()
    })
}

/// Another policy every few checks, and a clock that steps both ways.
fn unsteady() -> impl Strategy<Value = Vec<Step>> {
    let stay = policy().prop_flat_map(|(limit, window)| {
        let length = window.length().get().cast_signed();
        let gap = prop_oneof![
            4 => 0..=length / i64::from(limit.get()),
            1 => length - 1..=length + 1,
            1 => -2 * length..=2 * length,
            1 => -length - 1..=-length + 1,
        ];
        let gaps = prop::collection::vec(gap, 1..12);
        gaps.prop_map(move |gaps| gaps.into_iter().map(move |gap| (gap, limit, window)))
    });
    let start = 1_700_000_000_000_000..1_700_000_001_000_000_u64;
    (start, prop::collection::vec(stay, 1..10)).prop_map(|(start, stays)| {
        let mut now = start;
        let steps = stays.into_iter().flatten().map(|(gap, limit, window)| {
            now = now.saturating_add_signed(gap);
            (at(now), limit, window)
        });
        steps.collect()
    })
}

/// Limits and windows that divide badly or not at all, at the ends of time, where doubles end too.
fn extreme() -> impl Strategy<Value = Vec<Step>> {
    let start = prop_oneof![Just(0), Just(Timestamp::MAX.as_micros()), Just(1 << 52)];
    let requests = prop_oneof![Just(1_000_000), Just(999_983), Just(3), 1..=1_000_000_u64];
    let millis = prop_oneof![
        Just(1),
        Just(86_400_000),
        Just(86_399_999),
        1..=86_400_000_u64
    ];
    let gaps = prop::collection::vec(-3..=3_i64, 1..80);
    (start, requests, millis, gaps).prop_map(|(start, requests, millis, gaps)| {
        let mut now: u64 = start;
        let steps = gaps.into_iter().map(|gap| {
            now = now.saturating_add_signed(gap);
            (at(now), limit(requests), window(millis))
        });
        steps.collect()
    })
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        steady(),
        unsteady(),
        extreme(),
        prop::collection::vec(any_check(), 1..60),
    ]
}

/// Redis under each algorithm, by a clock that memory goes by too.
struct Pair {
    _server: RedisServer,
    clock: ManualClock,
    redis: Vec<(Algorithm, RedisStore)>,
    keys: AtomicU64,
}

impl Pair {
    fn start() -> Self {
        let server = RedisServer::start();
        let clock = ManualClock::default();
        let redis = Algorithm::ALL.iter().map(|&algorithm| {
            let address = server.url().parse().unwrap();
            let store = RedisStore::start(&address, algorithm, LONG).unwrap();
            (algorithm, store.with_clock(clock.clone()))
        });
        Self {
            redis: redis.collect(),
            _server: server,
            clock,
            keys: AtomicU64::new(0),
        }
    }

    /// Has both decide about one key's history.
    fn agree_on(&self, steps: &[Step]) -> Result<(), TestCaseError> {
        let key = self.keys.fetch_add(1, Ordering::Relaxed).to_string();
        for (algorithm, redis) in &self.redis {
            let memory = MemoryStore::new(*algorithm, self.clock.clone());
            for &step in steps {
                self.clock.set(step.0);
                let check = check(step, &key);
                let (decision, made_at) = redis.decide(&check).unwrap();
                prop_assert_eq!(made_at, step.0);
                let expected = memory.check(&check).unwrap();
                prop_assert_eq!(decision, expected, "{} at {:?}", algorithm, step);
            }
        }
        Ok(())
    }
}

#[test]
fn redis_and_memory_decide_alike() {
    let pair = Pair::start();
    TestRunner::new(ProptestConfig::with_source_file(file!()))
        .run(&any_steps(), |steps| pair.agree_on(&steps))
        .unwrap();
}

#[test]
fn a_large_log_is_cut_and_moved_as_in_memory() {
    let pair = Pair::start();
    let made = |range: std::ops::Range<u64>| range.map(|now| (at(now), limit(2_600), window(3)));
    // All of it becomes the past, a part of it expires, all of what is left is from the future.
    let steps: Vec<Step> = made(10_000..12_600)
        .chain(made(9_000..9_010))
        .chain(made(12_000..12_005))
        .chain(made(13_500..15_000))
        .chain(made(14_000..14_010))
        .chain(made(13_000..13_010))
        .collect();
    pair.agree_on(&steps).unwrap();
}

#[test]
fn a_bucket_that_a_step_of_the_clock_overfills_by_a_part_of_a_microsecond_is_just_empty() {
    let pair = Pair::start();
    for back in 330..340 {
        // Two thirds of 1000 µs are 666 and two thirds.
        let times = [10_000, 10_000, 10_000 - back, 10_000, 10_001];
        let steps = times.map(|now| (at(now), limit(3), window(1)));
        pair.agree_on(&steps).unwrap();
    }
}

#[test]
fn the_largest_bucket_holds_exactly_its_limit() {
    let pair = Pair::start();
    let largest = (Timestamp::MAX, limit(1_000_000), window(86_400_000));
    pair.agree_on(&[largest; 2_000]).unwrap();
}

#[test]
fn by_its_own_clock_redis_decides_as_memory_does_at_that_instant() {
    let server = RedisServer::start();
    for &algorithm in Algorithm::ALL {
        let address = server.url().parse().unwrap();
        let redis = RedisStore::start(&address, algorithm, LONG).unwrap();
        let clock = ManualClock::default();
        let memory = MemoryStore::new(algorithm, clock.clone());
        let check = check((Timestamp::default(), limit(5), window(20)), "k");
        for turn in 0..300 {
            let (decision, made_at) = redis.decide(&check).unwrap();
            clock.set(made_at);
            let expected = memory.check(&check).unwrap();
            assert_eq!(decision, expected, "{algorithm}, turn {turn}");
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            assert!(wall.as_micros().abs_diff(made_at.as_micros().into()) < 10_000_000);
            if turn % 10 == 9 {
                thread::sleep(Duration::from_millis(turn / 10));
            }
        }
    }
}
