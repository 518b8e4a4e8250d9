//! The request of one row.

use super::super::row::Wrong;
use super::columns::plain;
use crate::core::log_format::first_line;
use crate::core::recorded::{Unit, nanoseconds};
use crate::core::replay::{ContentParts, NotSendable};

/// A request of a file.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Counted from 1.
    pub line: u64,
    /// In nanoseconds since 1970, or since any other instant that the file has in common.
    pub at: u64,
    pub parts: ContentParts,
    pub key: Option<String>,
    /// Whether it is none: the audit of a run sent it, and not its load, or the row is about something else.
    pub is_no_load: bool,
}

/// Where a row has the key of its request.
#[derive(Debug, Clone)]
pub(super) enum KeyFrom {
    /// A column `key`, if there is one.
    Default,
    Column(String),
    /// The first header of this name, in lower case.
    Header(String),
}

impl KeyFrom {
    pub fn new(text: Option<&str>) -> KeyFrom {
        match text {
            None => KeyFrom::Default,
            Some(text) => match text.strip_prefix("header:") {
                Some(name) => KeyFrom::Header(name.trim().to_ascii_lowercase()),
                None => KeyFrom::Column(text.to_owned()),
            },
        }
    }

    /// Whether the key is in the column of this name.
    pub fn is_column(&self, name: &str) -> bool {
        match self {
            KeyFrom::Default => plain(name) == "key",
            KeyFrom::Column(column) => column == name || plain(column) == plain(name),
            KeyFrom::Header(_) => false,
        }
    }

    pub fn is_given(&self) -> bool {
        !matches!(self, KeyFrom::Default)
    }

    /// The key in a header.
    pub fn in_header(&self, parts: &ContentParts) -> Option<String> {
        let KeyFrom::Header(wanted) = self else {
            return None;
        };
        let mut headers = parts.headers.iter();
        let (_, value) = headers.find(|(name, _)| name.as_str() == wanted)?;
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Some(value).filter(|value| !value.is_empty())
    }
}

/// The word of `--requests` for a request of the audit's own, which is not one of the load.
pub(super) const PROBE: &str = "probe";
/// The only metric of k6 whose rows are requests.
pub(super) const K6_REQUESTS: &str = "http_reqs";

/// The instant in a column of this name.
pub(super) fn time(name: &str, unit: Unit, text: Option<&str>) -> Result<u64, NotRead> {
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or_else(|| NotRead(format!("it has no {name}")))?;
    let shown = crate::base::text::shortened(text, 40);
    nanoseconds(text, unit).map_err(|why| {
        let hint = match unit {
            Unit::Seconds if why.contains("its unit is s") => {
                format!("; the column's name may end with the unit, such as {name}_ms")
            }
            _ => String::new(),
        };
        NotRead(format!("its {name} {shown} {why}{hint}"))
    })
}

/// Takes a method and a path from a request's first line, where the row has none of its own, and a query that the path lacks.
pub(super) fn complete(
    parts: &mut ContentParts,
    line: Option<&[u8]>,
    query: Option<&[u8]>,
) -> Result<(), NotRead> {
    if let Some(line) = line
        && (parts.method.is_none() || parts.path.is_none())
    {
        let (method, path) = first_line(line)?;
        if parts.method.is_none() {
            parts.set_method(method)?;
        }
        if parts.path.is_none() {
            parts.set_path(path)?;
        }
    }
    match query.map(|query| query.strip_prefix(b"?").unwrap_or(query)) {
        Some(query) if !query.is_empty() && parts.path.is_some() => Ok(parts.add_query(query)?),
        _ => Ok(()),
    }
}

/// Adds headers that are written as lines `Name: value`.
pub(super) fn add_header_lines(text: &str, parts: &mut ContentParts) -> Result<(), NotRead> {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        // The names of HTTP/2 begin with a colon.
        let colon = line.char_indices().skip(1).find(|(_, c)| *c == ':');
        let (name, value) = colon
            .map(|(place, _)| (&line[..place], &line[place + 1..]))
            .ok_or_else(|| {
                NotRead(
                    "its headers are neither lines such as `Name: value` nor a JSON object"
                        .to_owned(),
                )
            })?;
        parts.add_header(name.trim().as_bytes(), value.as_bytes())?;
    }
    Ok(())
}

/// The reason why a row can't be read: the end of a sentence that begins with its line.
#[derive(Debug)]
pub(super) struct NotRead(pub String);

impl NotRead {
    pub fn on(self, line: u64) -> Wrong {
        Wrong::on(line, self.0)
    }
}

impl From<NotSendable> for NotRead {
    fn from(error: NotSendable) -> NotRead {
        NotRead(error.to_string())
    }
}

impl From<&str> for NotRead {
    fn from(why: &str) -> NotRead {
        NotRead(why.to_owned())
    }
}
