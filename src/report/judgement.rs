//! The verdicts of a summary in a few words, with which every report begins.

use super::failure_causes::by_cause;
use crate::base::Nanos;
use crate::base::text::{count, shortened, span, whole_seconds};
use crate::core::exit_code;
use crate::core::summary::{
    Audit, AuditVerdict, MergedSummary, RunTimes, Standing, StripeSummary, Summary, TargetSummary,
    named_stripes, suspended_stripes,
};
use crate::core::threshold::{JudgedBy, JudgedThreshold, Met, Threshold};

/// The most events of a sort that the verdict names.
const EVENTS: usize = 3;

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

/// The statements of an audit, the verdict first.
pub(super) fn audited(of: &Audit) -> Vec<Judgement> {
    let Judgement { tone, text: word } = audit(of);
    let headline = match of.headline.as_str() {
        // Earlier versions wrote none.
        "" => format!("{}: {}", capitalized(&word), of.statement),
        headline => headline.to_owned(),
    };
    let all = std::iter::once(&headline).chain(&of.further);
    all.map(|text| Judgement::new(tone, shortened(text, 300)))
        .collect()
}

/// The statements of a run's verdict, the most important first; at least one. Every report begins with the first and lists the
/// others below it.
pub(super) fn headlines(summary: &Summary) -> Vec<Judgement> {
    let audit = summary.audit.as_ref();
    let is_inconclusive = audit.is_some_and(|audit| audit.verdict == AuditVerdict::Inconclusive);
    let mut faults = faults(summary);
    let mut verdicts = if is_inconclusive && !faults.is_empty() {
        // The same fault leaves the audit without a verdict.
        let Judgement { tone, text } = faults.remove(0);
        let text = format!("Inconclusive: {}", uncapitalized(&text));
        vec![Judgement::new(tone, text)]
    } else {
        audit.map(audited).unwrap_or_default()
    };
    verdicts.extend(judged_thresholds(summary));
    verdicts.extend(merged_parts(summary));
    let mut all = [verdicts.clone(), faults].concat();
    let suspended = Nanos(summary.schedule.suspended_ns);
    if suspended > Nanos::ZERO {
        let suspended = span(suspended);
        let text = match &summary.merged {
            None => format!("The process was suspended for {suspended}"),
            Some(merged) => {
                let stripes = merged.stripes.iter();
                let stripes = stripes.filter(|stripe| stripe.suspended_ns > 0);
                let indexes: Vec<_> = stripes.map(|stripe| stripe.index).collect();
                match indexes.is_empty() {
                    // Earlier versions did not write which ones.
                    true => format!("Stripes were suspended for {suspended} in all"),
                    false => capitalized(&suspended_stripes(&indexes, &suspended)),
                }
            }
        };
        all.push(Judgement::new(Tone::Plain, text));
    }
    let waited = summary.schedule.waited();
    if waited > 0 {
        let waited = count(waited, "request", "requests");
        let text = format!("{waited} waited for a target that did not answer in time");
        all.push(Judgement::new(Tone::Unsure, text));
    }
    all.extend(failed_commands(summary));
    all.extend(broken_stripes(summary));
    all.sort_by_key(|one| match one.tone {
        Tone::Bad => 0,
        Tone::Unsure => 1,
        Tone::Good | Tone::Plain => 2,
    });
    for further in [failing_open(summary), some_failed(summary)]
        .into_iter()
        .flatten()
    {
        let last = all.iter().rposition(|one| verdicts.contains(one));
        all.insert(last.map_or(0, |last| last + 1), further);
    }
    if all.is_empty() {
        let text = match summary.requests.sent {
            0 => "Nothing was sent".to_owned(),
            sent => format!("{} sent on schedule", count(sent, "request", "requests")),
        };
        all.push(Judgement::new(Tone::Plain, text));
    }
    all.extend(events(summary));
    if let Some(part) = part_of_a_schedule(summary) {
        all.insert(0, part);
    }
    let command = summary.stripe.as_ref();
    if let Some(command) = command.and_then(|stripe| stripe.audit_command.as_deref()) {
        all.push(to_be_audited(command));
        if summary.run.clock_error_ns.is_none() {
            let text = "This machine does not know how far its clock may be off, so add --clock-error TIME to that command";
            all.push(Judgement::new(Tone::Plain, text));
        }
    }
    let first = &mut all[0];
    match stopped(summary) {
        Some(stopped) if first.tone == Tone::Plain => {
            let (stopped, text) = (capitalized(&stopped), &first.text);
            // Either has a colon of its own then.
            let has_colon = summary.run.aborted_by.is_some() || summary.stripe.is_some();
            first.text = if has_colon {
                format!("{stopped}. {text}")
            } else {
                format!("{stopped}: {}", uncapitalized(text))
            };
        }
        stopped => all.extend(stopped.map(|text| Judgement::new(Tone::Plain, capitalized(&text)))),
    }
    all
}

/// That the run is a stripe, so that it is judged together with the others. `None` if it is a whole one.
fn part_of_a_schedule(summary: &Summary) -> Option<Judgement> {
    let StripeSummary { index, of, .. } = summary.stripe.as_ref()?;
    let sent = count(summary.requests.sent, "request", "requests");
    let mut text = format!("Stripe {index} of {of}: {sent} sent.");
    let is_judged = |by| summary.thresholds.iter().any(|one| judged_by(one) == by);
    text += if is_judged(JudgedBy::Merge) {
        " `loadgen merge` judges the thresholds on all stripes"
    } else {
        " `loadgen merge` makes one result of all stripes"
    };
    if is_judged(JudgedBy::Nothing) {
        text += ". Thresholds on events stay unknown in it, since what events did is not merged";
    }
    Some(Judgement::new(Tone::Plain, text))
}

/// What judges a threshold for all stripes.
fn judged_by(threshold: &JudgedThreshold) -> JudgedBy {
    let read: Result<Threshold, _> = threshold.text.parse();
    read.map_or(JudgedBy::Merge, |threshold| threshold.judged_by())
}

/// The stripes that merged results lack, and how they are audited.
fn merged_parts(summary: &Summary) -> Vec<Judgement> {
    let Some(merged) = &summary.merged else {
        return Vec::new();
    };
    let missing = merged.missing_stripes();
    let missing = missing.map(|text| Judgement::new(Tone::Unsure, text));
    // The command names the files of all stripes, so it is no headline.
    let mut parts: Vec<_> = missing.into_iter().collect();
    if let Some(command) = &merged.audit_command {
        parts.push(Judgement::new(
            Tone::Unsure,
            "The limiter is not judged yet",
        ));
        let audit = format!("Audit the --requests files of all stripes: {command}");
        parts.push(Judgement::new(Tone::Plain, audit));
        let without = needs_clock_error(merged);
        parts.extend(without.map(|text| Judgement::new(Tone::Plain, text)));
    }
    parts
}

/// That the command of the audit needs a clock error, since that of some stripe is not known. `None` if all are known.
pub(super) fn needs_clock_error(merged: &MergedSummary) -> Option<String> {
    let unknown = merged.unknown_clocks();
    let which = capitalized(&named_stripes(&unknown));
    let (do_not_know, clocks) = match unknown.len() {
        0 => return None,
        1 => ("does not know", "its clock"),
        _ => ("do not know", "their clocks"),
    };
    Some(format!(
        "{which} {do_not_know} how far {clocks} may be off, so add --clock-error TIME to that command"
    ))
}

/// The command that judges the limiter by the requests of all stripes.
fn to_be_audited(command: &str) -> Judgement {
    let text = format!(
        "The limiter is not judged yet. Audit the --requests files of all stripes: {command}"
    );
    Judgement::new(Tone::Plain, text)
}

/// The commands of events that failed: without them, the run shows nothing of these events.
fn failed_commands(summary: &Summary) -> Vec<Judgement> {
    let own = summary.events.iter();
    let own = own.map(|event| (event.title(), &event.command));
    let merged = summary.merged.iter().flat_map(|merged| &merged.events);
    let merged = merged.map(|event| (event.title(), &event.command));
    let failed = own.chain(merged).filter_map(|(title, command)| {
        let error = command.as_ref()?.error.as_ref()?;
        let text = format!("The command of {title} failed: {error}");
        Some(Judgement::new(Tone::Bad, text))
    });
    failed.take(EVENTS).collect()
}

/// The stripes of merged results that broke for another reason than the command of an event.
fn broken_stripes(summary: &Summary) -> Option<Judgement> {
    let merged = summary.merged.as_ref()?;
    let has_failed_command = |index: u64| {
        let mut events = merged.events.iter();
        events.any(|event| {
            let command = event.command.as_ref();
            event.stripe == index && command.is_some_and(|command| command.error.is_some())
        })
    };
    let stripes = merged.stripes.iter();
    let broken = stripes
        .filter(|stripe| stripe.exit_code == exit_code::BROKE && !has_failed_command(stripe.index));
    let broken: Vec<_> = broken.map(|stripe| stripe.index).collect();
    let text = match &broken[..] {
        [] => return None,
        [only] => format!("Stripe {only} exited with {}", exit_code::BROKE),
        several => format!(
            "{} of {} stripes exited with {}",
            several.len(),
            merged.of,
            exit_code::BROKE
        ),
    };
    Some(Judgement::new(Tone::Bad, text))
}

/// What events did, in short.
fn events(summary: &Summary) -> impl Iterator<Item = Judgement> {
    let did = summary.events.iter().filter_map(|event| {
        let text = format!("After {}: {}", event.title(), event.in_short()?);
        Some(Judgement::new(Tone::Plain, text))
    });
    did.take(EVENTS)
}

/// Faults of the run itself that leave it without a verdict, the worst first.
fn faults(summary: &Summary) -> Vec<Judgement> {
    let requests = &summary.requests;
    let sent = count(requests.sent, "request", "requests");
    let is_answered = requests.allowed + requests.blocked > 0;
    if requests.sent > 0 && !is_answered {
        let causes = summary.failure_causes();
        let cause = causes.first().map_or(String::new(), |cause| {
            format!(": {}", shortened(&cause.name(), 150))
        });
        let text = match (requests.failed, requests.abandoned) {
            (1, 0) => format!("The only request failed{cause}"),
            (_, 0) => format!("All {sent} failed{cause}"),
            (failed, abandoned) => format!(
                "None of {sent} was answered: {failed} failed, and {abandoned} still waited at the end"
            ),
        };
        // Whether they left on time says nothing about a limiter that answered none of them.
        return vec![Judgement::new(Tone::Bad, text)];
    }
    let mut faults = Vec::new();
    if has_mostly_failed(summary) {
        faults.push(failed(summary));
    }
    if let Some(missed) = summary.schedule.missed() {
        let merged = summary.merged.as_ref();
        let by = merged.and_then(MergedSummary::late_stripes);
        let by = by.map_or_else(String::new, |by| format!(", {by}"));
        let text = format!("The generator did not keep its schedule: {missed}{by}");
        faults.push(Judgement::new(Tone::Unsure, text));
    }
    faults
}

/// Whether more than half of all requests failed.
fn has_mostly_failed(summary: &Summary) -> bool {
    summary.requests.failed.saturating_mul(2) > summary.requests.sent
}

/// The failed requests if they are half of all at most, so that they leave the other numbers their meaning.
fn some_failed(summary: &Summary) -> Option<Judgement> {
    let is_some = summary.requests.failed > 0 && !has_mostly_failed(summary);
    is_some.then(|| failed(summary))
}

/// How many requests were admitted while failing open, and by which target or how many. `None` without any.
pub(super) fn failing_open(summary: &Summary) -> Option<Judgement> {
    let open = summary.failing_open;
    let targets = summary.targets.iter();
    let targets: Vec<_> = targets.filter(|target| target.failing_open > 0).collect();
    let by = match &targets[..] {
        [] => String::new(),
        [only] => format!(", by {}", shortened(&only.name, 100)),
        several => format!(", by {} targets", several.len()),
    };
    let sent = count(summary.requests.sent, "request", "requests");
    let were = if open == 1 { "was" } else { "were" };
    let text = format!("{open} of {sent} {were} admitted while failing open{by}");
    (open > 0).then(|| Judgement::new(Tone::Unsure, text))
}

/// How many requests failed, why, and the targets that did nothing but fail.
fn failed(summary: &Summary) -> Judgement {
    let of = &summary.requests;
    let causes = by_cause(&summary.failure_causes(), 2);
    let sent = count(of.sent, "request", "requests");
    let causes = shortened(&causes, 150);
    let mut text = format!("{} of {sent} failed: {causes}", of.failed);
    let is_dead = |target: &&TargetSummary| {
        target.requests.failed > 0 && target.requests.failed == target.requests.sent
    };
    let mut dead = summary.targets.iter().filter(is_dead);
    if let Some(first) = dead.next() {
        text += &format!("; {}", shortened(&first.name, 100));
        let others = dead.count() as u64;
        if others > 0 {
            text += &format!(" and {}", count(others, "other target", "other targets"));
        }
        text += " did nothing but fail";
    }
    Judgement::new(Tone::Unsure, text)
}

fn judged_thresholds(summary: &Summary) -> Vec<Judgement> {
    let thresholds = &summary.thresholds;
    let all = count(thresholds.len() as u64, "threshold", "thresholds");
    let (met, missed) = (with(thresholds, Met::Met), with(thresholds, Met::Missed));
    // The heading says who judges those.
    let deferred = with(thresholds, Met::Deferred);
    let undecided = thresholds.len() - met - missed - deferred;
    let mut judged = Vec::new();
    if let Some(first) = thresholds.iter().find(|one| one.met == Met::Missed) {
        let (limit, measured) = (&first.text, &first.measured);
        let text = format!("{missed} of {all} missed: {limit} measured {measured}");
        judged.push(Judgement::new(Tone::Bad, shortened(&text, 300)));
    }
    if undecided > 0 {
        let text = format!("{undecided} of {all} not decided");
        judged.push(Judgement::new(Tone::Unsure, text));
    }
    if met > 0 && met == thresholds.len() {
        let text = match met {
            1 => "The threshold is met".to_owned(),
            _ => format!("All {all} are met"),
        };
        judged.push(Judgement::new(Tone::Good, text));
    }
    judged
}

/// How far a run came that was stopped: `stopped at 3.02 s of 60 s`. Of merged results, this is how many stripes were stopped.
/// `None` if nothing was stopped.
pub(super) fn stopped(summary: &Summary) -> Option<String> {
    match &summary.merged {
        Some(merged) => stopped_stripes(merged),
        None => stopped_at(&summary.run),
    }
}

/// How many stripes were stopped: `1 of 4 stripes was stopped`.
fn stopped_stripes(merged: &MergedSummary) -> Option<String> {
    let stopped = merged.stripes.iter().filter(|stripe| stripe.interrupted);
    let (stopped, of) = (stopped.count(), merged.of);
    let were = if stopped == 1 { "was" } else { "were" };
    (stopped > 0).then(|| format!("{stopped} of {of} stripes {were} stopped"))
}

fn stopped_at(run: &RunTimes) -> Option<String> {
    let at = whole_seconds(Nanos(run.paced_ns));
    let planned = run.planned_ns.map(Nanos);
    if !run.interrupted {
        return None;
    }
    if run.stopped_waiting {
        return Some(
            "stopped before its first request, while it waited for its first target".to_owned(),
        );
    }
    let mut text = match planned {
        Some(planned) if Nanos(run.paced_ns) >= planned => format!(
            "stopped while it waited for the last answers, after all {}",
            whole_seconds(planned)
        ),
        Some(planned) => format!("stopped at {at} of {}", whole_seconds(planned)),
        None => format!("stopped at {at}"),
    };
    if let Some(threshold) = &run.aborted_by {
        text += &format!(", because this threshold could no longer be met: {threshold}");
    }
    Some(text)
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
        Met::Deferred => "not judged here",
        Met::Unknown => "unknown",
    }
}

pub(super) fn threshold(met: Met) -> Judgement {
    let tone = match met {
        Met::Met => Tone::Good,
        Met::Missed => Tone::Bad,
        Met::Unsupported | Met::NothingSeen | Met::Unknown => Tone::Unsure,
        Met::Deferred => Tone::Plain,
    };
    Judgement::new(tone, threshold_word(met))
}

/// The thresholds as a whole; `None` if there are none.
pub(super) fn thresholds(thresholds: &[JudgedThreshold]) -> Option<Judgement> {
    let (all, met) = (thresholds.len(), with(thresholds, Met::Met));
    if all > 0 && with(thresholds, Met::Deferred) == all {
        return Some(threshold(Met::Deferred));
    }
    let tone = if with(thresholds, Met::Missed) > 0 {
        Tone::Bad
    } else if met < all {
        Tone::Unsure
    } else {
        Tone::Good
    };
    (all > 0).then(|| Judgement::new(tone, format!("{met} of {all} met")))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

pub(super) fn uncapitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}
