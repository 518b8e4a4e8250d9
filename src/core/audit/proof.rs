use super::nodes::of_node;
use super::observation::AuditedKey;
use crate::base::Nanos;

/// Requests of one key that cannot all have been admitted by a limiter that keeps the promise.
#[derive(Debug, Clone)]
pub struct Proof {
    pub span: AdmissionSpan,
    /// The most that the promise admits in that time.
    pub promised: u64,
    /// How many requests had been looked at when the proof was complete.
    pub after: u64,
}

/// Requests of one key that were admitted within a span of time.
#[derive(Debug, Clone)]
pub struct AdmissionSpan {
    pub key: AuditedKey,
    /// The first request's sent.
    pub from: Nanos,
    /// The last request's done.
    pub to: Nanos,
    pub admitted: u64,
    /// The admissions of each node, up to the last that has one. If a proof began before anything that is remembered, only the remembered requests
    /// are in this list and the next.
    pub by_node: Vec<u64>,
    /// The requests' sequence numbers in the order of their sent, a thousand at most.
    pub sequences: Vec<u64>,
}

/// How many requests an [`AdmissionSpan`] lists.
const LISTED: usize = 1_000;

impl AdmissionSpan {
    pub(super) fn empty(key: AuditedKey, targets: usize) -> AdmissionSpan {
        AdmissionSpan {
            key,
            from: Nanos::MAX,
            to: Nanos::ZERO,
            admitted: 0,
            by_node: vec![0; targets],
            sequences: Vec::new(),
        }
    }

    /// Adds a request that was sent no earlier than those before it.
    pub(super) fn add(&mut self, sent: Nanos, done: Nanos, sequence: u64, node: usize) {
        self.from = self.from.min(sent);
        self.to = self.to.max(done);
        self.admitted += 1;
        *of_node(&mut self.by_node, node, 0) += 1;
        if self.sequences.len() < LISTED {
            self.sequences.push(sequence);
        }
    }

    /// Whether these nodes admitted as many as ones that each keep the limit and do not know of each other: each of several
    /// about the limit, or as much as a fixed window or a token bucket admits in that time.
    pub(super) fn is_of_nodes_alone(&self, by_node: &[u64], limit: u64) -> bool {
        let (Some(least), Some(most)) = (by_node.iter().min(), by_node.iter().max()) else {
            return false;
        };
        let (least, most, limit) = (u128::from(*least), u128::from(*most), u128::from(limit));
        // Nodes that count together may miscount requests that reach all of them at the same moment.
        !self.key.is_flooded()
            && by_node.len() > 1
            && least * 5 >= limit * 4
            && most * 4 <= least * 5
            && most * 10 <= limit * 21
    }
}
