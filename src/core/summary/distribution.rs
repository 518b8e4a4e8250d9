use super::null_for_0;
use crate::base::Nanos;
use crate::base::text::rounded_near_one;
use crate::core::stats::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution of durations, with three significant digits. A duration is at least 1 ns. Without any, every one is null
/// in JSON, and 0 here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Distribution"))]
pub struct DurationSummary {
    /// How many durations there are.
    pub count: u64,
    /// The shortest, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub min_ns: u64,
    /// The mean, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub mean_ns: u64,
    /// The median, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p50_ns: u64,
    /// The 90th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p90_ns: u64,
    /// The 95th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p95_ns: u64,
    /// The 99th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_ns: u64,
    /// The 99.9th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_9_ns: u64,
    /// The 99.99th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_99_ns: u64,
    /// The 99.999th percentile, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_999_ns: u64,
    /// The longest, in nanoseconds.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub max_ns: u64,
    /// The duration at ever higher shares, up to 1. It is left out where the percentiles above are enough.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub spectrum: Vec<Point>,
    /// The number of durations by their length, ten buckets for each power of ten. It begins with the bucket of the shortest
    /// and ends with that of the longest. It is left out where the spectrum is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub histogram: Vec<Bucket>,
    /// All durations, in nanoseconds, with three significant digits: HdrHistogram's compressed encoding of version 2, in base64,
    /// which libraries for many languages read and add up. It is there with the spectrum, and for every distribution of a stripe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hdr: Option<String>,
}

/// The durations from `from_ns` to less than `to_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bucket {
    /// The shortest duration that belongs here, in nanoseconds.
    pub from_ns: u64,
    /// The shortest duration beyond it, in nanoseconds.
    pub to_ns: u64,
    /// The number of these durations.
    pub count: u64,
}

/// The shortest duration that at least this share of all durations do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Point {
    /// The share, from 0 to 1. Its distance to 1 has three significant digits.
    pub share: f64,
    /// The duration, in nanoseconds.
    pub ns: u64,
}

impl DurationSummary {
    /// The summary of a histogram, without a spectrum.
    pub fn new(histogram: &Histogram) -> DurationSummary {
        let count = histogram.count();
        let least = u64::from(count > 0);
        let at = |share| histogram.quantile(share).0.max(least);
        DurationSummary {
            count,
            min_ns: histogram.min().0.max(least),
            mean_ns: histogram.mean().0.max(least),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            p99_9_ns: at(0.999),
            p99_99_ns: at(0.9999),
            p99_999_ns: at(0.99999),
            max_ns: at(1.0),
            spectrum: Vec::new(),
            histogram: Vec::new(),
            hdr: None,
        }
    }

    /// The same with all durations.
    #[must_use]
    pub fn with_hdr(self, histogram: &Histogram) -> DurationSummary {
        DurationSummary {
            hdr: (self.count > 0).then(|| histogram.encoded()),
            ..self
        }
    }

    /// The summary with a spectrum, a histogram and all durations.
    pub fn with_spectrum(histogram: &Histogram) -> DurationSummary {
        let point = |(share, Nanos(ns))| Point {
            share: rounded_near_one(share),
            ns,
        };
        DurationSummary {
            spectrum: histogram.spectrum().map(point).collect(),
            histogram: buckets(histogram),
            ..DurationSummary::new(histogram).with_hdr(histogram)
        }
    }
}

/// The bounds of the buckets within a power of ten, in hundredths: rounded so that they read well.
const BOUNDS: [u64; 10] = [100, 125, 160, 200, 250, 320, 400, 500, 630, 800];

/// The start of the bucket with this number. The first two powers of ten have no buckets: a shorter duration than 100 ns
/// belongs to bucket 0.
fn bound(number: usize) -> u64 {
    match number {
        0 => 0,
        number => {
            let power = u32::try_from(number / BOUNDS.len()).unwrap_or(u32::MAX);
            BOUNDS[number % BOUNDS.len()].saturating_mul(10u64.saturating_pow(power))
        }
    }
}

fn buckets(histogram: &Histogram) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut number = 0;
    for (Nanos(ns), count) in histogram.recorded() {
        while bound(number + 1) <= ns {
            number += 1;
            if let Some(last) = buckets.last() {
                let (from_ns, to_ns) = (last.to_ns, bound(number + 1));
                buckets.push(Bucket {
                    from_ns,
                    to_ns,
                    count: 0,
                });
            }
        }
        match buckets.last_mut() {
            Some(last) => last.count += count,
            None => buckets.push(Bucket {
                from_ns: bound(number),
                to_ns: bound(number + 1),
                count,
            }),
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_duration_in_the_bucket_that_it_belongs_to() {
        let mut histogram = Histogram::default();
        let spans = [50, 130, 99_000, 101_000, 110_000, 130_000, 7_000_000_000];
        for ns in spans {
            histogram.record(Nanos(ns));
        }
        let buckets = DurationSummary::with_spectrum(&histogram).histogram;
        assert_eq!(buckets[0].from_ns, 0);
        let pairs = buckets.windows(2);
        assert!(
            pairs
                .into_iter()
                .all(|pair| pair[0].to_ns == pair[1].from_ns)
        );
        let filled = buckets.iter().filter(|bucket| bucket.count > 0);
        let filled: Vec<_> = filled
            .map(|bucket| (bucket.from_ns, bucket.to_ns, bucket.count))
            .collect();
        let expected = [
            (0, 125, 1),
            (125, 160, 1),
            (80_000, 100_000, 1),
            (100_000, 125_000, 2),
            (125_000, 160_000, 1),
            (6_300_000_000, 8_000_000_000, 1),
        ];
        assert_eq!(filled, expected);
        assert_eq!(buckets.last().map(|bucket| bucket.count), Some(1));
        let empty = DurationSummary::with_spectrum(&Histogram::default());
        assert_eq!(empty.histogram, []);
    }

    #[test]
    fn no_duration_is_shorter_than_a_nanosecond_and_without_any_they_are_null() {
        let empty = DurationSummary::new(&Histogram::default());
        assert_eq!(empty, DurationSummary::default());
        let json = serde_json::to_value(&empty).unwrap();
        assert_eq!(
            (&json["count"], json["p99_9_ns"].is_null()),
            (&0.into(), true)
        );
        assert_eq!(
            serde_json::from_value::<DurationSummary>(json).unwrap(),
            empty
        );
        let mut shortest = Histogram::default();
        shortest.record(Nanos::ZERO);
        let shortest = DurationSummary::new(&shortest);
        assert_eq!(
            (shortest.min_ns, shortest.p50_ns, shortest.max_ns),
            (1, 1, 1)
        );
    }
}
