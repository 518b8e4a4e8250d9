//! Whom the requests are for.

use super::values::file;
use crate::base::text::whole;
use crate::core::keys::{DEFAULT_PREFIX, Distribution, MAX_KEYS};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
pub struct Keys {
    /// How many distinct keys share the traffic; 0 makes a fresh key for every request
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = keys,
          default_value = "7", allow_hyphen_values = true)]
    pub keys: u32,

    /// How they share it: `uniform`, in shuffled rounds; `zipf:S`, the key of rank k in proportion to
    /// 1/k^S; `hot:SHARE`, the first key this share, such as 0.9 or 90%, and the others the rest
    #[arg(long, env, hide_env_values = true, value_name = "KIND", value_parser = distribution,
          default_value = "uniform", allow_hyphen_values = true)]
    pub key_distribution: Distribution,

    /// What keys begin with, before 8 hex digits or the keys of a file; `loadgen-` before digits
    /// unless given
    #[arg(long, env, hide_env_values = true, value_name = "TEXT", value_parser = prefix,
          allow_hyphen_values = true)]
    pub key_prefix: Option<String>,

    /// A file with the keys, one a line, in the order of their ranks, in the place of random ones
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub keys_file: Option<PathBuf>,
}

impl Keys {
    /// The prefix of keys that are made, not listed.
    pub fn prefix(&self) -> &str {
        self.key_prefix.as_deref().unwrap_or(DEFAULT_PREFIX)
    }
}

fn keys(text: &str) -> Result<u32, String> {
    whole(text, 0..=MAX_KEYS)
}

fn distribution(text: &str) -> Result<Distribution, &'static str> {
    text.parse().map_err(|()| Distribution::FORM)
}

/// With the digits behind it, as long as limiters take a key.
const MAX_PREFIX: usize = 248;

fn prefix(text: &str) -> Result<String, String> {
    let valid = text.len() <= MAX_PREFIX && !text.contains(char::is_control);
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| format!("must be at most {MAX_PREFIX} bytes of text in one line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_short_line() {
        for good in ["", "user:", "é \"x\"", &"x".repeat(248)] {
            assert!(prefix(good).is_ok(), "{good}");
        }
        for bad in ["a\nb", "\0", &"x".repeat(249)] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
