//! The buffer through which a worker's samples reach the reporter.

use crate::base::{Moment, Sample};
use parking_lot::Mutex;
use std::time::Duration;

/// The samples of one worker, on their way to the reporter. Only these two threads use its lock, and the reporter holds
/// it for the exchange of two pointers. The alignment keeps two workers' buffers out of one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct SampleBuffer(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    waiting: Vec<Sample>,
    /// The earliest moment at which the request in flight can have been sent. `None` if there is no such request.
    in_flight: Option<Moment>,
}

impl SampleBuffer {
    /// Notes that a request is about to be sent, at `now` or later. So all samples sent before `now` have been added.
    pub fn begin(&self, now: Moment) {
        self.0.lock().in_flight = Some(now);
    }

    /// Adds the sample of the request in flight. If `capacity` samples wait already, the reporter has had no processor
    /// time for long, and the worker waits for it, so that memory stays bounded. The wait appears as send lag of the
    /// next request.
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

    /// Takes all samples, and leaves the empty `exchange` in their place. Returns the earliest moment at which the
    /// request in flight can have been sent.
    pub fn take_into(&self, exchange: &mut Vec<Sample>) -> Option<Moment> {
        let mut samples = self.0.lock();
        std::mem::swap(&mut samples.waiting, exchange);
        samples.in_flight
    }
}
