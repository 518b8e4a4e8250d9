//! Measures the time that an audit of all promises takes for an observation in the middle of a run. For comparison, it
//! measures sorting the same observations by their dones and counting them by key. Run it with `cargo bench --bench audit`.

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, measurement::WallTime};
use loadgen::base::{KeyId, Nanos};
use loadgen::core::audit::{AuditedKey, Auditor, Decision, Observation, Terms};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;
const WINDOW: u64 = 60 * SECOND;
const TIMEOUT: u64 = 10 * SECOND;
/// The time between two of the reporter's batches, in nanoseconds.
const BATCH: u64 = SECOND / 10;

#[derive(Clone, Copy)]
struct Load {
    keys: u32,
    per_second: u64,
    limit: u64,
    /// Requests take about a millisecond; with a heavy tail, one in a hundred takes more than a second.
    heavy: bool,
}

/// The requests of a run that never ends, and a sliding log's answers.
struct Stream {
    load: Load,
    sequence: u64,
    now: u64,
    dice: ChaCha8Rng,
    admitted: Vec<VecDeque<u64>>,
    under_way: Vec<Observation>,
}

impl Stream {
    fn new(load: Load) -> Self {
        Stream {
            load,
            sequence: 0,
            now: 0,
            dice: ChaCha8Rng::seed_from_u64(1),
            admitted: vec![VecDeque::new(); load.keys as usize],
            under_way: Vec::new(),
        }
    }

    fn latency(&mut self) -> u64 {
        let draw = f64::from(self.dice.next_u32()) / f64::from(u32::MAX);
        let milliseconds = if self.load.heavy {
            // A Pareto distribution with a mean of about 50 ms.
            (1.0 - draw).powf(-1.5).min(10_000.0)
        } else {
            0.5 + draw
        };
        ((milliseconds * 1e6) as u64).min(TIMEOUT)
    }

    fn send(&mut self, sent: u64) {
        let key = self.dice.next_u32() % self.load.keys;
        let log = &mut self.admitted[key as usize];
        while log.front().is_some_and(|&then| then + WINDOW <= sent) {
            log.pop_front();
        }
        let decision = if (log.len() as u64) < self.load.limit {
            log.push_back(sent);
            Decision::Allowed
        } else {
            Decision::Blocked
        };
        let done = sent + self.latency();
        self.under_way.push(Observation {
            key: AuditedKey::Load(KeyId(key)),
            sequence: self.sequence,
            target: (self.sequence % 3) as u32,
            node: (self.sequence % 3) as u32,
            sent: Nanos(sent),
            done: Nanos(done),
            decision,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        });
        self.sequence += 1;
    }

    /// The requests done since the last batch, and the watermark.
    fn batch(&mut self) -> (Vec<Observation>, Nanos) {
        self.now += BATCH;
        let per_second = self.load.per_second;
        let due = |sequence| sequence * SECOND / per_second;
        while due(self.sequence) < self.now {
            self.send(due(self.sequence));
        }
        let now = Nanos(self.now);
        let done = self.under_way.extract_if(.., |request| request.done < now);
        let mut batch: Vec<_> = done.collect();
        // Workers report in no particular order.
        batch.sort_unstable_by_key(|seen| seen.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // The others are still in the order of their sents.
        let oldest = self.under_way.first().map(|first| first.sent);
        (batch, oldest.unwrap_or(now))
    }

    fn batches(&mut self, requests: u64) -> (Vec<(Vec<Observation>, Nanos)>, u64) {
        let (mut batches, mut all) = (Vec::new(), 0);
        while all < requests {
            let batch = self.batch();
            all += batch.0.len() as u64;
            batches.push(batch);
        }
        (batches, all)
    }
}

fn look(audit: &mut Auditor, batches: &[(Vec<Observation>, Nanos)]) -> Duration {
    let began = Instant::now();
    for (batch, watermark) in batches {
        for observation in batch {
            audit.add(black_box(*observation));
        }
        audit.advance(*watermark);
    }
    began.elapsed()
}

fn count(
    counts: &mut HashMap<AuditedKey, u64>,
    batches: &mut [(Vec<Observation>, Nanos)],
) -> Duration {
    let began = Instant::now();
    for (batch, _) in batches {
        batch.sort_unstable_by_key(|observation| observation.done);
        for observation in black_box(&*batch) {
            *counts.entry(observation.key).or_default() += 1;
        }
    }
    began.elapsed()
}

/// The median of the benchmark's samples, in nanoseconds per observation, if it ran.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut time: impl FnMut(u64) -> (Duration, u64),
) -> Option<f64> {
    let mut samples = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|requests| {
            let (took, all) = time(requests);
            let each = took.as_nanos() as f64 / all as f64;
            samples.push(each);
            Duration::from_nanos((each * requests as f64) as u64)
        });
    });
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

fn an_observation(criterion: &mut Criterion) {
    let mut lines = Vec::new();
    for (name, keys, per_second, limit, heavy) in [
        ("7 keys, most blocked", 7, 10_000, 100, false),
        ("7 keys, all admitted", 7, 10_000, 1_000_000, false),
        ("100,000 keys at 50,000/s", 100_000, 50_000, 20, false),
        ("7 keys, heavy tail", 7, 10_000, 100, true),
        (
            "7 keys, all admitted, heavy tail",
            7,
            10_000,
            1_000_000,
            true,
        ),
    ] {
        let load = Load {
            keys,
            per_second,
            limit,
            heavy,
        };
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(1));
        group.warm_up_time(Duration::from_secs(1));
        group.measurement_time(Duration::from_secs(3));
        let mut running: Option<(Stream, Auditor)> = None;
        let audited = bench(&mut group, "audit", |requests| {
            let (stream, audit) = running.get_or_insert_with(|| {
                // Fills the audit with a window's observations first.
                let terms = Terms::of_all_promises(load.limit, Nanos(WINDOW), 3);
                let (mut stream, mut audit) = (Stream::new(load), Auditor::new(terms));
                while stream.now < WINDOW + TIMEOUT {
                    look(&mut audit, &[stream.batch()]);
                }
                (stream, audit)
            });
            let (batches, all) = stream.batches(requests);
            (look(audit, &batches), all)
        });
        let mut running: Option<(Stream, HashMap<AuditedKey, u64>)> = None;
        let counted = bench(&mut group, "sort and count", |requests| {
            let (stream, counts) =
                running.get_or_insert_with(|| (Stream::new(load), HashMap::new()));
            let (mut batches, all) = stream.batches(requests);
            (count(counts, &mut batches), all)
        });
        group.finish();
        if let (Some(audited), Some(counted)) = (audited, counted) {
            lines.push(format!(
                "{name}: {audited:.0} ns an observation, {:.0}/s, {:.1} times sorting and counting ({counted:.0} ns)",
                1e9 / audited,
                audited / counted
            ));
        }
    }
    lines.iter().for_each(|line| println!("{line}"));
}

criterion_group!(benches, an_observation);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}
