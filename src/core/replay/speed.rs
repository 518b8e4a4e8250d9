use crate::base::Nanos;
use std::fmt;
use std::str::FromStr;

/// How many times as fast as they were recorded requests are sent, in billionths: exact for up to nine decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed(u64);

impl Speed {
    /// As recorded.
    pub const ONE: Speed = Speed(Self::UNIT);
    const UNIT: u64 = 1_000_000_000;
    const LEAST: u64 = Self::UNIT / 1_000;
    const MOST: u64 = Self::UNIT * 1_000;

    /// The first whole nanosecond at which an instant of the recording is reached. `None` if it is after [`Nanos::MAX`].
    pub fn scale(self, recorded: u128) -> Option<Nanos> {
        let scaled = recorded.checked_mul(u128::from(Self::UNIT))?;
        let nanos = scaled.div_ceil(u128::from(self.0));
        u64::try_from(nanos).ok().map(Nanos)
    }

    /// The time of the recording that passes within this time, rounded up.
    pub fn recorded_within(self, time: Nanos) -> Nanos {
        let nanos = (u128::from(time.0) * u128::from(self.0)).div_ceil(u128::from(Self::UNIT));
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// As `--speed` takes it: `2x`, `0.5x`.
impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::UNIT, self.0 % Self::UNIT);
        if rest == 0 {
            return write!(f, "{whole}x");
        }
        let decimals = format!("{rest:09}");
        write!(f, "{whole}.{}x", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Speed, &'static str> {
        const FORM: &str =
            "must be a factor from 0.001x to 1000x with at most nine decimals, such as 2x or 0.5x";
        let text = text.trim();
        let number = text
            .strip_suffix(['x', 'X', '×'])
            .unwrap_or(text)
            .trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && decimals.is_empty()
            || !are_digits(whole)
            || !are_digits(decimals)
            || whole.len() > 9
            || decimals.len() > 9
        {
            return Err(FORM);
        }
        let billionths = format!("{whole}{decimals:0<9}").parse().map_err(|_| FORM)?;
        (Self::LEAST..=Self::MOST)
            .contains(&billionths)
            .then_some(Speed(billionths))
            .ok_or(FORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_read_as_it_is_written() {
        for (text, billionths, written) in [
            ("2x", 2_000_000_000, "2x"),
            ("0.5", 500_000_000, "0.5x"),
            (" .25X ", 250_000_000, "0.25x"),
            ("1.000000001x", 1_000_000_001, "1.000000001x"),
            ("1000×", 1_000_000_000_000, "1000x"),
            ("0.001x", 1_000_000, "0.001x"),
        ] {
            let speed: Speed = text.parse().expect(text);
            assert_eq!((speed.0, &*speed.to_string()), (billionths, written));
            assert_eq!(speed.to_string().parse(), Ok(speed));
        }
        for bad in [
            "",
            "x",
            ".",
            "0",
            "0.0009x",
            "1000.1x",
            "-1",
            "1e3",
            "2 x x",
            "two",
            "1,5",
            "1.0000000001",
            "NaN",
        ] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_divided_by_the_speed_and_rounded_up() {
        let speed: Speed = "3x".parse().unwrap();
        assert_eq!(speed.scale(10), Some(Nanos(4)));
        assert_eq!(speed.scale(9), Some(Nanos(3)));
        assert_eq!(speed.recorded_within(Nanos(4)), Nanos(12));
        let slow: Speed = "0.001x".parse().unwrap();
        assert_eq!(slow.scale(u128::from(u64::MAX)), None);
        assert_eq!(Speed::ONE.scale(u128::from(u64::MAX)), Some(Nanos::MAX));
    }
}
