//! The numbers that thresholds compare with. Each function reads one, exactly.

use super::range::Ratio;
use crate::base::text::{
    Cursor, Decimal, MAX_DURATION, NotATime, SyntaxError, UNITS_OF_TIME, time_with_units,
    unit_of_rate,
};

/// Reads a whole number.
pub(super) fn whole(cursor: &mut Cursor) -> Result<Ratio, SyntaxError> {
    let number = cursor.take(cursor.peek_number());
    let value: Result<u64, _> = number.text.parse();
    value
        .map(Ratio::whole)
        .map_err(|_| number.error("must be a whole number such as 10"))
}

/// Reads a percentage, up to 100 %.
pub(super) fn percentage(cursor: &mut Cursor) -> Result<Ratio, SyntaxError> {
    const FORM: &str = "must be a share from 0% to 100%, with at most 9 decimals, such as 0.1%";
    const ALL: u64 = 100 * 1_000_000_000;
    let number = cursor.take(cursor.peek_number());
    let part = Decimal::parse(number.text)
        .and_then(|percent| percent.times(ALL / 100))
        .filter(|part| *part <= ALL.into())
        .ok_or_else(|| number.error(FORM))?;
    cursor.symbol("%", number.text)?;
    Ok(Ratio {
        over: part,
        under: ALL.into(),
    })
}

/// Reads a number of requests per second, minute or hour; the value is per second.
pub(super) fn rate(cursor: &mut Cursor) -> Result<Ratio, SyntaxError> {
    const FORM: &str =
        "must be a rate up to 1000000000/s, with at most 6 decimals, such as 1.7/s or 100/m";
    const MICRO: u64 = 1_000_000;
    let number = cursor.take(cursor.peek_number());
    let micro = Decimal::parse(number.text)
        .and_then(|rate| rate.times(MICRO))
        .filter(|micro| *micro <= u128::from(1_000_000_000 * MICRO))
        .ok_or_else(|| number.error(FORM))?;
    cursor.symbol("/", number.text)?;
    let word = cursor.take(cursor.peek_word());
    let seconds = unit_of_rate(word.text).ok_or_else(|| word.error("must be one of s, m, h"))?;
    Ok(Ratio {
        over: micro,
        under: u128::from(MICRO * seconds),
    })
}

/// Reads one or more numbers with units of time, each smaller than the one before; the value is in nanoseconds.
pub(super) fn time(cursor: &mut Cursor) -> Result<Ratio, SyntaxError> {
    const FORM: &str =
        "must be a time up to 3650d, in whole nanoseconds, such as 50ms, 1.5s or 100us";
    let first = cursor.peek_number();
    let sum = time_with_units(cursor, Decimal::times).map_err(|wrong| match wrong {
        NotATime::Number(number) => number.error(FORM),
        NotATime::NoUnit(word) | NotATime::Unit(word) => {
            word.error(format!("must be a unit of time: {UNITS_OF_TIME}"))
        }
        NotATime::Order(word) => word.error("must be a smaller unit of time than the one before"),
    })?;
    if sum > MAX_DURATION.as_nanos() {
        return Err(first.error(FORM));
    }
    Ok(Ratio::whole(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_different_units_are_compared_by_value() {
        let rate = |text| rate(&mut Cursor::new(text)).unwrap();
        assert_eq!(rate("60/m"), rate("1/s"));
        assert_eq!(rate("60/min"), rate("3600/hour"));
        assert!(rate("1/s") > rate("3599/h"));
    }

    #[test]
    fn times_are_exact() {
        for (text, nanos) in [
            ("0.05s", 50_000_000u64),
            ("100 us", 100_000),
            ("100µs", 100_000),
            ("100μs", 100_000),
            ("1m30s", 90_000_000_000),
            ("1 min 30 sec", 90_000_000_000),
            ("1s 5ms", 1_005_000_000),
            ("0ns", 0),
        ] {
            let value = time(&mut Cursor::new(text)).expect(text);
            assert_eq!(value, Ratio::whole(nanos), "{text}");
        }
    }
}
