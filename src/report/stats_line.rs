use super::failure_causes::by_cause;
use crate::base::text::count;
use crate::base::{Ledger, Nanos};
use crate::core::summary::FailureSummary;
use crate::engine::Progress;

/// The most causes of failure in a line.
const CAUSES: usize = 3;

/// The totals so far, and the rate at which requests left since the last line.
/// `Requests` counts all that were sent; those neither success nor failed are in flight.
pub fn stats_line(progress: &Progress) -> String {
    let rps = if progress.span == Nanos::ZERO {
        0.0
    } else {
        progress.newly_sent as f64 / progress.span.as_secs_f64()
    };
    let Ledger {
        sent,
        failed,
        blocked,
        ..
    } = progress.totals;
    let success = progress.totals.success();
    format!(
        "Requests: {sent} | Success: {success} | Failed: {failed} | Blocked: {blocked} | RPS: {rps:.1}"
    )
}

/// The line under a stats line: the time that remains of a run that ends at `end`, and why requests failed since the last
/// such line. `None` if there is nothing to say.
pub fn progress_line(progress: &Progress, end: Option<Nanos>) -> Option<String> {
    let mut parts = Vec::new();
    let in_flight = progress.totals.in_flight();
    if progress.is_pacing {
        parts.push(match end {
            Some(end) => {
                let [left, all] = [end.saturating_sub(progress.elapsed), end].map(seconds);
                format!("{left} of {all} left")
            }
            None => format!("{} so far", seconds(progress.elapsed)),
        });
    } else if in_flight > 0 {
        parts.push(format!(
            "waiting for {}",
            count(in_flight, "answer", "answers")
        ));
    }
    let causes = FailureSummary::all(&progress.failures);
    if !causes.is_empty() {
        parts.push(format!("failed: {}", by_cause(&causes, CAUSES)));
    }
    (!parts.is_empty()).then(|| format!("  {}", parts.join("; ")))
}

/// Whole seconds. An interval may end a little late, so they are rounded to the nearest.
fn seconds(of: Nanos) -> String {
    const HALF: u64 = 500_000_000;
    format!("{} s", (of.0 + HALF) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FailureKind;
    use crate::core::stats::Failures;

    fn progress(is_pacing: bool, failures: &[(FailureKind, u64)]) -> Progress {
        let mut failed = Failures::default();
        for (kind, times) in failures {
            (0..*times).for_each(|_| failed.add((*kind).into()));
        }
        Progress {
            elapsed: Nanos(40_004_000_000),
            is_pacing,
            totals: Ledger {
                sent: 1234,
                allowed: 909,
                blocked: 321,
                failed: 4,
                ..Ledger::default()
            },
            newly_sent: 498,
            span: Nanos(10_000_000_000),
            failures: failed,
        }
    }

    #[test]
    fn the_line_has_its_documented_form() {
        assert_eq!(
            stats_line(&progress(true, &[])),
            "Requests: 1234 | Success: 1230 | Failed: 4 | Blocked: 321 | RPS: 49.8"
        );
    }

    #[test]
    fn under_it_stand_the_time_that_remains_and_the_newest_failures() {
        use FailureKind::{Dns, Refused, Reset, Timeout};
        let minute = Some(Nanos(60_000_000_000));
        let line =
            |is_pacing, failures: &[_], end| progress_line(&progress(is_pacing, failures), end);
        let said = |line: Option<String>| line.unwrap_or_default();
        assert_eq!(said(line(true, &[], minute)), "  20 s of 60 s left");
        assert_eq!(said(line(true, &[], None)), "  40 s so far");
        assert_eq!(
            said(line(true, &[(Timeout, 1), (Refused, 3)], minute)),
            "  20 s of 60 s left; failed: refused ×3, timeout ×1"
        );
        let many = [(Timeout, 4), (Refused, 3), (Reset, 2), (Dns, 1)];
        assert_eq!(
            said(line(false, &many, minute)),
            "  failed: timeout ×4, refused ×3, reset ×2, others ×1"
        );
        assert_eq!(line(false, &[], minute), None);
        let mut draining = progress(false, &[]);
        draining.totals.sent += 2;
        assert_eq!(
            said(progress_line(&draining, minute)),
            "  waiting for 2 answers"
        );
    }
}
