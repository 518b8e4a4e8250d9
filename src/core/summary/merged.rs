use super::{CommandSummary, EventSummary, Summary, null_for_0};
use crate::base::Nanos;
use crate::base::text::span;
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
    /// The requests of the missing stripes. Nobody knows what became of them, so they are in no other count.
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
    /// When it began, in nanoseconds since the schedule's start, by the clock of the stripe's machine.
    pub began_ns: u64,
    /// The event's command. Absent for a mark.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<CommandSummary>,
}

impl MergedEvent {
    /// An event of the stripe with this index.
    pub fn of(stripe: u64, event: &EventSummary) -> MergedEvent {
        MergedEvent {
            stripe,
            name: event.name.clone(),
            kind: event.kind.clone(),
            began_ns: event.began_ns,
            command: event.command.clone(),
        }
    }

    /// The event in a sentence, with what its command came to.
    pub fn in_words(&self) -> String {
        let title = match &*self.kind {
            "undo" => format!("undo of {}", self.name),
            _ => self.name.clone(),
        };
        let command = match &self.command {
            None => String::new(),
            Some(command) => match &command.error {
                None => ": its command exited with 0".to_owned(),
                Some(error) => format!(": its command failed: {error}"),
            },
        };
        let at = span(Nanos(self.began_ns));
        format!(
            "{title}, {at} after the start, by stripe {}{command}",
            self.stripe
        )
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
    /// Its requests, up to the last request of the schedule that any other stripe got as far as.
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

impl MergedSummary {
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
        Some(match self.unknown {
            1 => format!("{which}. The outcome of {whose} only request is unknown"),
            requests => {
                format!("{which}. The outcomes of {whose} {requests} requests are unknown")
            }
        })
    }
}
