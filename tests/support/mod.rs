//! What every test here stands on: a scripted server, the real binary, and a reader of what it printed.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod carrier;
pub mod metrics;
pub mod report;
pub mod run;
pub mod server;
pub mod tls;

use std::time::{Duration, Instant};

/// No test waits for anything longer than this.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Signals that come sooner after each other count as one.
pub const SIGNALS_APART: Duration = Duration::from_millis(150);

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A result as JSON, which must be valid by the schema of this name.
#[track_caller]
pub fn valid_json(text: &str, schema: &str) -> serde_json::Value {
    let schema = loadgen::core::summary::Schema::find(schema).expect("a schema");
    let schema = serde_json::from_str(schema.text).expect("a schema as JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let json = serde_json::from_str(text).expect("JSON");
    let errors = schema.iter_errors(&json);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    json
}

/// Waits until `condition` holds, and fails the test when it never does.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tries every case, all at the same time: most of a run is waiting. A failure says which case it was.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, attempt: impl Fn(T) + Sync) {
    let attempt = &attempt;
    std::thread::scope(|scope| {
        for (number, case) in cases.into_iter().enumerate() {
            scope.spawn(move || {
                let _number = Number(number);
                attempt(case);
            });
        }
    });
}

struct Number(usize);

impl Drop for Number {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("this was case {}, counted from 0", self.0);
        }
    }
}
