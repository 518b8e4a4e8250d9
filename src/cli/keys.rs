//! Whom the requests are for.

use super::values::whole;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
pub struct Keys {
    /// How many distinct keys share the traffic; 0 makes a fresh key for every request
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = keys,
          default_value = "7", allow_hyphen_values = true)]
    pub keys: u32,
}

fn keys(text: &str) -> Result<u32, String> {
    whole(text, 0..=10_000_000)
}
