//! The units of the schedule, as types that can't be mixed up.

use crate::base::Nanos;
use std::fmt;
use std::ops::{Add, Sub};

/// A request rate in whole nano-requests per second, from 0 to [`Rate::MAX`]. Only [`Rate::ZERO`] is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// No requests. Only a ramp may begin or end at this rate.
    pub const ZERO: Rate = Rate(0);
    /// The lowest rate that can be typed: one request in eleven and a half days.
    pub const MIN_STEADY: Rate = Rate(1_000);
    /// The highest steady rate that can be typed: a million requests per second.
    pub const MAX_STEADY: Rate = Rate(1_000_000 * Self::PER_REQUEST);
    /// The highest rate, which a burst may have: one request per nanosecond, the resolution of due times.
    pub const MAX: Rate = Rate(1_000_000_000 * Self::PER_REQUEST);
    const PER_REQUEST: u64 = 1_000_000_000;

    /// # Panics
    /// Unless `nano` is 1 to 10¹⁸ nano-requests per second.
    pub fn from_nano(nano: u64) -> Rate {
        assert!((1..=Self::MAX.0).contains(&nano), "no such rate: {nano}");
        Rate(nano)
    }

    /// Rounds to the nearest nano-request per second. `None` if that is 0, over [`Rate::MAX`], or not a number. Exact up
    /// to 10⁶/s with at most nine decimals.
    pub fn per_second(requests: f64) -> Option<Rate> {
        let nano = (requests * Self::PER_REQUEST as f64).round();
        (nano >= 1.0 && nano <= Self::MAX.0 as f64).then_some(Rate(nano as u64))
    }

    pub fn nano(self) -> u64 {
        self.0
    }

    /// Requests per second.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_REQUEST as f64
    }

    /// The requests that come due in `span` at this rate, exactly.
    pub fn over(self, span: Nanos) -> Count {
        Count(u128::from(2 * self.0) * u128::from(span.0))
    }

    /// The shortest span in which `count` requests come due at this rate. `None` if that is more than [`Nanos::MAX`].
    ///
    /// # Panics
    /// If the rate is zero.
    pub(super) fn time_for(self, count: Count) -> Option<Nanos> {
        let nanos = count.0.div_ceil(u128::from(2 * self.0));
        u64::try_from(nanos).ok().map(Nanos)
    }
}

impl fmt::Display for Rate {
    /// Writes requests per second with all decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nano) = (self.0 / Self::PER_REQUEST, self.0 % Self::PER_REQUEST);
        if nano == 0 {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{}", format!("{nano:09}").trim_end_matches('0'))
        }
    }
}

/// A number of requests in units of 5·10⁻¹⁹ requests. That is half of a nano-request per second times a nanosecond, so
/// that a [`Rate`] times [`Nanos`] is exact, and so is the mean of two rates. The highest rate over the longest time fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub(super) u128);

impl Count {
    pub const ZERO: Count = Count(0);
    pub const MAX: Count = Count(u128::MAX);
    pub(super) const PER_REQUEST: u128 = 2 * 10u128.pow(18);

    pub fn requests(whole: u64) -> Count {
        Count(u128::from(whole) * Self::PER_REQUEST)
    }

    /// The number of whole numbers from 0 on that are less than this. These are the tokens before this count. Saturates
    /// at [`u64::MAX`].
    pub fn tokens(self) -> u64 {
        u64::try_from(self.0.div_ceil(Self::PER_REQUEST)).unwrap_or(u64::MAX)
    }

    /// The smallest count that is more than this.
    pub fn and_a_bit(self) -> Count {
        Count(self.0 + 1)
    }

    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_REQUEST as f64
    }

    /// The whole number of times that `part` goes into this count, and the rest.
    pub(super) fn div_rem(self, part: Count) -> (u128, Count) {
        (self.0 / part.0, Count(self.0 % part.0))
    }

    /// This count minus `other`, or zero if that is more.
    pub(super) fn saturating_sub(self, other: Count) -> Count {
        Count(self.0.saturating_sub(other.0))
    }

    pub(super) fn times(self, factor: u64) -> Count {
        Count(self.0 * u128::from(factor))
    }
}

impl Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count(self.0 + other.0)
    }
}

impl Sub for Count {
    type Output = Count;

    /// # Panics
    /// If `other` is more.
    fn sub(self, other: Count) -> Count {
        Count(self.0 - other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_rates_are_taken_exactly() {
        for (typed, nano) in [
            ("0.001", 1_000_000),
            ("0.1", 100_000_000),
            ("0.3", 300_000_000),
            ("123456.789012345", 123_456_789_012_345),
            ("999999.999999999", 999_999_999_999_999),
            ("1000000", 1_000_000_000_000_000),
        ] {
            let rate = Rate::per_second(typed.parse().unwrap()).unwrap();
            assert_eq!(rate.nano(), nano);
            assert_eq!(rate.to_string(), typed);
        }
    }

    #[test]
    fn anything_else_is_not_a_rate() {
        for bad in [0.0, -1.0, 1e-10, 1.1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::per_second(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_highest_rate_over_the_longest_time_fits() {
        let most = Rate::MAX.over(Nanos::MAX);
        assert_eq!(most.tokens(), u64::MAX);
        assert_eq!(Rate::MAX.time_for(most), Some(Nanos::MAX));
        let all = Count::requests(u64::MAX);
        assert_eq!(Rate::MAX.time_for(all), Some(Nanos::MAX));
        assert_eq!(Rate::from_nano(1).time_for(all), None);
    }

    #[test]
    fn a_token_counts_once_the_count_is_past_its_number() {
        assert_eq!(Count::ZERO.tokens(), 0);
        assert_eq!(Count::ZERO.and_a_bit().tokens(), 1);
        assert_eq!(Count::requests(1).tokens(), 1);
        assert_eq!(Count::requests(1).and_a_bit().tokens(), 2);
        assert_eq!(Count::MAX.tokens(), u64::MAX);
    }
}
