//! Instants and durations as logs write them.

use jiff::Timestamp;
use strum::{Display, EnumString, VariantArray};

/// The unit of a number in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, VariantArray)]
pub enum Unit {
    #[strum(serialize = "s")]
    Seconds,
    #[strum(serialize = "ms")]
    Milliseconds,
    #[strum(serialize = "us")]
    Microseconds,
    #[strum(serialize = "ns")]
    Nanoseconds,
}

/// A time in nanoseconds, and the step in which it was written. Whole nanoseconds are exact: their step is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub nanos: u64,
    pub step: u64,
}

/// The greatest number of nanoseconds that a log may have, 292 years. The sum of two does not overflow.
const MOST: u64 = i64::MAX as u64;

impl Unit {
    /// The decimals of this unit that are whole nanoseconds.
    fn decimals(self) -> i64 {
        match self {
            Unit::Seconds => 9,
            Unit::Milliseconds => 6,
            Unit::Microseconds => 3,
            Unit::Nanoseconds => 0,
        }
    }

    /// The unit that a column's name ends with, such as `sent_ns`; seconds if there is none.
    pub fn of_column(name: &str) -> Unit {
        let end = name.rsplit_once('_').map_or("", |(_, end)| end);
        end.parse().unwrap_or(Unit::Seconds)
    }
}

/// Reads a number in this unit, or an instant as in RFC 3339. The error is the end of a sentence that begins with the
/// text.
pub(super) fn instant(text: &str, unit: Unit) -> Result<Written, String> {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && !text.contains([':', 'T', 't']);
    if is_number {
        return duration(text, unit);
    }
    let Ok(timestamp) = text.parse::<Timestamp>() else {
        return Err(format!(
            "is neither a number ({unit}) nor an instant such as 2026-01-31T12:00:00.123Z"
        ));
    };
    let nanos = u64::try_from(timestamp.as_nanosecond());
    let nanos = nanos.ok().filter(|nanos| *nanos <= MOST);
    let fraction = text.split_once(['.', ',']).map_or("", |(_, end)| end);
    let decimals = fraction.bytes().take_while(u8::is_ascii_digit).count();
    Ok(Written {
        nanos: nanos.ok_or("is not between 1970 and 2262")?,
        step: step(Unit::Seconds, decimals as i64),
    })
}

/// Reads a number in this unit, or an instant as in RFC 3339 since 1970, in nanoseconds, rounded down.
///
/// # Errors
/// It is neither. The error is the end of a sentence that begins with the text.
pub fn nanoseconds(text: &str, unit: Unit) -> Result<u64, String> {
    instant(text, unit).map(|written| written.nanos)
}

/// Reads a number in this unit. The error is the end of a sentence that begins with the text.
pub(super) fn duration(text: &str, unit: Unit) -> Result<Written, String> {
    let not_a_number = || format!("is not a number ({unit})");
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| not_a_number())?;
    let is_negative = mantissa.starts_with('-');
    let number = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let decimals = fraction.len() as i64 - i64::from(exponent);
    let nanos = shifted(&digits, unit.decimals() - decimals)
        .ok_or_else(|| format!("is more than 292 years if its unit is {unit}"))?;
    if is_negative && digits.bytes().any(|digit| digit != b'0') {
        return Err("is less than 0".to_owned());
    }
    Ok(Written {
        nanos,
        step: step(unit, decimals),
    })
}

/// The number with these digits, times 10^`places`, rounded down; `None` if it is too large.
fn shifted(digits: &str, places: i64) -> Option<u64> {
    let digits = digits.trim_start_matches('0');
    let len = i64::try_from(digits.len()).ok()?;
    match len + places {
        _ if digits.is_empty() => Some(0),
        ..=0 => Some(0),
        20.. => None,
        // A rounded number keeps its first digits.
        kept if kept <= len => digits[..kept as usize].parse().ok(),
        _ => {
            let number: u64 = digits.parse().ok()?;
            number.checked_mul(10u64.pow(places as u32))
        }
    }
    .filter(|nanos| *nanos <= MOST)
}

/// The nanoseconds between two numbers that differ by one in the last decimal. One nanosecond or less is exact.
fn step(unit: Unit, decimals: i64) -> u64 {
    // `1e3` may have been written for 1000.
    let places = unit.decimals() - decimals.max(0);
    match u32::try_from(places) {
        Ok(places) if places > 0 => 10u64.pow(places),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR_2026: u64 = 1_767_225_600_000_000_000;

    #[test]
    fn a_number_is_read_exactly_with_the_step_in_which_it_is_written() {
        for (text, unit, nanos, step) in [
            ("0", Unit::Nanoseconds, 0, 0),
            ("1767225600000000001", Unit::Nanoseconds, YEAR_2026 + 1, 0),
            (
                "1767225600.123",
                Unit::Seconds,
                YEAR_2026 + 123_000_000,
                1_000_000,
            ),
            (
                "1767225600.123456789",
                Unit::Seconds,
                YEAR_2026 + 123_456_789,
                0,
            ),
            ("1.7672256e9", Unit::Seconds, YEAR_2026, 1_000_000_000),
            ("1767225600000", Unit::Milliseconds, YEAR_2026, 1_000_000),
            ("12.5", Unit::Microseconds, 12_500, 100),
            ("0.0000000019", Unit::Seconds, 1, 0),
            ("5e-3", Unit::Seconds, 5_000_000, 1_000_000),
            (".5", Unit::Milliseconds, 500_000, 100_000),
            ("-0", Unit::Seconds, 0, 1_000_000_000),
            ("0e300", Unit::Seconds, 0, 1_000_000_000),
            ("1e-300", Unit::Seconds, 0, 0),
        ] {
            let written = Written { nanos, step };
            assert_eq!(instant(text, unit), Ok(written), "{text}");
        }
    }

    #[test]
    fn an_instant_is_read_with_its_offset_and_its_decimals() {
        for (text, nanos, step) in [
            ("2026-01-01T00:00:00Z", YEAR_2026, 1_000_000_000),
            (
                "2026-01-01T02:00:00.250+02:00",
                YEAR_2026 + 250_000_000,
                1_000_000,
            ),
            ("2026-01-01 00:00:00.000000001Z", YEAR_2026 + 1, 0),
        ] {
            let written = Written { nanos, step };
            assert_eq!(instant(text, Unit::Seconds), Ok(written), "{text}");
        }
    }

    #[test]
    fn a_time_that_can_not_be_read_is_refused_with_its_reason() {
        for (text, reason) in [
            (
                "",
                "is neither a number (s) nor an instant such as 2026-01-31T12:00:00.123Z",
            ),
            (
                "noon",
                "is neither a number (s) nor an instant such as 2026-01-31T12:00:00.123Z",
            ),
            ("1.2.3", "is not a number (s)"),
            ("-", "is not a number (s)"),
            ("1e", "is not a number (s)"),
            ("1e99999999999", "is not a number (s)"),
            ("-1", "is less than 0"),
            ("1e300", "is more than 292 years if its unit is s"),
            ("1767225600000", "is more than 292 years if its unit is s"),
            ("1960-01-01T00:00:00Z", "is not between 1970 and 2262"),
        ] {
            assert_eq!(
                instant(text, Unit::Seconds),
                Err(reason.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_column_may_name_its_unit() {
        for (name, unit) in [
            ("sent_ns", Unit::Nanoseconds),
            ("took_ms", Unit::Milliseconds),
            ("ms", Unit::Seconds),
            ("request_time", Unit::Seconds),
        ] {
            assert_eq!(Unit::of_column(name), unit, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_or_refused(text in "[-+.0-9eETZ: ]{0,30}|.{0,30}") {
            for unit in Unit::VARIANTS {
                let _ = (instant(&text, *unit), duration(&text, *unit));
            }
        }
    }
}
