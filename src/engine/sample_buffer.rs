//! How a worker's samples reach the reporter.

use crate::base::{Moment, Sample};
use parking_lot::Mutex;
use std::time::Duration;

/// One worker's samples on their way to the reporter: the two are alone in using its lock, and
/// the reporter holds it for the exchange of two pointers. Aligned, so that two workers' buffers
/// do not share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct SampleBuffer(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    waiting: Vec<Sample>,
    /// When the request in flight was sent at the earliest, if there is one.
    in_flight: Option<Moment>,
}

impl SampleBuffer {
    /// A request is going to be sent, `now` or later. What was taken before is known to be all that was sent before.
    pub fn begin(&self, now: Moment) {
        self.0.lock().in_flight = Some(now);
    }

    /// Adds the sample of the request in flight. Where `capacity` of them wait already, the reporter has had no processor
    /// time for long; the worker then waits for it, so that memory stays bounded, and the wait
    /// shows as send lag of what comes next.
    pub fn push(&self, sample: Sample, capacity: usize) {
        loop {
            let mut samples = self.0.lock();
            if samples.waiting.len() < capacity {
                samples.in_flight = None;
                return samples.waiting.push(sample);
            }
            drop(samples);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes all samples, leaving the (empty) `exchange` in their place. Returns when the request in flight, if there is
    /// one, was sent at the earliest.
    pub fn take_into(&self, exchange: &mut Vec<Sample>) -> Option<Moment> {
        let mut samples = self.0.lock();
        std::mem::swap(&mut samples.waiting, exchange);
        samples.in_flight
    }
}
