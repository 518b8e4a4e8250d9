use super::timestamp;
use crate::base::Nanos;
use crate::core::plan::Plan;
use crate::core::stripe::Stripe;
use serde::{Deserialize, Serialize};

/// The place of the files in the command that judges all stripes.
pub const FILES: &str = "FILES";

/// The word at the end of `audit_command` by which the files have all requests to the keys, so that blocks prove something.
pub const COMPLETE: &str = "--complete";

/// The part of a schedule that a run sent, if several processes shared the schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Stripe"))]
pub struct StripeSummary {
    /// The stripe's place among all stripes, from 0.
    pub index: u64,
    /// The number of stripes, at least 2. The run sent the requests k of the schedule for which k mod `of` is `index`.
    pub of: u64,
    /// The plan's fingerprint, a UUID. Stripes of different plans do not belong together.
    pub plan: String,
    /// The common start of all stripes, in RFC 3339, UTC.
    pub start: String,
    /// The requests of the whole schedule, of all stripes. Absent if it has no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheduled_of_all: Option<u64>,
    /// The requests that count as unsent because the run joined the schedule late.
    pub missed: u64,
    /// The command that judges the limiter by all stripes together, with their files of `--requests` in place of `FILES`. Absent
    /// if no verdict was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_command: Option<String>,
}

impl StripeSummary {
    /// The stripe of a run of a plan with this fingerprint. `None` if it sent the whole schedule.
    pub fn of(
        plan: &Plan,
        fingerprint: &str,
        missed: u64,
        audit_command: Option<String>,
    ) -> Option<StripeSummary> {
        let stripe = plan.schedule.stripe();
        let start = plan.start.as_ref().filter(|_| !stripe.is_whole())?;
        // A run that joined late may follow one whose requests are in no file.
        let audit_command = match missed {
            0 => audit_command,
            _ => audit_command.map(|command| without_complete(&command).to_owned()),
        };
        Some(StripeSummary {
            index: stripe.index(),
            of: stripe.of(),
            plan: fingerprint.to_owned(),
            start: timestamp(start.at, Nanos::ZERO),
            scheduled_of_all: plan.schedule.total_of_all(),
            missed,
            audit_command,
        })
    }

    /// The stripe itself. `None` if a file has numbers that no stripe has.
    pub fn stripe(&self) -> Option<Stripe> {
        Stripe::new(self.index, self.of).filter(|_| self.index < self.of && self.of > 1)
    }
}

/// An audit's command for files that may lack requests to the keys.
pub fn without_complete(command: &str) -> &str {
    command
        .strip_suffix(COMPLETE)
        .map_or(command, str::trim_end)
}
