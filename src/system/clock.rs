//! The machine's monotonic clock.

use crate::base::{Moment, Nanos};

/// How long before the zero of the system's clock the zero of moments is: 100 years. The system's clock often counts from the
/// start of the machine, and a schedule may have started before that.
pub(super) const LEAD: Nanos = Nanos(100 * 365 * 86_400 * 1_000_000_000);

impl Moment {
    /// Reads the monotonic clock, to the nanosecond.
    #[cfg(unix)]
    pub fn now() -> Moment {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment::at(LEAD.0 + now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    /// The time since the first call, to the nanosecond.
    #[cfg(not(unix))]
    pub fn now() -> Moment {
        use std::{sync::LazyLock, time::Instant};
        static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);
        Moment::at(LEAD.0 + ZERO.elapsed().as_nanos() as u64)
    }
}
