use crate::core::schedule::Rate;

/// The rates among which the capacity is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The rate of the first step.
    pub from: Rate,
    /// The highest rate that is tried, no less than `from`.
    pub to: Rate,
    /// By which share the lowest rate that does not hold may be above the highest one that holds: 0.001 to 1.
    pub precision: f64,
}

/// A rate is rounded to this part of the precision, so that it has few digits.
const ROUNDING: f64 = 1.0 / 8.0;

impl Bounds {
    /// Twice the rate, or `to` if that is less.
    pub(super) fn doubled(&self, rate: Rate) -> Rate {
        Rate::from_nano(rate.nano().saturating_mul(2).min(self.to.nano()))
    }

    /// A rate about halfway between two rates, on a logarithmic scale. `None` if they are as close as the precision requires.
    pub(super) fn between(&self, low: Rate, high: Rate) -> Option<Rate> {
        let (low_nano, high_nano) = (low.nano() as f64, high.nano() as f64);
        // Up to the error of the computation, which is far below a nano-request per second.
        if high_nano <= low_nano * (1.0 + self.precision) * (1.0 + 1e-12) {
            return None;
        }
        let exact = (low_nano * high_nano).sqrt();
        let unit = round_number_below(exact * self.precision * ROUNDING);
        let rounded = ((exact / unit).round() * unit).round();
        [rounded, exact.round()].into_iter().find_map(|nano| {
            let rate = Rate::from_nano((nano as u64).clamp(1, Rate::MAX.nano()));
            (low < rate && rate < high).then_some(rate)
        })
    }
}

/// The largest number of the form 1, 2 or 5 times a power of ten that is no more than this, but at least 1.
fn round_number_below(most: f64) -> f64 {
    let power = 10f64.powi(most.max(1.0).log10().floor() as i32);
    let fits = [5.0, 2.0, 1.0].map(|digit| digit * power);
    fits.into_iter().find(|unit| *unit <= most).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(per_second: f64) -> Rate {
        Rate::per_second(per_second).unwrap()
    }

    fn bounds(precision: f64) -> Bounds {
        Bounds {
            from: rate(1.0),
            to: rate(1e6),
            precision,
        }
    }

    #[test]
    fn rates_have_few_digits() {
        for (low, high, precision, middle) in [
            (6_400.0, 12_800.0, 0.05, 9_050.0),
            (100.0, 200.0, 0.05, 141.5),
            (1.0, 2.0, 0.05, 1.415),
            (12_400.0, 12_800.0, 0.01, 12_600.0),
        ] {
            let found = bounds(precision).between(rate(low), rate(high));
            assert_eq!(found, Some(rate(middle)));
        }
        assert_eq!(bounds(0.05).between(rate(1_000.0), rate(1_050.0)), None);
        assert_eq!(bounds(0.05).doubled(rate(3.5)), rate(7.0));
        assert_eq!(bounds(0.05).doubled(rate(600_000.0)), rate(1e6));
    }

    proptest! {
        #[test]
        fn halving_ends_within_the_precision(
            low in 1u64..1_000_000_000_000_000, factor in 1.0f64..2.0, precision in 0.001f64..1.0,
            choices in prop::collection::vec(any::<bool>(), 64)
        ) {
            let bounds = bounds(precision);
            let mut low = Rate::from_nano(low);
            let mut high = Rate::from_nano((low.nano() as f64 * factor) as u64 + 1);
            let mut steps = 0;
            for up in choices {
                let Some(middle) = bounds.between(low, high) else { break };
                prop_assert!(low < middle && middle < high);
                steps += 1;
                *(if up { &mut low } else { &mut high }) = middle;
            }
            let ratio = high.nano() as f64 / low.nano() as f64;
            prop_assert!(ratio <= 1.0 + precision * 1.000_001 || high.nano() == low.nano() + 1);
            let ideal = (2f64.ln() / precision.ln_1p()).log2().ceil();
            prop_assert!(f64::from(steps) <= ideal.max(0.0) + 2.0, "{steps} steps, {ideal}");
        }
    }
}
