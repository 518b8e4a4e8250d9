//! The files that results go to. Each result format brings its own option.

use super::arguments::PREFIX;
use super::values::{boolean, file};
use super::{Arguments, Options};
use crate::core::summary::{SCHEMAS, Schema};
use crate::report::{ColorChoice, FORMATS, Format, Output, json_format};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct Results {
    /// Print stats lines instead of the live view, which is shown on a terminal
    #[arg(long, env = "LOADGEN_NO_TUI", hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub no_tui: bool,

    /// Show the values of headers, query parameters and bodies, and all that is kept of answers, in results and plans,
    /// instead of masks such as ***(24 bytes). Without it, only values with harmless names are shown
    #[arg(long, env = "LOADGEN_SHOW_SECRETS", hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub show_secrets: bool,

    #[command(flatten)]
    pub color: Color,

    #[command(flatten)]
    pub files: ResultFiles,
}

/// Whether verdicts are coloured, in a run and in an audit of recorded requests.
#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct Color {
    /// Colour verdicts: `auto` on a terminal unless NO_COLOR is set, `always` or `never`
    #[arg(long, env = "LOADGEN_COLOR", hide_env_values = true, value_name = "WHEN", value_parser = color,
          default_value = "auto")]
    pub color: ColorChoice,
}

fn color(text: &str) -> Result<ColorChoice, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "auto" => Ok(ColorChoice::Auto),
        "always" => Ok(ColorChoice::Always),
        "never" => Ok(ColorChoice::Never),
        _ => Err("must be auto, always or never".to_owned()),
    }
}

impl Results {
    /// The requested files, in the order of the help.
    pub(super) fn outputs(&self, arguments: &Arguments<Options>) -> Vec<Output> {
        outputs(&self.files.0, arguments)
    }
}

/// The requested files, by format.
#[derive(Debug, Clone, Default)]
pub struct ResultFiles(pub Vec<(&'static Format, PathBuf)>);

/// The requested files of an audit of recorded requests, by format.
#[derive(Debug, Clone, Default)]
pub struct RecordedFiles(Vec<(&'static Format, PathBuf)>);

impl RecordedFiles {
    /// The requested files, in the order of the help.
    pub(super) fn outputs<O>(&self, arguments: &Arguments<O>) -> Vec<Output> {
        outputs(&self.0, arguments)
    }
}

/// The requested pages of merged summaries, by format. JSON has an option of its own.
#[derive(Debug, Clone, Default)]
pub struct MergedFiles(Vec<(&'static Format, PathBuf)>);

impl MergedFiles {
    /// The requested files, in the order of the help.
    pub(super) fn outputs<O>(&self, arguments: &Arguments<O>) -> Vec<Output> {
        outputs(&self.0, arguments)
    }
}

fn outputs<O>(files: &[(&'static Format, PathBuf)], arguments: &Arguments<O>) -> Vec<Output> {
    let outputs = files.iter().map(|(format, path)| Output {
        format,
        path: path.clone(),
        asked_by: arguments.name_of(format.option),
    });
    outputs.collect()
}

/// Adds an option for each format.
fn with_options(command: Command, formats: impl Iterator<Item = &'static Format>) -> Command {
    command.args(formats.map(|format| {
        Arg::new(format.option)
            .long(format.option)
            .env(format!(
                "{PREFIX}{}",
                format.option.to_uppercase().replace('-', "_")
            ))
            .hide_env_values(true)
            .value_name("FILE")
            .value_parser(file())
            .help(format.help)
    }))
}

fn given(
    matches: &ArgMatches,
    formats: impl Iterator<Item = &'static Format>,
) -> Vec<(&'static Format, PathBuf)> {
    let files = formats.filter_map(|format| {
        let path = matches.get_one::<PathBuf>(format.option)?;
        Some((format, path.clone()))
    });
    files.collect()
}

fn all() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().copied()
}

fn for_merged() -> impl Iterator<Item = &'static Format> {
    for_recorded().filter(|format| format.option != json_format().option)
}

fn for_recorded() -> impl Iterator<Item = &'static Format> {
    all().filter(|format| format.is_for_recorded())
}

impl Args for ResultFiles {
    fn augment_args(command: Command) -> Command {
        with_options(command, all())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ResultFiles {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(ResultFiles(given(matches, all())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RecordedFiles {
    fn augment_args(command: Command) -> Command {
        with_options(command, for_recorded())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RecordedFiles {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(RecordedFiles(given(matches, for_recorded())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for MergedFiles {
    fn augment_args(command: Command) -> Command {
        with_options(command, for_merged())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MergedFiles {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(MergedFiles(given(matches, for_merged())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The schema of this name.
pub(super) fn schema(text: &str) -> Result<Schema, String> {
    Schema::find(text.trim()).ok_or_else(|| {
        let names = SCHEMAS.map(|schema| schema.name);
        format!("must be one of {}", names.join(", "))
    })
}
