use super::Distribution;
use crate::base::{Ledger, Mode};
use crate::core::stats::PhaseTally;
use serde::{Deserialize, Serialize};

/// The parts of a schedule that do the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phase {
    /// Such as `burst 50/s`.
    pub name: String,
    pub mode: Mode,
    /// How many parts of the schedule began.
    pub times: u64,
    /// How long they lasted together, as far as the run went.
    pub length_ns: u64,
    pub requests: Ledger,
    pub latency: Distribution,
    pub service_time: Distribution,
}

impl Phase {
    pub(super) fn of(tally: &PhaseTally) -> Phase {
        Phase {
            name: tally.name.clone(),
            mode: tally.mode,
            times: tally.times,
            length_ns: tally.length.0,
            requests: tally.ledger,
            latency: Distribution::new(&tally.latency),
            service_time: Distribution::new(&tally.service_time),
        }
    }
}
