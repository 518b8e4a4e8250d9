use crate::base::Ledger;
use crate::core::summary::{DurationSummary, Summary};
use crate::core::threshold::{Counted, Number, Quantity, Statistic};
use std::collections::BTreeMap;

/// The number of a whole run: times in nanoseconds, shares from 0 to 1. `None` if there was nothing to measure, or if a
/// summary does not have it, such as an unusual percentile.
pub fn value(summary: &Summary, number: &Number) -> Option<f64> {
    let target = match number.target {
        Some(place) => Some(summary.targets.get(place)?),
        None => None,
    };
    let requests = match target {
        Some(target) => Requests {
            ledger: &target.requests,
            failures: &target.failures,
            failing_open: target.failing_open,
        },
        None => Requests {
            ledger: &summary.requests,
            failures: &summary.failures,
            failing_open: summary.failing_open,
        },
    };
    let counted = |counted: Counted| requests.count(counted) as f64;
    match number.quantity {
        Quantity::Time(name, statistic) => {
            let times = match (name, target) {
                ("latency", None) => Some(&summary.latency),
                ("latency", Some(target)) => Some(&target.latency),
                ("service_time", None) => Some(&summary.service_time),
                ("send_lag", None) => Some(&summary.send_lag),
                ("connect", None) => summary.connect.as_ref(),
                ("tls", None) => summary.tls.as_ref(),
                ("lookup", None) => summary.lookup.as_ref(),
                _ => None,
            };
            let times = times.filter(|times| times.count > 0)?;
            statistic_of(times, statistic).map(|ns| ns as f64)
        }
        Quantity::Count(of) => Some(counted(of)),
        Quantity::Share(part, whole) => {
            let whole = counted(Counted {
                name: whole,
                kind: None,
            });
            (whole > 0.0).then(|| counted(part) / whole)
        }
        Quantity::PerSecond(of) => summary.per_second(requests.count(of)),
    }
}

/// Whether summaries have the number. The error says what they have instead, as the end of a sentence that begins with
/// the number.
pub fn is_in_summaries(number: &Number) -> Result<(), &'static str> {
    match number.quantity {
        Quantity::Time(name, _) if number.target.is_some() && name != "latency" => {
            Err("must be of the whole run, because a summary has only the latency of each target")
        }
        Quantity::Time(_, statistic)
            if statistic_of(&DurationSummary::default(), statistic).is_none() =>
        {
            Err(
                "must be min, mean, max, p50, p90, p95, p99, p99.9, p99.99 or p99.999, because a summary has no other",
            )
        }
        _ => Ok(()),
    }
}

/// The requests of a run, or of one target.
struct Requests<'a> {
    ledger: &'a Ledger,
    failures: &'a BTreeMap<String, u64>,
    failing_open: u64,
}

impl Requests<'_> {
    fn count(&self, counted: Counted) -> u64 {
        if let Some(kind) = counted.kind {
            return self.failures.get(kind.name()).copied().unwrap_or(0);
        }
        let ledger = self.ledger;
        match counted.name {
            "scheduled" => ledger.scheduled,
            "sent" => ledger.sent,
            "dropped" => ledger.dropped,
            "unsent" => ledger.unsent,
            "allowed" => ledger.allowed,
            "blocked" => ledger.blocked,
            "success" => ledger.allowed.saturating_add(ledger.blocked),
            "failed" => ledger.failed,
            "failing_open" => self.failing_open,
            "abandoned" => ledger.abandoned,
            other => unreachable!("{other} is no kind of requests"),
        }
    }
}

fn statistic_of(times: &DurationSummary, statistic: Statistic) -> Option<u64> {
    Some(match statistic {
        Statistic::Min => times.min_ns,
        Statistic::Mean => times.mean_ns,
        Statistic::Max => times.max_ns,
        Statistic::Percentile(thousandths) => match thousandths {
            50_000 => times.p50_ns,
            90_000 => times.p90_ns,
            95_000 => times.p95_ns,
            99_000 => times.p99_ns,
            99_900 => times.p99_9_ns,
            99_990 => times.p99_99_ns,
            99_999 => times.p99_999_ns,
            _ => return None,
        },
    })
}
