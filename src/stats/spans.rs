use crate::schedule::Nanos;
use hdrhistogram::Histogram;

/// A distribution of time spans, to 3 significant digits from 1 ns up. It grows with the longest
/// span only, by 8 KiB for each doubling: 190 KiB once it has seen 10 s.
#[derive(Debug)]
pub struct Spans(Histogram<u64>);

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

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn max(&self) -> Nanos {
        Nanos(self.0.max())
    }

    /// The smallest span that at least this share (0 to 1) of all spans do not exceed.
    pub fn quantile(&self, share: f64) -> Nanos {
        Nanos(self.0.value_at_quantile(share))
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
