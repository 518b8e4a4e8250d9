//! The counters of a node, for Prometheus.
//!
//! | metric | |
//! | --- | --- |
//! | `ratelimiter_requests_checked_total{result}` | checks by result: `allowed`, `blocked`, or `error` if the store gave no decision, whatever the node then answered |
//! | `ratelimiter_decision_duration_seconds` | histogram of the time that the store took for a check, with or without a decision |
//! | `ratelimiter_store_errors_total` | failed calls of the store, by checks, health checks and scrapes |
//! | `ratelimiter_keys` | keys in the store; nodes that share a store report the same keys; absent while the store fails |
//! | `ratelimiter_build_info{version,node,fail_mode}` | 1; the fail mode is `closed` or `open` |
//!
//! Requests that are not checks (a wrong path, a malformed body) are not counted.

use super::check::{Check, Decision};
use super::fail_mode::FailMode;
use super::outage::Outage;
use super::store::{Store, StoreError};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

/// The upper bounds of the histogram's buckets, in seconds: from a decision in memory to a store's timeout.
const DECISION_BOUNDS: [f64; 18] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
    5e-2, 0.1, 0.25, 1.0,
];

/// A store whose calls are counted and timed, and whose outages are reported on standard error.
pub(super) struct MeteredStore {
    node: Arc<str>,
    outage: Outage,
    store: Arc<dyn Store>,
    allowed: Counter,
    blocked: Counter,
    error: Counter,
    decisions: Histogram,
    store_errors: Counter,
}

impl MeteredStore {
    /// Returns the store and a registry of all metrics of the node.
    pub fn new(
        store: Arc<dyn Store>,
        node: &Arc<str>,
        fail_mode: FailMode,
    ) -> (Arc<Self>, Registry) {
        let checked = Family::<[(&str, &str); 1], Counter>::default();
        let result = |result| checked.get_or_create_owned(&[("result", result)]);
        let metered = Arc::new(Self {
            node: Arc::clone(node),
            outage: Outage::default(),
            store,
            allowed: result("allowed"),
            blocked: result("blocked"),
            error: result("error"),
            decisions: Histogram::new(DECISION_BOUNDS),
            store_errors: Counter::default(),
        });
        let mut registry = Registry::with_prefix("ratelimiter");
        registry.register("requests_checked", "Checks by their result", checked);
        registry.register_with_unit(
            "decision_duration",
            "Time the store took for a check",
            Unit::Seconds,
            metered.decisions.clone(),
        );
        let errors = metered.store_errors.clone();
        registry.register("store_errors", "Calls of the store that failed", errors);
        let build = [
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("node".to_owned(), node.to_string()),
            ("fail_mode".to_owned(), fail_mode.name().to_owned()),
        ];
        registry.register("build", "What this node is", Info::new(build));
        registry.register_collector(Box::new(Keys(metered.clone())));
        (metered, registry)
    }

    fn count_error<T>(&self, outcome: &Result<T, StoreError>) {
        if outcome.is_err() {
            self.store_errors.inc();
        }
    }

    fn report_outage<T>(&self, outcome: &Result<T, StoreError>) {
        if let Some(message) = self.outage.message(outcome, Instant::now()) {
            // If standard error can't be written to, nobody reads it.
            let _ = writeln!(io::stderr(), "{}: {message}", self.node);
        }
    }
}

impl Store for MeteredStore {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let start = Instant::now();
        let outcome = self.store.check(check);
        self.decisions.observe(start.elapsed().as_secs_f64());
        let result = match &outcome {
            Ok(decision) if decision.allowed => &self.allowed,
            Ok(_) => &self.blocked,
            Err(_) => &self.error,
        };
        result.inc();
        self.count_error(&outcome);
        self.report_outage(&outcome);
        outcome
    }

    fn health(&self) -> Result<(), StoreError> {
        let outcome = self.store.health();
        self.count_error(&outcome);
        self.report_outage(&outcome);
        outcome
    }

    fn keys(&self) -> Result<u64, StoreError> {
        let outcome = self.store.keys();
        // Not a sign of an outage or its end: a store may count its keys and yet decide no checks.
        self.count_error(&outcome);
        outcome
    }
}

/// Counts the keys at each scrape.
struct Keys(Arc<MeteredStore>);

impl Collector for Keys {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Ok(keys) = self.0.keys() else {
            return Ok(());
        };
        let keys = ConstGauge::new(keys);
        let metric =
            encoder.encode_descriptor("keys", "Keys in the store.", None, keys.metric_type())?;
        keys.encode(metric)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
