//! What the pacer computes for each token: `cargo bench --bench pacing`.

use criterion::{Criterion, criterion_group, criterion_main};
use loadgen::keys::{Dealer, Keys};
use loadgen::schedule::{Bursts, Nanos, Profile, Rate, Schedule, Steady};
use std::hint::black_box;

/// Far enough into a run that no quotient is small: eleven days at 10,000/s.
const FAR: u64 = 10_000_000_000;

fn due_time(criterion: &mut Criterion) {
    let rate = |rps| Rate::per_second(rps).expect("a rate within range");
    let second = 1_000_000_000;
    let profiles: [(&str, Box<dyn Profile>); 2] = [
        ("steady", Box::new(Steady::new(rate(10_000.0)))),
        (
            "bursts",
            Box::new(Bursts::new(
                rate(10_000.0),
                rate(50_000.0),
                Nanos(5 * second),
                Nanos(30 * second),
            )),
        ),
    ];
    let mut group = criterion.benchmark_group("due time of the next token");
    for (name, profile) in profiles {
        let schedule = Schedule::new(profile, None);
        let mut sequence = FAR;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                sequence += 1;
                black_box(schedule.due(black_box(sequence)))
            });
        });
    }
    group.finish();
}

fn key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key of the next token");
    for (name, count) in [("7 keys", 7), ("100,000 keys", 100_000), ("fresh keys", 0)] {
        let mut dealer = Dealer::new(&Keys::new(count, 1), 1);
        let mut sequence = FAR;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                sequence += 1;
                black_box(dealer.deal(black_box(sequence)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, due_time, key);
criterion_main!(benches);
