//! Requests as JSON objects, one on each line.

use super::super::row::Wrong;
use super::columns::{Role, Roles};
use super::lines::Source;
use super::parsed::{
    K6_REQUESTS, KeyFrom, NotRead, PROBE, Parsed, add_header_lines, complete, time,
};
use crate::core::recorded::Unit;
use crate::core::replay::ContentParts;
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(super) struct JsonRequests {
    source: Source,
    key: KeyFrom,
    line: Vec<u8>,
    roles: Roles,
}

impl JsonRequests {
    pub fn new(source: Source, key: KeyFrom) -> JsonRequests {
        JsonRequests {
            source,
            key,
            line: Vec::new(),
            roles: Roles::default(),
        }
    }

    pub fn must_have_keys(&self) -> bool {
        self.key.is_given()
    }

    pub fn next(&mut self) -> Result<Option<Result<Parsed, Wrong>>, Wrong> {
        let line = match self.source.next_line(&mut self.line)? {
            None => return Ok(None),
            Some(Err(wrong)) => return Ok(Some(Err(wrong))),
            Some(Ok(line)) => line,
        };
        let read = read(&self.line, line, &self.key, &mut self.roles);
        Ok(Some(read.map_err(|why| why.on(line))))
    }

    pub fn into_roles(self) -> Roles {
        self.roles
    }
}

/// The members that have the parts of a request.
#[derive(Default)]
struct Found<'a> {
    time: Option<(Rank, Unit, Member<'a>)>,
    method: Option<(Rank, Member<'a>)>,
    path: Option<(Rank, Member<'a>)>,
    query: Option<(Rank, Member<'a>)>,
    headers: Option<(Rank, Member<'a>)>,
    body: Option<(Rank, Member<'a>)>,
    request: Option<(Rank, Member<'a>)>,
    source: Option<(Rank, Member<'a>)>,
    metric: Option<(Rank, Member<'a>)>,
    key: Option<&'a RawValue>,
}

/// The lowest one counts: whether it is within a `request`, the rank of its name, and the length of the name.
type Rank = (bool, usize, usize);

#[derive(Clone)]
struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a RawValue,
}

impl<'a> Found<'a> {
    /// Puts a member where it belongs, unless a better one is there.
    fn add(&mut self, member: Member<'a>, is_within: bool, key: &KeyFrom, roles: &mut Roles) {
        let (role, is_key) = roles.of(&member.name, |name| key.is_column(name));
        let is_key = is_key && !is_within;
        if is_key {
            self.key = Some(member.value);
        }
        let length = member.name.len();
        let (slot, rank) = match role {
            Some(Role::Time { rank, unit }) if !is_within => {
                let rank = (is_within, rank, length);
                let is_better = self.time.as_ref().is_none_or(|(other, ..)| rank < *other);
                let left = match is_better {
                    true => self
                        .time
                        .replace((rank, unit, member))
                        .map(|(.., left)| left),
                    false => Some(member),
                };
                if let Some(left) = left {
                    roles.leave_unread(&left.name);
                }
                return;
            }
            Some(Role::Method { rank }) => (&mut self.method, rank),
            Some(Role::Path { rank }) => (&mut self.path, rank),
            Some(Role::Query) if is_text(member.value) => (&mut self.query, 0),
            Some(Role::Headers) => (&mut self.headers, 0),
            Some(Role::Body) => (&mut self.body, 0),
            Some(Role::Request) if !is_within => (&mut self.request, 0),
            Some(Role::Source) if !is_within => (&mut self.source, 0),
            Some(Role::Metric) if !is_within => (&mut self.metric, 0),
            _ if is_key || is_within => return,
            _ => return roles.leave_unread(&member.name),
        };
        let rank = (is_within, rank, length);
        let is_better = slot.as_ref().is_none_or(|(other, _)| rank < *other);
        let left = match is_better {
            true => slot.replace((rank, member)),
            false => Some((rank, member)),
        };
        if let Some(((false, ..), left)) = left {
            roles.leave_unread(&left.name);
        }
    }
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

fn read(text: &[u8], line: u64, key: &KeyFrom, roles: &mut Roles) -> Result<Parsed, NotRead> {
    let members: Ordered = serde_json::from_slice(text)
        .map_err(|error| NotRead(format!("it is no JSON object: {}", position(&error))))?;
    let is_of_vegeta = ["attack", "latency"]
        .iter()
        .all(|name| members.0.iter().any(|(other, _)| other == name));
    let mut found = Found::default();
    for (name, value) in members.0 {
        if value.get() != "null" {
            found.add(Member { name, value }, false, key, roles);
        }
    }
    let mut first_line = None;
    if let Some((_, Member { name, value })) = found.request.take() {
        if value.get().starts_with('{') {
            let within: Ordered = serde_json::from_str(value.get())
                .map_err(|_| NotRead(format!("its {name} is no JSON object")))?;
            for (name, value) in within.0 {
                if value.get() != "null" {
                    found.add(Member { name, value }, true, key, roles);
                }
            }
        } else if is_text(value) && (found.method.is_none() || found.path.is_none()) {
            first_line = Some(plain(value, &name)?);
        } else {
            roles.leave_unread(&name);
        }
    }
    if is_of_vegeta {
        // They are those of the response.
        for (_, member) in [found.headers.take(), found.body.take()]
            .into_iter()
            .flatten()
        {
            roles.leave_unread(&member.name);
        }
    }
    let mut parts = ContentParts::default();
    let part = |found: &Option<(Rank, Member<'_>)>, name: &str| {
        let value = found.as_ref().map(|(_, member)| member.value);
        value
            .map(|value| plain(value, name).map(Cow::into_owned))
            .transpose()
    };
    if let Some(method) = part(&found.method, "method")? {
        parts.set_method(method.as_bytes())?;
    }
    if let Some(path) = part(&found.path, "path")? {
        parts.set_path(path.as_bytes())?;
    }
    let query = part(&found.query, "query")?;
    complete(
        &mut parts,
        first_line.as_ref().map(|line| line.as_bytes()),
        query.as_ref().map(|query| query.as_bytes()),
    )?;
    if let Some((_, headers)) = &found.headers {
        add_headers(headers.value, &mut parts)?;
    }
    if let Some((_, body)) = &found.body {
        parts.body = body_of(body)?;
    }
    let own_key = match found.key {
        Some(value) => Some(plain(value, "key")?.into_owned()).filter(|key| !key.is_empty()),
        None => key.in_header(&parts),
    };
    let source = part(&found.source, "source")?;
    let metric = part(&found.metric, "metric_name")?;
    let (_, unit, at) = found.time.ok_or("it has no time")?;
    roles.take_time(&at.name);
    Ok(Parsed {
        line,
        at: time(&at.name, unit, Some(&plain(at.value, &at.name)?))?,
        parts,
        key: own_key,
        is_no_load: source.is_some_and(|source| source == PROBE)
            || metric.is_some_and(|metric| metric != K6_REQUESTS),
    })
}

/// A text as it is, the text within a `postData` of HAR, or JSON as it is written.
fn body_of(body: &Member) -> Result<Option<Vec<u8>>, NotRead> {
    let raw = body.value.get();
    if super::columns::plain(&body.name) == "postdata" && raw.starts_with('{') {
        let within: PostData = serde_json::from_str(raw)
            .map_err(|_| NotRead(format!("its {} has no text", body.name)))?;
        return Ok(within.text.map(|text| text.into_owned().into_bytes()));
    }
    let text = match is_text(body.value) {
        true => plain(body.value, "body")?,
        false => raw.into(),
    };
    Ok(Some(text.into_owned().into_bytes()))
}

#[derive(serde::Deserialize)]
struct PostData<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
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
