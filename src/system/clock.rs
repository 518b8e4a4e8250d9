//! The machine's monotonic clock.

use crate::base::Moment;

impl Moment {
    /// The monotonic clock's time, to the nanosecond.
    #[cfg(unix)]
    pub fn now() -> Moment {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment::at(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    /// The time since this was first called, to the nanosecond.
    #[cfg(not(unix))]
    pub fn now() -> Moment {
        use crate::base::Nanos;
        static ZERO: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        Moment::at(Nanos::from(ZERO.elapsed()).0)
    }
}
