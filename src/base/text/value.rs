//! Times and whole numbers in options and small grammars.
//!
//! Each function reads a text. Its error says what is allowed, as the end of a sentence that begins with the option.

use jiff::SpanRelativeTo;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// The longest time that may be given. It is short enough that no sum of times overflows.
pub const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A time of at least 1 ms.
pub fn some_time(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(1)..=MAX_DURATION,
        "from 1ms to 3650d",
    )
}

/// Reads seconds, or a time with units such as `1h30m`. `allowed` says the range in words.
pub fn time(
    text: &str,
    range: RangeInclusive<Duration>,
    allowed: &str,
) -> Result<Duration, String> {
    let text = text.trim();
    let plain = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let unit = if plain { "s" } else { "" };
    jiff::Span::from_str(&format!("{text}{unit}"))
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| format!("must be seconds, or a time such as 90s, 2m or 1h30m; {allowed}"))
}

/// A time of at least 1 ms that has no fraction of a millisecond. `limit` is `most` in words.
pub fn whole_millis(text: &str, most: Duration, limit: &str) -> Result<Duration, String> {
    let allowed = format!("from 1ms to {limit}, in whole milliseconds");
    let read = time(text, Duration::from_millis(1)..=most, &allowed)?;
    if read.subsec_nanos().is_multiple_of(1_000_000) {
        Ok(read)
    } else {
        Err(format!("must be a time {allowed}"))
    }
}

pub fn whole<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let parsed = text.trim().parse().ok();
    let (least, most) = (range.start(), range.end());
    parsed
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_milliseconds_have_no_fraction() {
        let read = |text| whole_millis(text, Duration::from_secs(60), "60s");
        for (text, millis) in [("1ms", 1), ("0.5", 500), ("60s", 60_000)] {
            assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["0", "61s", "1.5ms", "0.0015", "1us", "x"] {
            let refused = read(bad).expect_err(bad);
            assert!(
                refused.contains("from 1ms to 60s, in whole milliseconds"),
                "{refused}"
            );
        }
    }

    #[test]
    fn times_are_seconds_unless_they_have_a_unit() {
        let any = |text| time(text, Duration::ZERO..=MAX_DURATION, "");
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
            assert_eq!(any(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "", "x", "5x", "-1", "-5s", "1e3", "NaN", "inf", "s", "1 5", "3651d", "1mo",
        ] {
            assert!(any(bad).is_err(), "{bad}");
        }
    }
}
