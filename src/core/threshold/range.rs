//! Exact numbers, and ranges of them.

use crate::base::Nanos;
use std::cmp::Ordering;

/// A fraction that is not negative.
///
/// No comparison overflows. The numerator of a measured number times 10⁹, both parts of a number that is compared with,
/// and each product of a numerator of one kind with a denominator of the other are below 2¹²⁷.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub over: u128,
    /// More than 0.
    pub under: u128,
}

impl Ratio {
    pub fn whole(number: impl Into<u128>) -> Ratio {
        Ratio {
            over: number.into(),
            under: 1,
        }
    }

    /// `None` if `under` is 0.
    pub fn of(over: u128, under: u128) -> Option<Ratio> {
        (under > 0).then_some(Ratio { over, under })
    }

    pub fn as_f64(self) -> f64 {
        self.over as f64 / self.under as f64
    }

    /// As a span, if this is a number of nanoseconds. Rounded down.
    pub fn as_nanos(self) -> Nanos {
        Nanos((self.over / self.under) as u64)
    }
}

impl From<Nanos> for Ratio {
    fn from(nanos: Nanos) -> Ratio {
        Ratio::whole(nanos.0)
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Ratio) -> Ordering {
        (self.over * other.under).cmp(&(other.over * self.under))
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Ratio) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ratio {}

/// The range in which a number is, or will be at the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub least: Ratio,
    /// `None` if there is no upper bound.
    pub most: Option<Ratio>,
}

impl Range {
    pub fn exactly(number: Ratio) -> Range {
        Range {
            least: number,
            most: Some(number),
        }
    }

    pub fn anything() -> Range {
        Range {
            least: Ratio::whole(0u64),
            most: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_numbers_can_be_compared() {
        let per_second = Ratio::of(u128::from(u64::MAX) * 1_000_000_000, u64::MAX.into()).unwrap();
        let limit = Ratio::of(1_000_000_000_000_000, 3_600_000_000).unwrap();
        assert!(per_second > limit);
        let mean = Ratio::of(u128::from(u64::MAX) << 60, u64::MAX.into()).unwrap();
        assert!(mean > Ratio::whole(315_360_000_000_000_000u64));
    }
}
