//! Time as a value: spans, and instants on the time line of a run.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::time::Duration;

/// An instant or a span of a run in nanoseconds, up to 584 years. Instants count from the run's start.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    pub const ZERO: Nanos = Nanos(0);
    pub const MAX: Nanos = Nanos(u64::MAX);

    pub fn checked_add(self, span: Nanos) -> Option<Nanos> {
        self.0.checked_add(span.0).map(Nanos)
    }

    pub fn checked_sub(self, earlier: Nanos) -> Option<Nanos> {
        self.0.checked_sub(earlier.0).map(Nanos)
    }

    pub fn saturating_sub(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add for Nanos {
    type Output = Nanos;

    /// Saturates at [`Nanos::MAX`], an instant that never comes.
    fn add(self, span: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(span.0))
    }
}

impl Sub for Nanos {
    type Output = Nanos;

    /// # Panics
    /// If `earlier` is later.
    fn sub(self, earlier: Nanos) -> Nanos {
        Nanos(self.0 - earlier.0)
    }
}

impl Mul<u64> for Nanos {
    type Output = Nanos;

    /// Saturates at [`Nanos::MAX`].
    fn mul(self, times: u64) -> Nanos {
        Nanos(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Nanos {
    /// Writes all digits in nanoseconds, microseconds, milliseconds or seconds, the largest unit that makes at least 1:
    /// `120s`, `1.5s`, `250ms`. The alternate form `{:#}` takes the largest of minutes, hours and days that makes a whole
    /// number, if there is one: `2m`, `90s`, `36h`, `7d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: u64 = 1_000_000_000;
        const LONGER: [(u64, char); 3] = [
            (24 * 3600 * SECOND, 'd'),
            (3600 * SECOND, 'h'),
            (60 * SECOND, 'm'),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let whole = LONGER.iter().find(|(unit, _)| self.0.is_multiple_of(*unit));
        if let Some((unit, name)) = whole
            && f.alternate()
        {
            return write!(f, "{}{name}", self.0 / unit);
        }
        write!(f, "{:?}", Duration::from(*self))
    }
}

impl From<Duration> for Nanos {
    /// Saturates at [`Nanos::MAX`].
    fn from(duration: Duration) -> Nanos {
        Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(nanos: Nanos) -> Duration {
        Duration::from_nanos(nanos.0)
    }
}

/// An instant on the monotonic clock. The clock's zero is arbitrary, so only differences have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// An instant that never comes.
    pub const MAX: Moment = Moment(u64::MAX);

    /// The instant so many nanoseconds after the clock's zero.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_seconds_or_in_the_largest_whole_unit() {
        for (nanos, in_seconds, in_any) in [
            (0, "0s", "0s"),
            (250_000_000, "250ms", "250ms"),
            (1_500_000_000, "1.5s", "1.5s"),
            (90_000_000_000, "90s", "90s"),
            (120_000_000_000, "120s", "2m"),
            (5_400_000_000_000, "5400s", "90m"),
            (129_600_000_000_000, "129600s", "36h"),
            (604_800_000_000_000, "604800s", "7d"),
            (60_000_000_001, "60.000000001s", "60.000000001s"),
        ] {
            let nanos = Nanos(nanos);
            assert_eq!(nanos.to_string(), in_seconds);
            assert_eq!(format!("{nanos:#}"), in_any);
        }
    }
}
