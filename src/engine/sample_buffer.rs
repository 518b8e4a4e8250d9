//! How a worker's samples reach the reporter.

use crate::stats::Sample;
use parking_lot::Mutex;
use std::time::Duration;

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
