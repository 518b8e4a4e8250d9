//! What a worker remembers of each request, and how that reaches the reporter.

use crate::client::Outcome;
use crate::clock::Moment;
use crate::keys::KeyId;
use crate::schedule::Nanos;
use parking_lot::Mutex;
use std::time::Duration;

/// One request that was sent, or was tried to.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub sequence: u64,
    pub key: KeyId,
    /// The target's place in the plan.
    pub target: u32,
    pub due: Moment,
    /// When its first byte left; when the attempt began, if none ever [`left`](Self::left).
    pub sent: Moment,
    pub left: bool,
    /// When its answer was read to the end, or it failed, or it was abandoned.
    pub done: Moment,
    /// The time spent on getting a new connection (TCP, and TLS where asked for); `None` if it
    /// left on one that was there.
    pub connecting: Option<Nanos>,
    pub outcome: Outcome,
}

/// One worker's samples on their way to the reporter: the two are alone in using its lock, and
/// the reporter holds it for the exchange of two pointers. Aligned, so that two workers' buffers
/// do not share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct SampleBuffer(Mutex<Vec<Sample>>);

impl SampleBuffer {
    /// Adds a sample. Where `capacity` of them wait already, the reporter has had no processor
    /// time for long; the worker then waits for it, so that memory stays bounded, and the wait
    /// shows as send lag of what comes next.
    pub fn push(&self, sample: Sample, capacity: usize) {
        loop {
            let mut samples = self.0.lock();
            if samples.len() < capacity {
                return samples.push(sample);
            }
            drop(samples);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes all samples, leaving the (empty) `exchange` in their place.
    pub fn take_into(&self, exchange: &mut Vec<Sample>) {
        std::mem::swap(&mut *self.0.lock(), exchange);
    }
}
