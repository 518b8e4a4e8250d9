//! What each request asks.

use super::values::file;
use crate::base::text::whole;
use crate::core::presets::{self, Preset};
use crate::core::request::Template;
use crate::core::request::parse::{self, HeaderLine};
use clap::Args;
use std::path::PathBuf;
use ureq::http::Method;

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub struct Requests {
    /// The limiter under test: how it is asked, and how it answers
    #[arg(long, env, hide_env_values = true, value_name = "NAME", value_parser = preset,
          default_value = presets::ALL[0].name)]
    pub preset: &'static Preset,

    /// The request's method. As the preset says unless given; its body goes with POST, PUT and PATCH only
    #[arg(long, env, hide_env_values = true, value_name = "METHOD", value_parser = parse::method)]
    pub method: Option<Method>,

    /// Appended to each target; may have a query. As the preset says unless given. In it, in headers and in the
    /// body {key}, {limit}, {window_ms}, {window_s}, {seq}, {uuid}, {target} and {now_ms} are filled in; {{ is a
    /// brace
    #[arg(long, env = "CHECK_PATH", hide_env_values = true, value_name = "PATH",
          value_parser = parse::path)]
    pub path: Option<Template>,

    /// A header, in the place of the preset's of that name; `Name:` sends none. May be repeated; the
    /// variable has one a line
    #[arg(long = "header", env = "HEADERS", hide_env_values = true, value_name = "NAME: VALUE",
          value_parser = header_lines)]
    pub header: Vec<HeaderLines>,

    /// The body, in the place of the preset's; empty for none
    #[arg(long, env, hide_env_values = true, value_name = "TEXT", value_parser = parse::body,
          allow_hyphen_values = true)]
    pub body: Option<Template>,

    /// A file with the body
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = file())]
    pub body_file: Option<PathBuf>,

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

/// What one value holds: a variable's may have several.
#[derive(Debug, Clone)]
pub struct HeaderLines(pub Vec<HeaderLine>);

fn header_lines(text: &str) -> Result<HeaderLines, String> {
    parse::header_lines(text).map(HeaderLines)
}
