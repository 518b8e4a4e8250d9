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
    is_whole_seconds: bool,
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
            is_whole_seconds: false,
        }
    }

    /// nginx's `$time_iso8601`.
    pub fn iso8601() -> LogTime {
        LogTime {
            form: Form::Iso,
            is_end: true,
            is_whole_seconds: true,
        }
    }

    /// nginx's `$time_local`.
    pub fn local() -> LogTime {
        LogTime {
            form: Form::Pattern("%d/%b/%Y:%H:%M:%S %z".to_owned()),
            is_end: true,
            is_whole_seconds: true,
        }
    }

    /// Envoy's `%START_TIME%`, with the form in its parentheses, if it has one.
    ///
    /// # Errors
    /// The form is not supported.
    pub fn start_time(form: Option<&str>) -> Result<LogTime, String> {
        let (form, is_whole_seconds) = match form {
            None => (Form::Iso, false),
            Some("%s") => (Form::Number(Unit::Seconds), true),
            Some("%s.%3f" | "%s.%6f" | "%s.%9f") => (Form::Number(Unit::Seconds), false),
            Some("%s%3f") => (Form::Number(Unit::Milliseconds), false),
            Some("%s%6f") => (Form::Number(Unit::Microseconds), false),
            Some("%s%9f") => (Form::Number(Unit::Nanoseconds), false),
            Some(form) => {
                let fraction = [
                    "%1f", "%2f", "%3f", "%4f", "%5f", "%6f", "%7f", "%8f", "%9f", "%f",
                ];
                let has_fraction = fraction.iter().any(|fraction| form.contains(fraction));
                let plain = fraction
                    .iter()
                    .fold(form.to_owned(), |form, one| form.replace(one, "%f"));
                (Form::Pattern(plain), !has_fraction)
            }
        };
        let time = LogTime {
            form,
            is_end: false,
            is_whole_seconds,
        };
        if let Form::Pattern(form) = &time.form {
            let written = jiff::fmt::strtime::format(
                form,
                &Timestamp::UNIX_EPOCH.to_zoned(tz::TimeZone::UTC),
            );
            let is_read = written.is_ok_and(|text| time.read(text.as_bytes()) == Some(0));
            if !is_read {
                return Err(format!(
                    "must have a date and a time in %START_TIME({})%, or no parentheses at all",
                    form.replace("%f", "%3f")
                ));
            }
        }
        Ok(time)
    }

    pub fn is_whole_seconds(&self) -> bool {
        self.is_whole_seconds
    }

    /// Nanoseconds since 1970. `None` if this is no such time.
    pub fn read(&self, text: &[u8]) -> Option<u64> {
        let text = str::from_utf8(text).ok()?;
        match &self.form {
            Form::Number(unit) => nanoseconds(text, *unit).ok(),
            Form::Iso => nanoseconds(text, Unit::Seconds)
                .ok()
                .filter(|_| text.contains('T')),
            Form::Pattern(form) => {
                let read = BrokenDownTime::parse(form, text).ok()?;
                let timestamp = match read.offset() {
                    Some(_) => read.to_timestamp().ok()?,
                    None => read
                        .to_datetime()
                        .ok()?
                        .to_zoned(tz::TimeZone::UTC)
                        .ok()?
                        .timestamp(),
                };
                u64::try_from(timestamp.as_nanosecond()).ok()
            }
        }
    }

    /// The start of a request with this instant that took so many nanoseconds.
    pub fn start(&self, at: u64, took: u64) -> u64 {
        if !self.is_end || took == 0 {
            return at;
        }
        // A whole second stands for any instant in it, of which the middle is the best guess.
        let end = if self.is_whole_seconds {
            at + SECOND / 2
        } else {
            at
        };
        end.saturating_sub(took)
    }
}

/// A number of seconds, in nanoseconds.
pub(super) fn seconds(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    nanoseconds(text, Unit::Seconds).ok().filter(|_| is_number)
}
