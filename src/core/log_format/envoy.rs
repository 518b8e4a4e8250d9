//! Envoy's command operators: a name between percent signs, with arguments in parentheses and a length or without.

use super::path::PathOf;
use super::time::LogTime;
use super::{Meaning, Part, Variable};

/// Whether a text is a format of Envoy.
pub(super) fn is_format(text: &str) -> bool {
    let mut operators = text.split('%').skip(1);
    operators.any(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
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
