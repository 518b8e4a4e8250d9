use super::{CommandSummary, EventSummary, Summary, null_for_0};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::events::{EventKind, titled};
use serde::{Deserialize, Serialize};

/// The stripes of one schedule whose results were merged, and those that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Merged"))]
pub struct MergedSummary {
    /// The number of stripes of the schedule, at least 2.
    pub of: u64,
    /// The fingerprint of their plan, a UUID.
    pub plan: String,
    /// Their common start, in RFC 3339, UTC.
    pub start: String,
    /// The requests of the whole schedule. Absent if it has no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheduled_of_all: Option<u64>,
    /// The stripes that the results were merged from, by their index.
    pub stripes: Vec<MergedStripe>,
    /// The stripes whose results are missing, by their index.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<MissingStripe>,
    /// The requests of the missing stripes. Nobody knows what became of them, so they are in no other count. If the schedule has
    /// no end, the missing stripes may have sent more.
    pub unknown: u64,
    /// The events of the stripes, without what they did, since that is not merged.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub events: Vec<MergedEvent>,
    /// The shell command that audits the requests of all stripes. Absent if the plan has no audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_command: Option<String>,
}

/// An event of a stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MergedEvent {
    /// The index of the stripe whose event it is.
    pub stripe: u64,
    /// The event's name. An undo has the name of the event that it undoes.
    pub name: String,
    /// `command`, `undo`, `mark` or `posted`, as in the stripe's own summary.
    pub kind: String,
    /// When it began, in nanoseconds since the schedule's start, by the clock of the stripe's machine. If the stripe with index 0
    /// is missing, which runs the commands of events, this is when the event was to begin.
    pub began_ns: u64,
    /// The event's command. Absent for a mark.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<CommandSummary>,
}

impl MergedEvent {
    /// An event of the stripe with this index.
    pub fn of(stripe: u64, event: &EventSummary) -> MergedEvent {
        let only_noted = stripe > 0 && event.command.is_none();
        MergedEvent {
            stripe,
            name: event.name.clone(),
            kind: event.kind.clone(),
            began_ns: event
                .due_ns
                .filter(|_| only_noted)
                .unwrap_or(event.began_ns),
            command: event.command.clone(),
        }
    }

    /// Its name, or `undo of` and that.
    pub fn title(&self) -> String {
        titled(&self.name, self.kind == EventKind::Undo.name())
    }

    /// The event in a sentence, with what its command came to.
    pub fn in_words(&self) -> String {
        let (title, stripe) = (self.title(), self.stripe);
        let at = span(Nanos(self.began_ns));
        let command = match &self.command {
            // Stripe 0 runs the commands of the plan. Another one knows only when that was to be.
            None if stripe > 0 && self.kind != EventKind::Posted.name() => {
                return format!(
                    "{title} was to begin {at} after the start; stripe 0, which runs its command if it has one, is missing"
                );
            }
            None => String::new(),
            Some(command) => match &command.error {
                None => ": its command exited with 0".to_owned(),
                Some(error) => format!(": its command failed: {error}"),
            },
        };
        format!("{title}, {at} after the start, by stripe {stripe}{command}")
    }
}

/// How one stripe went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MergedStripe {
    /// The stripe's index, from 0.
    pub index: u64,
    /// The file that has its results.
    pub file: String,
    /// The program that made it.
    pub version: String,
    /// The start of its schedule by the clock of its machine, in RFC 3339, UTC.
    pub started: String,
    /// The instant of its last answer by the clock of its machine, in RFC 3339, UTC.
    pub ended: String,
    /// From the start of its schedule to the end of pacing, in nanoseconds.
    pub paced_ns: u64,
    /// Whether it was stopped before its schedule ended, or while it drained.
    pub interrupted: bool,
    /// How far the clock of its machine may have been off, in nanoseconds. Absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_error_ns: Option<u64>,
    /// Requests that were due before it ended.
    pub scheduled: u64,
    /// Requests that it sent.
    pub sent: u64,
    /// Requests that it dropped.
    pub dropped: u64,
    /// Requests that were due and that it did not send.
    pub unsent: u64,
    /// The unsent requests that were due before it joined the schedule.
    pub missed: u64,
    /// Its requests that were due after it had stopped and before the last stripe ended. They count as unsent in the merged
    /// results.
    pub unreached: u64,
    /// Requests that left, or were still queued at the end, more than the tolerance after their due times.
    pub late: u64,
    /// Requests that count against the schedule of all stripes: those that this stripe dropped, sent late, could not send, or did not
    /// get as far as, without those that waited for a target that did not answer in time.
    #[serde(default)]
    pub not_on_time: u64,
    /// For how long its process was suspended, by Ctrl-Z or SIGSTOP, in nanoseconds.
    #[serde(default)]
    pub suspended_ns: u64,
    /// Requests that failed.
    pub failed: u64,
    /// The 99th percentile of its send lag, in nanoseconds. It is null if it sent nothing.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub send_lag_p99_ns: u64,
    /// Its longest send lag, in nanoseconds. It is null if it sent nothing.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub send_lag_max_ns: u64,
    /// Whether it kept its own schedule.
    pub kept: bool,
    /// Its exit code.
    pub exit_code: u8,
    /// Its processor time in user mode and in the kernel, in nanoseconds. Absent if the system did not report it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub processor_ns: Option<u64>,
    /// The largest amount of its resident memory, in bytes. Absent if the system did not report it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_memory_bytes: Option<u64>,
}

/// A stripe whose results are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MissingStripe {
    /// The stripe's index, from 0.
    pub index: u64,
    /// Its requests. Of a schedule without an end, those up to the last request that any other stripe got as far as.
    pub unknown: u64,
}

/// The most missing stripes that a sentence names.
const NAMED: usize = 5;

impl MergedStripe {
    /// How a stripe went, by its own summary. `None` if it is the summary of a whole run.
    pub fn of(file: &str, summary: &Summary) -> Option<MergedStripe> {
        let stripe = summary.stripe.as_ref()?;
        let resources = &summary.resources;
        let processor = resources.user_ns.zip(resources.system_ns);
        Some(MergedStripe {
            index: stripe.index,
            file: file.to_owned(),
            version: summary.loadgen.version.clone(),
            started: summary.run.started.clone(),
            ended: summary.run.ended.clone(),
            paced_ns: summary.run.paced_ns,
            interrupted: summary.run.interrupted,
            clock_error_ns: summary.run.clock_error_ns,
            scheduled: summary.requests.scheduled,
            sent: summary.requests.sent,
            dropped: summary.requests.dropped,
            unsent: summary.requests.unsent,
            missed: stripe.missed,
            unreached: 0,
            late: summary.schedule.late,
            not_on_time: summary.schedule.not_on_time(),
            suspended_ns: summary.schedule.suspended_ns,
            failed: summary.requests.failed,
            send_lag_p99_ns: summary.send_lag.p99_ns,
            send_lag_max_ns: summary.send_lag.max_ns,
            kept: summary.schedule.kept,
            exit_code: summary.exit_code,
            processor_ns: processor.map(|(user, system)| user.saturating_add(system)),
            peak_memory_bytes: resources.peak_memory,
        })
    }
}

/// These stripes by their indexes, such as `stripes 0 and 3`, or how many they are if they are more than a sentence names.
pub fn named_stripes(indexes: &[u64]) -> String {
    match indexes {
        [only] => format!("stripe {only}"),
        several if several.len() > NAMED => format!("{} stripes", several.len()),
        several => {
            let names: Vec<_> = several.iter().map(u64::to_string).collect();
            let (last, others) = names
                .split_last()
                .map_or(("", &names[..]), |(last, others)| (last.as_str(), others));
            format!("stripes {} and {last}", others.join(", "))
        }
    }
}

/// Stripes that may be named as those by which requests were not on time.
const BLAMED: usize = 3;

impl MergedSummary {
    /// The stripes that did not send requests on time, such as `all of them by stripe 1`. `None` if all did, or if this is not known.
    pub fn late_stripes(&self) -> Option<String> {
        let stripes = self.stripes.iter();
        let mut late: Vec<_> = stripes.filter(|stripe| stripe.not_on_time > 0).collect();
        late.sort_by_key(|stripe| std::cmp::Reverse(stripe.not_on_time));
        let sum = |of: &[&MergedStripe]| {
            of.iter()
                .fold(0u64, |sum, stripe| sum.saturating_add(stripe.not_on_time))
        };
        let all = sum(&late);
        let first = late.first()?;
        let worst = first.not_on_time;
        if late.len() <= BLAMED {
            let mut indexes: Vec<_> = late.iter().map(|stripe| stripe.index).collect();
            indexes.sort_unstable();
            if indexes.len() == 1 || worst <= all / 2 {
                let of_them = if all == 1 { "" } else { "all of them " };
                return Some(format!("{of_them}by {}", named_stripes(&indexes)));
            }
        }
        let index = first.index;
        Some(if worst > all / 2 {
            format!("most of them by stripe {index} ({worst})")
        } else {
            let (by, of) = (late.len(), self.of);
            format!("by {by} of {of} stripes, up to {worst} by each")
        })
    }

    /// The stripes whose clocks may be off by an unknown time, by their indexes.
    pub fn unknown_clocks(&self) -> Vec<u64> {
        let stripes = self.stripes.iter();
        let unknown = stripes.filter(|stripe| stripe.clock_error_ns.is_none());
        unknown.map(|stripe| stripe.index).collect()
    }

    /// The missing stripes, such as `Stripe 3 of 4 is missing. The outcomes of its 250 requests are unknown`. `None` if there is
    /// none.
    pub fn missing_stripes(&self) -> Option<String> {
        let indexes: Vec<_> = self.missing.iter().map(|one| one.index).collect();
        let of = self.of;
        let which = match &indexes[..] {
            [] => return None,
            [only] => format!("Stripe {only} of {of} is missing"),
            several if several.len() <= NAMED => {
                let names: Vec<_> = several.iter().map(u64::to_string).collect();
                format!("Stripes {} of {of} are missing", names.join(", "))
            }
            several => {
                let names: Vec<_> = several[..NAMED].iter().map(u64::to_string).collect();
                format!(
                    "{} of {of} stripes are missing: {} and others",
                    several.len(),
                    names.join(", ")
                )
            }
        };
        let whose = if indexes.len() == 1 { "its" } else { "their" };
        let least = match self.scheduled_of_all {
            Some(_) => "",
            None => "at least ",
        };
        Some(match self.unknown {
            1 => format!("{which}. The outcome of {least}1 request is unknown"),
            requests => {
                format!("{which}. The outcomes of {whose} {least}{requests} requests are unknown")
            }
        })
    }
}
