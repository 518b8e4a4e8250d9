use serde::de::IgnoredAny;
use serde_json::Value;
use std::cell::OnceCell;
use ureq::http::HeaderMap;

/// A body that can't be read: it is too long, its coding is unknown, or it can't be decoded. Or it is JSON that is needed
/// as such, but is nested deeper than 127 levels, or has a number out of range or a lone surrogate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The parts of an answer that have been read.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub headers: &'a HeaderMap,
    /// `None` if it can't be read, or has not been.
    body: Option<&'a [u8]>,
    /// Parsed when a condition needs it first.
    json: OnceCell<Result<Option<Value>, Unreadable>>,
}

impl<'a> Response<'a> {
    /// An answer whose body has not been read.
    pub fn without_body(headers: &'a HeaderMap) -> Response<'a> {
        Response::with_body(headers, None)
    }

    /// An answer whose body has been read, but not necessarily with success.
    pub fn with_body(headers: &'a HeaderMap, body: Option<&'a [u8]>) -> Response<'a> {
        Response {
            headers,
            body,
            json: OnceCell::new(),
        }
    }

    pub fn body(&self) -> Result<&'a [u8], Unreadable> {
        self.body.ok_or(Unreadable)
    }

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Result<Option<&Value>, Unreadable> {
        let parsed = self.json.get_or_init(|| parse_json(self.body()?));
        parsed.as_ref().map(Option::as_ref).map_err(|error| *error)
    }
}

/// Parses a body. Returns `Ok(None)` if it is not JSON.
///
/// A byte order mark is passed over, as [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), section 8.1, permits. If a
/// name occurs twice in an object, the last one counts.
pub(super) fn parse_json(body: &[u8]) -> Result<Option<Value>, Unreadable> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(value) => Ok(Some(value)),
        Err(_) if has_json_syntax(body) => Err(Unreadable),
        Err(_) => Ok(None),
    }
}

fn has_json_syntax(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body);
    text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}
