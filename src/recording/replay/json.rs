//! Requests as JSON objects, one on each line.

use super::super::row::Wrong;
use super::lines::Source;
use super::parsed::{
    BODIES, HEADERS, KeyFrom, METHODS, NotRead, PATHS, Parsed, SOURCE, add_header_lines, time,
    time_rank,
};
use crate::core::replay::ContentParts;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) struct JsonRequests {
    source: Source,
    key: KeyFrom,
    line: Vec<u8>,
}

type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

impl JsonRequests {
    pub fn new(source: Source, key: KeyFrom) -> JsonRequests {
        JsonRequests {
            source,
            key,
            line: Vec::new(),
        }
    }

    pub fn must_have_keys(&self) -> bool {
        self.key.is_given()
    }

    pub fn next(&mut self) -> Result<Option<Result<Parsed, Wrong>>, Wrong> {
        Ok(match self.source.next_line(&mut self.line)? {
            None => None,
            Some(Err(wrong)) => Some(Err(wrong)),
            Some(Ok(line)) => Some(read(&self.line, line, &self.key).map_err(|why| why.on(line))),
        })
    }
}

fn read(text: &[u8], line: u64, key: &KeyFrom) -> Result<Parsed, NotRead> {
    let members: Members = serde_json::from_slice(text)
        .map_err(|error| NotRead(format!("it is no JSON object: {}", position(&error))))?;
    let is_there = |value: &&RawValue| value.get() != "null";
    let get = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| members.get(*name).copied());
        found.find(is_there)
    };
    let times = members.iter().filter(|(_, value)| is_there(value));
    let times = times.filter_map(|(name, value)| Some((time_rank(name)?, name, value)));
    // A row may have the time with several units.
    let (_, name, at) = times
        .min_by_key(|(rank, name, _)| (*rank, name.len()))
        .ok_or("it has no time")?;
    let mut parts = ContentParts::default();
    if let Some(method) = get(&METHODS) {
        parts.set_method(plain(method, "method")?.as_bytes())?;
    }
    if let Some(path) = get(&PATHS) {
        parts.set_path(plain(path, "path")?.as_bytes())?;
    }
    if let Some(headers) = get(&HEADERS) {
        add_headers(headers, &mut parts)?;
    }
    if let Some(body) = get(&BODIES) {
        // A body that is not a text is JSON itself, as it is written.
        let text = if body.get().starts_with('"') {
            plain(body, "body")?
        } else {
            body.get().into()
        };
        parts.body = Some(text.into_owned().into_bytes());
    }
    let own_key = match key.column().and_then(|column| get(&[column])) {
        Some(value) => Some(plain(value, "key")?.into_owned()).filter(|key| !key.is_empty()),
        None => key.in_header(&parts),
    };
    let source = get(&[SOURCE.0])
        .map(|source| plain(source, SOURCE.0))
        .transpose()?;
    Ok(Parsed {
        line,
        at: time(name, Some(&plain(at, name)?))?,
        parts,
        key: own_key,
        is_of_a_probe: source.as_deref() == Some(SOURCE.1),
    })
}

/// The error without the words that repeat the line's number within its text.
fn position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line 1 column").unwrap_or(text.len());
    match error.column() {
        0 => text[..end].to_owned(),
        column => format!("{} at column {column}", &text[..end]),
    }
}

/// The text of a string, or a number or a boolean as it is written.
fn plain<'a>(raw: &'a RawValue, name: &str) -> Result<Cow<'a, str>, NotRead> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            let inner = &text[1..text.len() - 1];
            if !inner.contains('\\') {
                return Ok(Cow::Borrowed(inner));
            }
            let read = serde_json::from_str(text).map(Cow::Owned);
            read.map_err(|_| NotRead(format!("its {name} is no text")))
        }
        Some(b'{' | b'[') => Err(NotRead(format!(
            "its {name} is neither a text nor a number"
        ))),
        _ => Ok(Cow::Borrowed(text)),
    }
}

const FORM: &str = "its headers are neither an object nor a list of names and values";

/// Adds headers that are written as an object, whose values may be lists, as a list of pairs, as a list of objects with a name
/// and a value as in HAR, or as text.
pub(super) fn add_headers(raw: &RawValue, parts: &mut ContentParts) -> Result<(), NotRead> {
    match raw.get().as_bytes().first() {
        Some(b'"') => add_header_lines(&plain(raw, "headers")?, parts),
        Some(b'{') => {
            let ordered: Ordered = serde_json::from_str(raw.get()).map_err(|_| FORM)?;
            ordered
                .0
                .into_iter()
                .try_for_each(|(name, value)| add_header(&name, value, parts))
        }
        Some(b'[') => {
            let pairs: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| FORM)?;
            pairs.into_iter().try_for_each(|pair| {
                if pair.get().starts_with('{') {
                    let NameAndValue { name, value } =
                        serde_json::from_str(pair.get()).map_err(|_| FORM)?;
                    return add_header(&name, value, parts);
                }
                let (name, value): (Cow<str>, &RawValue) =
                    serde_json::from_str(pair.get()).map_err(|_| FORM)?;
                add_header(&name, value, parts)
            })
        }
        _ => Err(FORM.into()),
    }
}

fn add_header(name: &str, value: &RawValue, parts: &mut ContentParts) -> Result<(), NotRead> {
    match value.get().as_bytes().first() {
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| FORM)?;
            values.into_iter().try_for_each(|value| {
                parts.add_header(name.as_bytes(), plain(value, "header")?.as_bytes())?;
                Ok(())
            })
        }
        _ if value.get() == "null" => Ok(()),
        _ => {
            parts.add_header(name.as_bytes(), plain(value, "header")?.as_bytes())?;
            Ok(())
        }
    }
}

#[derive(serde::Deserialize)]
struct NameAndValue<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The members of an object in their order.
struct Ordered<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Ordered<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Ordered<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Ordered<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push((member.0.into(), member.1));
                }
                Ok(Ordered(members))
            }
        }
        from.deserialize_map(Members)
    }
}
