use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// How the request rate behaves during one phase of a schedule.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumCount,
    IntoStaticStr,
    VariantArray,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    Steady,
    Burst,
    Ramp,
    Sine,
    Pause,
    Replay,
}

impl Mode {
    pub const ALL: [Mode; Mode::COUNT] = *Mode::VARIANTS.first_chunk().unwrap();

    /// The name in tables, metrics and files.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The words that announce the start of a phase on standard output.
    pub fn headline(self) -> &'static str {
        match self {
            Mode::Steady => "STEADY MODE",
            Mode::Burst => "BURST MODE",
            Mode::Ramp => "RAMP MODE",
            Mode::Sine => "SINE MODE",
            Mode::Pause => "PAUSE MODE",
            Mode::Replay => "REPLAY MODE",
        }
    }
}
