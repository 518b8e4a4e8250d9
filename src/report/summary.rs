use crate::client::Target;
use crate::schedule::Nanos;
use crate::stats::{Results, Spans, TOLERANCE, Verdict};
use std::fmt::Write;

/// The whole run: ledger, percentiles, targets, failures, and the generator's own verdict.
pub fn summary(results: &Results, targets: &[Target]) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_summary(&mut text, results, targets);
    text
}

fn write_summary(out: &mut String, results: &Results, targets: &[Target]) -> std::fmt::Result {
    let Results {
        ledger,
        tally,
        paced,
        drained,
        ..
    } = results;
    writeln!(
        out,
        "\nSummary: paced for {}, drained for {}",
        span(*paced),
        span(*drained)
    )?;
    write!(out, "  scheduled {} = ", ledger.scheduled)?;
    writeln!(
        out,
        "sent {} + dropped {} + unsent {}",
        ledger.sent, ledger.dropped, ledger.unsent
    )?;
    write!(
        out,
        "  sent {} = allowed {} + ",
        ledger.sent, ledger.allowed
    )?;
    write!(
        out,
        "blocked {} + failed {} + ",
        ledger.blocked, ledger.failed
    )?;
    writeln!(out, "abandoned {}\n", ledger.abandoned)?;

    write!(out, "  {:12}", "")?;
    for column in ["p50", "p90", "p99", "p99.9", "max"] {
        write!(out, " {column:>9}")?;
    }
    writeln!(out)?;
    write_percentiles(out, "latency", &tally.latency)?;
    write_percentiles(out, "service time", &tally.service_time)?;
    write_percentiles(out, "send lag", &tally.send_lag)?;
    if tally.connecting.count() > 0 {
        write_percentiles(out, "connecting", &tally.connecting)?;
        let new = tally.connecting.count();
        writeln!(
            out,
            "  new connections: {new}; connecting is part of send lag and latency"
        )?;
    }
    if ledger.abandoned > 0 {
        writeln!(
            out,
            "  the {} abandoned were never done: no latency",
            ledger.abandoned
        )?;
    }

    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let width = names
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("target".len());
    write!(out, "\n  {:width$}", "target")?;
    for column in [
        "sent",
        "allowed",
        "blocked",
        "failed",
        "abandoned",
        "p50",
        "p99",
    ] {
        write!(out, " {column:>9}")?;
    }
    writeln!(out)?;
    for (name, target) in names.iter().zip(&tally.targets) {
        write!(out, "  {name:width$}")?;
        let counts = [
            target.allowed,
            target.blocked,
            target.failed,
            target.abandoned,
        ];
        for count in [target.sent()].into_iter().chain(counts) {
            write!(out, " {count:>9}")?;
        }
        let latency = |share| spans_at(&target.latency, share);
        writeln!(out, " {:>9} {:>9}", latency(0.5), latency(0.99))?;
    }

    let failures: Vec<_> = tally
        .failures()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let failures = if failures.is_empty() {
        "none".to_owned()
    } else {
        failures.join(", ")
    };
    writeln!(out, "\n  failures: {failures}")?;
    write!(out, "  {}", verdict(&results.verdict, results.interrupted))
}

fn write_percentiles(out: &mut String, name: &str, spans: &Spans) -> std::fmt::Result {
    write!(out, "  {name:12}")?;
    for share in [0.5, 0.9, 0.99, 0.999, 1.0] {
        write!(out, " {:>9}", spans_at(spans, share))?;
    }
    writeln!(out)
}

fn spans_at(spans: &Spans, share: f64) -> String {
    match spans.count() {
        0 => "-".to_owned(),
        _ => span(spans.quantile(share)),
    }
}

/// Three significant digits and a unit.
fn span(nanos: Nanos) -> String {
    let (value, unit) = match nanos.0 {
        ns @ 0..1_000 => return format!("{ns} ns"),
        ns @ 1_000..999_500 => (ns as f64 / 1e3, "µs"),
        ns @ 999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        ns => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

fn verdict(verdict: &Verdict, interrupted: bool) -> String {
    let Verdict {
        scheduled,
        dropped,
        late,
    } = *verdict;
    let tolerance = TOLERANCE;
    if scheduled == 0 {
        return "schedule kept: nothing came due".to_owned();
    }
    let queued = scheduled - dropped;
    let share = late as f64 * 100.0 / queued.max(1) as f64;
    if verdict.schedule_kept() {
        let ended = if interrupted {
            " until the run was stopped"
        } else {
            ""
        };
        let late = match late {
            0 => "every request on time".to_owned(),
            n => format!("{n} of {scheduled} ({share:.2} %) late"),
        };
        return format!("schedule kept{ended}: {late} (within {tolerance}), none dropped");
    }
    format!(
        "schedule not kept: {dropped} of {scheduled} dropped, {late} of the other {queued} \
         ({share:.1} %) over {tolerance} late; more --workers, or a lower --rps, may keep it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits_and_a_unit() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_995, "10.0 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (123_456_789, "123 ms"),
            (999_500_000, "1.00 s"),
            (61_234_000_000, "61.2 s"),
            (1_234_000_000_000, "1234 s"),
        ] {
            assert_eq!(span(Nanos(nanos)), text);
        }
    }
}
