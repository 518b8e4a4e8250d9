//! How thresholds stand in the end.

use super::ratio::{Range, Ratio};
use super::{Ahead, Claim, Seen, Test, Threshold};
use crate::base::Nanos;
use crate::base::text::{span, three_digits};
use crate::core::audit;
use crate::core::stats::Results;
use serde::{Deserialize, Serialize};

/// A threshold and whether the run met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Threshold"))]
pub struct JudgedThreshold {
    /// The threshold as it was given.
    pub text: String,
    pub met: Met,
    /// The measured number, in the threshold's unit, such as `12.3 ms`.
    pub measured: String,
}

/// Whether a threshold was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    Met,
    Missed,
    /// The generator did not keep its own schedule, so the numbers do not tell.
    Unsupported,
    /// There was nothing to measure.
    NothingSeen,
}

/// Judges `thresholds`, in their order, by the results of a run whose schedule ends at `end`, if it does.
///
/// If the schedule was not kept, a threshold about the limiter is unsupported, even if the numbers look good. The
/// threshold that stopped a run is missed, even if there was nothing to measure by then. `audit = kept` is unsupported if
/// the audit's verdict is suspect, or inconclusive because the schedule was not kept. An audit that tested nothing is
/// nothing seen.
pub fn judged(
    thresholds: &[Threshold],
    end: Option<Nanos>,
    results: &Results,
) -> Vec<JudgedThreshold> {
    let seen = Seen {
        ledgers: &results.ledgers,
        tally: &results.tally,
        followed: results.paced.min(end.unwrap_or(Nanos::MAX)),
        late: results.verdict.late,
        audit_broken: results.audited() == Some(audit::AuditVerdict::Broken),
    };
    let thresholds = thresholds.iter().enumerate();
    let judged = thresholds.map(|(place, threshold)| {
        let (met, measured) = judge(threshold, &seen, results);
        let met = match met {
            Met::NothingSeen if results.aborted_by == Some(place) => Met::Missed,
            met => met,
        };
        JudgedThreshold {
            text: threshold.text.clone(),
            met,
            measured,
        }
    });
    judged.collect()
}

fn judge(threshold: &Threshold, seen: &Seen, results: &Results) -> (Met, String) {
    let claim = &threshold.claim;
    let kept = results.verdict.schedule_kept();
    let is_met = || match claim.may_be_met(seen, Ahead::Nothing) {
        _ if !kept && !claim.always_stands() => Met::Unsupported,
        true => Met::Met,
        false => Met::Missed,
    };
    match claim {
        Claim::AuditKept => audited(results.audited(), kept),
        Claim::ScheduleKept => {
            let measured = match kept {
                true => "kept".to_owned(),
                false => {
                    let (dropped, late) = (results.verdict.dropped, results.verdict.late);
                    format!("not kept: {dropped} dropped, {late} late")
                }
            };
            (is_met(), measured)
        }
        _ => match claim.range(seen, Ahead::Nothing) {
            Some(number) => (is_met(), measured(claim, seen, number)),
            None => (Met::NothingSeen, "nothing".to_owned()),
        },
    }
}

fn audited(verdict: Option<audit::AuditVerdict>, schedule_kept: bool) -> (Met, String) {
    use audit::AuditVerdict;
    let (met, measured) = match verdict {
        Some(AuditVerdict::Kept) => (Met::Met, "kept"),
        Some(AuditVerdict::Broken) => (Met::Missed, "broken"),
        Some(AuditVerdict::Suspect) => (Met::Unsupported, "suspect"),
        Some(AuditVerdict::Inconclusive) if !schedule_kept => (Met::Unsupported, "inconclusive"),
        Some(AuditVerdict::Inconclusive) => (Met::NothingSeen, "inconclusive"),
        None => (Met::NothingSeen, "nothing"),
    };
    (met, measured.to_owned())
}

/// A number that is known, in the claim's unit.
fn measured(claim: &Claim, seen: &Seen, number: Range) -> String {
    let number = number.least;
    match claim {
        Claim::Time { test, .. } => time(number, test),
        Claim::Count { .. } => number.over.to_string(),
        Claim::Share { of, what, base, .. } => {
            let ends = seen.ends(*of);
            let [part, all] = [*what, *base].map(|counted| ends.count(counted));
            let percent = part as f64 * 100.0 / all as f64;
            format!("{} % ({part} of {all})", three_digits(percent))
        }
        Claim::PerSecond { of, what, .. } => {
            let count = seen.ends(*of).count(*what);
            let rate = number.over as f64 / number.under as f64;
            format!(
                "{}/s ({count} in {})",
                three_digits(rate),
                span(seen.followed)
            )
        }
        Claim::ScheduleKept | Claim::AuditKept => String::new(),
    }
}

/// In three digits; in all of them where those would hide on which side of an asked time it is.
fn time(nanos: Ratio, test: &Test<Nanos>) -> String {
    let rounded = Nanos((nanos.over / nanos.under) as u64);
    let text = span(rounded);
    let hides = |asked: Nanos| span(asked) == text && Ratio::from(asked) != nanos;
    match test.values().any(hides) {
        true => rounded.to_string(),
        false => text,
    }
}
