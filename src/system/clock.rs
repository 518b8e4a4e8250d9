//! The machine's monotonic clock.

use crate::base::Moment;

impl Moment {
    /// Reads the monotonic clock, to the nanosecond.
    #[cfg(unix)]
    pub fn now() -> Moment {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment::at(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    /// The time since the first call, to the nanosecond.
    #[cfg(not(unix))]
    pub fn now() -> Moment {
        use std::{sync::LazyLock, time::Instant};
        static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);
        Moment::at(ZERO.elapsed().as_nanos() as u64)
    }
}
