use super::{DurationSummary, PhaseToMerge};
use crate::base::{Ledger, Mode};
use crate::core::stats::PhaseTally;
use serde::{Deserialize, Serialize};

/// All phases of the schedule that have the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Phase"))]
pub struct PhaseSummary {
    /// Such as `burst 50/s`.
    pub name: String,
    /// How the rate behaved.
    pub mode: Mode,
    /// How many of them began.
    pub times: u64,
    /// Their total length in nanoseconds, as far as the run went.
    pub length_ns: u64,
    /// The requests that were due in them.
    pub requests: Ledger,
    /// done − due of answered requests.
    pub latency: DurationSummary,
    /// done − sent of answered requests.
    pub service_time: DurationSummary,
    /// The numbers that only `loadgen merge` needs, in the summary of a stripe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_merge: Option<PhaseToMerge>,
}

impl PhaseSummary {
    pub(super) fn of(tally: &PhaseTally, is_stripe: bool) -> PhaseSummary {
        let summary = |of| match is_stripe {
            true => DurationSummary::new(of).with_hdr(of),
            false => DurationSummary::new(of),
        };
        PhaseSummary {
            name: tally.name.clone(),
            mode: tally.mode,
            times: tally.times,
            length_ns: tally.length.0,
            requests: tally.ledger,
            latency: summary(&tally.latency),
            service_time: summary(&tally.service_time),
            to_merge: is_stripe.then(|| PhaseToMerge::of(tally)),
        }
    }
}
