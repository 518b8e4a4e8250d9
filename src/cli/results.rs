//! What shows and keeps the run's results.

use super::values::{boolean, file};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct Results {
    /// Print stats lines where a live view would be shown, that is on a terminal
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub no_tui: bool,

    /// Write a report to look at: one HTML page, complete in itself
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub report: Option<PathBuf>,

    /// Write everything the summary and the report have as JSON; `-` is standard output, which then has nothing else
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub summary_json: Option<PathBuf>,

    /// Write the summary as Markdown, for a pull request or a CI job's page
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub summary_markdown: Option<PathBuf>,

    /// Write what happened in each second as CSV
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub timeline: Option<PathBuf>,

    /// Write each second's latencies, service times and send lags as an HdrHistogram interval log
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub hdr_log: Option<PathBuf>,

    /// Write every request, as its file's name ends: .csv or .jsonl
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub requests: Option<PathBuf>,
}
