//! The one time line of a run: the machine's monotonic clock, in nanoseconds.

use crate::schedule::Nanos;
use std::ops::{Add, Sub};

/// An instant on the monotonic clock. Its zero is arbitrary; only differences mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Never comes.
    pub const MAX: Moment = Moment(u64::MAX);

    /// Now.
    #[cfg(unix)]
    pub fn now() -> Moment {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    /// Now.
    #[cfg(not(unix))]
    pub fn now() -> Moment {
        static ZERO: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        Moment(Nanos::from(ZERO.elapsed()).0)
    }

    #[cfg(test)]
    pub(crate) fn at(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// Nanoseconds since the clock's zero.
    pub fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span since `earlier`; zero if that is later.
    pub fn since(self, earlier: Moment) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Moment;

    /// Saturates, 584 years after the clock's zero.
    fn add(self, span: Nanos) -> Moment {
        Moment(self.0.saturating_add(span.0))
    }
}

impl Sub<Nanos> for Moment {
    type Output = Moment;

    /// Saturates at the clock's zero.
    fn sub(self, span: Nanos) -> Moment {
        Moment(self.0.saturating_sub(span.0))
    }
}
