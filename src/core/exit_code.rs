//! What the exit codes say.

use crate::core::audit;
use crate::core::plan::Plan;
use crate::core::stats::Results;
use crate::core::threshold::{JudgedThreshold, Met};

/// The run ended, and nothing that was asked of it failed.
pub const FINE: u8 = 0;
/// The run broke.
pub const BROKE: u8 = 1;
/// It was refused: something asked for can't be.
pub const REFUSED: u8 = 2;
/// A verdict was asked for, and there is none.
pub const INCONCLUSIVE: u8 = 3;
/// A threshold was missed, or the limit was not kept.
pub const FAILED: u8 = 4;

/// Every exit code, and what it says.
pub const MEANINGS: [(&str, &str); 6] = [
    (
        "0",
        "The run ended, by itself or by one SIGINT, SIGTERM or SIGHUP, and nothing that was asked of it failed.",
    ),
    (
        "1",
        "The run broke: standard output was closed, a result file could not be written whole, or the system had no \
         thread for it.",
    ),
    (
        "2",
        "It was refused: one line on standard error names the option, its value and what is allowed.",
    ),
    (
        "3",
        "A threshold or an audit was asked for, and there is no verdict: there was nothing to measure, or the \
         generator did not keep its own schedule, so that the numbers describe it as much as the limiter.",
    ),
    (
        "4",
        "A threshold was missed, or the audit found the limit broken.",
    ),
    ("130, 143", "A second SIGINT or SIGTERM ended it at once."),
];

/// Of a run that ended, whose thresholds stand like this: what failed for sure goes before what is not known.
pub fn code(plan: &Plan, results: &Results, thresholds: &[JudgedThreshold]) -> u8 {
    let asked = plan.audit.as_ref().is_some_and(|audit| audit.asked);
    of(
        asked,
        results.audited(),
        thresholds.iter().map(|one| one.met),
    )
}

fn of(
    audit_asked: bool,
    audited: Option<audit::Verdict>,
    thresholds: impl Iterator<Item = Met> + Clone,
) -> u8 {
    let any = |met: &[Met]| thresholds.clone().any(|one| met.contains(&one));
    let inconclusive = matches!(audited, Some(audit::Verdict::Inconclusive(_)));
    if audited == Some(audit::Verdict::Broken) || any(&[Met::Missed]) {
        FAILED
    } else if audit_asked && inconclusive || any(&[Met::Unsupported, Met::NothingSeen]) {
        INCONCLUSIVE
    } else {
        FINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::{Verdict, Why};

    #[test]
    fn what_failed_for_sure_goes_before_what_is_not_known() {
        use self::Met::{Met, Missed, NothingSeen, Unsupported};
        let untested = Some(Verdict::Inconclusive(Why::NotTested));
        for (asked, audited, thresholds, code) in [
            (false, None, &[][..], FINE),
            (true, Some(Verdict::Kept), &[Met], FINE),
            (true, Some(Verdict::Suspect), &[Met], FINE),
            (false, untested, &[Met], FINE),
            (true, untested, &[Met], INCONCLUSIVE),
            (false, None, &[Met, Unsupported], INCONCLUSIVE),
            (false, None, &[NothingSeen], INCONCLUSIVE),
            (false, None, &[Unsupported, Missed, Met], FAILED),
            (true, untested, &[Missed], FAILED),
            (false, Some(Verdict::Broken), &[Met], FAILED),
            (true, Some(Verdict::Broken), &[NothingSeen], FAILED),
        ] {
            let is = of(asked, audited, thresholds.iter().copied());
            assert_eq!(is, code, "{asked} {audited:?} {thresholds:?}");
        }
    }
}
