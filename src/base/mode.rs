use serde::{Deserialize, Serialize};

/// How the request rate behaves during one phase of a schedule.
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

    /// The name in tables, metrics and files.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The words that announce the start of a phase on standard output.
    pub fn headline(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Mode::Steady => ("steady", "STEADY MODE"),
            Mode::Burst => ("burst", "BURST MODE"),
            Mode::Ramp => ("ramp", "RAMP MODE"),
            Mode::Sine => ("sine", "SINE MODE"),
            Mode::Pause => ("pause", "PAUSE MODE"),
        }
    }
}
