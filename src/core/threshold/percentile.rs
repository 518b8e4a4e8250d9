use std::fmt;
use std::str::FromStr;

/// Over 0 and below 100, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile(u32);

impl Percentile {
    /// `None` unless it is from 1 to 99,999.
    pub fn from_thousandths(thousandths: u32) -> Option<Percentile> {
        (1..100_000)
            .contains(&thousandths)
            .then_some(Percentile(thousandths))
    }

    /// The place, from 1, in ascending order, of the least number that at least this share of `count` do not exceed.
    /// It grows with `count`, by 1 at most for each more.
    pub fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(count) * u128::from(self.0)).div_ceil(100_000);
        // No more than `count`.
        (rank as u64).max(1)
    }
}

impl FromStr for Percentile {
    type Err = ();

    /// `p99`, `p99.9`: two digits, so that `p9` is never taken for `p90`, nor `p999` for `p99.9`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix('p').ok_or(())?;
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (digits, None),
        };
        let decimals = decimals.unwrap_or("0");
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let valid = whole.len() == 2 && (1..=3).contains(&decimals.len());
        if !valid || !all_digits(whole) || !all_digits(decimals) {
            return Err(());
        }
        let thousandths = format!("{whole}{decimals:0<3}").parse().map_err(|_| ())?;
        Percentile::from_thousandths(thousandths).ok_or(())
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 1_000, self.0 % 1_000);
        write!(f, "p{whole:02}")?;
        match decimals {
            0 => Ok(()),
            _ => write!(f, ".{}", format!("{decimals:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;
    use crate::core::stats::Histogram;

    #[test]
    fn a_percentile_has_two_digits_and_decimals() {
        for text in ["p50", "p05", "p99.9", "p99.99", "p99.999", "p00.1"] {
            let percentile: Percentile = text.parse().expect(text);
            assert_eq!(percentile.to_string(), text);
        }
        for bad in [
            "p9", "p999", "p100", "p00", "p00.0", "p", "99", "p99.", "p99.9999", "p+9", "pé",
        ] {
            assert_eq!(bad.parse::<Percentile>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn what_is_printed_of_a_run_is_what_is_compared() {
        let mut spans = Histogram::default();
        let printed = [
            ("p50", 0.5),
            ("p90", 0.9),
            ("p99", 0.99),
            ("p99.9", 0.999),
            ("p99.99", 0.9999),
        ];
        for span in 0..3_000 {
            spans.record(Nanos(span * 7_919 % 20_011 * 1_000));
            let at = printed[span as usize % printed.len()];
            let rank = at.0.parse::<Percentile>().unwrap().rank(spans.count());
            assert_eq!(spans.at_rank(rank), spans.quantile(at.1), "{at:?}, {span}");
        }
    }
}
