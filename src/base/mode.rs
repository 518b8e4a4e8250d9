use serde::{Deserialize, Serialize};

/// What the rate does during a phase of the schedule.
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

impl Mode {
    pub const ALL: [Mode; 5] = [
        Mode::Steady,
        Mode::Burst,
        Mode::Ramp,
        Mode::Sine,
        Mode::Pause,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Steady => "steady",
            Mode::Burst => "burst",
            Mode::Ramp => "ramp",
            Mode::Sine => "sine",
            Mode::Pause => "pause",
        }
    }
}
