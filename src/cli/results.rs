//! The files that results go to. Each result format brings its own option.

use super::values::{boolean, file};
use super::{Arguments, Options};
use crate::report::{FORMATS, Format, Output};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct Results {
    /// Print stats lines instead of the live view, which is shown on a terminal
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub no_tui: bool,

    #[command(flatten)]
    pub files: ResultFiles,
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
            .env(format.option.to_uppercase().replace('-', "_"))
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
