//! What a token costs before a worker has it, and how exactly requests then leave:
//! `cargo bench --bench pacing`; for the latter alone, `cargo bench --bench pacing 'schedule error'`.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the stock client is not needed here")]
mod baselines;
#[cfg(target_os = "linux")]
mod schedule_error;
#[cfg(target_os = "linux")]
#[path = "recording_server/server.rs"]
mod server;

use criterion::{Criterion, criterion_group};
use crossbeam_channel::bounded;
use loadgen::base::{KeyId, Moment, Nanos, Token};
use loadgen::core::keys::{Dealer, Distribution, Keys};
use loadgen::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate, Schedule};
use loadgen::engine::queue::{Seat, queue};
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far enough into a run that no quotient is small: eleven days at 10,000/s.
const FAR: u64 = 10_000_000_000;

/// The due times of tokens in order, as the pacer takes them.
fn due_time(criterion: &mut Criterion) {
    let rate = |rps| Rate::per_second(rps).expect("a rate within range");
    let time = |seconds: u64| Nanos(seconds * 1_000_000_000);
    let typed = |profile: &str| {
        let profile: Profile = profile.parse().expect("a profile");
        Schedule::new(profile, None)
    };
    let bursts = Bursts::new(rate(10_000.0), rate(50_000.0), time(5), time(30));
    let poisson = Arrivals::Poisson(Box::new(Poisson::new(1)));
    let mut group = criterion.benchmark_group("due time of the next token");
    for (name, schedule) in [
        ("steady", typed("10000/s")),
        ("bursts", Schedule::new(bursts, None)),
        ("ramp", typed("ramp 1000/s to 19000/s over 2m, repeat")),
        (
            "sine",
            typed("sine 10000/s ± 5000/s every 1m for 5m, repeat"),
        ),
        (
            "sequence",
            typed(
                "10000/s for 30s, ramp 1000/s to 19000/s over 2m, pause 10s, \
                 sine 10000/s ± 5000/s every 1m for 5m, burst 100000 at once, repeat",
            ),
        ),
        ("steady, poisson", typed("10000/s").with_arrivals(poisson)),
    ] {
        let mut tokens = schedule.tokens();
        let mut sequence = FAR;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                sequence += 1;
                black_box(tokens.due(black_box(sequence)))
            });
        });
    }
    group.finish();
}

fn key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key of the next token");
    let keys = |count| Keys::generated(count, 1, "");
    for (name, keys, distribution) in [
        ("7 keys", keys(7), Distribution::Uniform),
        ("100,000 keys", keys(100_000), Distribution::Uniform),
        (
            "100,000 keys, zipf:1.1",
            keys(100_000),
            Distribution::Zipf(1.1),
        ),
        (
            "100,000 keys, hot:0.9",
            keys(100_000),
            Distribution::Hot(0.9),
        ),
        ("fresh keys", Keys::fresh(""), Distribution::Uniform),
    ] {
        let mut dealer = Dealer::new(&keys, distribution, 1);
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

fn token() -> Token {
    Token {
        place: 0,
        due: Moment::now(),
        key: KeyId(0),
    }
}

/// From the pacer's thread to the worker's. A worker that is still busy takes its next token
/// without being woken; one on standby is woken, here every 100 µs, and each time has gone to
/// sleep. The channel's own blocking receive is what it would be without standby: it spins before
/// it sleeps, which this does not show, as criterion measures no processor time.
fn hand_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand-over of a token");
    let (feed, intake) = queue(64);
    let seat = Seat::for_this_thread();
    group.bench_function("to a busy worker", |bencher| {
        bencher.iter(|| {
            feed.offer(black_box(token())).expect("room");
            black_box(intake.next(&seat))
        });
    });

    let (waits, waited) = mpsc::channel();
    let worker = thread::spawn(move || {
        let seat = Seat::for_this_thread();
        while let Some(token) = intake.next(&seat) {
            let _ = waits.send(Moment::now().since(token.due));
        }
    });
    group.bench_function("to a worker on standby", |bencher| {
        bencher.iter_custom(|tokens| {
            total(tokens, &waited, || {
                feed.offer(token()).expect("room");
                feed.call(1);
            })
        });
    });
    drop(feed);
    worker.join().expect("no panic");

    let (tokens, taken) = bounded::<Token>(64);
    let (waits, waited) = mpsc::channel();
    let worker = thread::spawn(move || {
        for token in taken {
            let _ = waits.send(Moment::now().since(token.due));
        }
    });
    group.bench_function("to a worker in a blocking receive", |bencher| {
        bencher
            .iter_custom(|count| total(count, &waited, || tokens.try_send(token()).expect("room")));
    });
    drop(tokens);
    worker.join().expect("no panic");
    group.finish();
}

/// How long all of `tokens` took from hand-over to receipt, 100 µs apart.
fn total(tokens: u64, waited: &mpsc::Receiver<Nanos>, hand_over: impl Fn()) -> Duration {
    (0..tokens)
        .map(|_| {
            thread::sleep(Duration::from_micros(100));
            hand_over();
            Duration::from(waited.recv().expect("a worker that lives"))
        })
        .sum()
}

criterion_group!(benches, due_time, key, hand_over);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    #[cfg(target_os = "linux")]
    schedule_error::print_if_asked_for();
}
