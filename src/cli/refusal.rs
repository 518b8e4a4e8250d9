//! One line that says what is wrong with a command.

use crate::base::text::printable;
use crate::report::{Output, Unwritable};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use std::borrow::Cow;
use std::error::Error;
use std::ffi::OsString;

/// The reason why a command is not carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Help or version was requested: this text goes to standard output.
    #[error("{0}")]
    Asked(String),
    /// The line that names the option, its value and what is allowed. It repeats no login.
    #[error("{0}")]
    Wrong(String),
}

impl From<Unwritable> for Refusal {
    fn from(error: Unwritable) -> Refusal {
        let Output { path, asked_by, .. } = &error.output;
        Refusal::wrong(asked_by, &path.to_string_lossy(), &error.allowed)
    }
}

/// How much of a value a refusal repeats, in characters.
const SHOWN: usize = 300;

impl Refusal {
    /// `allowed` says what the value must be.
    pub fn wrong(name: &str, value: &str, allowed: &str) -> Self {
        let shown = without_login(value);
        let (shown, cut) = match shown.char_indices().nth(SHOWN) {
            Some((end, _)) => (&shown[..end], "…"),
            None => (&*shown, ""),
        };
        Self::line(&format!("{name} '{shown}{cut}': {allowed}"))
    }

    fn line(text: &str) -> Self {
        Self::Wrong(printable(text))
    }
}

/// clap's error in one line. clap always names the flag; this names the variable if the value came from it.
pub(super) fn refusal(error: &clap::Error, command: &Command, typed: &[OsString]) -> Refusal {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let arguments = context(ContextKind::InvalidArg);
    let first = arguments.first().map_or("", String::as_str);
    let (name, _) = as_given(first, command, typed);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Refusal::Asked(error.render().to_string())
        }
        ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue).join(" ");
            let allowed = error.source().map(ToString::to_string);
            Refusal::wrong(&name, &value, &allowed.unwrap_or_default())
        }
        ErrorKind::InvalidValue if !context(ContextKind::ValidValue).is_empty() => {
            let value = context(ContextKind::InvalidValue).join(" ");
            let allowed = context(ContextKind::ValidValue).join(", ");
            Refusal::wrong(&name, &value, &format!("must be one of {allowed}"))
        }
        ErrorKind::ArgumentConflict if !arguments.is_empty() => conflict(
            &[arguments, context(ContextKind::PriorArg)].concat(),
            command,
            typed,
        ),
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = arguments
                .iter()
                .map(|name| without_brackets(name))
                .collect();
            Refusal::line(&format!("{}: must be given", missing.join(", ")))
        }
        ErrorKind::InvalidUtf8 => {
            let name = not_utf8(command, typed);
            Refusal::line(&format!("{name}: must be text in UTF-8"))
        }
        _ => rendered(error),
    }
}

/// Refuses the option whose definition excludes the others, whichever of them clap reports first.
fn conflict(options: &[String], command: &Command, typed: &[OsString]) -> Refusal {
    let excludes_others = |shown: &&String| {
        find(shown, command).is_some_and(|arg| !command.get_arg_conflicts_with(arg).is_empty())
    };
    let refused = options.iter().find(excludes_others).unwrap_or(&options[0]);
    let (name, value) = as_given(refused, command, typed);
    let others = options.iter().filter(|other| *other != refused);
    let others: Vec<_> = others
        .map(|other| as_given(other, command, typed).0)
        .collect();
    // An option that is given twice is in conflict with itself.
    let allowed = if others.is_empty() {
        "must be given only once".to_owned()
    } else {
        format!("must not be given together with {}", others.join(", "))
    };
    Refusal::wrong(&name, &value, &allowed)
}

/// clap's own words, without its hints on usage.
fn rendered(error: &clap::Error) -> Refusal {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> = lines
        .filter(|line| line.starts_with("error:") || line.starts_with("tip:"))
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    let line = lines.join("; ");
    // Each of its words may be a value that was typed.
    let words = line.split_inclusive([' ', ',', ';', '\'', '"']);
    Refusal::line(&words.map(without_login).collect::<String>())
}

/// An option that an error message shows, such as `--body <TEXT>`, by the name and with the value that were given.
fn as_given(shown: &str, command: &Command, typed: &[OsString]) -> (String, String) {
    let flag = shown.split(' ').next().unwrap_or_default();
    if flag.starts_with("--")
        && let Some(value) = typed_value(flag, typed)
    {
        return (flag.to_owned(), value);
    }
    let Some(argument) = find(shown, command) else {
        // An argument without a flag has no variable either.
        return (without_brackets(flag).to_owned(), String::new());
    };
    let value = argument.get_env().and_then(std::env::var_os);
    let value = value.unwrap_or_default().to_string_lossy().into_owned();
    (variable(argument), value)
}

/// The definition of an option that an error message shows.
fn find<'a>(shown: &str, command: &'a Command) -> Option<&'a Arg> {
    let long = shown.split(' ').next()?.strip_prefix("--")?;
    let mut arguments = command.get_arguments();
    arguments.find(|argument| argument.get_long() == Some(long))
}

/// The value that was typed for a flag. `None` if the flag was not typed.
fn typed_value(flag: &str, typed: &[OsString]) -> Option<String> {
    for (argument, next) in typed
        .iter()
        .zip(typed.iter().skip(1).map(Some).chain([None]))
    {
        let argument = argument.to_string_lossy();
        let Some(rest) = argument.strip_prefix(flag) else {
            continue;
        };
        if rest.is_empty() {
            return Some(next.map_or_else(String::new, |next| next.to_string_lossy().into_owned()));
        }
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value.to_owned());
        }
    }
    None
}

/// The name of an argument's variable.
pub(super) fn variable(argument: &Arg) -> String {
    let variable = argument.get_env().unwrap_or_default();
    variable.to_string_lossy().into_owned()
}

/// The name of an argument without a flag.
fn without_brackets(argument: &str) -> &str {
    argument.trim_matches(['[', ']', '<', '>', '.'])
}

/// The text without user and password, since it may end up in a log. Text before an `@` counts as a login if it is part
/// of a URL, or if it has a colon, as in a mistyped URL.
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

/// Names the argument that is not UTF-8, with the flag before it, or the variable.
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
