//! One line that says what is wrong with a command.

use super::command_line::{CommandLine, Role};
use super::resembling::resembling;
use super::urls::{URLS, is_url};
use crate::base::text::{printable, shortened};
use crate::core::masking::{is_mask, mask};
use crate::core::request::{Given, Part};
use crate::report::Unwritable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use std::borrow::Cow;
use std::error::Error;
use std::ffi::OsString;
use std::iter;

/// The reason why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Help or version was requested: this text goes to standard output.
    #[error("{0}")]
    Asked(String),
    /// The line that names the option, its value and what is allowed. It repeats no secret.
    #[error("{0}")]
    Wrong(String),
}

impl From<Unwritable> for Refusal {
    fn from(error: Unwritable) -> Refusal {
        Refusal::wrong(
            &error.asked_by,
            &error.path.to_string_lossy(),
            &error.allowed,
        )
    }
}

/// How much of a value a refusal repeats, in characters.
const SHOWN: usize = 300;
/// The longest refusal, in characters. What is allowed may repeat a value, too.
const LONGEST: usize = 1_000;

impl Refusal {
    /// `allowed` says what the value must be.
    pub fn wrong(name: &str, value: &str, allowed: &str) -> Self {
        let shown = without_url_secrets(value, |_| false);
        let (shown, cut) = match shown.char_indices().nth(SHOWN) {
            Some((end, _)) => (&shown[..end], "…"),
            None => (&*shown, ""),
        };
        Self::line(&format!("{name} '{shown}{cut}': {allowed}"))
    }

    pub(super) fn line(text: &str) -> Self {
        Self::Wrong(printable(&shortened(text, LONGEST)))
    }
}

/// clap's error in one line. clap always names the flag; this names the variable if the value came from it.
pub(super) fn refusal(
    error: &clap::Error,
    command: &Command,
    line: &CommandLine,
    typed: &[OsString],
) -> Refusal {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let arguments = context(ContextKind::InvalidArg);
    let first = arguments.first().map_or("", String::as_str);
    let (name, _) = as_given(first, command, line);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Refusal::Asked(error.render().to_string())
        }
        ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue).join(" ");
            if is_argument(first)
                && let Some(stray) = stray_value(&value, line)
            {
                return stray;
            }
            let value = shown_value(flag_of(first), &value);
            let allowed = error.source().map(ToString::to_string).unwrap_or_default();
            Refusal::wrong(&name, &value, &allowed)
        }
        ErrorKind::InvalidValue if !context(ContextKind::ValidValue).is_empty() => {
            let value = context(ContextKind::InvalidValue).join(" ");
            let allowed = context(ContextKind::ValidValue).join(", ");
            Refusal::wrong(&name, &value, &format!("must be one of {allowed}"))
        }
        ErrorKind::ArgumentConflict if !arguments.is_empty() => conflict(
            &[arguments, context(ContextKind::PriorArg)].concat(),
            command,
            line,
        ),
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = arguments
                .iter()
                .map(|name| name.replace(['[', ']', '<', '>', '.'], ""))
                .collect();
            let mut line = format!("{}: must be given", missing.join(", "));
            if arguments.iter().all(|argument| argument.starts_with('<')) {
                line += &format!("; usage: {}", usage(command.clone(), typed));
            }
            Refusal::line(&line)
        }
        ErrorKind::InvalidUtf8 => {
            let name = not_utf8(command, typed);
            Refusal::line(&format!("{name}: must be text in UTF-8"))
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
            let words = [arguments, context(ContextKind::InvalidSubcommand)].concat();
            let word = words.first().map_or("", String::as_str);
            let is_command = command.find_subcommand(word).is_some();
            let stray = stray_value(word, line).filter(|_| !is_command);
            let unknown = || unknown_option(word, line);
            let misplaced = || misplaced(word, line);
            let refusal = stray.or_else(unknown).or_else(misplaced);
            refusal.unwrap_or_else(|| rendered(error))
        }
        ErrorKind::TooManyValues => {
            let value = context(ContextKind::InvalidValue).join(" ");
            let value = shown_value(flag_of(first), &value);
            Refusal::wrong(&name, &value, "takes no value")
        }
        // The value is missing.
        ErrorKind::InvalidValue => {
            let needed = first.split_once(' ').map_or("", |(_, needed)| needed);
            let needed = without_brackets(needed);
            Refusal::line(&format!("{name}: needs a value ({needed})"))
        }
        _ => rendered(error),
    }
}

/// The line for a word that clap does not know, and that may be a part of a secret: behind a value with a space that has no
/// quotes, the rest of the value is a word of its own. `None` for all others.
fn stray_value(word: &str, line: &CommandLine) -> Option<Refusal> {
    // clap names an option of one letter only by that.
    let is_it = |typed: &str| {
        typed == word
            || word.starts_with('-') && typed.starts_with(word) && !typed.starts_with("--")
    };
    let place = line.words.iter().position(|typed| is_it(typed))?;
    let secretive = |place: usize| match line.roles[place] {
        Role::Flag(argument) => {
            let long = argument?.get_long().filter(|long| has_secrets(long))?;
            Some(format!("--{long}"))
        }
        Role::Free => {
            let word = &line.words[place];
            (is_url(word) && word.contains('?')).then(|| "a URL".to_owned())
        }
        _ => None,
    };
    let whose = if word.starts_with('-') {
        // It may be the value of the option before it.
        let before = place.checked_sub(1)?;
        let has_value = line.words[before].contains('=');
        secretive(before).filter(|_| !has_value)?
    } else {
        (0..place)
            .rev()
            .find_map(secretive)
            .filter(|whose| *whose != "--targets")?
    };
    Some(Refusal::line(&format!(
        "argument {place} '{}': must be an option or a URL; a value of {whose} with spaces needs quotes around it",
        mask(word.len())
    )))
}

/// Whether an error message shows an argument without a flag.
fn is_argument(shown: &str) -> bool {
    shown.starts_with(['[', '<'])
}

/// Options of other programs, and the ones here with the same meaning.
const OTHER_PROGRAMS: [(&str, &str); 14] = [
    ("rate", "rps"),
    ("qps", "rps"),
    ("concurrency", "workers"),
    ("connections", "workers"),
    ("threads", "workers"),
    ("vus", "workers"),
    ("url", "targets"),
    ("host", "targets"),
    ("data", "body"),
    ("time", "duration"),
    ("cacert", "ca-cert"),
    ("request", "method"),
    ("headers", "header"),
    ("json", "summary-json"),
];

/// The line for an option that the command does not have.
fn unknown_option(word: &str, line: &CommandLine) -> Option<Refusal> {
    if !word.starts_with('-') {
        return None;
    }
    let command = line.typed_command();
    let here = line.name_of(command);
    let name = word.trim_start_matches('-');
    let refuse = |end: &str| {
        Some(Refusal::line(&format!(
            "{word}: is not an option of {here}{end}"
        )))
    };
    if word.starts_with("--") {
        let longs = || command.get_arguments().filter_map(Arg::get_long);
        let by_habit = OTHER_PROGRAMS.iter().find(|(other, _)| *other == name);
        let by_habit = by_habit.map(|(_, own)| *own);
        let meant = by_habit.filter(|own| longs().any(|long| long == *own));
        let meant = meant.or_else(|| resembling(name, longs()));
        let hint = meant.map(|meant| format!("; did you mean --{meant}?"));
        let others = line.others_with(name);
        if !others.is_empty() && takes_words_behind_dashes(command) {
            return refuse("; the options of the run stand behind --");
        }
        if !others.is_empty() {
            let others = others.join(", ");
            return refuse(&format!(", but of {others}{}", hint.unwrap_or_default()));
        }
        if let Some(hint) = hint {
            return refuse(&hint);
        }
    }
    refuse(&format!("; {here} --help lists all"))
}

/// The line for a word that has its place behind `--`.
fn misplaced(word: &str, line: &CommandLine) -> Option<Refusal> {
    takes_words_behind_dashes(line.typed_command()).then(|| {
        let allowed = "must stand behind --, with the options of the run";
        Refusal::wrong("URL", word, allowed)
    })
}

fn takes_words_behind_dashes(command: &Command) -> bool {
    command.get_positionals().any(Arg::is_last_set)
}

/// Whether the value of an option may have secrets.
pub(super) fn has_secrets(flag: &str) -> bool {
    flag == "targets" || Part::of_flag(flag).is_some()
}

/// The value of an option, with masks in the place of secrets. `flag` is without dashes.
pub(super) fn shown_value<'a>(flag: &str, value: &'a str) -> Cow<'a, str> {
    match Part::of_flag(flag) {
        Some(Part::Header) => {
            let lines = value
                .lines()
                .map(|line| Given::new(Part::Header, line).shown());
            lines.collect::<Vec<_>>().join("\n").into()
        }
        Some(part) => Given::new(part, value).shown().into(),
        None if matches!(flag, "targets" | URLS) => without_url_secrets(value, |_| true),
        None => value.into(),
    }
}

/// The text without logins, and without what follows a `?` or a `#`, if it is a URL or if the caller says so.
fn without_url_secrets(text: &str, is_url: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let text = without_login(text);
    let scheme = text.find("://").map_or(0, |scheme| scheme + 3);
    match text[scheme..].find(['?', '#']) {
        Some(place) if scheme > 0 || is_url(&text) => {
            let end = scheme + place + 1;
            let rest = &text[end..];
            let rest = match rest {
                "" => String::new(),
                rest if is_mask(rest) => rest.to_owned(),
                rest => mask(rest.len()),
            };
            format!("{}{rest}", &text[..end]).into()
        }
        _ => text,
    }
}

/// The flag of an option as clap shows it, such as `--body <TEXT>`, without its dashes.
fn flag_of(shown: &str) -> &str {
    let flag = shown.split(' ').next().unwrap_or_default();
    flag.strip_prefix("--").unwrap_or_default()
}

/// Refuses the option whose definition excludes the others, whichever of them clap reports first.
fn conflict(options: &[String], command: &Command, line: &CommandLine) -> Refusal {
    let excludes_others = |shown: &&String| {
        find(shown, command).is_some_and(|arg| !command.get_arg_conflicts_with(arg).is_empty())
    };
    let refused = options.iter().find(excludes_others).unwrap_or(&options[0]);
    let (name, value) = as_given(refused, command, line);
    let others = options.iter().filter(|other| *other != refused);
    let others: Vec<_> = others
        .map(|other| match is_argument(other) {
            true => "URLs as arguments".to_owned(),
            false => as_given(other, command, line).0,
        })
        .collect();
    // An option that is given twice is in conflict with itself.
    let allowed = if others.is_empty() {
        match flag_of(refused) {
            "targets" => "must be given only once; several URLs are separated by commas".to_owned(),
            _ => "must be given only once".to_owned(),
        }
    } else {
        format!("must not be given together with {}", others.join(", "))
    };
    if value.is_empty() {
        return Refusal::line(&format!("{name}: {allowed}"));
    }
    Refusal::wrong(&name, &shown_value(flag_of(refused), &value), &allowed)
}

/// How the typed subcommand is used, in one line.
fn usage(mut command: Command, typed: &[OsString]) -> String {
    // Gives the subcommands their whole names.
    command.build();
    let is_typed = |name: &str| typed.iter().skip(1).any(|word| word == name);
    let mut subcommands = command.get_subcommands_mut();
    let used = subcommands.find(|subcommand| is_typed(subcommand.get_name()));
    let usage = used.map_or_else(String::new, |used| used.render_usage().to_string());
    usage.trim_start_matches("Usage: ").to_owned()
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
    let words = words.map(|word| without_url_secrets(word, |_| false));
    Refusal::line(&shortened(&words.collect::<String>(), 2 * SHOWN))
}

/// An option that an error message shows, such as `--body <TEXT>`, by the name and with the value that were given.
fn as_given(shown: &str, command: &Command, line: &CommandLine) -> (String, String) {
    let flag = shown.split(' ').next().unwrap_or_default();
    let Some(argument) = find(shown, command) else {
        let value = typed_value(flag, line).unwrap_or_default();
        // An argument without a flag has no variable either.
        return (without_brackets(flag).to_owned(), value);
    };
    let shorts = argument
        .get_short_and_visible_aliases()
        .into_iter()
        .flatten();
    let shorts = shorts.chain(argument.get_all_short_aliases().into_iter().flatten());
    let shorts = shorts.map(|short| format!("-{short}"));
    for flag in iter::once(flag.to_owned()).chain(shorts) {
        if let Some(value) = typed_value(&flag, line) {
            return (flag, value);
        }
    }
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

/// The value that was typed for a flag, empty if there is none. `None` if the flag was not typed.
fn typed_value(flag: &str, line: &CommandLine) -> Option<String> {
    if !flag.starts_with('-') {
        return None;
    }
    for (place, word) in line.words.iter().enumerate() {
        let Some(rest) = word.strip_prefix(flag) else {
            continue;
        };
        if rest.is_empty() {
            let is_value = matches!(line.roles.get(place + 1), Some(Role::Value(_)));
            let value = is_value.then(|| line.words[place + 1].clone().into_owned());
            return Some(value.unwrap_or_default());
        }
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value.to_owned());
        }
        // A short flag may have its value right behind it.
        if !flag.starts_with("--") {
            return Some(rest.to_owned());
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
        let argument = typed[place].to_string_lossy();
        if let Some((flag, _)) = argument.split_once(['=', '?'])
            && is_url(flag)
        {
            return format!("URL '{}'", mask(argument.len()));
        }
        if let Some((flag, value)) = argument.split_once('=')
            && has_secrets(flag.trim_start_matches('-'))
        {
            return format!("{flag} '{}'", mask(value.len()));
        }
        let flag = typed[..place].last().filter(|_| place > 1);
        let flag = flag
            .and_then(|flag| flag.to_str())
            .filter(|flag| flag.starts_with("--"));
        return match flag {
            Some(flag) if has_secrets(flag_of(flag)) => {
                format!("{flag} '{}'", mask(typed[place].len()))
            }
            Some(flag) => format!("{flag} '{argument}'"),
            None => argument.into_owned(),
        };
    }
    let variables = command
        .get_arguments()
        .filter_map(|argument| Some((argument, std::env::var_os(argument.get_env()?)?)));
    let mut wrong = variables.filter(|(_, value)| value.to_str().is_none());
    wrong
        .next()
        .map(|(argument, value)| {
            let shown = match has_secrets(argument.get_long().unwrap_or_default()) {
                true => mask(value.len()),
                false => value.display().to_string(),
            };
            format!("{} '{shown}'", variable(argument))
        })
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
