//! Times as access logs write them.

use crate::core::recorded::{Unit, nanoseconds};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::{Timestamp, tz};

/// How a variable writes an instant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LogTime {
    form: Form,
    /// Whether a request has this instant when it ends, and not when it begins.
    is_end: bool,
    /// Whether the server writes a fraction of a second. What a line has counts more.
    has_fraction: bool,
}

/// An instant of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    /// Nanoseconds since 1970.
    pub nanos: u64,
    /// Whether it was written with a fraction of a second, also with one of zeros.
    pub has_fraction: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// A number since 1970.
    Number(Unit),
    /// RFC 3339.
    Iso,
    /// A pattern for `strptime`, with a time zone or in UTC.
    Pattern(String),
}

const SECOND: u64 = 1_000_000_000;

impl LogTime {
    /// nginx's `$msec`.
    pub fn msec() -> LogTime {
        LogTime {
            form: Form::Number(Unit::Seconds),
            is_end: true,
            has_fraction: true,
        }
    }

    /// nginx's `$time_iso8601`.
    pub fn iso8601() -> LogTime {
        LogTime {
            form: Form::Iso,
            is_end: true,
            has_fraction: false,
        }
    }

    /// nginx's `$time_local`.
    pub fn local() -> LogTime {
        LogTime {
            form: Form::Pattern("%d/%b/%Y:%H:%M:%S %z".to_owned()),
            is_end: true,
            has_fraction: false,
        }
    }

    /// Envoy's `%START_TIME%`, with the form in its parentheses, if it has one.
    ///
    /// # Errors
    /// The form is not supported.
    pub fn start_time(form: Option<&str>) -> Result<LogTime, String> {
        let (form, has_fraction) = match form {
            None => (Form::Iso, true),
            Some("%s") => (Form::Number(Unit::Seconds), false),
            Some("%s.%3f" | "%s.%6f" | "%s.%9f") => (Form::Number(Unit::Seconds), true),
            Some("%s%3f") => (Form::Number(Unit::Milliseconds), true),
            Some("%s%6f") => (Form::Number(Unit::Microseconds), true),
            Some("%s%9f") => (Form::Number(Unit::Nanoseconds), true),
            Some(form) => {
                let fraction = [
                    "%1f", "%2f", "%3f", "%4f", "%5f", "%6f", "%7f", "%8f", "%9f", "%f",
                ];
                let has_fraction = fraction.iter().any(|fraction| form.contains(fraction));
                let plain = fraction
                    .iter()
                    .fold(form.to_owned(), |form, one| form.replace(one, "%f"));
                (Form::Pattern(plain), has_fraction)
            }
        };
        let time = LogTime {
            form,
            is_end: false,
            has_fraction,
        };
        if let Form::Pattern(form) = &time.form {
            let written = jiff::fmt::strtime::format(
                form,
                &Timestamp::UNIX_EPOCH.to_zoned(tz::TimeZone::UTC),
            );
            let read = written.ok().and_then(|text| time.read(text.as_bytes()));
            let is_read = read.is_some_and(|read| read.nanos == 0);
            if !is_read {
                return Err(format!(
                    "must have a date and a time in %START_TIME({})%, or no parentheses at all",
                    form.replace("%f", "%3f")
                ));
            }
        }
        Ok(time)
    }

    /// Whether the server writes a fraction of a second.
    pub fn has_fraction(&self) -> bool {
        self.has_fraction
    }

    /// The instant in a line. `None` if this is no such time.
    pub fn read(&self, text: &[u8]) -> Option<Instant> {
        let text = str::from_utf8(text).ok()?;
        let (nanos, has_fraction) = match &self.form {
            Form::Number(Unit::Seconds) => {
                (nanoseconds(text, Unit::Seconds).ok()?, has_decimals(text))
            }
            Form::Number(unit) => (nanoseconds(text, *unit).ok()?, true),
            Form::Iso if !text.contains('T') => return None,
            Form::Iso => (nanoseconds(text, Unit::Seconds).ok()?, has_decimals(text)),
            Form::Pattern(form) => (with_pattern(form, text)?, self.has_fraction),
        };
        Some(Instant {
            nanos,
            has_fraction,
        })
    }

    /// The start of a request with this instant that took so many nanoseconds.
    pub fn start(&self, at: Instant, took: u64) -> u64 {
        if !self.is_end || took == 0 {
            return at.nanos;
        }
        // A whole second stands for any instant in it, of which the middle is the best guess.
        let end = if at.has_fraction {
            at.nanos
        } else {
            at.nanos + SECOND / 2
        };
        end.saturating_sub(took)
    }
}

/// Whether a time has a digit behind its decimal point.
fn has_decimals(text: &str) -> bool {
    let fraction = text.split_once(['.', ',']);
    fraction.is_some_and(|(_, fraction)| fraction.starts_with(|c: char| c.is_ascii_digit()))
}

/// The instant of a text with this pattern, in nanoseconds since 1970, up to the year 2262 as in other forms.
fn with_pattern(pattern: &str, text: &str) -> Option<u64> {
    let read = BrokenDownTime::parse(pattern, text).ok()?;
    let timestamp = match read.offset() {
        Some(_) => read.to_timestamp().ok()?,
        None => {
            let read = read.to_datetime().ok()?;
            read.to_zoned(tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    let nanos = i64::try_from(timestamp.as_nanosecond()).ok()?;
    u64::try_from(nanos).ok()
}

/// A number of seconds, in nanoseconds.
pub(super) fn seconds(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    nanoseconds(text, Unit::Seconds).ok().filter(|_| is_number)
}
