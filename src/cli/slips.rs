//! Slips of the hand in a command line, which are refused before clap reads it: clap would name one word of several, or the
//! wrong one.

use super::command_line::{CommandLine, Role};
use super::refusal::{Refusal, has_secrets, shown_value};
use crate::base::text::unit_of_time;
use crate::core::masking::mask;
use clap::Arg;

/// Quotes and dashes that word processors and web pages put in the place of those on a keyboard.
const QUOTES: [char; 8] = ['“', '”', '„', '‟', '«', '‘', '’', '‚'];
const DASHES: [char; 6] = ['\u{2010}', '\u{2011}', '‒', '–', '—', '−'];

/// The value names of options whose value may be any text.
const FREE_TEXT: [&str; 3] = ["TEXT", "FILE", "COLUMN"];

/// The value names of options whose value may have blanks.
const WITH_BLANKS: [&str; 11] = [
    "PIECES",
    "EVENT",
    "UNDO",
    "PROMISE",
    "THRESHOLD",
    "RULES",
    "NAME: VALUE",
    "TEXT",
    "URLS",
    "PATH",
    "TIME",
];

/// Refuses the first slip in a command line.
pub(super) fn check(line: &CommandLine) -> Result<(), Refusal> {
    if line.asks_for_help() {
        return Ok(());
    }
    for (place, role) in line.roles.iter().enumerate() {
        let word = &*line.words[place];
        let slip = match role {
            Role::Other | Role::Subcommand => None,
            Role::Flag(argument) => flag(line, word, *argument),
            Role::Value(argument) => value(line, place, argument),
            Role::Free => free(line, place),
        };
        if let Some(refusal) = slip {
            return Err(refusal);
        }
        // Its value may be among the next words.
        if *role == Role::Flag(None) {
            break;
        }
    }
    Ok(())
}

fn flag(line: &CommandLine, word: &str, argument: Option<&Arg>) -> Option<Refusal> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    // Programs written in Go take their long options with one dash.
    let long = name.strip_prefix('-').filter(|long| long.len() > 2)?;
    let mut arguments = line.typed_command().get_arguments();
    if arguments.any(|argument| argument.get_long() == Some(long)) {
        let value = if value.is_some() { "=…" } else { "" };
        return Some(Refusal::line(&format!(
            "{name}: is not an option; did you mean --{long}{value}?"
        )));
    }
    quote(argument?, value?)
}

fn value(line: &CommandLine, place: usize, argument: &Arg) -> Option<Refusal> {
    let word = &*line.words[place];
    let flag = &line.words[place - 1];
    let is_flag = |long: &str| {
        let name = long.split('=').next();
        let mut arguments = line.typed_command().get_arguments();
        arguments.any(|argument| argument.get_long() == name)
    };
    let is_short = |letter: &str| {
        let mut arguments = line.typed_command().get_arguments();
        arguments.any(|argument| {
            argument
                .get_short()
                .is_some_and(|short| letter.chars().eq([short]))
        })
    };
    let is_option = word.strip_prefix("--").is_some_and(is_flag)
        || word.strip_prefix('-').is_some_and(is_short);
    if is_option && !is_free_text(argument) {
        let next = word.split('=').next().unwrap_or_default();
        let needed = value_name(argument);
        return Some(Refusal::line(&format!(
            "{flag}: needs a value ({needed}) before {next}"
        )));
    }
    quote(argument, word)
}

/// Refuses a value that begins with a quote of print.
fn quote(argument: &Arg, value: &str) -> Option<Refusal> {
    let quote = value.chars().next().filter(|c| QUOTES.contains(c))?;
    if is_free_text(argument) {
        return None;
    }
    let long = argument.get_long()?;
    Some(Refusal::wrong(
        &format!("--{long}"),
        &shown_value(long, value),
        &typographic(quote),
    ))
}

fn typographic(quote: char) -> String {
    format!(
        "begins with {quote}, a quote of print; type a straight quote, \" or ', before and after the value"
    )
}

/// Refuses a word that is neither an option nor a value.
fn free(line: &CommandLine, place: usize) -> Option<Refusal> {
    let word = &*line.words[place];
    if line.words[..place].iter().any(|word| word == "--") {
        return None;
    }
    let follows_secret = line.roles[..place].iter().any(|role| match role {
        Role::Flag(Some(argument)) => {
            let long = argument.get_long().unwrap_or_default();
            has_secrets(long) && long != "targets"
        }
        _ => false,
    });
    // The query of a URL may be a secret, too.
    let mut before = line.words[..place].iter().zip(&line.roles);
    let follows_query = before.any(|(word, role)| *role == Role::Free && word.contains('?'));
    let follows_secret = follows_secret || follows_query;
    let unquoted = line.is_of_a_run().then(|| unquoted(line, place)).flatten();
    let first = word.chars().next()?;
    if DASHES.contains(&first) && !(follows_secret && unquoted.is_some()) {
        return dash(word);
    }
    if unquoted.is_some() || !line.is_of_a_run() {
        return unquoted;
    }
    let name = format!("argument {place}");
    if QUOTES.contains(&first) && !follows_secret {
        return Some(Refusal::wrong(&name, word, &typographic(first)));
    }
    if is_url(word) {
        return None;
    }
    let is_root = line.subcommand().is_none();
    let meant = line.resembling_subcommand(word).filter(|_| is_root);
    let shown = match follows_secret && meant.is_none() {
        true => mask(word.len()),
        false => word.to_owned(),
    };
    let mut allowed = "must be an option or a URL such as http://127.0.0.1:8000".to_owned();
    if is_root {
        let names = line.subcommand_names().join(", ");
        allowed = format!("must be one of {names}, or an option or a URL");
    }
    let meant = meant.or_else(|| (word == "help").then_some("--help"));
    if let Some(meant) = meant {
        allowed += &format!("; did you mean {meant}?");
    }
    Some(Refusal::wrong(&name, &shown, &allowed))
}

/// Refuses an option that begins with a dash of print.
fn dash(word: &str) -> Option<Refusal> {
    let name = word.trim_start_matches(|c| c == '-' || DASHES.contains(&c));
    let name = name.split('=').next().filter(|name| !name.is_empty())?;
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    let typed = word.split('=').next().unwrap_or_default();
    Some(Refusal::line(&format!(
        "'{typed}': begins with a dash of print; did you mean {dashes}{name}?"
    )))
}

/// Whether a word may be meant as a URL: it has a scheme, a port or a dot.
fn is_url(word: &str) -> bool {
    word.contains([':', '.'])
}

/// The line about a value with blanks and no quotes, of which the shell made several words. `place` is the first one that
/// is not a part of the value.
fn unquoted(line: &CommandLine, place: usize) -> Option<Refusal> {
    // A part of a value may look like an option that nobody knows.
    let is_known = |role: &Role| matches!(role, Role::Flag(Some(_)) | Role::Subcommand);
    let known = line.roles[..place].iter().rposition(is_known)?;
    let Role::Flag(Some(argument)) = line.roles[known] else {
        return None;
    };
    let first = match line.roles[known + 1] {
        Role::Value(_) => &*line.words[known + 1],
        _ => line.words[known].split_once('=')?.1,
    };
    let long = argument.get_long()?;
    let word = &*line.words[place];
    if !may_continue(line, place, argument, first) {
        return None;
    }
    if let Some(quote) = first.chars().next().filter(|c| QUOTES.contains(c)) {
        let shown = shown_value(long, first);
        return Some(Refusal::wrong(
            &format!("--{long}"),
            &shown,
            &typographic(quote),
        ));
    }
    if has_secrets(long) && !(long == "targets" && is_list(first, word)) {
        return Some(Refusal::line(&format!(
            "argument {place} '{}': must be an option; a value of --{long} with spaces needs quotes around it",
            mask(word.len())
        )));
    }
    let rest = (place..line.words.len()).take_while(|place| line.roles[*place] == Role::Free);
    let rest = rest.map(|place| &*line.words[place]);
    // A URL is an argument of its own.
    let rest: Vec<_> = rest
        .take_while(|word| long == "targets" || !word.contains("://"))
        .collect();
    let whole = format!("{first} {}", rest.join(" "));
    Some(Refusal::wrong(
        &format!("--{long}"),
        &shown_value(long, &whole),
        "a value with spaces needs quotes around it",
    ))
}

/// Whether the free word at `place` may belong to the value that begins with `first`.
fn may_continue(line: &CommandLine, place: usize, argument: &Arg, first: &str) -> bool {
    let word = &*line.words[place];
    let may_have_blanks = match value_name(argument) {
        "TIME" => word.starts_with(|c: char| c.is_ascii_digit()) || unit_of_time(word).is_some(),
        name => WITH_BLANKS.contains(&name),
    };
    if !may_have_blanks {
        return false;
    }
    if is_list(first, word) {
        return true;
    }
    let long = argument.get_long().unwrap_or_default();
    if is_url(word) {
        // A login with a blank is cut in two.
        let is_login = long == "targets" && word.contains('@');
        let is_cut = has_secrets(long) && long != "targets" && is_incomplete(first);
        return !word.contains("://") && (is_login || is_cut);
    }
    let is_last = line.roles.get(place + 1) != Some(&Role::Free);
    let is_command =
        line.subcommand().is_none() && is_last && line.resembling_subcommand(word).is_some();
    !is_command
}

fn is_list(first: &str, word: &str) -> bool {
    first.ends_with(',') || word.starts_with(',')
}

/// Whether the beginning of a header or of a body lacks its end.
fn is_incomplete(first: &str) -> bool {
    let has_open_quote = first.matches('"').count() % 2 == 1;
    let has_open_brace = first.starts_with('{') && !first.ends_with('}');
    first.ends_with(':') || has_open_quote || has_open_brace
}

fn value_name(argument: &Arg) -> &str {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map_or("", |name| name.as_str())
}

fn is_free_text(argument: &Arg) -> bool {
    FREE_TEXT.contains(&value_name(argument))
}
