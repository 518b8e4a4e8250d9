//! The options of a command line and its environment, with the source of each.

use super::command_line::CommandLine;
use super::demo_defaults::{self, DEMO_DEFAULTS};
use super::refusal::{Refusal, refusal, shown_value, variable};
use super::urls::is_url;
use super::{Opt, slips};
use crate::report::{Input, Output};
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;

/// The beginning of the names of all variables of `loadgen`.
pub(super) const PREFIX: &str = "LOADGEN_";

/// The options as given, and the source of each.
#[derive(Debug)]
pub struct Arguments<O> {
    pub options: O,
    pub(super) matches: ArgMatches,
    /// Every option's definition.
    pub(super) command: Command,
}

impl<O: Parser> Arguments<O> {
    /// Parses flags, then environment variables, then defaults. An empty variable is ignored, and so is the variable of an
    /// option that conflicts with a flag. Options may stand on both sides of a subcommand. `arguments` begins with the
    /// program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        let typed = separate_urls(arguments, &O::command());
        let defined = take_other_variables(O::command());
        let line = CommandLine::new(&defined, &typed);
        slips::check(&line)?;
        let words = line.subcommand_first(&typed);
        let refuse = |error| refusal(&error, &defined, &line, &typed);
        let mut command = defined.clone();
        if let Ok(flags) = without_variables(O::command()).try_get_matches_from(&words) {
            command = ignore_rivals(command, &flags);
        }
        command = ignore_empty_variables(command);
        // clap's definitions must not be changed any more once they have parsed something.
        let not_parsed_yet = command.clone();
        let mut matches = command.try_get_matches_from_mut(&words).map_err(refuse)?;
        if is_demo(&matches) {
            command = with_defaults_of_demo(not_parsed_yet);
            matches = command.try_get_matches_from_mut(&words).map_err(refuse)?;
        }
        let options = O::from_arg_matches(&matches).map_err(refuse)?;
        Ok(Self {
            options,
            matches,
            command,
        })
    }
}

impl<O> Arguments<O> {
    /// Separates the options from their sources.
    pub(super) fn split(self) -> (O, Arguments<()>) {
        let Arguments {
            options,
            matches,
            command,
        } = self;
        let rest = Arguments {
            options: (),
            matches,
            command,
        };
        (options, rest)
    }

    pub(super) fn with_options<P>(self, options: P) -> Arguments<P> {
        Arguments {
            options,
            matches: self.matches,
            command: self.command,
        }
    }

    /// The arguments of the subcommand, if one was typed.
    pub(super) fn of_the_subcommand(mut self) -> Self {
        if let Some((name, matches)) = self.matches.remove_subcommand() {
            if let Some(command) = self.command.find_subcommand(&name) {
                self.command = command.clone();
            }
            self.matches = matches;
        }
        self
    }

    /// The files that the command reads: every option whose value is called `FILE`, but for those of `outputs`.
    pub(super) fn inputs(&self, outputs: &[Output]) -> Vec<Input> {
        let mut inputs = Vec::new();
        for argument in self.command.get_arguments() {
            let id = argument.get_id().as_str();
            let names = argument.get_value_names().unwrap_or_default();
            let is_file = names.iter().any(|name| name == "FILE");
            let is_output = argument
                .get_long()
                .is_some_and(|long| outputs.iter().any(|output| output.format.option == long));
            if !is_file || is_output {
                continue;
            }
            let paths = self.matches.get_raw(id).into_iter().flatten();
            inputs.extend(paths.map(|path| Input {
                path: path.into(),
                asked_by: self.name_of(id),
            }));
        }
        inputs
    }

    /// The environment variables that took effect, in the order of the help.
    pub(super) fn variables(&self) -> Vec<String> {
        let took_effect = |argument: &&Arg| {
            let id = argument.get_id().as_str();
            self.matches.try_contains_id(id).is_ok()
                && self.source(id) == Some(ValueSource::EnvVariable)
        };
        let arguments = self.command.get_arguments().filter(took_effect);
        arguments.map(variable).collect()
    }

    pub(super) fn source(&self, id: &str) -> Option<ValueSource> {
        self.matches.value_source(id)
    }

    /// Whether the option was given, as a flag or by its variable.
    pub fn is_given<T>(&self, option: &Opt<T>) -> bool {
        self.source(option.id.as_str()) != Some(ValueSource::DefaultValue)
    }

    /// Whether the option was given as a flag.
    pub fn is_flag<T>(&self, option: &Opt<T>) -> bool {
        self.source(option.id.as_str()) == Some(ValueSource::CommandLine)
    }

    /// The flag or the variable that gave the option.
    pub fn name<T>(&self, option: &Opt<T>) -> String {
        self.name_of(option.id.as_str())
    }

    pub(super) fn name_of(&self, id: &str) -> String {
        let mut arguments = self.command.get_arguments();
        let argument = arguments.find(|argument| argument.get_id() == id);
        let name = argument.map(|argument| match self.source(id) {
            Some(ValueSource::EnvVariable) => variable(argument),
            _ => flag(argument),
        });
        name.unwrap_or_default()
    }

    /// The line that refuses an option's value, by the name of its flag or variable. `allowed` says what the value must
    /// be.
    pub fn refuse<T>(&self, option: &Opt<T>, allowed: impl Display) -> Refusal {
        let value = shown_value(option.id.as_str(), &option.text);
        Refusal::wrong(&self.name(option), &value, &allowed.to_string())
    }

    /// The line that refuses one of several values in an option's text.
    pub fn refuse_part<T>(&self, option: &Opt<T>, part: &str, allowed: impl Display) -> Refusal {
        Refusal::wrong(&self.name(option), part, &allowed.to_string())
    }
}

/// Moves each URL that stands behind a flag that need not have a value, such as `-k`, before that flag. Otherwise it would be
/// read as the value.
fn separate_urls(
    arguments: impl IntoIterator<Item = OsString>,
    command: &Command,
) -> Vec<OsString> {
    let may_stand_alone = |argument: &OsString| {
        let of_subcommands = command.get_subcommands().flat_map(Command::get_opts);
        let mut options = command.get_opts().chain(of_subcommands);
        options.any(|option| {
            let values = option.get_num_args();
            let is_optional = values.is_some_and(|values| values.min_values() == 0);
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            let mut flags = long.into_iter().chain(short);
            is_optional && flags.any(|flag| argument == &*flag)
        })
    };
    let mut separated: Vec<OsString> = Vec::new();
    for argument in arguments {
        let flags = separated.iter().rev();
        let flags = match argument.to_str().is_some_and(is_url) {
            true => flags.take_while(|before| may_stand_alone(before)).count(),
            false => 0,
        };
        separated.insert(separated.len() - flags, argument);
    }
    separated
}

fn without_variables(command: Command) -> Command {
    command
        .mut_args(|argument| argument.env(Resettable::Reset))
        .mut_subcommands(without_variables)
}

/// Ignores the variables of options that conflict with a typed flag. clap then reports conflicts between two flags or
/// two variables only.
fn ignore_rivals(command: Command, flags: &ArgMatches) -> Command {
    let is_typed = |argument: &Arg| {
        let id = argument.get_id().as_str();
        flags.ids().any(|typed| typed == id)
            && flags.value_source(id) == Some(ValueSource::CommandLine)
    };
    let mut rivals = HashSet::new();
    for argument in command.get_arguments() {
        for other in command.get_arg_conflicts_with(argument) {
            // A conflict is declared on one side only.
            if is_typed(argument) {
                rivals.insert(other.get_id().clone());
            }
            if is_typed(other) {
                rivals.insert(argument.get_id().clone());
            }
        }
    }
    let command = command.mut_args(|argument| {
        if rivals.contains(argument.get_id()) {
            argument.env(Resettable::Reset)
        } else {
            argument
        }
    });
    match flags.subcommand() {
        Some((name, flags)) => {
            command.mut_subcommand(name, |command| ignore_rivals(command, flags))
        }
        None => command,
    }
}

fn is_demo(matches: &ArgMatches) -> bool {
    let of_subcommand = matches.subcommand();
    of_subcommand.map_or_else(
        || demo_defaults::is_demo(matches),
        |(_, matches)| is_demo(matches),
    )
}

fn with_defaults_of_demo(command: Command) -> Command {
    let with_default = |argument: Arg| {
        let id = argument.get_id();
        let default = DEMO_DEFAULTS.into_iter().find(|(of, _)| id == of);
        match default {
            Some((_, default)) => argument.default_value(default),
            None => argument,
        }
    };
    command
        .mut_args(with_default)
        .mut_subcommands(with_defaults_of_demo)
}

/// Ignores empty variables: a Compose file sets an empty one for an option that is not set.
fn ignore_empty_variables(command: Command) -> Command {
    command
        .mut_args(|argument| match argument.get_env() {
            Some(variable) if std::env::var_os(variable).is_some_and(|value| value.is_empty()) => {
                argument.env(Resettable::Reset)
            }
            _ => argument,
        })
        .mut_subcommands(ignore_empty_variables)
}

/// The variables that also work without their prefix. No other bare name is read, since other programs may have variables
/// such as `PROFILE` or `KEYS`.
const BARE: [&str; 7] = [
    "TARGETS",
    "RPS",
    "DURATION",
    "BURST_ENABLED",
    "BURST_MULTIPLIER",
    "BURST_DURATION",
    "BURST_INTERVAL",
];

/// The variable that `--audit` is read from, and the one that takes its place if that is not set. A Compose file can't choose
/// between two variables, such as one for the audit and one for the nodes' algorithm, so it sets both here.
const AUDIT: (&str, &str) = ("LOADGEN_AUDIT", "LOADGEN_AUDIT_DEFAULT");

/// Where an option's own variable is not set, reads the one of [`BARE`] or of [`AUDIT`] in its place.
fn take_other_variables(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let own = argument.get_env().filter(|own| !is_set(own));
            let other = own.and_then(|own| match own.to_str()? {
                own if own == AUDIT.0 => Some(AUDIT.1),
                own => {
                    let name = own.strip_prefix(PREFIX)?;
                    BARE.into_iter().find(|bare| *bare == name)
                }
            });
            match other.filter(|other| is_set(OsStr::new(other))) {
                Some(other) => argument.env(other),
                None => argument,
            }
        })
        .mut_subcommands(take_other_variables)
}

fn is_set(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The flag of an option, or the name of an argument without one.
fn flag(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => argument.get_value_names().unwrap_or_default().concat(),
    }
}
