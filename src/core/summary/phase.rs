use super::{Counts, Distribution};
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
    pub requests: Counts,
    pub latency: Distribution,
    pub service_time: Distribution,
}

/// What the rate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Steady,
    Burst,
    Ramp,
    Sine,
    Pause,
}

impl From<crate::base::Mode> for Mode {
    fn from(mode: crate::base::Mode) -> Mode {
        use crate::base::Mode as Of;
        match mode {
            Of::Steady => Mode::Steady,
            Of::Burst => Mode::Burst,
            Of::Ramp => Mode::Ramp,
            Of::Sine => Mode::Sine,
            Of::Pause => Mode::Pause,
        }
    }
}

impl Phase {
    pub(super) fn of(tally: &PhaseTally) -> Phase {
        let mode = tally.shape.mode();
        let name = format!("{} {}", mode.name(), tally.shape);
        Phase {
            name: name.trim_end().to_owned(),
            mode: mode.into(),
            times: tally.times,
            length_ns: tally.length.0,
            requests: tally.ledger.into(),
            latency: Distribution::new(&tally.latency),
            service_time: Distribution::new(&tally.service_time),
        }
    }
}
