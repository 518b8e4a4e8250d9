use crate::base::Nanos;
use std::ops::AddAssign;

/// The upper bounds of the buckets: 1, 2.5 and 5 of every decade from 10 µs to 5 s, then 10, 30 and 60 s. A duration equal
/// to a bound is within it.
pub const BOUNDS: [Nanos; 21] = from_micros([
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
]);

const fn from_micros<const N: usize>(micros: [u64; N]) -> [Nanos; N] {
    let mut bounds = [Nanos::ZERO; N];
    let mut place = 0;
    while place < N {
        bounds[place] = Nanos(micros[place] * 1_000);
        place += 1;
    }
    bounds
}

/// A histogram of durations in Prometheus' form: exact counts in buckets with fixed [`BOUNDS`], and the exact sum. Unlike
/// percentiles, the buckets of several targets or runs can be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Each duration counts at the first bound that it does not exceed. The last count is of durations over every bound.
    counts: [u64; BOUNDS.len() + 1],
    /// The sum in nanoseconds. With 10⁶ durations of 10 s in each second, 64 bits would overflow after half an hour.
    nanos: u128,
}

impl Buckets {
    pub fn record(&mut self, span: Nanos) {
        self.counts[BOUNDS.partition_point(|bound| *bound < span)] += 1;
        self.nanos += u128::from(span.0);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in seconds.
    pub fn sum(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// Each bound with the number of durations between the bound before and it. `None` stands for no bound, and comes last.
    pub fn counts(&self) -> impl Iterator<Item = (Option<Nanos>, u64)> {
        let bounds = BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }
}

impl AddAssign<&Buckets> for Buckets {
    fn add_assign(&mut self, other: &Buckets) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.nanos += other.nanos;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Half of the durations are at a bound or a nanosecond beside it.
    fn span() -> impl Strategy<Value = Nanos> {
        let near = (0..BOUNDS.len(), 0u64..3).prop_map(|(i, off)| Nanos(BOUNDS[i].0 + off - 1));
        prop_oneof![near, (0u64..100_000_000_000).prop_map(Nanos)]
    }

    fn buckets(spans: &[Nanos]) -> Buckets {
        let mut buckets = Buckets::default();
        spans.iter().for_each(|span| buckets.record(*span));
        buckets
    }

    proptest! {
        #[test]
        fn the_count_within_each_bound_is_that_of_a_naive_count(
            spans in prop::collection::vec(span(), 0..200)
        ) {
            let buckets = buckets(&spans);
            let mut cumulative = 0;
            for (bound, count) in buckets.counts() {
                cumulative += count;
                let bound = bound.unwrap_or(Nanos::MAX);
                let within = spans.iter().filter(|span| **span <= bound).count() as u64;
                prop_assert_eq!(cumulative, within, "within {}", bound);
            }
            prop_assert_eq!(buckets.count(), spans.len() as u64);
            let sum: u64 = spans.iter().map(|span| span.0).sum();
            prop_assert_eq!(buckets.nanos, u128::from(sum));
        }

        #[test]
        fn buckets_added_up_are_the_buckets_of_all_durations(
            spans in prop::collection::vec(span(), 0..100), at in 0usize..100
        ) {
            let (some, others) = spans.split_at(at.min(spans.len()));
            let mut sum = buckets(some);
            sum += &buckets(others);
            prop_assert_eq!(sum, buckets(&spans));
        }
    }

    #[test]
    fn bounds_increase() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_sum_of_the_longest_durations_does_not_overflow() {
        assert_eq!(buckets(&[Nanos::MAX; 3]).sum(), 3.0 * u64::MAX as f64 / 1e9);
    }
}
