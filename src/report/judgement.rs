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

/// All verdicts of a run in one sentence.
pub(super) fn headline(summary: &Summary) -> Judgement {
    let Summary {
        requests,
        thresholds,
        schedule,
        ..
    } = summary;
    let audit = summary.audit.as_ref().map(|audit| audit.verdict);
    let of_all = thresholds.len() as u64;
    let with = |met| thresholds.iter().filter(|each| each.met == met).count() as u64;
    let (missed, met) = (with(Met::Missed), with(Met::Met));
    let mut bad = Vec::new();
    if audit == Some(AuditVerdict::Broken) {
        bad.push("the limit was broken".to_owned());
    }
    if missed > 0 {
        bad.push(format!(
            "{missed} of {} missed",
            count(of_all, "threshold", "thresholds")
        ));
    }
    let mut unsure = Vec::new();
    match audit {
        Some(AuditVerdict::Suspect) => unsure.push("the limit may have been broken".to_owned()),
        Some(AuditVerdict::Inconclusive) => {
            unsure.push("whether the limit was kept is not known".to_owned());
        }
        _ => {}
    }
    let untold = of_all - missed - met;
    if untold > 0 {
        unsure.push(format!(
            "{untold} of {} not decided",
            count(of_all, "threshold", "thresholds")
        ));
    }
    if !schedule.kept {
        unsure.push("the generator did not keep its schedule".to_owned());
    }
    if requests.failed * 2 > requests.sent {
        unsure.push(format!(
            "{} of {} failed",
            requests.failed,
            count(requests.sent, "request", "requests")
        ));
    }
    let mut good = Vec::new();
    if audit == Some(AuditVerdict::Kept) {
        good.push("the limit was kept".to_owned());
    }
    if of_all > 0 {
        good.push(match of_all {
            1 => "the threshold is met".to_owned(),
            all => format!("all {all} thresholds are met"),
        });
    }
    let tone = match (bad.is_empty(), unsure.is_empty(), good.is_empty()) {
        (false, ..) => Tone::Bad,
        (_, false, _) => Tone::Unsure,
        (.., false) => Tone::Good,
        _ => Tone::Plain,
    };
    let parts = match tone {
        Tone::Bad => bad,
        Tone::Unsure => unsure,
        Tone::Good => good,
        Tone::Plain if requests.sent == 0 => vec!["nothing was sent".to_owned()],
        Tone::Plain => vec![format!(
            "{} sent on schedule",
            count(requests.sent, "request", "requests")
        )],
    };
    Judgement::new(tone, capitalized(&listed(&parts)))
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
        Standing::NotTested => Judgement::new(Tone::Plain, "not tested"),
    }
}

/// Whether a threshold was met, in the words of every report.
pub(super) fn threshold_word(met: Met) -> &'static str {
    match met {
        Met::Met => "met",
        Met::Missed => "missed",
        Met::Unsupported => "unsupported",
        Met::NothingSeen => "nothing seen",
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
    let all = thresholds.len();
    let with = |met| thresholds.iter().filter(|each| each.met == met).count();
    let tone = match (with(Met::Missed), with(Met::Met)) {
        _ if all == 0 => return None,
        (0, met) if met == all => Tone::Good,
        (0, _) => Tone::Unsure,
        _ => Tone::Bad,
    };
    Some(Judgement::new(
        tone,
        format!("{} of {all} met", with(Met::Met)),
    ))
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
