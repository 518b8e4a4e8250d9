use super::reader::{Reader, SyntaxError};
use std::fmt;
use std::ops::RangeInclusive;

/// Any status that an HTTP answer can have.
pub(super) const STATUSES: RangeInclusive<u16> = 100..=999;

/// `200`, or `200-299` with both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statuses(pub RangeInclusive<u16>);

impl Statuses {
    /// Reads on at a digit.
    pub fn read(reader: &mut Reader<'_>) -> Result<Statuses, SyntaxError> {
        let place = reader.place();
        let word = reader.word();
        let code = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            let code = text.parse().ok().filter(|_| digits);
            code.filter(|code| STATUSES.contains(code))
        };
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        match (code(first), code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Statuses(first..=last)),
            (Some(_), Some(_)) => {
                Err(reader.error_at(place, format!("the range {word} begins after its end")))
            }
            _ => Err(reader.error_at(
                place,
                format!("{word} is no status from 100 to 999, nor a range of them"),
            )),
        }
    }

    pub fn overlaps(&self, other: &Statuses) -> bool {
        self.0.start() <= other.0.end() && other.0.start() <= self.0.end()
    }

    pub fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        match first == last {
            true => write!(f, "{first}"),
            false => write!(f, "{first}-{last}"),
        }
    }
}
