//! From a command line to values, or to one line that says what is wrong with it.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;

/// The options as given, and which came from where.
#[derive(Debug)]
pub struct Arguments<O> {
    pub options: O,
    pub(super) matches: ArgMatches,
    /// Every option's definition.
    pub(super) command: Command,
}

impl<O: Parser> Arguments<O> {
    /// Parses flags, then environment variables, then defaults. An empty variable of an option
    /// without a default is as good as none. `arguments` begins with the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        let typed: Vec<_> = arguments.into_iter().collect();
        let refuse = |error| refusal(&error, &O::command(), &typed);
        let mut command = deaf_to_empty_variables(O::command());
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
    /// Whether an option was given as a flag, by its variable, or not at all.
    pub fn source(&self, option: &str) -> Option<ValueSource> {
        self.matches.value_source(option)
    }

    /// What an option was given by: its flag or its variable.
    pub fn name(&self, option: &str) -> String {
        match self.source(option) {
            Some(ValueSource::EnvVariable) => variable(&self.command, option),
            _ => flag(option),
        }
    }

    /// Whether an option was given, and not only its default.
    pub fn is_given(&self, option: &str) -> bool {
        let source = self.source(option);
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    }

    /// Whether an option was given and counts, although others may have been that contradict it. A flag wins over
    /// their variables; two flags, or two variables, are refused.
    pub fn prevails(&self, option: &str, rivals: &[&str]) -> Result<bool, Refusal> {
        if !self.is_given(option) {
            return Ok(false);
        }
        let rival = |source| {
            let mut rivals = rivals.iter();
            rivals.find(|rival| self.source(rival) == Some(source))
        };
        let by_flag = self.source(option) == Some(ValueSource::CommandLine);
        let other = match (rival(ValueSource::CommandLine), by_flag) {
            (Some(_), false) => return Ok(false),
            (None, true) => None,
            (Some(flag), true) => Some(flag),
            (None, false) => rival(ValueSource::EnvVariable),
        };
        match other {
            None => Ok(true),
            Some(other) => {
                let other = self.name(other);
                let allowed = format!("must not be given together with {other}");
                Err(self.refuse(option, allowed))
            }
        }
    }

    /// The line that refuses an option's value: under the variable's name if that gave it.
    pub fn refuse(&self, option: &str, allowed: impl Display) -> Refusal {
        let name = self.name(option);
        let raw = self.matches.get_raw(option).into_iter().flatten().next();
        let value = raw.map(|value| value.to_string_lossy()).unwrap_or_default();
        Refusal::wrong(&name, &value, &allowed.to_string())
    }

    /// The same for one of several values of an option.
    pub fn refuse_one(&self, option: &str, value: &str, allowed: impl Display) -> Refusal {
        Refusal::wrong(&self.name(option), value, &allowed.to_string())
    }
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Help or version was asked for: this text, on standard output.
    #[error("{0}")]
    Asked(String),
    /// One line that names the option, its value and what is allowed, and repeats no login.
    #[error("{0}")]
    Wrong(String),
}

/// As much of a value as a refusal repeats, in characters.
const SHOWN: usize = 300;

impl Refusal {
    pub(super) fn wrong(name: &str, value: &str, allowed: &str) -> Self {
        let shown = without_login(value);
        let (shown, cut) = match shown.char_indices().nth(SHOWN) {
            Some((end, _)) => (&shown[..end], "…"),
            None => (&*shown, ""),
        };
        Self::line(&format!("{name} '{shown}{cut}': {allowed}"))
    }

    fn line(text: &str) -> Self {
        let printable = text.chars().map(|c| match c.is_control() {
            true => c.escape_default().to_string(),
            false => c.to_string(),
        });
        Self::Wrong(printable.collect())
    }
}

fn deaf_to_empty_variables(command: Command) -> Command {
    command
        .mut_args(deaf_to_an_empty_variable)
        .mut_subcommands(deaf_to_empty_variables)
}

/// An empty variable is how a compose file leaves an option unset, where being unset means something.
fn deaf_to_an_empty_variable(argument: Arg) -> Arg {
    let variable = argument.get_env().and_then(std::env::var_os);
    match variable.is_some_and(|value| value.is_empty()) && argument.get_default_values().is_empty()
    {
        true => argument.env(Resettable::Reset),
        false => argument,
    }
}

fn flag(option: &str) -> String {
    format!("--{}", option.replace('_', "-"))
}

fn variable(command: &Command, option: &str) -> String {
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_id() == option);
    let name = argument.and_then(|argument| argument.get_env());
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The variable of the option with this flag.
fn variable_of_flag(command: &Command, flag: &str) -> String {
    let long = flag.trim_start_matches('-');
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(long));
    argument.map_or_else(String::new, |argument| {
        variable(command, argument.get_id().as_str())
    })
}

/// clap's message in one line, with the variable's name where a variable gave the value: clap
/// itself names the flag either way.
fn refusal(error: &clap::Error, command: &Command, typed: &[OsString]) -> Refusal {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Refusal::Asked(error.render().to_string());
    }
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if error.kind() == ErrorKind::ValueValidation
        && let Some(argument) = context(ContextKind::InvalidArg)
        && let Some(value) = context(ContextKind::InvalidValue)
    {
        let flag = argument.split(' ').next().unwrap_or_default();
        let reason = std::error::Error::source(error).map(ToString::to_string);
        let name = if !flag.starts_with("--") {
            // An argument without a flag has no variable either.
            without_brackets(flag).to_owned()
        } else if was_typed(flag, typed) {
            flag.to_owned()
        } else {
            variable_of_flag(command, flag)
        };
        return Refusal::wrong(&name, &value, &reason.unwrap_or_default());
    }
    if let Some(ContextValue::Strings(allowed)) = error.get(ContextKind::ValidValue)
        && let Some(argument) = context(ContextKind::InvalidArg)
        && let Some(value) = context(ContextKind::InvalidValue)
    {
        let allowed = format!("must be one of {}", allowed.join(", "));
        return Refusal::wrong(without_brackets(&argument), &value, &allowed);
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg)
    {
        let missing: Vec<_> = missing.iter().map(|name| without_brackets(name)).collect();
        return Refusal::line(&format!("{}: must be given", missing.join(", ")));
    }
    if error.kind() == ErrorKind::InvalidUtf8 {
        return Refusal::line(&format!(
            "{}: must be text in UTF-8",
            not_utf8(command, typed)
        ));
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim);
    let told: Vec<_> = lines
        .filter(|line| line.starts_with("error:") || line.starts_with("tip:"))
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    // Any of its words may be what was typed.
    let told = told.join("; ");
    let words = told.split_inclusive([' ', ',', ';', '\'', '"']);
    Refusal::line(&words.map(without_login).collect::<String>())
}

/// The name of an argument without a flag.
fn without_brackets(argument: &str) -> &str {
    argument.trim_matches(['[', ']', '<', '>'])
}

/// The line may end up in a log, where user and password have no place: what stands before an `@` is left out, where it
/// is a URL's or has the colon of a login in a URL that was mistyped.
pub fn without_login(text: &str) -> Cow<'_, str> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    match rest.rsplit_once('@') {
        Some((login, host)) if scheme.is_some() || login.contains(':') => {
            let scheme = scheme.map(|scheme| format!("{scheme}://"));
            format!("{}…@{host}", scheme.unwrap_or_default()).into()
        }
        _ => text.into(),
    }
}

fn was_typed(flag: &str, typed: &[OsString]) -> bool {
    typed.iter().any(|argument| {
        argument.to_str().is_some_and(|argument| {
            let rest = argument.strip_prefix(flag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    })
}

/// What is not UTF-8: an argument, with the flag before it, or a variable.
fn not_utf8(command: &Command, typed: &[OsString]) -> String {
    if let Some(place) = typed
        .iter()
        .position(|argument| argument.to_str().is_none())
    {
        let flag = typed[..place].last().filter(|_| place > 1);
        let argument = typed[place].to_string_lossy();
        return match flag
            .and_then(|flag| flag.to_str())
            .filter(|flag| flag.starts_with("--"))
        {
            Some(flag) => format!("{flag} '{argument}'"),
            None => argument.into_owned(),
        };
    }
    let variables = command
        .get_arguments()
        .filter_map(|argument| argument.get_env());
    let wrong = variables.filter_map(|name| Some((name, std::env::var_os(name)?)));
    wrong
        .filter(|(_, value)| value.to_str().is_none())
        .map(|(name, value)| format!("{} '{}'", name.display(), value.display()))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_repeated_and_a_line_stays_one() {
        for (value, shown) in [
            ("redis://me:p@ss@h/x", "redis://…@h/x"),
            ("redis//:s e,c@h", "…@h"),
            ("http://u:pw@h,ftp://x", "http://…@h,ftp://x"),
            ("http://h", "http://h"),
            ("/etc/me@h.pem", "/etc/me@h.pem"),
            ("two\nlines", "two\\nlines"),
            (&"x".repeat(300), &"x".repeat(300)),
            (&"é".repeat(301), &("é".repeat(300) + "…")),
        ] {
            let line = Refusal::wrong("--x", value, "must be redis://user:password@host");
            let expected = format!("--x '{shown}': must be redis://user:password@host");
            assert_eq!(line, Refusal::Wrong(expected));
        }
    }
}
