use crate::base::Nanos;
use crate::base::text::span_or_dash;
use crate::core::summary::{DurationSummary, Summary};

/// The distributions of a summary with their names: those that every run has, then those of new connections and of name
/// lookups, if there were any.
pub(super) fn distributions(
    summary: &Summary,
) -> impl Iterator<Item = (&'static str, &DurationSummary)> {
    [
        ("latency", Some(&summary.latency)),
        ("service time", Some(&summary.service_time)),
        ("failed after", summary.failed_after.as_ref()),
        ("send lag", Some(&summary.send_lag)),
        ("connect", summary.connect.as_ref()),
        ("TLS", summary.tls.as_ref()),
        ("name lookup", summary.lookup.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, distribution)| Some((name, distribution?)))
}

/// One of a distribution's spans, or `-` if the distribution is empty.
pub(super) fn span_of(distribution: &DurationSummary, ns: u64) -> String {
    span_or_dash(distribution.count, Nanos(ns))
}
