//! The request of one row, and the names of the columns of its parts.

use super::super::row::Wrong;
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
    /// Whether the audit of another run sent it, and not its load.
    pub is_of_a_probe: bool,
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

    /// The column; `None` if the key is in a header.
    pub fn column(&self) -> Option<&str> {
        match self {
            KeyFrom::Default => Some("key"),
            KeyFrom::Column(name) => Some(name),
            KeyFrom::Header(_) => None,
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

/// The names of the column with the time, in the order of preference. Each may have the unit of its numbers behind it, as in
/// `time_ms`. `due_ns` is that of `--requests`.
pub(super) const TIMES: [&str; 6] = ["time", "timestamp", "@timestamp", "ts", "start_time", "due"];
pub(super) const METHODS: [&str; 3] = ["method", "request_method", "http_method"];
pub(super) const PATHS: [&str; 4] = ["path", "url", "uri", "request_uri"];
pub(super) const HEADERS: [&str; 3] = ["headers", "header", "request_headers"];
pub(super) const BODIES: [&str; 2] = ["body", "request_body"];
/// The column of `--requests` that says who sent a request, and its word for the audit's own.
pub(super) const SOURCE: (&str, &str) = ("source", "probe");

/// Whether a column of this name has the time.
pub(super) fn is_time_column(name: &str) -> bool {
    time_rank(name).is_some()
}

/// The place of a column's name among those of a time; lower ones are preferred.
pub(super) fn time_rank(name: &str) -> Option<usize> {
    let without_unit = name
        .rsplit_once('_')
        .filter(|(_, unit)| unit.parse::<Unit>().is_ok());
    let base = without_unit.map_or(name, |(base, _)| base);
    TIMES.iter().position(|time| *time == base || *time == name)
}

/// The instant in a column of this name.
pub(super) fn time(name: &str, text: Option<&str>) -> Result<u64, NotRead> {
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or_else(|| NotRead(format!("it has no {name}")))?;
    let shown = crate::base::text::shortened(text, 40);
    nanoseconds(text, Unit::of_column(name))
        .map_err(|why| NotRead(format!("its {name} {shown} {why}")))
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
