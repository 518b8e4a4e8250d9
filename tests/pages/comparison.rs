//! Comparisons of runs: noise is no change, a change is one, and the exit code says which.

use crate::summaries;
use assert_cmd::Command;
use loadgen::base::Nanos;
use loadgen::core::comparison::{Comparison, Judged};
use loadgen::core::stats::Histogram;
use loadgen::core::summary::{DurationSummary, Slot, Summary};
use loadgen::core::threshold::ChangeCondition;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

struct Random(ChaCha8Rng);

impl Random {
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A run whose seconds are correlated: the level of latency is an autoregressive series with this correlation of
/// neighbours. The first `cold` seconds are twenty times as slow.
struct Run {
    seconds: usize,
    per_second: u64,
    correlation: f64,
    slower: f64,
    cold: usize,
}

const STEADY: Run = Run {
    seconds: 60,
    per_second: 20,
    correlation: 0.5,
    slower: 1.0,
    cold: 0,
};

impl Run {
    fn summary(&self, random: &mut Random) -> Summary {
        static LIKE: OnceLock<Summary> = OnceLock::new();
        let mut summary = LIKE.get_or_init(summaries::demo).clone();
        let bands = summary.timeline.bands_ns.clone();
        let (mut all, mut slots) = (Histogram::default(), Vec::new());
        let mut level = random.normal();
        for second in 0..self.seconds {
            let rest = (1.0 - self.correlation * self.correlation).sqrt();
            level = self.correlation * level + rest * random.normal();
            let mut own = Histogram::default();
            let mut heat = vec![0; bands.len()];
            for _ in 0..self.per_second {
                let cold = if second < self.cold { 20.0 } else { 1.0 };
                let ms = self.slower * cold * (0.2 * level + 0.5 * random.normal()).exp();
                let ns = (ms * 1e6) as u64;
                own.record(Nanos(ns));
                all.record(Nanos(ns));
                heat[bands
                    .partition_point(|bound| *bound < ns)
                    .min(bands.len() - 1)] += 1;
            }
            let at = |share| own.quantile(share).0;
            slots.push(Slot {
                asked: self.per_second as f64,
                scheduled: self.per_second,
                sent: self.per_second,
                allowed: self.per_second,
                done: self.per_second,
                p50_ns: at(0.5),
                p90_ns: at(0.9),
                p99_ns: at(0.99),
                p99_9_ns: at(0.999),
                max_ns: at(1.0),
                heat,
                ..Slot::default()
            });
        }
        let sent = self.seconds as u64 * self.per_second;
        summary.run.paced_ns = self.seconds as u64 * 1_000_000_000;
        summary.timeline.slot_ns = 1_000_000_000;
        summary.timeline.slots = slots;
        summary.latency = DurationSummary::new(&all);
        summary.requests = loadgen::base::Ledger {
            scheduled: sent,
            sent,
            allowed: sent,
            ..Default::default()
        };
        summary
    }
}

fn judged(base: &Summary, new: &Summary, condition: &str) -> Judged {
    let condition: ChangeCondition = condition.parse().expect("a condition");
    Comparison::new(vec![base], vec![new]).judge(&condition)
}

/// Of so many comparisons, how many meet each condition.
fn met<const N: usize>(
    comparisons: u64,
    base: &Run,
    new: &Run,
    conditions: [&str; N],
) -> [usize; N] {
    let mut met = [0; N];
    for seed in 0..comparisons {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        let [base, new] = [base, new].map(|run| run.summary(&mut random));
        for (count, condition) in met.iter_mut().zip(conditions) {
            *count += usize::from(judged(&base, &new, condition) == Judged::Met);
        }
    }
    met
}

#[test]
fn of_equal_limiters_at_most_five_percent_seem_worse() {
    for correlation in [0.0, 0.8] {
        let run = Run {
            correlation,
            ..STEADY
        };
        let alarms = met(40, &run, &run, ["latency.p50 worse", "latency.p99 worse"]);
        let are_few = alarms.iter().all(|alarms| *alarms <= 2);
        assert!(are_few, "{correlation}: {alarms:?} of 40");
    }
}

#[test]
fn a_limiter_that_is_half_as_fast_fails() {
    let slower = Run {
        slower: 2.0,
        ..STEADY
    };
    let conditions = ["latency.p50 > 10% worse", "latency.p99 > 10% worse"];
    let found = met(20, &STEADY, &slower, conditions);
    assert!(found.iter().all(|found| *found >= 18), "{found:?} of 20");
    assert_eq!(met(10, &slower, &STEADY, ["latency.p50 worse"]), [0]);
}

#[test]
fn a_real_change_of_20_percent_is_found_by_a_run_that_is_long_enough() {
    let base = Run {
        seconds: 300,
        ..STEADY
    };
    let slower = Run {
        slower: 1.2,
        seconds: 300,
        ..STEADY
    };
    let [found] = met(10, &base, &slower, ["latency.p50 worse"]);
    assert!(found >= 9, "{found} of 10");
}

#[test]
fn one_cold_second_proves_no_change() {
    let cold = Run { cold: 1, ..STEADY };
    let [alarms] = met(20, &STEADY, &cold, ["latency.p99 worse"]);
    assert!(alarms <= 1, "{alarms} of 20");
}

#[test]
fn what_the_runs_cannot_tell_is_unknown() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    let base = STEADY.summary(&mut random);
    let unknown = |new: &Summary, condition: &str, why: &str| {
        let judged = judged(&base, new, condition);
        let is_right = matches!(&judged, Judged::Unknown(said) if said.contains(why));
        assert!(is_right, "{condition}: {judged:?}");
    };
    let short = Run {
        seconds: 9,
        ..STEADY
    }
    .summary(&mut random);
    unknown(&short, "latency.p50 > 10% worse", "too short");
    let other = Run {
        per_second: 30,
        ..STEADY
    }
    .summary(&mut random);
    unknown(&other, "latency.p50 > 10% worse", "different traffic");
    unknown(&base, "latency.p99.9 > 10% worse", "too few");
    unknown(&base, "latency.max > 10% worse", "several runs");
    let mut without_timeline = base.clone();
    without_timeline.timeline.slots.clear();
    let mut without_time = base.clone();
    without_time.run.paced_ns = 0;
    for new in [without_timeline, without_time] {
        unknown(
            &new,
            "failed.rate > 10% worse",
            "the scheduled rate of one is unknown",
        );
    }
    let mut late = base.clone();
    late.schedule.kept = false;
    unknown(
        &late,
        "latency.p50 > 10% worse",
        "did not keep its schedule",
    );
    assert_eq!(
        judged(&base, &base, "latency.p50 > 10% worse"),
        Judged::NotMet
    );
}

#[test]
fn the_exit_code_is_a_gate() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compared_runs");
    fs::create_dir_all(&folder).expect("a folder");
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    for (name, run) in [
        ("base", STEADY),
        (
            "slow",
            Run {
                slower: 3.0,
                ..STEADY
            },
        ),
    ] {
        let text = serde_json::to_string(&run.summary(&mut random)).expect("JSON");
        fs::write(folder.join(name), text).expect("a file");
    }
    for (arguments, code, says) in [
        ("base slow --output page.html", 0, "worse"),
        (
            "base slow --fail-if|latency.p99 > 10% worse",
            4,
            "FAIL  latency.p99 > 10% worse: +",
        ),
        (
            "slow base --fail-if|latency.p99 > 10% worse",
            0,
            "ok    latency.p99",
        ),
        (
            "base slow --fail-if|latency.max > 10% worse",
            3,
            "?     latency.max",
        ),
        (
            "base slow --fail-if|latency.p77 worse",
            2,
            "--fail-if 'latency.p77 worse': must be",
        ),
        (
            "base slow --fail-if|target[9].failed.rate worse",
            2,
            "must have a target's number",
        ),
        ("base", 2, "must be two files"),
        ("base nowhere", 2, "No such file"),
        ("base slow --to base", 2, "must be a run of its own"),
    ] {
        let words = arguments.replace('|', " |");
        let (words, condition) = words.split_once(" |").unwrap_or((&words, ""));
        let mut command = Command::cargo_bin("loadgen").expect("the program");
        command
            .current_dir(&folder)
            .arg("compare")
            .args(words.split(' '));
        command.args(Some(condition).filter(|text| !text.is_empty()));
        let done = command.output().expect("an end");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments}: {text}");
        assert!(text.contains(says), "{arguments}: {text}");
        assert!(
            code == 2 || text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
    let page = fs::read_to_string(folder.join("page.html")).expect("a page");
    assert!(page.contains("id=\"changes\""));
}
