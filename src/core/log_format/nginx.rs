//! nginx's `log_format`: variables behind a dollar sign, with braces around their names or without.

use super::line::Escapes;
use super::path::PathOf;
use super::quotes::{closing, without_backslashes};
use super::time::LogTime;
use super::{Meaning, Part, Variable};

/// Whether a text begins as the directive does, or with its option.
pub(super) fn is_directive(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("escape=")
        || text
            .strip_prefix(DIRECTIVE)
            .is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

const DIRECTIVE: &str = "log_format";

/// The format in a directive `log_format NAME escape=json 'PIECE' 'PIECE';`, of which only a piece is required. A piece needs no
/// quotes if it is the only one.
pub(super) fn unquoted(text: &str) -> Result<(String, Escapes), String> {
    let is_directive = is_directive(text);
    let word = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
    let mut rest = text.trim();
    if is_directive && let Some(after) = rest.strip_prefix(DIRECTIVE) {
        let after = after.trim_start();
        rest = after[word(after)..].trim_start();
    }
    let mut escapes = Escapes::DEFAULT;
    if let Some(after) = rest.strip_prefix("escape=") {
        let (name, after) = after.split_at(word(after));
        escapes = match name {
            "default" => Escapes::DEFAULT,
            "json" => Escapes::JSON,
            "none" => Escapes::NONE,
            _ => return Err("must have escape=default, escape=json or escape=none".to_owned()),
        };
        rest = after.trim_start();
    }
    let format = if !rest.starts_with(['"', '\'']) {
        let rest = if is_directive {
            rest.strip_suffix(';').unwrap_or(rest)
        } else {
            text
        };
        without_backslashes(rest)
    } else if is_directive {
        pieces(rest)?.joined
    } else {
        // Quotes may be those of the line, too.
        let pieces = pieces(rest).ok().filter(Pieces::are_of_a_configuration);
        pieces.map_or_else(|| without_backslashes(text), |pieces| pieces.joined)
    };
    Ok((format, escapes))
}

/// The texts that the directive joins.
#[derive(Default)]
struct Pieces {
    joined: String,
    count: usize,
    /// Whether a semicolon is behind them.
    are_ended: bool,
    have_double_quotes: bool,
    are_all_quoted: bool,
}

impl Pieces {
    fn add(&mut self, piece: &str) {
        self.joined += &without_backslashes(piece);
        self.count += 1;
    }

    /// Whether quotes without a directive before them are those of a configuration. A line such as `"$msec" "$request"` is not.
    fn are_of_a_configuration(&self) -> bool {
        let are_clear = self.count == 1 || self.are_ended || !self.have_double_quotes;
        self.are_all_quoted && are_clear
    }
}

fn pieces(text: &str) -> Result<Pieces, String> {
    let mut pieces = Pieces {
        are_all_quoted: true,
        ..Pieces::default()
    };
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_end = |c: char| c.is_whitespace() || c == ';';
        match first {
            ';' if rest.trim_end() == ";" => {
                pieces.are_ended = true;
                break;
            }
            ';' => return Err("must be one log_format, which ends with a semicolon".to_owned()),
            '#' => rest = rest.split_once('\n').map_or("", |(_, after)| after),
            '"' | '\'' => {
                let end = closing(&rest[1..], first);
                let end = end.ok_or("must have a second quote for each that opens a text")? + 1;
                pieces.add(&rest[1..end]);
                pieces.have_double_quotes |= first == '"';
                rest = &rest[end + 1..];
                if !rest.is_empty() && !rest.starts_with(is_end) {
                    return Err("must have a blank or a semicolon behind each quoted text, as nginx demands".to_owned());
                }
            }
            _ => {
                let end = rest.find(is_end).unwrap_or(rest.len());
                pieces.add(&rest[..end]);
                pieces.are_all_quoted = false;
                rest = &rest[end..];
            }
        }
        rest = rest.trim_start();
    }
    Ok(pieces)
}

pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut pieces = text.split('$');
    parts.push(Part::Text(pieces.next().unwrap_or_default().to_owned()));
    for piece in pieces {
        let (name, rest, braces) = match piece.strip_prefix('{') {
            Some(inner) => {
                let (name, rest) = inner
                    .split_once('}')
                    .ok_or("must have a } behind each ${")?;
                (name, rest, true)
            }
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = piece.find(|c| !is_name(c)).unwrap_or(piece.len());
                (&piece[..end], &piece[end..], false)
            }
        };
        if name.is_empty() {
            return Err("must have the name of a variable behind each dollar sign".to_owned());
        }
        parts.push(Part::Variable(Variable {
            typed: if braces {
                format!("${{{name}}}")
            } else {
                format!("${name}")
            },
            meaning: meaning(name),
        }));
        parts.push(Part::Text(rest.to_owned()));
        join_path_and_query(&mut parts);
    }
    Ok(parts)
}

/// Makes one variable of `$uri$is_args$args` at the end, whose query ends the path at a question mark.
fn join_path_and_query(parts: &mut Vec<Part>) {
    let [
        ..,
        Part::Variable(path),
        Part::Text(first),
        Part::Variable(mark),
        Part::Text(second),
        Part::Variable(query),
        Part::Text(_),
    ] = &**parts
    else {
        return;
    };
    let is_one = (&path.meaning, &*mark.typed, &query.meaning)
        == (&Meaning::Path(PathOf::Decoded), "$is_args", &Meaning::Query);
    if !is_one || !first.is_empty() || !second.is_empty() {
        return;
    }
    let joined = Variable {
        typed: format!("{}{}{}", path.typed, mark.typed, query.typed),
        meaning: Meaning::Path(PathOf::DecodedWithQuery),
    };
    let rest = parts.pop();
    parts.truncate(parts.len() - 5);
    parts.push(Part::Variable(joined));
    parts.extend(rest);
}

fn meaning(name: &str) -> Meaning {
    match name {
        "msec" => Meaning::Time(LogTime::msec()),
        "time_iso8601" => Meaning::Time(LogTime::iso8601()),
        "time_local" => Meaning::Time(LogTime::local()),
        "request_time" => Meaning::Took,
        "request" => Meaning::FirstLine,
        "request_method" => Meaning::Method,
        "request_uri" => Meaning::Path(PathOf::Client),
        "uri" | "document_uri" => Meaning::Path(PathOf::Decoded),
        "args" | "query_string" => Meaning::Query,
        "request_body" => Meaning::Body,
        "content_type" => Meaning::Header("content-type".to_owned()),
        _ => match name.strip_prefix("http_") {
            Some(header) => Meaning::Header(header.replace('_', "-")),
            None => Meaning::Nothing,
        },
    }
}
