/// How busy this machine's processors were during a step, as shares from 0 to 1. `None` where the system does not say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Processors {
    /// With this process.
    pub own: Option<f64>,
    /// With all processes.
    pub all: Option<f64>,
}

/// The share from which on threads wait for a processor more often than not.
const BUSY: f64 = 0.9;

/// The share below which this process is not why they are busy. A generator at its limit takes more, even beside a limiter on the
/// same machine.
const SMALL: f64 = 0.3;

impl Processors {
    /// Whether this process alone kept them busy. Every measured time then contains waits for a processor.
    pub fn are_busy_with_this_process(&self) -> bool {
        self.own.is_some_and(|share| share >= BUSY)
    }

    /// Whether they were busy, and nearly all of it with other processes.
    pub fn are_busy_with_others(&self) -> bool {
        self.are_busy() && self.are_hardly_used()
    }

    /// Whether this process used so little of them that it was not at its limit.
    pub fn are_hardly_used(&self) -> bool {
        self.own.is_some_and(|share| share < SMALL)
    }

    pub fn are_busy(&self) -> bool {
        let all = self.all.or(self.own);
        all.is_some_and(|share| share >= BUSY)
    }
}
