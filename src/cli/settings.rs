//! Every option with its value as it was given, and the command that repeats the run.

use super::results::Results;
use super::{Arguments, without_login};
use crate::core::request::{Given, Part, Template, Variables};
use crate::core::summary::{NeededVariable, RepeatingCommand, Setting, Source};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Args, Command, Id};
use std::collections::{HashMap, HashSet};

impl<O> Arguments<O> {
    /// Every option, in the order of the help, without logins. Masks stand for secrets, unless these are to be shown.
    pub fn settings(&self, shows_secrets: bool) -> Vec<Setting> {
        let shown = |part, text: &str| match shows_secrets {
            true => text.to_owned(),
            false => Given::new(part, text).shown(),
        };
        let options = self.command.get_arguments();
        options
            .filter_map(|option| self.setting(option, shown))
            .collect()
    }

    /// The command that repeats this run with `seed`, if there is one, for a shell. Values from variables become flags, unless their options
    /// are `without_effect`: as flags, these would be refused or change the run. The options for results are left out. Other words
    /// take the place of options that are `replaced`.
    /// Environment variables stand for secrets, so that the command runs as it is as soon as these are set, and may be
    /// shown to anybody. `body` may come from a file.
    pub fn repeating_command(
        &self,
        seed: Option<u64>,
        body: Option<&Template>,
        without_effect: &HashSet<&Id>,
        replaced: &HashMap<Id, Vec<String>>,
    ) -> RepeatingCommand {
        let mut variables = Variables::default();
        let results = Results::augment_args(Command::default());
        let mut words = vec!["loadgen".to_owned()];
        let mut positionals = Vec::new();
        for (option, setting) in self.effective_settings(without_effect, &mut variables) {
            let id = option.get_id();
            if id == "seed" || results.get_arguments().any(|other| other.get_id() == id) {
                continue;
            }
            if let Some(others) = replaced.get(id) {
                words.extend_from_slice(others);
            } else if option.is_positional() {
                positionals.extend(setting.values);
            } else {
                add_flags(&setting, may_stand_alone(option), &mut words);
            }
        }
        if let Some(body) = body {
            variables.need_those_of(body, "--body-file");
        }
        // A flag that takes exactly one value stands before the positional arguments, so that none of them is its value.
        if let Some(seed) = seed {
            words.extend(["--seed".to_owned(), seed.to_string()]);
        }
        words.extend(positionals.iter().map(|value| quoted(value)));
        let text = words.join(" ");
        let variables = variables.all().map(|(name, stands_for)| NeededVariable {
            name: name.to_owned(),
            stands_for: stands_for.to_owned(),
        });
        RepeatingCommand {
            text,
            variables: variables.collect(),
        }
    }

    /// The options that were given, as flags or by variables, in the order of the help: without defaults, and without variables
    /// whose options are `without_effect`. Placeholders for `variables` stand for secrets.
    pub(super) fn effective_settings(
        &self,
        without_effect: &HashSet<&Id>,
        variables: &mut Variables,
    ) -> Vec<(&Arg, Setting)> {
        for option in self.command.get_arguments() {
            let reserve = |part, text: &str| {
                variables.reserve(&Given::new(part, text));
                String::new()
            };
            self.setting(option, reserve);
        }
        let mut settings = Vec::new();
        for option in self.command.get_arguments() {
            let repeated = |part, text: &str| Given::new(part, text).repeated(variables);
            let is_effective = |setting: &Setting| match setting.source {
                Source::Flag => true,
                Source::Variable => !without_effect.contains(option.get_id()),
                Source::Default => false,
            };
            let setting = self.setting(option, repeated).filter(is_effective);
            settings.extend(setting.map(|setting| (option, setting)));
        }
        settings
    }

    /// The words that give these options, by their flags without dashes, as they were given here by a flag or a variable.
    pub(super) fn given_again(&self, flags: &[&str]) -> Vec<String> {
        let mut words = Vec::new();
        for option in self.command.get_arguments() {
            let shown = |_, text: &str| text.to_owned();
            if let Some(setting) = self.setting(option, shown)
                && setting.source != Source::Default
                && flags.contains(&setting.option.as_str())
            {
                add_flags(&setting, may_stand_alone(option), &mut words);
            }
        }
        words
    }

    /// The setting of an option. `None` for options such as `--help` and `--version`. `hide` gets each value that is a
    /// part of a request, and returns it without secrets.
    fn setting(&self, option: &Arg, mut hide: impl FnMut(Part, &str) -> String) -> Option<Setting> {
        let id = option.get_id().as_str();
        if matches!(
            option.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        ) {
            return None;
        }
        let flag = name(option)?;
        let raw = self.matches.try_get_raw(id).ok()?;
        let values: Vec<_> = raw
            .into_iter()
            .flatten()
            .map(|value| value.to_string_lossy())
            .collect();
        let values = match (Part::of_flag(&flag), &*flag) {
            // A variable has one header in each line.
            (Some(Part::Header), _) => {
                let lines = values.iter().flat_map(|value| value.lines());
                let lines = lines.filter(|line| !line.trim().is_empty());
                lines.map(|line| hide(Part::Header, line)).collect()
            }
            (Some(part), _) => values.iter().map(|value| hide(part, value)).collect(),
            (None, "targets") => {
                let mut hidden = |url| hide(Part::Url, &without_login(url));
                let each = values.iter().map(|urls| {
                    let urls: Vec<_> = urls.split(',').map(&mut hidden).collect();
                    urls.join(",")
                });
                each.collect()
            }
            (None, "URL") => {
                let urls = values.iter();
                urls.map(|url| hide(Part::Url, &without_login(url)))
                    .collect()
            }
            _ => values.into_iter().map(Into::into).collect(),
        };
        Some(Setting {
            option: flag,
            values,
            source: match self.source(id) {
                Some(ValueSource::CommandLine) => Source::Flag,
                Some(ValueSource::EnvVariable) => Source::Variable,
                _ => Source::Default,
            },
        })
    }
}

/// The flag without its dashes, or the name of a positional argument's value, which is in capitals.
fn name(option: &Arg) -> Option<String> {
    let long = option.get_long().map(str::to_owned);
    long.or_else(|| Some(option.get_value_names()?.first()?.to_string()))
}

/// Whether the flag may stand without a value.
fn may_stand_alone(option: &Arg) -> bool {
    let values = option.get_num_args();
    values.is_some_and(|values| values.min_values() == 0)
}

fn add_flags(setting: &Setting, may_stand_alone: bool, words: &mut Vec<String>) {
    let flag = format!("--{}", setting.option);
    for value in &setting.values {
        if may_stand_alone && value == "true" {
            words.push(flag.clone());
        } else if value.is_empty() || value.starts_with('-') || may_stand_alone {
            // A separate word may be read as a flag, or as an argument of its own.
            words.push(format!("{flag}={}", quoted(value)));
        } else {
            words.extend([flag.clone(), quoted(value)]);
        }
    }
}

/// The value as a word for a shell.
pub(super) fn quoted(value: &str) -> String {
    // This fails only for a NUL, which no argument of a process can contain.
    shlex::try_quote(value).unwrap_or_default().into_owned()
}

#[cfg(test)]
pub(super) mod tests;
