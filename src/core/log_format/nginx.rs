//! nginx's `log_format`: variables behind a dollar sign, with braces around their names or without.

use super::path::PathOf;
use super::time::LogTime;
use super::{Meaning, Part, Variable};

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
    }
    Ok(parts)
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
