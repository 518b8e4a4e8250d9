//! The options of a command line and its environment, with the source of each.

use super::Opt;
use super::refusal::{Refusal, refusal, variable};
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Display;

/// The options as given, and the source of each.
#[derive(Debug)]
pub struct Arguments<O> {
    pub options: O,
    pub(super) matches: ArgMatches,
    /// Every option's definition.
    pub(super) command: Command,
}

impl<O: Parser> Arguments<O> {
    /// Parses flags, then environment variables, then defaults. An empty variable of an option without a default is
    /// ignored, and so is the variable of an option that conflicts with a flag. `arguments` begins with the program's
    /// name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        let typed: Vec<_> = arguments.into_iter().collect();
        let refuse = |error| refusal(&error, &O::command(), &typed);
        let mut command = O::command();
        if let Ok(flags) = without_variables(O::command()).try_get_matches_from(&typed) {
            command = ignore_rivals(command, &flags);
        }
        command = ignore_empty_variables(command);
        let matches = command.try_get_matches_from_mut(&typed).map_err(refuse)?;
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
        if let Some((_, matches)) = self.matches.remove_subcommand() {
            self.matches = matches;
        }
        self
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
        Refusal::wrong(&self.name(option), &option.text, &allowed.to_string())
    }

    /// The line that refuses one of several values in an option's text.
    pub fn refuse_part<T>(&self, option: &Opt<T>, part: &str, allowed: impl Display) -> Refusal {
        Refusal::wrong(&self.name(option), part, &allowed.to_string())
    }
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

/// Ignores empty variables: a Compose file sets an empty one for an option that is not set.
fn ignore_empty_variables(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let variable = argument.get_env().and_then(std::env::var_os);
            let is_empty = variable.is_some_and(|value| value.is_empty());
            if is_empty && argument.get_default_values().is_empty() {
                argument.env(Resettable::Reset)
            } else {
                argument
            }
        })
        .mut_subcommands(ignore_empty_variables)
}

fn flag(argument: &Arg) -> String {
    let long = argument.get_long().unwrap_or_default();
    format!("--{long}")
}
