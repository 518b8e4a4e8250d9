//! The rules for the meaning of answers.

use crate::core::answers::{FAILING_OPEN, Rules};
use crate::core::presets::Preset;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Answers")]
pub struct Answers {
    /// The answers that count as allowed, instead of the preset's: rules separated by commas, such as
    /// 200-299, `header NAME = VALUE`, `json /POINTER = VALUE`, `body contains TEXT`,
    /// `body matches /PATTERN/`, or several of these joined by `and`; != is for any
    /// other value. An answer that also counts as blocked is blocked. May be repeated
    #[arg(long, env = "LOADGEN_ALLOWED", hide_env_values = true, value_name = "RULES", value_parser = rules,
          allow_hyphen_values = true)]
    pub allowed: Vec<Rules>,

    /// The answers that count as blocked, instead of the preset's: rules like those of --allowed. An
    /// answer that fits no rule counts as failed
    #[arg(long, env = "LOADGEN_BLOCKED", hide_env_values = true, value_name = "RULES", value_parser = rules,
          allow_hyphen_values = true)]
    pub blocked: Vec<Rules>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Answers")]
pub struct FailingOpen {
    /// The allowed answers that say that the limiter fails open: it could not decide, and let the request
    /// pass. Rules like those of --allowed. These answers count as allowed, and are also
    /// counted by themselves
    #[arg(long, env = "LOADGEN_FAILING_OPEN", hide_env_values = true, value_name = "RULES", value_parser = rules,
          default_value = FAILING_OPEN, allow_hyphen_values = true)]
    pub failing_open: Vec<Rules>,
}

impl FailingOpen {
    /// All rules together.
    pub(super) fn rules(&self) -> Rules {
        self.failing_open.iter().cloned().collect()
    }
}

impl Answers {
    /// The rules for allowed and for blocked. The preset's rules stand in for those that were not given.
    pub(super) fn rules(&self, preset: &Preset) -> (Rules, Rules) {
        let given = |rules: &[Rules]| (!rules.is_empty()).then(|| rules.iter().cloned().collect());
        (
            given(&self.allowed).unwrap_or_else(|| preset.allowed()),
            given(&self.blocked).unwrap_or_else(|| preset.blocked()),
        )
    }
}

fn rules(text: &str) -> Result<Rules, String> {
    text.parse()
        .map_err(|error| format!("{}; {error}", Rules::FORM))
}
