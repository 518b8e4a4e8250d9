//! Envoy's command operators: a name between percent signs, with arguments in parentheses and a length or without.

use super::path::PathOf;
use super::quotes::{closing, without_backslashes};
use super::time::LogTime;
use super::{Meaning, Part, Variable};

/// Whether a text is a format of Envoy.
pub(super) fn is_format(text: &str) -> bool {
    let mut operators = text.split('%').skip(1);
    operators.any(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The format without the quotes and the backslashes of YAML, which it may have or not.
pub(super) fn unquoted(text: &str) -> String {
    let between = |quote: char| text.trim().strip_prefix(quote)?.strip_suffix(quote);
    // Quotes that are not around all of the text are those of the line.
    if let Some(inner) = between('"').filter(|inner| closing(inner, '"').is_none()) {
        return without_backslashes(&folded(inner));
    }
    let single = between('\'').filter(|inner| !inner.replace("''", "").contains('\''));
    match single {
        Some(inner) => without_backslashes(&folded(&inner.replace("''", "'"))),
        None => without_backslashes(text),
    }
}

/// The lines of a quoted text as one. A blank stands for the end of a line, and nothing if a backslash is before it.
fn folded(text: &str) -> String {
    let mut lines = text.lines();
    let mut whole = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let backslashes = whole.len() - whole.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            whole.pop();
        } else {
            whole.truncate(whole.trim_end().len());
            whole.push(' ');
        }
        whole.push_str(line.trim_start());
    }
    whole
}

pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        parts.push(Part::Text(before.to_owned()));
        if let Some(after) = after.strip_prefix('%') {
            parts.push(Part::Text("%".to_owned()));
            rest = after;
            continue;
        }
        // A form of a time has percent signs of its own.
        let arguments = after.find('(').filter(|open| !after[..*open].contains('%'));
        let behind = arguments.and_then(|open| Some(open + after[open..].find(')')?));
        let end = behind.unwrap_or(0);
        let end = after[end..].find('%').map(|length| end + length);
        let end =
            end.ok_or("must have a second percent sign behind each operator; %% stands for one")?;
        parts.push(Part::Variable(variable(&after[..end])?));
        rest = &after[end + 1..];
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn variable(operator: &str) -> Result<Variable, String> {
    let (name, arguments) = match operator.split_once('(') {
        Some((name, rest)) => {
            let (arguments, _length) =
                rest.rsplit_once(')').ok_or("must have a ) behind each (")?;
            (name, Some(arguments))
        }
        None => (operator, None),
    };
    let meaning = match (name, arguments) {
        ("START_TIME", form) => {
            Meaning::Time(LogTime::start_time(form.filter(|form| !form.is_empty()))?)
        }
        ("REQ" | "REQUEST_HEADER", Some(headers)) => header(headers),
        _ => Meaning::Nothing,
    };
    Ok(Variable {
        typed: format!("%{operator}%"),
        meaning,
    })
}

/// The header in `REQ(X?Y)`, which is X, or Y if the request has no X.
fn header(names: &str) -> Meaning {
    let (first, second) = names.split_once('?').unwrap_or((names, ""));
    let [first, second] = [first, second].map(|name| name.trim().to_ascii_lowercase());
    match (&*first, &*second) {
        (":path", _) => Meaning::Path(PathOf::Rewritten),
        // Envoy adds this header if it rewrites the path.
        ("x-envoy-original-path", _) | (_, ":path") => Meaning::Path(PathOf::Client),
        (":method", _) => Meaning::Method,
        (name, _) if name.starts_with(':') => Meaning::Nothing,
        _ => Meaning::Header(first),
    }
}
