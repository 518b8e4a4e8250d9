//! The key numbers of each run, and their differences to the first run.

use super::{Run, columns};
use crate::base::Nanos;
use crate::base::text::{bytes, per_second, rounded, share, span};
use crate::core::summary::{DurationSummary, Summary};
use crate::report::html::document::{Section, Table, text};
use crate::report::percentiles::span_of;
use maud::{Markup, html};

/// A key number of a run.
struct Number {
    shown: String,
    /// The value for comparisons, if the run has one.
    value: Option<f64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Differences are relative, in percent.
    Amount,
    /// The value is in percent, and differences are in percentage points.
    Share,
}

impl Number {
    fn amount(shown: String, value: Option<f64>) -> Number {
        Number {
            shown,
            value,
            kind: Kind::Amount,
        }
    }

    fn count(number: u64) -> Number {
        Number::amount(number.to_string(), Some(number as f64))
    }

    fn share(part: u64, whole: u64) -> Number {
        Number {
            shown: share(part, whole),
            value: (whole > 0).then(|| part as f64 / whole as f64 * 100.0),
            kind: Kind::Share,
        }
    }

    fn span(of: &DurationSummary, ns: u64) -> Number {
        Number::amount(span_of(of, ns), (of.count > 0).then_some(ns as f64))
    }

    /// A number that not every run has.
    fn optional(number: Option<u64>, shown: impl Fn(u64) -> String) -> Number {
        let text = number.map_or("-".to_owned(), shown);
        Number::amount(text, number.map(|number| number as f64))
    }

    fn cell(&self, first: &Number) -> Markup {
        html! {
            (self.shown)
            @if let Some(difference) = self.difference(first) { span class="difference" { " " (difference) } }
        }
    }

    /// `None` if one of the numbers is missing, or if there is no ratio to compare.
    fn difference(&self, first: &Number) -> Option<String> {
        let (value, first) = (self.value?, first.value?);
        let by = value - first;
        if by == 0.0 {
            return Some("same".to_owned());
        }
        let (by, unit) = match self.kind {
            Kind::Share => (by, " points"),
            Kind::Amount if first == 0.0 => return None,
            Kind::Amount => (by / first * 100.0, " %"),
        };
        if by.abs() < 0.005 {
            return Some("nearly the same".to_owned());
        }
        let sign = if by < 0.0 { '−' } else { '+' };
        Some(format!("{sign}{}{unit}", rounded(by.abs(), 2)))
    }
}

type Read = fn(&Summary) -> Number;

const NUMBERS: [(&str, Read); 22] = [
    ("scheduled", |of| Number::count(of.requests.scheduled)),
    ("sent", |of| Number::count(of.requests.sent)),
    ("sent per second", |of| {
        let mean = of.per_second(of.requests.sent);
        Number::amount(mean.map_or_else(|| "-".to_owned(), per_second), mean)
    }),
    ("allowed", |of| Number::count(of.requests.allowed)),
    ("allowed of sent", |of| {
        Number::share(of.requests.allowed, of.requests.sent)
    }),
    ("blocked", |of| Number::count(of.requests.blocked)),
    ("blocked of sent", |of| {
        Number::share(of.requests.blocked, of.requests.sent)
    }),
    ("failed", |of| Number::count(of.requests.failed)),
    ("failed of sent", |of| {
        Number::share(of.requests.failed, of.requests.sent)
    }),
    ("dropped", |of| Number::count(of.requests.dropped)),
    ("latency p50", |of| {
        Number::span(&of.latency, of.latency.p50_ns)
    }),
    ("latency p90", |of| {
        Number::span(&of.latency, of.latency.p90_ns)
    }),
    ("latency p99", |of| {
        Number::span(&of.latency, of.latency.p99_ns)
    }),
    ("latency p99.9", |of| {
        Number::span(&of.latency, of.latency.p99_9_ns)
    }),
    ("latency max", |of| {
        Number::span(&of.latency, of.latency.max_ns)
    }),
    ("service time p50", |of| {
        Number::span(&of.service_time, of.service_time.p50_ns)
    }),
    ("service time p99", |of| {
        Number::span(&of.service_time, of.service_time.p99_ns)
    }),
    ("send lag p99", |of| {
        Number::span(&of.send_lag, of.send_lag.p99_ns)
    }),
    ("send lag max", |of| {
        Number::span(&of.send_lag, of.send_lag.max_ns)
    }),
    ("most admitted of a key in a window", |of| {
        let peak = of.audit.as_ref().and_then(|audit| audit.peak.as_ref());
        Number::optional(peak.map(|peak| peak.at_least), |most| most.to_string())
    }),
    ("processor time", |of| {
        let times = of.resources.user_ns.zip(of.resources.system_ns);
        let all = times.map(|(user, system)| user.saturating_add(system));
        Number::optional(all, |ns| span(Nanos(ns)))
    }),
    ("peak memory", |of| {
        Number::optional(of.resources.peak_memory, bytes)
    }),
];

pub(super) fn section(runs: &[Run<'_>]) -> Section {
    let row = |(name, read): &(&str, Read)| {
        let mut numbers = runs.iter().map(|run| read(run.summary));
        let cells = numbers.next().map_or_else(Vec::new, |first| {
            let others: Vec<_> = numbers.map(|number| number.cell(&first)).collect();
            std::iter::once(text(first.shown)).chain(others).collect()
        });
        (text(*name), cells)
    };
    let table = Table {
        caption: "Key numbers of each run, and their differences to the first".to_owned(),
        columns: columns("number", runs),
        rows: NUMBERS.iter().map(row).collect(),
        numbers: true,
    };
    Section {
        id: "numbers",
        heading: "Key numbers",
        body: table.render(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_or_in_points() {
        let count = Number::count;
        for (number, first, shown) in [
            (count(110), count(100), Some("+10.0 %")),
            (count(50), count(100), Some("−50.0 %")),
            (count(5), count(5), Some("same")),
            (count(0), count(0), Some("same")),
            (count(5), count(0), None),
            (
                Number::share(1, 4),
                Number::share(1, 2),
                Some("−25.0 points"),
            ),
            (Number::share(1, 4), Number::share(0, 0), None),
            (count(1_000_001), count(1_000_000), Some("nearly the same")),
        ] {
            assert_eq!(number.difference(&first).as_deref(), shown);
        }
    }
}
