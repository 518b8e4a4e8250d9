//! What options of several kinds may be: times, rates, whole numbers, yes or no.
//!
//! Each function reads a value or returns what it may be, as the end of a sentence that begins with the option.

use clap::builder::{OsStringValueParser, TypedValueParser};
use jiff::SpanRelativeTo;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Longer than anyone runs anything, and short enough that no sum of times overflows.
pub const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The highest steady rate, in requests per second.
pub(super) const MAX_RPS: f64 = 1_000_000.0;

/// The lowest steady rate: one request in eleven and a half days.
pub(super) const MIN_RPS: f64 = 0.000_001;

/// Any name that the system can have, an empty one too: it is refused where it is known what it is for.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

pub fn duration(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::ZERO..=MAX_DURATION,
        "0 or more, at most 3650d",
    )
}

pub fn some_time(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(1)..=MAX_DURATION,
        "from 1ms to 3650d",
    )
}

pub fn timeout(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(1)..=Duration::from_secs(3600),
        "from 1ms to 1h",
    )
}

/// Plain numbers are seconds.
pub fn time(
    text: &str,
    range: RangeInclusive<Duration>,
    allowed: &str,
) -> Result<Duration, String> {
    let text = text.trim();
    let plain = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let with_unit = if plain {
        format!("{text}s")
    } else {
        text.to_owned()
    };
    jiff::Span::from_str(&with_unit)
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| format!("must be seconds, or a time such as 90s, 2m or 1h30m; {allowed}"))
}

pub fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("must be true, false, 1, 0, yes or no".to_owned()),
    }
}

pub fn whole<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let parsed = text
        .trim()
        .parse()
        .ok()
        .filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    parsed.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_unless_they_have_a_unit() {
        for (text, millis) in [
            ("60", 60_000),
            ("0.5", 500),
            ("90s", 90_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
            (" 5 ", 5_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "", "x", "5x", "-1", "-5s", "1e3", "NaN", "inf", "s", "1 5", "3651d", "1mo",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
