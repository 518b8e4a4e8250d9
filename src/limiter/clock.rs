//! Time as a value: whole microseconds, read from a [`Clock`] once per check and passed to the algorithms.
//!
//! These types stand beside the base's `Nanos` and `Moment` because a limiter in Redis computes with doubles. They hold
//! the Unix time exactly in microseconds, but not in nanoseconds; and `Moment` is a monotonic time without an epoch.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A length of time in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(u64);

impl Micros {
    pub const fn new(micros: u64) -> Self {
        Self(micros)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// Milliseconds, rounded up, so that a client that waits for so long has waited long enough.
    pub const fn as_millis_ceil(self) -> u64 {
        self.0.div_ceil(1_000)
    }

    /// Seconds, rounded up, so that a client that waits for so long has waited long enough.
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }
}

/// An instant: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last instant that a clock may show, in the year 2255. Up to this integer, IEEE 754 doubles are exact, so a
    /// store whose scripts only know doubles can decide exactly alike.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Later instants than [`Timestamp::MAX`] become it.
    pub const fn from_micros(micros: u64) -> Self {
        if micros < Self::MAX.0 {
            Self(micros)
        } else {
            Self::MAX
        }
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

/// The sum may lie beyond [`Timestamp::MAX`].
impl Add<Micros> for Timestamp {
    type Output = Self;

    fn add(self, span: Micros) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The system's time without steps. It reads the wall clock once, at its creation, and adds the monotonic clock's time
/// since then. So windows are aligned to the wall clock, but a step of that clock (by NTP or an administrator) neither
/// blocks a key for the length of the step nor forgives what it used.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
    started_at: Timestamp,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_epoch = since_epoch.unwrap_or_default();
        Self {
            started: Instant::now(),
            started_at: Timestamp::from_micros(saturating_u64(since_epoch.as_micros())),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = saturating_u64(self.started.elapsed().as_micros());
        Timestamp::from_micros(self.started_at.as_micros().saturating_add(elapsed))
    }
}

fn saturating_u64(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// A clock that stands still until it is moved, for tests without sleeps. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.as_micros())))
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    pub fn advance(&self, span: Micros) {
        self.0.fetch_add(span.get(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_coarser_units_never_shortens_a_wait() {
        let seconds = [0, 1, 1_000_000, 1_000_001].map(|n| Micros::new(n).as_secs_ceil());
        assert_eq!(seconds, [0, 1, 1, 2]);
        let millis = [1, 2_000, 2_001].map(|n| Micros::new(n).as_millis_ceil());
        assert_eq!(millis, [1, 2, 3]);
    }

    #[test]
    fn a_timestamp_is_always_exact_as_a_double() {
        let last = Timestamp::from_micros(u64::MAX);
        assert_eq!(last, Timestamp::MAX);
        assert_eq!(last.as_micros() as f64 as u64, last.as_micros());
    }

    #[test]
    fn the_system_clock_shows_unix_time_and_never_steps_back() {
        let clock = SystemClock::default();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut last = clock.now();
        assert!(u128::from(last.as_micros()).abs_diff(wall.as_micros()) < 1_000_000);
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
