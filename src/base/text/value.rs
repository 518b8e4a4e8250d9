//! Times and whole numbers in options and small grammars.
//!
//! Each function reads a text. Its error says what is allowed, as the end of a sentence that begins with the option.

use super::{Cursor, Decimal, NotATime, UNITS_OF_TIME, shortened, time_with_units};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// The longest time that may be given. It is short enough that no sum of times overflows.
pub const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The most characters that an error quotes of a word that is no unit.
const SHOWN: usize = 40;

/// A time of at least 1 ms.
pub fn some_time(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(1)..=MAX_DURATION,
        "from 1ms to 3650d",
    )
}

/// The end of a message about a number with a comma.
pub const POINT: &str = "write a fraction with a point, not with a comma";

/// Reads seconds, or a time with units such as `1h30m`, to the nearest nanosecond. A fraction begins with a point; a comma
/// is refused, since `1,510` may stand for either number. `allowed` says the range in words.
pub fn time(
    text: &str,
    range: RangeInclusive<Duration>,
    allowed: &str,
) -> Result<Duration, String> {
    let text = text.trim();
    let refused = || format!("must be seconds, or a time such as 90s, 2m or 1h30m; {allowed}");
    if text.contains(',') {
        return Err(format!("{}; {POINT}", refused()));
    }
    let nearest = |number: Decimal, unit| number.nearest(unit, 1).map(u128::from);
    let nanos = match Decimal::parse(text) {
        Some(seconds) => nearest(seconds, 1_000_000_000).ok_or_else(refused)?,
        None => {
            let mut cursor = Cursor::new(text);
            let read = time_with_units(&mut cursor, nearest);
            let nanos = read.map_err(|wrong| match wrong {
                NotATime::Number(_) => refused(),
                NotATime::NoUnit(_) => format!("{}; the last number has no unit", refused()),
                NotATime::Unit(word) => {
                    let word = shortened(word.text, SHOWN);
                    format!("{}; '{word}' is not {UNITS_OF_TIME}", refused())
                }
                NotATime::Order(_) => {
                    format!(
                        "{}; each unit must be smaller than the one before",
                        refused()
                    )
                }
            })?;
            if !cursor.is_at_end() {
                return Err(refused());
            }
            nanos
        }
    };
    // All nanoseconds of the longest time fit into 64 bits.
    let time = u64::try_from(nanos).ok().map(Duration::from_nanos);
    time.filter(|time| range.contains(time)).ok_or_else(refused)
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
            ("1m 30s", 90_000),
            ("1 minute 30 seconds", 90_000),
            ("1.5min", 90_000),
            ("2H", 7_200_000),
            (" 5 ", 5_000),
        ] {
            assert_eq!(any(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "", "x", "5x", "-1", "-5s", "1e3", "NaN", "inf", "s", "1 5", "3651d", "1mo", "1h30",
            "30s 1m", "1m 1m", "1m-", "1,510", "1,5s", "1h, 30m", "1,",
        ] {
            assert!(any(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wrong_unit_is_named() {
        for (text, ends) in [
            (
                "10 parsecs",
                "; 'parsecs' is not ns, us, ms, s, m, h, d or w",
            ),
            ("1h30", "; the last number has no unit"),
            ("30s 1m", "; each unit must be smaller than the one before"),
            ("0,5", "; write a fraction with a point, not with a comma"),
        ] {
            let refused = some_time(text).expect_err(text);
            assert!(refused.ends_with(ends), "{text}: {refused}");
        }
    }

    #[test]
    fn a_long_word_is_quoted_in_part() {
        let refused = some_time(&format!("1{}", "a".repeat(5_000))).expect_err("no unit");
        assert!(refused.chars().count() < 200, "{refused}");
    }
}
