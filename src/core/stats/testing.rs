//! Snapshots for tests of their readers.

use super::{Buckets, Percentiles, Snapshot, State, TargetSnapshot};
use crate::base::{Ledger, Nanos};
use std::sync::Arc;
use std::time::SystemTime;

/// The snapshot of a run that has ended and had no target.
pub fn snapshot() -> Arc<Snapshot> {
    Arc::new(Snapshot {
        state: State::Ended,
        started: SystemTime::UNIX_EPOCH,
        elapsed: Nanos::ZERO,
        targets: Vec::new(),
        send_lag: Buckets::default(),
        percentiles: [Percentiles::default(); 3],
        audit: None,
        events: Default::default(),
        since_event: None,
    })
}

pub fn target(name: &str, ledger: Ledger) -> TargetSnapshot {
    TargetSnapshot {
        name: name.to_owned(),
        ledger,
        lateness: Default::default(),
        failures: Default::default(),
        failing_open: 0,
        latency: Buckets::default(),
        service_time: Buckets::default(),
        failed_after: Buckets::default(),
        percentiles: Percentiles::default(),
        addresses: Vec::new(),
    }
}
