//! Snapshots of a run, on request: by the metrics page and by the live view.

use crate::core::stats::Snapshot;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most requests that may wait for a snapshot. Further requesters block until there is room.
const WAITING: usize = 16;

/// The channel for requests for snapshots. The owner of the run's tally answers: the reporter during the run, and the
/// exporter after it. A requester holds no lock, so a slow one delays nobody.
#[derive(Debug, Clone)]
pub struct SnapshotRequests {
    requests: Sender<SnapshotRequest>,
    waiting: Receiver<SnapshotRequest>,
}

/// A request for a snapshot that waits for its answer.
#[derive(Debug)]
pub struct SnapshotRequest(Sender<Arc<Snapshot>>);

impl SnapshotRequest {
    /// Answers without waiting. If the requester has given up, the snapshot is dropped.
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
    /// Requests a snapshot of this moment. Returns `None` if nobody answers within `timeout`.
    pub fn ask(&self, timeout: Duration) -> Option<Arc<Snapshot>> {
        let deadline = Instant::now() + timeout;
        let (reply, answer) = bounded(1);
        let request = SnapshotRequest(reply);
        self.requests.send_deadline(request, deadline).ok()?;
        answer.recv_deadline(deadline).ok()
    }

    /// The requests that wait for an answer.
    pub fn waiting(&self) -> &Receiver<SnapshotRequest> {
        &self.waiting
    }
}
