use crate::core::stats::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution of time spans, to three significant digits. Without any, all of it is 0.
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
    /// By ever higher shares, up to 1: what a spectrum by percentile shows. Left out where only the percentiles above
    /// are kept.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub spectrum: Vec<Point>,
}

/// The smallest span that at least this share of all spans do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Point {
    /// From 0 to 1.
    pub share: f64,
    pub ns: u64,
}

impl DurationSummary {
    /// Without a spectrum.
    pub fn new(spans: &Histogram) -> DurationSummary {
        if spans.count() == 0 {
            return DurationSummary::default();
        }
        let at = |share| spans.quantile(share).0;
        DurationSummary {
            count: spans.count(),
            min_ns: spans.min().0,
            mean_ns: spans.mean().0,
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

    pub fn with_spectrum(spans: &Histogram) -> DurationSummary {
        let points = spans
            .spectrum()
            .map(|(share, span)| Point { share, ns: span.0 });
        DurationSummary {
            spectrum: points.collect(),
            ..DurationSummary::new(spans)
        }
    }
}
