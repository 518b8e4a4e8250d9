//! The verdicts of a summary in a few words, with which every report begins.

use crate::base::text::count;
use crate::core::summary::{Audit, AuditVerdict, Standing, Summary};
use crate::core::threshold::{JudgedThreshold, Met};

/// A verdict in words, and whether it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub tone: Tone,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    /// The result is not certain.
    Unsure,
    /// There was nothing to judge.
    Plain,
}

impl Judgement {
    fn new(tone: Tone, text: impl Into<String>) -> Judgement {
        Judgement {
            tone,
            text: text.into(),
        }
    }
}

/// Whether the limit was kept, in a sentence.
pub(super) fn limit(verdict: AuditVerdict) -> Judgement {
    match verdict {
        AuditVerdict::Kept => Judgement::new(Tone::Good, "The limit was kept"),
        AuditVerdict::Broken => Judgement::new(Tone::Bad, "The limit was broken"),
        AuditVerdict::Suspect => Judgement::new(Tone::Unsure, "The limit may have been broken"),
        AuditVerdict::Inconclusive => {
            Judgement::new(Tone::Unsure, "It is not known whether the limit was kept")
        }
    }
}

/// All verdicts of a run in one sentence.
pub(super) fn headline(summary: &Summary) -> Judgement {
    let sent = count(summary.requests.sent, "request", "requests");
    let (tone, parts) = [
        (Tone::Bad, failings(summary)),
        (Tone::Unsure, doubts(summary)),
        (Tone::Good, successes(summary)),
    ]
    .into_iter()
    .find(|(_, parts)| !parts.is_empty())
    .unwrap_or_else(|| match summary.requests.sent {
        0 => (Tone::Plain, vec!["nothing was sent".to_owned()]),
        _ => (Tone::Plain, vec![format!("{sent} sent on schedule")]),
    });
    Judgement::new(tone, capitalized(&listed(&parts)))
}

fn failings(summary: &Summary) -> Vec<String> {
    let mut failings = Vec::new();
    if is_audited(summary, AuditVerdict::Broken) {
        failings.push("the limit was broken".to_owned());
    }
    let missed = with(&summary.thresholds, Met::Missed);
    if missed > 0 {
        failings.push(format!("{missed} of {} missed", all_thresholds(summary)));
    }
    failings
}

fn doubts(summary: &Summary) -> Vec<String> {
    let Summary {
        requests,
        thresholds,
        schedule,
        ..
    } = summary;
    let mut doubts = Vec::new();
    if is_audited(summary, AuditVerdict::Suspect) {
        doubts.push("the limit may have been broken".to_owned());
    }
    if is_audited(summary, AuditVerdict::Inconclusive) {
        doubts.push("it is not known whether the limit was kept".to_owned());
    }
    let decided = with(thresholds, Met::Missed) + with(thresholds, Met::Met);
    let undecided = thresholds.len() - decided;
    if undecided > 0 {
        doubts.push(format!(
            "{undecided} of {} not decided",
            all_thresholds(summary)
        ));
    }
    if !schedule.kept {
        doubts.push("the generator did not keep its schedule".to_owned());
    }
    let waited = schedule
        .backlog_late
        .saturating_add(schedule.backlog_dropped);
    if waited > 0 && is_plain(summary) {
        let waited = count(waited, "request", "requests");
        doubts.push(format!(
            "{waited} waited for a target that did not answer in time"
        ));
    }
    if requests.failed * 2 > requests.sent {
        let sent = count(requests.sent, "request", "requests");
        doubts.push(format!("{} of {sent} failed", requests.failed));
    }
    doubts
}

fn successes(summary: &Summary) -> Vec<String> {
    let mut successes = Vec::new();
    if is_audited(summary, AuditVerdict::Kept) {
        successes.push("the limit was kept".to_owned());
    }
    match summary.thresholds.len() {
        0 => {}
        1 => successes.push("the threshold is met".to_owned()),
        all => successes.push(format!("all {all} thresholds are met")),
    }
    successes
}

/// Whether there is nothing to judge but the run itself.
fn is_plain(summary: &Summary) -> bool {
    summary.thresholds.is_empty() && summary.audit.is_none()
}

fn is_audited(summary: &Summary, verdict: AuditVerdict) -> bool {
    summary
        .audit
        .as_ref()
        .is_some_and(|audit| audit.verdict == verdict)
}

fn all_thresholds(summary: &Summary) -> String {
    count(summary.thresholds.len() as u64, "threshold", "thresholds")
}

fn with(thresholds: &[JudgedThreshold], met: Met) -> usize {
    thresholds.iter().filter(|one| one.met == met).count()
}

/// Whether the generator kept its schedule.
pub(super) fn schedule(summary: &Summary) -> Judgement {
    if summary.schedule.kept {
        Judgement::new(Tone::Good, "kept")
    } else {
        Judgement::new(Tone::Unsure, "not kept")
    }
}

pub(super) fn audit(audit: &Audit) -> Judgement {
    match audit.verdict {
        AuditVerdict::Kept => Judgement::new(Tone::Good, "kept"),
        AuditVerdict::Broken => Judgement::new(Tone::Bad, "broken"),
        AuditVerdict::Suspect => Judgement::new(Tone::Unsure, "suspect"),
        AuditVerdict::Inconclusive => Judgement::new(Tone::Unsure, "inconclusive"),
    }
}

/// The standing of one promise. If several promises were audited, a broken one only rules out one kind of limiter.
pub(super) fn standing(standing: Standing, alone: bool) -> Judgement {
    match standing {
        Standing::Kept => Judgement::new(Tone::Good, "kept"),
        Standing::Broken if alone => Judgement::new(Tone::Bad, "broken"),
        Standing::Broken => Judgement::new(Tone::Plain, "ruled out"),
        Standing::Suspect => Judgement::new(Tone::Unsure, "suspect"),
        Standing::NotTested => Judgement::new(Tone::Plain, "not judged"),
    }
}

/// Whether a threshold was met, in the words of every report.
pub(super) fn threshold_word(met: Met) -> &'static str {
    match met {
        Met::Met => "met",
        Met::Missed => "missed",
        Met::Unsupported => "unsupported",
        Met::NothingSeen => "nothing measured",
    }
}

pub(super) fn threshold(met: Met) -> Judgement {
    let tone = match met {
        Met::Met => Tone::Good,
        Met::Missed => Tone::Bad,
        Met::Unsupported | Met::NothingSeen => Tone::Unsure,
    };
    Judgement::new(tone, threshold_word(met))
}

/// The thresholds as a whole; `None` if there are none.
pub(super) fn thresholds(thresholds: &[JudgedThreshold]) -> Option<Judgement> {
    let (all, met) = (thresholds.len(), with(thresholds, Met::Met));
    let tone = if with(thresholds, Met::Missed) > 0 {
        Tone::Bad
    } else if met < all {
        Tone::Unsure
    } else {
        Tone::Good
    };
    (all > 0).then(|| Judgement::new(tone, format!("{met} of {all} met")))
}

/// A list such as `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
