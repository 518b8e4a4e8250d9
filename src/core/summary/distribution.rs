use crate::base::Nanos;
use crate::core::stats::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution of durations, with three significant digits. Without any duration, every number is 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Distribution"))]
pub struct DurationSummary {
    pub count: u64,
    pub min_ns: u64,
    pub mean_ns: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p95_ns: u64,
    pub p99_ns: u64,
    pub p99_9_ns: u64,
    pub p99_99_ns: u64,
    pub p99_999_ns: u64,
    pub max_ns: u64,
    /// The duration at ever higher shares, up to 1. It is left out where the percentiles above are enough.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub spectrum: Vec<Point>,
}

/// The shortest duration that at least this share of all durations do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Point {
    /// From 0 to 1.
    pub share: f64,
    pub ns: u64,
}

impl DurationSummary {
    /// The summary of a histogram, without a spectrum.
    pub fn new(histogram: &Histogram) -> DurationSummary {
        let at = |share| histogram.quantile(share).0;
        DurationSummary {
            count: histogram.count(),
            min_ns: histogram.min().0,
            mean_ns: histogram.mean().0,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            p99_9_ns: at(0.999),
            p99_99_ns: at(0.9999),
            p99_999_ns: at(0.99999),
            max_ns: at(1.0),
            spectrum: Vec::new(),
        }
    }

    pub fn with_spectrum(histogram: &Histogram) -> DurationSummary {
        let point = |(share, Nanos(ns))| Point { share, ns };
        DurationSummary {
            spectrum: histogram.spectrum().map(point).collect(),
            ..DurationSummary::new(histogram)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_zero_without_a_duration() {
        let empty = DurationSummary::new(&Histogram::default());
        assert_eq!(empty, DurationSummary::default());
    }
}
