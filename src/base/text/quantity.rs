//! Times and rates with units, as every option and every small grammar reads them: `1m 30s`, `600/m`.

use super::{Cursor, Decimal, Lexeme};

/// The units of time that error messages name.
pub const UNITS_OF_TIME: &str = "ns, us, ms, s, m, h, d or w";

const SECOND: u64 = 1_000_000_000;

/// The length of a unit of time, in nanoseconds. Case does not matter. `None` if the word is not a unit.
pub fn unit_of_time(word: &str) -> Option<u64> {
    Some(match &*word.to_lowercase() {
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => 1,
        // The micro sign, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" | "usec" | "microsecond" | "microseconds" => 1_000,
        "ms" | "msec" | "millisecond" | "milliseconds" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => 24 * 3_600 * SECOND,
        "w" | "week" | "weeks" => 7 * 24 * 3_600 * SECOND,
        _ => return None,
    })
}

/// The seconds of a unit that a rate may be per: a second, a minute or an hour.
pub fn unit_of_rate(word: &str) -> Option<u64> {
    let seconds = unit_of_time(word)? / SECOND;
    [1, 60, 3_600].contains(&seconds).then_some(seconds)
}

/// The reason why a text is not a time, and the place of the mistake.
#[derive(Debug, Clone, Copy)]
pub enum NotATime<'a> {
    /// There is no number where one should be, or its value is not allowed.
    Number(Lexeme<'a>),
    /// There is no unit after a number.
    NoUnit(Lexeme<'a>),
    /// A word is not a unit.
    Unit(Lexeme<'a>),
    /// A unit is not smaller than the one before.
    Order(Lexeme<'a>),
}

/// Reads one or more numbers with units of time, each unit smaller than the one before. `nanos` multiplies a number with
/// its unit, or refuses it.
pub fn time_with_units<'a>(
    cursor: &mut Cursor<'a>,
    nanos: impl Fn(Decimal, u64) -> Option<u128>,
) -> Result<u128, NotATime<'a>> {
    let (mut sum, mut smallest) = (0u128, u64::MAX);
    loop {
        let number = cursor.take(cursor.peek_number());
        let value = Decimal::parse(number.text).ok_or(NotATime::Number(number))?;
        let word = cursor.peek_letters();
        if word.is_empty() {
            return Err(NotATime::NoUnit(word));
        }
        let unit = unit_of_time(word.text).ok_or(NotATime::Unit(word))?;
        if unit >= smallest {
            return Err(NotATime::Order(word));
        }
        cursor.take(word);
        smallest = unit;
        let part = nanos(value, unit).ok_or(NotATime::Number(number))?;
        sum = sum.saturating_add(part);
        let next = cursor.peek_number().text;
        if !next.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_short_and_long_names() {
        for (word, nanos) in [("ms", 1_000_000), ("MIN", 60 * SECOND), ("µs", 1_000)] {
            assert_eq!(unit_of_time(word), Some(nanos), "{word}");
        }
        assert_eq!(unit_of_time("mo"), None);
        for (word, seconds) in [("s", 1), ("min", 60), ("hour", 3_600)] {
            assert_eq!(unit_of_rate(word), Some(seconds), "{word}");
        }
        for word in ["ms", "d", "", "x"] {
            assert_eq!(unit_of_rate(word), None, "{word}");
        }
    }
}
