//! The exit codes and their meanings.

use crate::core::audit;
use crate::core::events::EventRecord;
use crate::core::plan::Plan;
use crate::core::stats::Results;
use crate::core::threshold::{JudgedThreshold, Met, Threshold};

pub const FINE: u8 = 0;
pub const BROKE: u8 = 1;
pub const REFUSED: u8 = 2;
pub const INCONCLUSIVE: u8 = 3;
pub const FAILED: u8 = 4;

/// One or more exit codes, and what they mean.
pub struct Meaning {
    pub codes: &'static [u8],
    /// A few words, for a report.
    pub short: &'static str,
    /// Whole sentences, for the manual.
    pub long: &'static str,
}

pub const MEANINGS: [Meaning; 6] = [
    Meaning {
        codes: &[FINE],
        short: "fine",
        long: "The run ended by itself, or by one SIGINT, SIGTERM or SIGHUP, and no check of it failed. A run that a \
               signal stopped is judged by the requests that it sent: thresholds and a requested audit decide its exit \
               code as at any other end.",
    },
    Meaning {
        codes: &[BROKE],
        short: "the run broke",
        long: "The run broke: standard output was closed, a result file could not be written whole, the system had no \
               thread for it, or the first target was not ready within --wait.",
    },
    Meaning {
        codes: &[REFUSED],
        short: "refused",
        long: "The configuration was refused: one line on standard error names the option, its value and what is allowed.",
    },
    Meaning {
        codes: &[INCONCLUSIVE],
        short: "inconclusive: a verdict was requested, and there is none",
        long: "A threshold or an audit was requested, and there is no verdict: there was nothing to measure, the limiter \
               is suspect but not proved to be broken, or the generator did not keep its own schedule, so that the \
               numbers describe it as much as the limiter.",
    },
    Meaning {
        codes: &[FAILED],
        short: "a threshold or the audit failed",
        long: "A threshold was missed, or the audit found the limit broken. A threshold on the audit, such as `audit = broken`, \
               takes the place of the latter.",
    },
    Meaning {
        codes: &[130, 143],
        short: "ended at once by a second signal",
        long: "A second SIGINT or SIGTERM ended the run at once, or as soon as the events of the run were undone.",
    },
];

pub fn short(code: u8) -> &'static str {
    let means = |meaning: &&Meaning| meaning.codes.contains(&code);
    let meaning = MEANINGS.iter().find(means);
    meaning.map_or("unknown", |meaning| meaning.short)
}

/// All exit codes in one paragraph.
pub fn table() -> String {
    let code = |code: &u8| code.to_string();
    let meaning = |meaning: &Meaning| {
        let codes: Vec<_> = meaning.codes.iter().map(code).collect();
        format!("{} {}", codes.join(" or "), meaning.short)
    };
    let meanings: Vec<_> = MEANINGS.iter().map(meaning).collect();
    format!(
        "Exit codes: {}. A run that one signal stopped is judged by the requests that it sent.",
        meanings.join(" · ")
    )
}

/// The exit code of a run that ended. A certain failure goes before a missing verdict.
pub fn code(plan: &Plan, results: &Results, thresholds: &[JudgedThreshold]) -> u8 {
    // Stripes are judged together.
    let asked = plan.is_whole() && plan.audit.as_ref().is_some_and(|audit| audit.asked);
    let met = thresholds.iter().map(|one| one.met);
    // A threshold that says what the verdict has to be takes the place of the rule that it has to be kept.
    let is_expected = plan.thresholds.all.iter().any(Threshold::is_about_verdict);
    let audited = results.audited().filter(|_| !is_expected);
    let verdict = of(asked, audited, met);
    // A run whose events did not happen as planned proves less than it was to prove.
    let is_incomplete = results.events.iter().any(EventRecord::has_failed);
    if is_incomplete && verdict == FINE {
        return BROKE;
    }
    verdict
}

/// The exit code of an audit by itself.
pub fn of_an_audit(verdict: audit::AuditVerdict) -> u8 {
    of(true, Some(verdict), std::iter::empty())
}

/// The exit code of thresholds by themselves.
pub fn of_thresholds(met: impl Iterator<Item = Met> + Clone) -> u8 {
    of(false, None, met)
}

fn of(
    audit_asked: bool,
    audited: Option<audit::AuditVerdict>,
    thresholds: impl Iterator<Item = Met> + Clone,
) -> u8 {
    let any = |met: &[Met]| thresholds.clone().any(|one| met.contains(&one));
    let inconclusive = matches!(
        audited,
        Some(audit::AuditVerdict::Inconclusive | audit::AuditVerdict::Suspect)
    );
    if audited == Some(audit::AuditVerdict::Broken) || any(&[Met::Missed]) {
        FAILED
    } else if audit_asked && inconclusive
        || any(&[Met::Unsupported, Met::NothingSeen, Met::Unknown])
    {
        INCONCLUSIVE
    } else {
        FINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::AuditVerdict;

    #[test]
    fn a_certain_failure_goes_before_a_missing_verdict() {
        use self::Met::{Met, Missed, NothingSeen, Unsupported};
        let untested = Some(AuditVerdict::Inconclusive);
        for (asked, audited, thresholds, code) in [
            (false, None, &[][..], FINE),
            (true, Some(AuditVerdict::Kept), &[Met], FINE),
            (true, Some(AuditVerdict::Suspect), &[Met], INCONCLUSIVE),
            (false, Some(AuditVerdict::Suspect), &[Met], FINE),
            (false, untested, &[Met], FINE),
            (true, untested, &[Met], INCONCLUSIVE),
            (false, None, &[Met, Unsupported], INCONCLUSIVE),
            (false, None, &[NothingSeen], INCONCLUSIVE),
            (false, None, &[Unsupported, Missed, Met], FAILED),
            (true, untested, &[Missed], FAILED),
            (false, Some(AuditVerdict::Broken), &[Met], FAILED),
            (true, Some(AuditVerdict::Broken), &[NothingSeen], FAILED),
        ] {
            let is = of(asked, audited, thresholds.iter().copied());
            assert_eq!(is, code, "{asked} {audited:?} {thresholds:?}");
        }
    }
}
