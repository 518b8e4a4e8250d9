use crate::base::text::Decimal;

/// A percentile over 0 and below 100, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percentile(u32);

impl Percentile {
    /// `p99` or `p99.9`, with two digits and up to three decimals, so that `p9` is never taken for `p90`, nor `p999` for
    /// `p99.9`.
    pub fn parse(text: &str) -> Option<Percentile> {
        let digits = text.strip_prefix('p')?;
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        if whole.len() != 2 || !(1..=3).contains(&decimals.len()) {
            return None;
        }
        let thousandths = Decimal::parse(digits)?.times(1_000)?;
        (thousandths > 0).then_some(Percentile(thousandths as u32))
    }

    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// The nearest rank, from 1: the place in ascending order of the least of `count` numbers that at least this share of
    /// them do not exceed. It grows with `count`, by at most 1 for each more.
    pub fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(count) * u128::from(self.0)).div_ceil(100_000);
        // The rank is no more than `count`.
        (rank as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;
    use crate::core::stats::Histogram;

    #[test]
    fn a_percentile_has_two_digits_and_decimals() {
        for (text, thousandths) in [("p05", 5_000), ("p99.999", 99_999), ("p00.1", 100)] {
            let percentile = Percentile::parse(text);
            assert_eq!(percentile, Some(Percentile(thousandths)), "{text}");
        }
        for bad in [
            "p9", "p999", "p100", "p00", "p00.0", "p", "99", "p99.", "p99.9999", "p+9", "pé",
        ] {
            assert_eq!(Percentile::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_printed_percentiles_are_those_that_are_compared() {
        let mut times = Histogram::default();
        let printed = [
            ("p50", 0.5),
            ("p90", 0.9),
            ("p99", 0.99),
            ("p99.99", 0.9999),
        ];
        for time in 0..3_000 {
            times.record(Nanos(time * 7_919 % 20_011 * 1_000));
            let at = printed[time as usize % printed.len()];
            let rank = Percentile::parse(at.0).unwrap().rank(times.count());
            assert_eq!(times.at_rank(rank), times.quantile(at.1), "{at:?}, {time}");
        }
    }
}
