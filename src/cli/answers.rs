//! What the answers mean.

use crate::core::answers::Rules;
use crate::core::presets::Preset;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Answers")]
pub struct Answers {
    /// Answers that count as allowed, if they do not as blocked: comma-separated rules such as 200-299,
    /// `header NAME = VALUE` or `json /POINTER = VALUE`, or several of these joined by `and`; may be
    /// repeated. As the preset says unless given
    #[arg(long, env, hide_env_values = true, value_name = "RULES", value_parser = rules,
          allow_hyphen_values = true)]
    pub allowed: Vec<Rules>,

    /// Answers that count as blocked; like --allowed. What fits neither is failed
    #[arg(long, env, hide_env_values = true, value_name = "RULES", value_parser = rules,
          allow_hyphen_values = true)]
    pub blocked: Vec<Rules>,
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
