//! What each request asks.

use super::values::whole;
use crate::presets::{self, Preset};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub struct Requests {
    /// The limiter under test: how it is asked, and how it answers
    #[arg(long, env, hide_env_values = true, value_name = "NAME", value_parser = preset,
          default_value = presets::ALL[0].name)]
    pub preset: &'static Preset,

    /// Appended to each target
    #[arg(long, env = "CHECK_PATH", hide_env_values = true, value_name = "PATH",
          value_parser = path, default_value = "/check")]
    pub path: String,

    /// The limit sent in each check
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = limit,
          default_value = "100", allow_hyphen_values = true)]
    pub limit: u64,

    /// The window sent in each check, in milliseconds
    #[arg(long, env, hide_env_values = true, value_name = "MS", value_parser = window,
          default_value = "60000", allow_hyphen_values = true)]
    pub window_ms: u64,
}

pub(super) fn preset(text: &str) -> Result<&'static Preset, String> {
    presets::find(text.trim()).ok_or_else(|| {
        let names: Vec<_> = presets::ALL.iter().map(|preset| preset.name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn limit(text: &str) -> Result<u64, String> {
    whole(text, 1..=1_000_000_000)
}

fn window(text: &str) -> Result<u64, String> {
    whole(text, 1..=1_000_000_000_000)
}

/// As much as common servers take of a request's first line.
const MAX_PATH: usize = 8_000;

fn path(text: &str) -> Result<String, String> {
    let sendable = |c: char| c.is_ascii_graphic() && !"\"#<>\\^`{|}".contains(c);
    let valid = text.starts_with('/') && text.chars().all(sendable) && text.len() <= MAX_PATH;
    valid.then(|| text.to_owned()).ok_or_else(|| {
        format!("must start with / and be at most {MAX_PATH} characters that a URL may have")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_have_a_query_and_nothing_a_url_cannot_carry() {
        for good in ["/", "/check", "/a/b?c=d&e=%20"] {
            assert!(path(good).is_ok(), "{good}");
        }
        for bad in ["", "check", "/a b", "/a\n", "/é", "/#x", "http://x/"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert!(path(&"/".repeat(MAX_PATH)).is_ok());
        assert!(path(&"/".repeat(MAX_PATH + 1)).is_err());
    }
}
