use crate::base::Nanos;
use hdrhistogram::Histogram;

/// A distribution of time spans, to 3 significant digits from 1 ns up. It grows with the longest
/// span only, by 8 KiB for each doubling: 190 KiB once it has seen 10 s.
#[derive(Debug)]
pub struct Spans(Histogram<u64>);

/// What a distribution is told by in one line; all zero without any span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub count: u64,
    /// The spans that [`Percentiles::SHARES`] do not exceed.
    pub spans: [Nanos; 5],
}

impl Percentiles {
    pub const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];
    pub const NAMES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];
}

impl Default for Spans {
    fn default() -> Self {
        // Cannot fail: 3 digits are within the histogram's 0 to 5.
        Spans(Histogram::new(3).expect("a valid precision"))
    }
}

impl Spans {
    pub fn record(&mut self, span: Nanos) {
        // Cannot fail: the histogram resizes itself up to this limit, 146 years.
        let span = span.0.min(i64::MAX as u64 / 2);
        self.0.record(span).expect("a span within the limit");
    }

    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// In nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn min(&self) -> Nanos {
        Nanos(self.0.min())
    }

    pub fn mean(&self) -> Nanos {
        Nanos(self.0.mean() as u64)
    }

    pub fn max(&self) -> Nanos {
        Nanos(self.0.max())
    }

    /// The smallest span that at least this share (0 to 1) of all spans do not exceed.
    pub fn quantile(&self, share: f64) -> Nanos {
        Nanos(self.0.value_at_quantile(share))
    }

    /// Each span that was recorded, to 3 digits, with how often, rising.
    pub fn recorded(&self) -> impl Iterator<Item = (Nanos, u64)> {
        let values = self.0.iter_recorded();
        values.map(|value| (Nanos(value.value_iterated_to()), value.count_at_value()))
    }

    /// The span at this place in ascending order, from 1; the longest past the last. Exact where a share would be rounded.
    pub fn at_rank(&self, rank: u64) -> Nanos {
        let mut passed = 0;
        let at = self.0.iter_recorded().find_map(|recorded| {
            passed += recorded.count_since_last_iteration();
            (passed >= rank).then(|| recorded.value_iterated_to())
        });
        at.map_or_else(|| self.max(), Nanos)
    }

    /// Of all of them, in nanoseconds.
    pub fn sum(&self) -> u128 {
        let recorded = self.0.iter_recorded().map(|recorded| {
            let span = self.0.median_equivalent(recorded.value_iterated_to());
            u128::from(span) * u128::from(recorded.count_since_last_iteration())
        });
        recorded.sum()
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count(),
            spans: Percentiles::SHARES.map(|share| self.quantile(share)),
        }
    }

    /// Ever higher shares with what [`Spans::quantile`] is there: five steps for each halving of what is left to 1.
    pub fn spectrum(&self) -> impl Iterator<Item = (f64, Nanos)> {
        let points = self.0.iter_quantiles(5);
        points.map(|point| {
            (
                point.quantile_iterated_to(),
                Nanos(point.value_iterated_to()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percentiles_are_within_a_thousandth(
            mut spans in prop::collection::vec(1u64..600_000_000_000, 1..200), share in 0.01f64..1.0
        ) {
            let mut recorded = Spans::default();
            spans.iter().for_each(|&span| recorded.record(Nanos(span)));
            spans.sort_unstable();
            let exact = spans[((share * spans.len() as f64).ceil() as usize).max(1) - 1];
            let seen = recorded.quantile(share).0;
            prop_assert!(seen.abs_diff(exact) <= exact / 1_000 + 1, "{} for {}", seen, exact);
        }

        #[test]
        fn a_rank_and_a_sum_are_within_a_thousandth(
            mut spans in prop::collection::vec(0u64..600_000_000_000, 1..200), rank in any::<prop::sample::Index>()
        ) {
            let mut recorded = Spans::default();
            spans.iter().for_each(|&span| recorded.record(Nanos(span)));
            spans.sort_unstable();
            let (exact, rank) = (rank.get(&spans), rank.index(spans.len()) as u64 + 1);
            let seen = recorded.at_rank(rank).0;
            prop_assert!(seen.abs_diff(*exact) <= exact / 1_000 + 1, "{} for {}", seen, exact);
            let (seen, exact) = (recorded.sum() as u64, spans.iter().sum::<u64>());
            prop_assert!(seen.abs_diff(exact) <= exact / 1_000, "{} for {}", seen, exact);
            prop_assert!(recorded.mean().0.abs_diff(seen / spans.len() as u64) <= 1);
        }
    }

    #[test]
    fn spans_of_any_length_are_recorded() {
        let mut spans = Spans::default();
        for span in [
            0,
            1,
            u64::from(u32::MAX),
            40 * 86_400 * 1_000_000_000,
            u64::MAX,
        ] {
            spans.record(Nanos(span));
        }
        assert_eq!(spans.count(), 5);
    }
}
