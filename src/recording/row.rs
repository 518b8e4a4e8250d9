use crate::report::reason;
use std::borrow::Cow;
use std::io;

/// Some editors put this before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest row, in bytes.
pub(super) const LONGEST_ROW: u64 = 1 << 20;

/// What is wrong with the last row of a file if it lacks its end.
pub(super) const CUT_OFF: &str =
    "the file ends in the middle of this row, as a copy does that was cut off";

/// What is wrong with a file, and on which line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub line: Option<u64>,
    pub why: String,
}

/// The cells of the columns that are read, in their order. Empty and missing cells are `None`.
pub(super) type Cells<'a> = Vec<Option<Cow<'a, str>>>;

impl Wrong {
    pub fn on(line: u64, why: impl Into<String>) -> Wrong {
        Wrong {
            line: Some(line),
            why: why.into(),
        }
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Wrong {
        Wrong { line: None, why }
    }
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Wrong {
        Wrong::from(why.to_owned())
    }
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::from(reason(&error))
    }
}
