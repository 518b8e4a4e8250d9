//! The words of a command line, each with the role that its place gives it.
//!
//! clap takes options behind a subcommand only, and its messages name single words. With the roles of all words, options
//! may stand on both sides of a subcommand, and a slip that splits one value into several words is named as a whole.

use super::resembling::resembling;
use clap::{Arg, Command};
use std::borrow::Cow;
use std::ffi::OsString;

/// The role of a word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role<'a> {
    /// The program's name, or the mark `--`.
    Other,
    Subcommand,
    /// An option, perhaps with its value behind `=`. `None` if no command has this option.
    Flag(Option<&'a Arg>),
    /// The value of the option in the word before.
    Value(&'a Arg),
    /// Neither an option nor a value of one.
    Free,
}

/// A command line.
#[derive(Debug)]
pub(super) struct CommandLine<'a> {
    pub words: Vec<Cow<'a, str>>,
    pub roles: Vec<Role<'a>>,
    /// The place of the subcommand.
    subcommand: Option<usize>,
    command: &'a Command,
}

impl<'a> CommandLine<'a> {
    /// Reads words that begin with the program's name.
    pub fn new(command: &'a Command, typed: &'a [OsString]) -> CommandLine<'a> {
        let mut line = CommandLine {
            words: typed.iter().map(|word| word.to_string_lossy()).collect(),
            roles: Vec::with_capacity(typed.len()),
            subcommand: None,
            command,
        };
        while line.roles.len() < line.words.len() {
            line.read_word();
        }
        line
    }

    fn read_word(&mut self) {
        let place = self.roles.len();
        let word = &*self.words[place];
        if place == 0 {
            self.roles.push(Role::Other);
        } else if word == "--" {
            self.roles.push(Role::Other);
            self.roles.resize(self.words.len(), Role::Free);
        } else if word.len() > 1 && word.starts_with('-') {
            let (argument, needs_value) = self.option(word);
            self.roles.push(Role::Flag(argument));
            if let Some(argument) = argument
                && needs_value
                && let Some(next) = self.words.get(place + 1)
                && self.is_value(argument, next)
            {
                self.roles.push(Role::Value(argument));
            }
        } else if self.subcommand.is_none() && self.command.find_subcommand(word).is_some() {
            self.subcommand = Some(place);
            self.roles.push(Role::Subcommand);
        } else {
            self.roles.push(Role::Free);
        }
    }

    /// The option that a word names, and whether its value is in the next word.
    fn option(&self, word: &str) -> (Option<&'a Arg>, bool) {
        if let Some(long) = word.strip_prefix("--") {
            let (name, has_value) = match long.split_once('=') {
                Some((name, _)) => (name, true),
                None => (long, false),
            };
            let argument = self.find(|argument| argument.get_long() == Some(name));
            return (argument, !has_value && argument.is_some_and(takes_value));
        }
        // Short options may share a word. The value of the last one may follow in the same word.
        for (place, letter) in word.char_indices().skip(1) {
            let argument = self.find(|argument| argument.get_short() == Some(letter));
            if argument.is_none_or(takes_value) {
                let is_last = place + letter.len_utf8() == word.len();
                return (argument, is_last && argument.is_some());
            }
        }
        (None, false)
    }

    /// An option of the typed subcommand, otherwise of the command, otherwise of any subcommand: the one that it is for may
    /// follow.
    fn find(&self, is_meant: impl Fn(&&Arg) -> bool) -> Option<&'a Arg> {
        let typed = self.subcommand().into_iter();
        let commands = typed.chain([self.command]);
        let mut all = commands.chain(self.command.get_subcommands());
        all.find_map(|command| command.get_arguments().find(&is_meant))
    }

    fn is_value(&self, argument: &Arg, next: &str) -> bool {
        let values = argument.get_num_args();
        let is_optional = values.is_some_and(|values| values.min_values() == 0);
        if is_optional && self.subcommand.is_none() && self.command.find_subcommand(next).is_some()
        {
            return false;
        }
        next == "-" || !next.starts_with('-') || argument.is_allow_hyphen_values_set()
    }

    /// The subcommand's definition, if one was typed.
    pub fn subcommand(&self) -> Option<&'a Command> {
        self.command.find_subcommand(&*self.words[self.subcommand?])
    }

    /// The definition of the subcommand, or of the command without one.
    pub fn typed_command(&self) -> &'a Command {
        self.subcommand().unwrap_or(self.command)
    }

    pub fn subcommand_names(&self) -> Vec<&'a str> {
        let subcommands = self.command.get_subcommands();
        subcommands.map(Command::get_name).collect()
    }

    pub fn resembling_subcommand(&self, word: &str) -> Option<&'a str> {
        resembling(word, self.subcommand_names())
    }

    /// The commands, other than the typed one, that have this option.
    pub fn others_with(&self, long: &str) -> Vec<String> {
        let has_it = |command: &&Command| {
            let mut arguments = command.get_arguments();
            arguments.any(|argument| argument.get_long() == Some(long))
        };
        let all = std::iter::once(self.command).chain(self.command.get_subcommands());
        let others = all.filter(has_it).map(|command| self.name_of(command));
        others.collect()
    }

    /// A command as it is typed, such as `loadgen plan`.
    pub fn name_of(&self, command: &Command) -> String {
        let root = self.command.get_name();
        match command.get_name() {
            name if name == root => root.to_owned(),
            name => format!("{root} {name}"),
        }
    }

    /// Whether the command sends requests, or shows a plan of them.
    pub fn is_of_a_run(&self) -> bool {
        let mut arguments = self.typed_command().get_arguments();
        self.command.has_subcommands() && arguments.any(|argument| argument.get_id() == "targets")
    }

    /// Whether help or the version is requested.
    pub fn asks_for_help(&self) -> bool {
        let mut words = self.words.iter().zip(&self.roles);
        words.any(|(word, role)| {
            matches!(role, Role::Flag(_)) && ["-h", "--help", "-V", "--version"].contains(&&**word)
        })
    }

    /// The words with the subcommand before all options.
    pub fn subcommand_first(&self, typed: &[OsString]) -> Vec<OsString> {
        let mut words = typed.to_vec();
        if let Some(place) = self.subcommand
            && !self.words[..place]
                .iter()
                .any(|word| ["-V", "--version"].contains(&&**word))
        {
            let subcommand = words.remove(place);
            words.insert(1, subcommand);
        }
        words
    }
}

fn takes_value(argument: &Arg) -> bool {
    match argument.get_num_args() {
        Some(values) => values.takes_values(),
        None => argument.get_action().takes_values(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::CommandFactory;

    fn arranged(line: &str) -> String {
        let typed: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let command = Cli::command();
        let line = CommandLine::new(&command, &typed);
        let words = line.subcommand_first(&typed);
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn the_subcommand_comes_first_wherever_it_was_typed() {
        for (typed, expected) in [
            ("loadgen --rps 5 plan", "loadgen plan --rps 5"),
            (
                "loadgen --rps 5 plan --duration 3",
                "loadgen plan --rps 5 --duration 3",
            ),
            ("loadgen --demo plan", "loadgen plan --demo"),
            (
                "loadgen --burst-enabled false --no-tui plan",
                "loadgen plan --burst-enabled false --no-tui",
            ),
            (
                "loadgen --audit auto --demo=true plan --rps=3",
                "loadgen plan --audit auto --demo=true --rps=3",
            ),
            (
                "loadgen --output x report a.json",
                "loadgen report --output x a.json",
            ),
            (
                "loadgen --complete audit plan",
                "loadgen audit --complete plan",
            ),
            (
                "loadgen --header plan --rps 5",
                "loadgen --header plan --rps 5",
            ),
            ("loadgen --body -x plan", "loadgen plan --body -x"),
            ("loadgen -- plan", "loadgen -- plan"),
            ("loadgen --version plan", "loadgen --version plan"),
            ("loadgen plan --rps 5", "loadgen plan --rps 5"),
        ] {
            assert_eq!(arranged(typed), expected, "{typed}");
        }
    }
}
