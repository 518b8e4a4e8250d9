use crate::base::Nanos;
use crate::base::text::span_or_dash;
use crate::core::summary::{AddressSummary, DurationSummary, Summary};

/// The distributions of a summary with their names: those that every run has, then those of new connections and of name
/// lookups, if there were any.
pub(super) fn distributions(
    summary: &Summary,
) -> impl Iterator<Item = (&'static str, &DurationSummary)> + Clone {
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

/// A percentile of a distribution, or its maximum.
#[derive(Debug)]
pub(super) struct Percentile {
    /// Such as `p99.9`.
    pub name: &'static str,
    /// The fewest durations of which one lies beyond it. Of fewer, it would be the longest one by another name.
    needed: u64,
    pub read: fn(&DurationSummary) -> u64,
}

pub(super) static P50: Percentile = Percentile::new("p50", 1, |of| of.p50_ns);
pub(super) static P90: Percentile = Percentile::new("p90", 10, |of| of.p90_ns);
pub(super) static P95: Percentile = Percentile::new("p95", 20, |of| of.p95_ns);
pub(super) static P99: Percentile = Percentile::new("p99", 100, |of| of.p99_ns);
pub(super) static P99_9: Percentile = Percentile::new("p99.9", 1_000, |of| of.p99_9_ns);
pub(super) static P99_99: Percentile = Percentile::new("p99.99", 10_000, |of| of.p99_99_ns);
pub(super) static P99_999: Percentile = Percentile::new("p99.999", 100_000, |of| of.p99_999_ns);
pub(super) static MAX: Percentile = Percentile::new("max", 1, |of| of.max_ns);

impl Percentile {
    const fn new(name: &'static str, needed: u64, read: fn(&DurationSummary) -> u64) -> Percentile {
        Percentile { name, needed, read }
    }

    /// Whether so many durations have it: p99 needs 100 of them, p99.9 needs 1,000.
    pub fn is_of(&self, count: u64) -> bool {
        self.needed <= count
    }

    /// Its value, or `-` if there are too few durations.
    pub fn cell(&self, of: &DurationSummary) -> String {
        self.text(of.count, (self.read)(of))
    }

    /// Its value for an address of a target; empty if the summary has none.
    pub fn cell_of_address(&self, of: &AddressSummary) -> String {
        let answered = of.allowed.saturating_add(of.blocked);
        match self.name {
            "p50" => self.text(answered, of.p50_ns),
            "p99" => self.text(answered, of.p99_ns),
            _ => String::new(),
        }
    }

    /// The same in nanoseconds, of so many durations.
    pub fn text(&self, count: u64, ns: u64) -> String {
        let known = if self.is_of(count) { count } else { 0 };
        span_or_dash(known, Nanos(ns))
    }
}

/// Those that one of these counts of durations is enough for. The median and the maximum are always among them.
pub(super) fn known(
    all: &[&'static Percentile],
    counts: impl IntoIterator<Item = u64>,
) -> Vec<&'static Percentile> {
    let most = counts.into_iter().max().unwrap_or(0).max(1);
    let all = all.iter().copied();
    all.filter(|one| one.is_of(most)).collect()
}

/// The two columns of a narrow table: the median, and p99 if one of these counts is enough for it, or else the maximum.
pub(super) fn two_columns(counts: impl IntoIterator<Item = u64>) -> [&'static Percentile; 2] {
    let has_p99 = counts.into_iter().any(|count| P99.is_of(count));
    [&P50, if has_p99 { &P99 } else { &MAX }]
}

/// What those of these percentiles need that one of these counts is too small for, such as `p99 needs 100`. Rows and slots
/// without any durations are not counted. `None` if all others have all of them.
pub(super) fn needs(
    all: &[&Percentile],
    counts: impl Iterator<Item = u64> + Clone,
) -> Option<String> {
    let is_missing = |one: &&&Percentile| {
        let mut counts = counts.clone().filter(|count| *count > 0);
        counts.any(|count| !one.is_of(count))
    };
    let missing = all.iter().filter(is_missing);
    let missing: Vec<_> = missing
        .map(|one| format!("{} needs {}", one.name, one.needed))
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// What a dash in a table with these columns and counts means.
pub(super) fn dash(
    columns: &[&Percentile],
    counts: impl Iterator<Item = u64> + Clone,
) -> Option<String> {
    let needs = needs(columns, counts)?;
    Some(format!(
        "“-” stands for a percentile that has too few requests: {needs}."
    ))
}

/// The columns of a narrow table of all distributions.
pub(super) fn columns(summary: &Summary) -> Vec<&'static Percentile> {
    let all = [&P50, &P90, &P99, &P99_9, &P99_99, &MAX];
    known(&all, distributions(summary).map(|(_, of)| of.count))
}

/// One of a distribution's spans, or `-` if the distribution is empty.
pub(super) fn span_of(distribution: &DurationSummary, ns: u64) -> String {
    span_or_dash(distribution.count, Nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Percentile; 8] = [&P50, &P90, &P95, &P99, &P99_9, &P99_99, &P99_999, &MAX];

    fn names(columns: &[&Percentile]) -> String {
        let names: Vec<_> = columns.iter().map(|one| one.name).collect();
        names.join(" ")
    }

    #[test]
    fn a_percentile_is_known_from_the_count_on_of_which_one_lies_beyond_it() {
        for (count, expected) in [
            (0, "p50 max"),
            (9, "p50 max"),
            (10, "p50 p90 max"),
            (99, "p50 p90 p95 max"),
            (100, "p50 p90 p95 p99 max"),
            (999, "p50 p90 p95 p99 max"),
            (1_000, "p50 p90 p95 p99 p99.9 max"),
            (9_999, "p50 p90 p95 p99 p99.9 max"),
            (10_000, "p50 p90 p95 p99 p99.9 p99.99 max"),
            (100_000, "p50 p90 p95 p99 p99.9 p99.99 p99.999 max"),
        ] {
            assert_eq!(names(&known(&ALL, [0, count])), expected, "{count}");
        }
        let of = DurationSummary {
            count: 100,
            p50_ns: 1_000,
            p99_ns: 3_000,
            p99_9_ns: 4_000,
            ..DurationSummary::default()
        };
        let cells = ALL.map(|one| one.cell(&of));
        let expected = ["1.00 µs", "0 ns", "0 ns", "3.00 µs", "-", "-", "-", "0 ns"];
        assert_eq!(cells, expected);
        assert_eq!(P50.cell(&DurationSummary::default()), "-");
    }

    #[test]
    fn a_dash_is_explained_if_a_row_has_too_few() {
        let counts = |counts: &'static [u64]| counts.iter().copied();
        assert_eq!(dash(&ALL, counts(&[0, 100_000])), None);
        assert_eq!(
            dash(&[&P50, &P90, &P99, &MAX], counts(&[0, 50, 1_000])),
            Some(
                "“-” stands for a percentile that has too few requests: p99 needs 100.".to_owned()
            )
        );
    }
}
