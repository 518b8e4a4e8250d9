use super::condition::{Condition, STATUSES};
use super::words::peek_word;
use crate::base::text::{Cursor, SyntaxError};
use std::fmt;
use std::ops::RangeInclusive;

/// `200`, or `200-299` with both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusCondition(pub RangeInclusive<u16>);

impl StatusCondition {
    /// Reads a condition that begins with a digit.
    pub fn read(cursor: &mut Cursor) -> Result<StatusCondition, SyntaxError> {
        let word = cursor.take(peek_word(cursor));
        let code = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            let code = text.parse().ok().filter(|_| digits);
            code.filter(|code| STATUSES.contains(code))
        };
        let text = word.text;
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (Some(first), Some(last)) = (code(first), code(last)) else {
            let what = format!("{text} is not a status from 100 to 999 or a range of them");
            return Err(word.error(what));
        };
        if first > last {
            return Err(word.error(format!("the range {text} begins after its end")));
        }
        Ok(StatusCondition(first..=last))
    }
}

impl Condition for StatusCondition {
    fn statuses(&self) -> RangeInclusive<u16> {
        self.0.clone()
    }
}

impl fmt::Display for StatusCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last {
            write!(f, "{first}")
        } else {
            write!(f, "{first}-{last}")
        }
    }
}
