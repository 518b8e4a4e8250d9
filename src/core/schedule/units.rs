//! The units of the schedule, as types that can't be mixed up.

use crate::base::Nanos;
use std::fmt;
use std::ops::{Add, Sub};

/// A request rate, up to [`Rate::MAX`], in whole nano-requests per second. Over 0, but for
/// [`Rate::ZERO`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// Where a ramp may begin or end; nothing else may be that slow.
    pub const ZERO: Rate = Rate(0);
    /// One request a nanosecond: the finest that due times in whole nanoseconds can tell apart.
    pub const MAX: Rate = Rate(1_000_000_000 * Self::PER_REQUEST);
    const PER_REQUEST: u64 = 1_000_000_000;

    /// # Panics
    /// Unless `nano` is 1 to 10¹⁸ nano-requests per second.
    pub fn from_nano(nano: u64) -> Rate {
        assert!((1..=Self::MAX.0).contains(&nano), "no such rate: {nano}");
        Rate(nano)
    }

    /// Rounds to the nearest nano-request per second; `None` when that is 0, over
    /// [`Rate::MAX`], or no number. Any rate of up to 10⁶/s that has at most nine decimals is
    /// taken exactly.
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

    /// The requests that come due in `span` at this rate. Exact.
    pub fn over(self, span: Nanos) -> Count {
        Count(u128::from(2 * self.0) * u128::from(span.0))
    }

    /// The shortest span, in whole nanoseconds, in which `count` requests come due at this rate.
    /// Not a [`Nanos`], since a low rate may need more than 584 years.
    ///
    /// # Panics
    /// If the rate is zero.
    pub(super) fn time_for(self, count: Count) -> u128 {
        count.0.div_ceil(u128::from(2 * self.0))
    }
}

impl fmt::Display for Rate {
    /// As requests per second, with as many decimals as the rate has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nano) = (self.0 / Self::PER_REQUEST, self.0 % Self::PER_REQUEST);
        if nano == 0 {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{}", format!("{nano:09}").trim_end_matches('0'))
        }
    }
}

/// A number of requests, in units of 5·10⁻¹⁹: half the product of a nano-request per second and a
/// nanosecond, so that a [`Rate`] times [`Nanos`] is exact, and the mean of two rates likewise.
/// Holds the count of the highest rate over the longest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub(super) u128);

impl Count {
    pub const ZERO: Count = Count(0);
    pub const MAX: Count = Count(u128::MAX);
    pub(super) const PER_REQUEST: u128 = 2 * 10u128.pow(18);

    pub fn requests(whole: u64) -> Count {
        Count(u128::from(whole) * Self::PER_REQUEST)
    }

    /// How many whole numbers, from 0 on, are less than this: the numbers of the tokens up to it,
    /// without the one at it. Saturates.
    pub fn tokens(self) -> u64 {
        u64::try_from(self.0.div_ceil(Self::PER_REQUEST)).unwrap_or(u64::MAX)
    }

    /// The least count that is more.
    pub fn and_a_bit(self) -> Count {
        Count(self.0 + 1)
    }

    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_REQUEST as f64
    }

    /// How many times `period` goes into this count, and what is left.
    pub(super) fn div_rem(self, period: Count) -> (u128, Count) {
        (self.0 / period.0, Count(self.0 % period.0))
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
    fn what_is_no_rate_is_refused() {
        for bad in [
            0.0,
            -1.0,
            1e-10,
            1.1e9,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert_eq!(Rate::per_second(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_extremes_fit() {
        let most = Rate::MAX.over(Nanos::MAX);
        assert_eq!(most.tokens(), u64::MAX);
        assert_eq!(Rate::MAX.time_for(most), u128::from(u64::MAX));
        assert_eq!(
            Rate::MAX.time_for(Count::requests(u64::MAX)),
            u128::from(u64::MAX)
        );
    }

    #[test]
    fn a_token_is_counted_once_the_count_is_past_its_number() {
        assert_eq!(Count::ZERO.tokens(), 0);
        assert_eq!(Count::ZERO.and_a_bit().tokens(), 1);
        assert_eq!(Count::requests(1).tokens(), 1);
        assert_eq!(Count::requests(1).and_a_bit().tokens(), 2);
        assert_eq!(Count::MAX.tokens(), u64::MAX);
    }
}
