use super::json;
use serde_json::Value;
use std::cell::OnceCell;
use std::fmt;
use std::ops::RangeInclusive;
use ureq::http::HeaderMap;

/// Any status that an HTTP answer can have.
pub(super) const STATUSES: RangeInclusive<u16> = 100..=999;

/// A condition on an answer. It displays as it is typed.
///
/// A new kind of condition is a file with its type and its `read`, and one row in [`KINDS`](super::rules::KINDS).
pub(super) trait Condition: fmt::Debug + fmt::Display + Send + Sync {
    /// The statuses with which the condition can hold.
    fn statuses(&self) -> RangeInclusive<u16> {
        STATUSES
    }

    /// The last part of an answer that must have been read to decide the condition.
    fn needs(&self) -> Needs {
        Needs::Status
    }

    /// Whether the condition holds for an answer that has one of its statuses.
    ///
    /// # Errors
    /// It depends on a body that can't be read.
    fn holds(&self, _: &Response) -> Result<bool, Unreadable> {
        Ok(true)
    }
}

/// The parts of an answer, in the order in which they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Status,
    Headers,
    Body,
}

/// The body is too long, or in a coding that is not known, or broken. Or it is JSON, but it is nested deeper than 127
/// levels, or has a number out of range or a lone surrogate.
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
        let parsed = self.json.get_or_init(|| json::parse(self.body()?));
        parsed.as_ref().map(Option::as_ref).map_err(|error| *error)
    }
}
