use crate::base::{Ledger, Nanos};

/// The totals so far, and the rate at which `newly_sent` requests left during the last `span`.
/// `Requests` counts all that were sent; those neither success nor failed are in flight.
pub fn stats_line(totals: &Ledger, newly_sent: u64, span: Nanos) -> String {
    let rps = if span == Nanos::ZERO {
        0.0
    } else {
        newly_sent as f64 / span.as_secs_f64()
    };
    let Ledger {
        sent,
        failed,
        blocked,
        ..
    } = totals;
    let success = totals.success();
    format!(
        "Requests: {sent} | Success: {success} | Failed: {failed} | Blocked: {blocked} | RPS: {rps:.1}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_its_documented_form() {
        let totals = Ledger {
            sent: 1234,
            allowed: 909,
            blocked: 321,
            failed: 4,
            ..Ledger::default()
        };
        assert_eq!(
            stats_line(&totals, 498, Nanos(10_000_000_000)),
            "Requests: 1234 | Success: 1230 | Failed: 4 | Blocked: 321 | RPS: 49.8"
        );
    }
}
