use crate::base::Target;
use crate::base::text::count;
use crate::core::stats::{Lateness, Results, ScheduleVerdict, TOLERANCE};
use serde::{Deserialize, Serialize};

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within the tolerance of
/// their due times. If it did not, the numbers describe the generator as much as the limiter.
///
/// Requests that were late or dropped because their target held all workers that it can do not count against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Schedule"))]
pub struct ScheduleSummary {
    pub kept: bool,
    /// The verdict and its reason in a sentence, with the targets that did not answer in time, and options that may help.
    pub statement: String,
    pub scheduled: u64,
    /// All dropped requests.
    pub dropped: u64,
    /// The dropped requests for which there was no room in their target's backlog, while other targets had workers left.
    #[serde(default)]
    pub backlog_dropped: u64,
    /// Requests that were sent, or still queued at the end, more than the tolerance after their due times. The time spent on
    /// a new connection does not count.
    pub late: u64,
    /// The late requests that waited in their target's backlog, while other targets had workers left.
    #[serde(default)]
    pub backlog_late: u64,
    /// Requests that never left this machine, because it had no file descriptor, local port or memory left for a connection.
    #[serde(default)]
    pub local: u64,
    pub tolerance_ns: u64,
}

/// The most targets that a statement names.
const NAMED: usize = 3;

impl ScheduleSummary {
    pub(super) fn of(results: &Results, targets: &[Target]) -> ScheduleSummary {
        let verdict = &results.verdict;
        let outcome = if !verdict.schedule_kept() {
            "schedule not kept"
        } else if results.interrupted && verdict.scheduled > 0 {
            "schedule kept until the run was stopped"
        } else {
            "schedule kept"
        };
        let mut reasons = unanswering(results, targets);
        reasons.push(generator(verdict));
        let lateness: Lateness = results.lateness.iter().copied().sum();
        ScheduleSummary {
            kept: verdict.schedule_kept(),
            statement: format!("{outcome}: {}", reasons.join("; ")),
            scheduled: verdict.scheduled,
            dropped: results.ledger().dropped,
            backlog_dropped: lateness.backlog_dropped,
            late: lateness.all_late(),
            backlog_late: lateness.backlog_late,
            local: lateness.local,
            tolerance_ns: TOLERANCE.0,
        }
    }

    /// The statement without the verdict.
    pub fn reason(&self) -> &str {
        let parts = self.statement.split_once(": ");
        parts.map_or(&self.statement, |(_, reason)| reason)
    }
}

/// The targets for which requests waited or were dropped, in a sentence for each.
fn unanswering(results: &Results, targets: &[Target]) -> Vec<String> {
    let rows = targets.iter().zip(&results.ledgers).zip(&results.lateness);
    let waited = rows.filter_map(|((target, ledger), lateness)| {
        let (late, dropped) = (lateness.backlog_late, lateness.backlog_dropped);
        let all = format!("of its {}", count(ledger.scheduled, "request", "requests"));
        let fate = match (late, dropped) {
            (0, 0) => return None,
            (late, 0) => format!("{late} {all} waited for it"),
            (0, dropped) => format!("{dropped} {all} were dropped"),
            (late, dropped) => format!("{late} {all} waited for it and {dropped} were dropped"),
        };
        Some(format!("{target} did not answer in time, so {fate}"))
    });
    let mut sentences: Vec<_> = waited.collect();
    if sentences.len() > NAMED {
        let more = sentences.len() - NAMED;
        sentences.truncate(NAMED);
        sentences.push(format!(
            "requests to {more} more targets waited or were dropped too"
        ));
    }
    sentences
}

/// How the generator dealt with the other requests, and the options that may help if the schedule was not kept.
fn generator(verdict: &ScheduleVerdict) -> String {
    let (dropped, late, local) = (verdict.dropped, verdict.late, verdict.local);
    let (others, has_waited) = (verdict.others(), verdict.waited > 0);
    if verdict.scheduled == 0 {
        return "no request was due".to_owned();
    }
    if verdict.schedule_kept() && late + local == 0 {
        let every = if has_waited { "every other" } else { "every" };
        return format!("{every} request on time (within {TOLERANCE}), none dropped");
    }
    let scope = if has_waited { "of the others, " } else { "" };
    let queued = others.saturating_sub(dropped);
    let decimals = if verdict.schedule_kept() { 2 } else { 1 };
    let share = |part: u64| {
        let share = part as f64 * 100.0 / queued.max(1) as f64;
        format!("{part} of {queued} ({share:.decimals$} %)")
    };
    let mut parts = Vec::new();
    if dropped > 0 {
        parts.push(format!("{dropped} of {others} dropped"));
    }
    if local > 0 {
        parts.push(format!("{} never left this machine", share(local)));
    }
    if late > 0 || local == 0 {
        parts.push(format!("{} over {TOLERANCE} late", share(late)));
    }
    if verdict.schedule_kept() {
        parts.push("none dropped".to_owned());
        return format!("{scope}{}", parts.join(", "));
    }
    let mut remedies = Vec::new();
    if dropped > 0 {
        remedies.push("a longer --queue");
    }
    if local > 0 {
        remedies.push("connections that are kept, more local ports or file descriptors");
    }
    if dropped > 0 || late > 0 {
        remedies.push("more --workers");
    }
    remedies.push("or a lower rate may help");
    let remedies = remedies.join(", ").replace(", or", " or");
    format!("{scope}{}; {remedies}", parts.join(", "))
}
