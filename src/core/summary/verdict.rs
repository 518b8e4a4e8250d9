use super::merged::named_stripes;
use crate::base::text::{count, span};
use crate::base::{Nanos, Target};
use crate::core::stats::{Lateness, Results, ScheduleVerdict, Suspension, TOLERANCE};
use serde::{Deserialize, Serialize};

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within the tolerance of
/// their due times. If it did not, the numbers describe the generator as much as the limiter.
///
/// Requests that were late or dropped because their target held all workers that it can do not count against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Schedule"))]
pub struct ScheduleSummary {
    /// Whether the schedule was kept.
    pub kept: bool,
    /// The verdict and its reason in a sentence, with the targets that did not answer in time, and options that may help.
    pub statement: String,
    /// All scheduled requests.
    pub scheduled: u64,
    /// All dropped requests.
    pub dropped: u64,
    /// The dropped requests for which there was no room in their target's backlog, while other targets had workers left, or
    /// because all targets were silent.
    #[serde(default)]
    pub backlog_dropped: u64,
    /// Requests that were sent, or still queued at the end, more than the tolerance after their due times. The time spent on
    /// a new connection does not count.
    pub late: u64,
    /// The late requests that waited in their target's backlog, while other targets had workers left, or
    /// because all targets were silent.
    #[serde(default)]
    pub backlog_late: u64,
    /// Requests that never left this machine, because it had no file descriptor, local port or memory left for a connection.
    #[serde(default)]
    pub local: u64,
    /// For how long the process was suspended, by Ctrl-Z or SIGSTOP, in nanoseconds. In a merged summary, this is the sum of all
    /// stripes.
    #[serde(default)]
    pub suspended_ns: u64,
    /// The requests that were late or dropped because of that.
    #[serde(default)]
    pub suspended: u64,
    /// Unsent requests of stripes that stopped before the others, in a summary that `loadgen merge` wrote.
    #[serde(default)]
    pub unreached: u64,
    /// Unsent requests that were due before the run joined its schedule (`--join-late`).
    #[serde(default)]
    pub before_joining: u64,
    /// The tolerance, in nanoseconds.
    pub tolerance_ns: u64,
}

/// The most targets that a statement names.
const NAMED: usize = 3;

/// The sender of the requests.
enum Generator {
    Process,
    /// Several processes, each of which sent its stripe by its own clock. The clocks of two of them may be so far apart.
    Stripes {
        clocks_apart: Option<Nanos>,
    },
}

impl Generator {
    /// The doubt that the requests of different stripes were on time by one clock. `None` without one.
    fn clocks(&self) -> Option<String> {
        let Generator::Stripes { clocks_apart } = self else {
            return None;
        };
        let apart = match clocks_apart {
            Some(apart) if *apart <= TOLERANCE => return None,
            Some(apart) => format!("the clocks may be up to {} apart", span(*apart)),
            None => "how far the clocks are apart is not known".to_owned(),
        };
        Some(format!("each stripe by its own clock; {apart}"))
    }
}

impl ScheduleSummary {
    pub(super) fn of(results: &Results, targets: &[Target]) -> ScheduleSummary {
        ScheduleSummary::by(&Generator::Process, results, targets)
    }

    /// Of stripes, the clocks of two of which may be so far apart. `None` if that is not known.
    pub fn of_stripes(
        results: &Results,
        targets: &[Target],
        clocks_apart: Option<Nanos>,
    ) -> ScheduleSummary {
        let generator = Generator::Stripes { clocks_apart };
        ScheduleSummary::by(&generator, results, targets)
    }

    fn by(generated_by: &Generator, results: &Results, targets: &[Target]) -> ScheduleSummary {
        let verdict = &results.verdict;
        let outcome = if !verdict.schedule_kept() {
            "schedule not kept"
        } else if results.interrupted && verdict.scheduled > 0 {
            "schedule kept until the run was stopped"
        } else {
            "schedule kept"
        };
        let suspensions = &results.tally.suspensions;
        let suspended = (suspensions.iter()).fold(Nanos::ZERO, |sum, one| sum + one.length);
        let mut reasons = Vec::new();
        reasons.extend(suspension(generated_by, suspensions, verdict.suspended()));
        reasons.extend(unreached(verdict.unreached));
        reasons.extend(before_joining(verdict.before_joining));
        reasons.extend(unanswering(results, targets));
        reasons.push(generator(verdict, fails_where_late(results)));
        if verdict.scheduled > 0 {
            reasons.extend(generated_by.clocks());
        }
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
            suspended_ns: suspended.0,
            suspended: verdict.suspended(),
            unreached: verdict.unreached,
            before_joining: verdict.before_joining,
            tolerance_ns: TOLERANCE.0,
        }
    }

    /// How many requests were not sent on schedule, and of how many, in words. `None` if the schedule was kept.
    pub fn missed(&self) -> Option<String> {
        let dropped = self.dropped.saturating_sub(self.backlog_dropped);
        let late = self.late.saturating_sub(self.backlog_late);
        let of = count(self.scheduled, "request", "requests");
        let parts = [
            (dropped, "dropped"),
            (late, "late"),
            (self.local, "never left this machine"),
            (self.unreached, "not sent, because stripes stopped early"),
            (
                self.before_joining,
                "due before the run joined its schedule",
            ),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let comma = match self.unreached.saturating_add(self.before_joining) {
            0 => "",
            _ => ",",
        };
        (!self.kept).then(|| format!("{}{comma} of {of}", parts.join(" and ")))
    }

    /// Requests that count against the schedule.
    pub(super) fn not_on_time(&self) -> u64 {
        let dropped = self.dropped.saturating_sub(self.backlog_dropped);
        let late = self.late.saturating_sub(self.backlog_late);
        let parts = [
            dropped,
            late,
            self.local,
            self.unreached,
            self.before_joining,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Requests that were late or dropped because their target did not answer in time.
    pub fn waited(&self) -> u64 {
        self.backlog_late.saturating_add(self.backlog_dropped)
    }

    /// The statement without the verdict.
    pub fn reason(&self) -> &str {
        let parts = self.statement.split_once(": ");
        parts.map_or(&self.statement, |(_, reason)| reason)
    }
}

/// For how long which process was suspended, and how many requests that delayed. `None` if none was.
fn suspension(generator: &Generator, suspensions: &[Suspension], requests: u64) -> Option<String> {
    let time = suspensions
        .iter()
        .fold(Nanos::ZERO, |sum, one| sum + one.length);
    let time = Some(span(time)).filter(|_| time > Nanos::ZERO)?;
    let because = match requests {
        0 => "and no request was late or dropped because of that".to_owned(),
        1 => "so 1 request was late or dropped".to_owned(),
        many => format!("so {many} requests were late or dropped"),
    };
    let suspended = match generator {
        Generator::Process => format!("the process was suspended for {time}"),
        Generator::Stripes { .. } => {
            let mut indexes: Vec<_> = suspensions.iter().map(|one| one.stripe.index()).collect();
            indexes.sort_unstable();
            indexes.dedup();
            suspended_stripes(&indexes, &time)
        }
    };
    Some(format!("{suspended} (Ctrl-Z or SIGSTOP), {because}"))
}

/// For how long these stripes were suspended in all.
pub fn suspended_stripes(indexes: &[u64], time: &str) -> String {
    let which = named_stripes(indexes);
    match indexes {
        [_] => format!("{which} was suspended for {time}"),
        _ => format!("{which} were suspended for {time} in all"),
    }
}

/// The requests of stripes that stopped before the others. `None` without any.
fn unreached(requests: u64) -> Option<String> {
    let text = match requests {
        0 => return None,
        1 => "1 request was not sent, because its stripe had stopped".to_owned(),
        many => format!("{many} requests were not sent, because their stripes had stopped"),
    };
    Some(text)
}

/// The requests that were due before the run joined its schedule. `None` without any.
fn before_joining(requests: u64) -> Option<String> {
    let text = match requests {
        0 => return None,
        1 => "1 request was not sent, because the run joined its schedule late".to_owned(),
        many => format!("{many} requests were not sent, because the run joined its schedule late"),
    };
    Some(text)
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

/// Whether the requests that were late or dropped were all for targets of which most requests failed or were never answered.
/// Such a target may hold every worker, or keep this machine busy with new connections, and no option helps against that.
fn fails_where_late(results: &Results) -> bool {
    let mut rows = results.ledgers.iter().zip(&results.lateness);
    rows.all(|(ledger, lateness)| {
        let dropped = ledger.dropped.saturating_sub(lateness.backlog_dropped);
        let is_on_time = dropped + lateness.late + lateness.local == 0;
        is_on_time || (ledger.failed + ledger.abandoned) * 2 > ledger.sent
    })
}

/// How the generator dealt with the other requests, and the options that may help if it did not send these on time.
fn generator(all: &ScheduleVerdict, fails_where_late: bool) -> String {
    let verdict = all.but_for_stops();
    let (dropped, late, local) = (verdict.dropped, verdict.late, verdict.local);
    let others = verdict.others();
    let are_others =
        all.waited > 0 || all.suspended() > 0 || all.unreached > 0 || all.before_joining > 0;
    if all.scheduled == 0 {
        return "no request was due".to_owned();
    }
    if verdict.schedule_kept() && late + local == 0 {
        let every = if are_others { "every other" } else { "every" };
        return format!("{every} request on time (within {TOLERANCE}), none dropped");
    }
    let scope = if are_others { "of the others, " } else { "" };
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
    let parts = parts.join(", ");
    if fails_where_late && local == 0 {
        return format!("{scope}{parts}; most requests to their targets failed");
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
    format!("{scope}{parts}; {remedies}")
}
