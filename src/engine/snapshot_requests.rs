//! Snapshots of a run, on request: by the metrics page and by the live view.

use crate::core::stats::Snapshot;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many requests may wait for a snapshot. Further ones wait for room among them.
const WAITING: usize = 16;

/// Where snapshots of a run are requested. The owner of the run's tally answers: the reporter while the run goes on,
/// whoever keeps the last snapshot after it. Those who ask hold nothing of the run, so a slow one holds up nobody.
#[derive(Debug, Clone)]
pub struct SnapshotRequests {
    requests: Sender<SnapshotRequest>,
    waiting: Receiver<SnapshotRequest>,
}

/// A request for a snapshot that waits for its answer.
#[derive(Debug)]
pub struct SnapshotRequest(Sender<Arc<Snapshot>>);

impl SnapshotRequest {
    /// Answers without waiting. If the one who asked has given up, the snapshot is dropped.
    pub fn answer(self, snapshot: Arc<Snapshot>) {
        let _ = self.0.try_send(snapshot);
    }
}

impl Default for SnapshotRequests {
    fn default() -> Self {
        let (requests, waiting) = bounded(WAITING);
        SnapshotRequests { requests, waiting }
    }
}

impl SnapshotRequests {
    /// Asks for a snapshot of this moment. Returns `None` if nobody answers within `timeout`.
    pub fn ask(&self, timeout: Duration) -> Option<Arc<Snapshot>> {
        let deadline = Instant::now() + timeout;
        let (reply, answer) = bounded(1);
        self.requests
            .send_deadline(SnapshotRequest(reply), deadline)
            .ok()?;
        answer.recv_deadline(deadline).ok()
    }

    /// The requests that wait for an answer.
    pub fn waiting(&self) -> &Receiver<SnapshotRequest> {
        &self.waiting
    }
}
