use super::items::whole;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use ureq::http::{HeaderMap, header};

/// The value of `Retry-After` (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// The number of seconds from the answer on.
    Seconds(u64),
    /// A date, and how many seconds it is after the answer's own `Date`, if that has one; negative if before.
    Date(Option<i64>),
    /// Neither.
    Malformed(String),
}

impl RetryAfter {
    pub(super) fn of(headers: &HeaderMap) -> Option<RetryAfter> {
        let value = headers.get(header::RETRY_AFTER)?;
        let text = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        if let Some(seconds) = whole(&text) {
            return Some(RetryAfter::Seconds(seconds));
        }
        let Some(until) = date(&text) else {
            return Some(RetryAfter::Malformed(text));
        };
        let now = headers.get(header::DATE).and_then(|now| now.to_str().ok());
        let now = now.and_then(|now| date(now.trim()));
        let wait = now.map(|now| until.as_second() - now.as_second());
        Some(RetryAfter::Date(wait))
    }
}

/// An HTTP-date in any of its three forms (RFC 9110, section 5.6.7).
fn date(text: &str) -> Option<Timestamp> {
    const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text).ok().or_else(|| {
        let civil = OBSOLETE
            .iter()
            .find_map(|form| DateTime::strptime(form, text).ok())?;
        civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    })
}
