use crate::base::Nanos;

/// The highest number of decimals.
const MOST_DECIMALS: usize = 12;

/// Units of one quantity, the smallest first. Each has its size in the smallest, which counts whole numbers.
type Units = [(f64, &'static str)];

const TIME: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];

const MEMORY: [(f64, &str); 5] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1_048_576.0, "MiB"),
    (1_073_741_824.0, "GiB"),
    (1_099_511_627_776.0, "TiB"),
];

/// A span of time, such as `12.3 µs`.
pub fn span(nanos: Nanos) -> String {
    in_units(nanos.0 as f64, &TIME)
}

/// A span to the millisecond, such as `60.05 s`.
pub fn seconds(span: Nanos) -> String {
    let digits = format!("{:.3}", span.as_secs_f64());
    format!("{} s", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A span such as `60 s` or `3.02 s`.
pub fn whole_seconds(of: Nanos) -> String {
    const SECOND: u64 = 1_000_000_000;
    if of.0.is_multiple_of(SECOND) {
        format!("{} s", of.0 / SECOND)
    } else {
        span(of)
    }
}

/// A span that was measured over `count` requests; `-` if there were none.
pub fn span_or_dash(count: u64, nanos: Nanos) -> String {
    if count == 0 {
        return "-".to_owned();
    }
    span(nanos)
}

/// An amount of memory, such as `1.50 MiB`.
pub fn bytes(bytes: u64) -> String {
    in_units(bytes as f64, &MEMORY)
}

/// The number in the largest unit that gives at least 1 after rounding.
fn in_units(value: f64, units: &Units) -> String {
    let reaches = |pair: &&[(f64, &str)]| {
        let [(smaller, _), (larger, _)] = pair else {
            return false;
        };
        value / smaller >= larger / smaller - 0.5
    };
    let place = units.windows(2).take_while(reaches).count();
    let (size, unit) = units[place];
    let number = match place {
        0 => value.to_string(),
        _ => three_digits(value / size),
    };
    format!("{number} {unit}")
}

/// A rate, such as `12.3/s`. A whole number has no decimals.
pub fn per_second(rate: f64) -> String {
    // Sums of floating-point numbers are inexact in the last digits.
    let rate = (rate * 1e6).round() / 1e6;
    if rate.fract() == 0.0 {
        format!("{rate}/s")
    } else {
        format!("{}/s", three_digits(rate))
    }
}

/// The mean rate of `number` events in `time`; `-` if that is zero.
pub fn rate(number: u64, time: Nanos) -> String {
    if time == Nanos::ZERO {
        return "-".to_owned();
    }
    per_second(number as f64 / time.as_secs_f64())
}

/// The share of `part` in `whole`, in percent. Only the whole is `100 %`, and only 0 is `0 %`.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    if part == 0 {
        return "0 %".to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    match part as f64 / whole as f64 * 100.0 {
        v if v < 0.001 => "< 0.001 %".to_owned(),
        v if v < 0.01 => format!("{v:.3} %"),
        v if (99.95..100.0).contains(&v) => format!("{:.2} %", v.min(99.99)),
        v => format!("{} %", rounded(v, 2)),
    }
}

/// A number that is not negative, with at least three significant digits and no exponent.
pub fn three_digits(number: f64) -> String {
    rounded(number, MOST_DECIMALS)
}

/// Three significant digits, with at most `most` decimals.
pub fn rounded(number: f64, most_decimals: usize) -> String {
    let decimals = match number {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        n if n >= 0.9995 || n == 0.0 => 2,
        n => (2 - n.log10().floor() as i32) as usize,
    };
    format!("{number:.*}", decimals.min(most_decimals))
}

/// A rate as a number for machines: to a tenth, and under 10 to three significant digits.
pub fn rounded_rate(rate: f64) -> f64 {
    to_decimals(rate, decimals_of_three_digits(rate).max(1))
}

/// A number that is not negative, to three significant digits or to a whole number.
pub fn rounded_to_three_digits(number: f64) -> f64 {
    to_decimals(number, decimals_of_three_digits(number))
}

/// A share from 0 to 1, of which the distance to 1 has three significant digits.
pub fn rounded_near_one(share: f64) -> f64 {
    to_decimals(share, decimals_of_three_digits(1.0 - share))
}

/// A share in hundredths of a percent, rounded up, so that it is enough.
pub fn sufficient(share: f64) -> f64 {
    (share * 1e4).ceil() / 1e4
}

/// How many decimals a number needs to have three significant digits.
fn decimals_of_three_digits(number: f64) -> i32 {
    if number > 0.0 && number.is_finite() {
        (2 - number.log10().floor() as i32).max(0)
    } else {
        0
    }
}

/// The closest number that can be written with this many decimals.
fn to_decimals(number: f64, decimals: i32) -> f64 {
    // Greater powers of ten are inexact, and so would be the result.
    if decimals > 15 || number.abs() >= 1e15 {
        return number;
    }
    let scale = 10f64.powi(decimals);
    (number * scale).round() / scale
}

/// A number of things, such as `1 request` or `2 requests`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_or_nothing_only_if_it_is() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 5, "0 %"),
            (5, 5, "100 %"),
            (1, 3, "33.3 %"),
            (1, 30, "3.33 %"),
            (1, 2_000, "0.05 %"),
            (1, 20_000, "0.005 %"),
            (1, 1_000_000_000, "< 0.001 %"),
            (999_999, 1_000_000, "99.99 %"),
            (9_995, 10_000, "99.95 %"),
            (6, 5, "120 %"),
        ] {
            assert_eq!(share(part, whole), text);
        }
    }

    #[test]
    fn memory_has_three_digits_and_a_unit() {
        for (amount, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (12 << 20, "12.0 MiB"),
            ((1 << 20) - 1, "1.00 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(amount), text);
        }
    }

    #[test]
    fn a_span_has_three_digits_and_a_unit() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_995, "10.0 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (123_456_789, "123 ms"),
            (999_500_000, "1.00 s"),
            (61_234_000_000, "61.2 s"),
            (1_234_000_000_000, "1234 s"),
        ] {
            assert_eq!(span(Nanos(nanos)), text);
        }
    }

    #[test]
    fn numbers_for_machines_have_the_digits_that_mean_something() {
        for (rate, rounded) in [
            (49.803_921_568_627_46, "49.8"),
            (50.0, "50"),
            (49.999_999_999_9, "50"),
            (1_234.567, "1234.6"),
            (0.033_333_333, "0.0333"),
            (5.256_78, "5.26"),
            (9.999, "10"),
            (0.0, "0"),
            (1e-300, "1e-300"),
            (1e300, "1e300"),
        ] {
            let expected: f64 = rounded.parse().unwrap();
            assert_eq!(rounded_rate(rate), expected, "{rate}");
        }
        assert_eq!(rounded_to_three_digits(1.0 / 3.0), 0.333);
        assert_eq!(rounded_to_three_digits(1_234.5), 1_235.0);
        for (share, rounded) in [
            (0.0, 0.0),
            (0.5, 0.5),
            (0.996_093_75, 0.99609),
            (0.999_998_092_651_367_2, 0.999_998_09),
            (1.0, 1.0),
        ] {
            assert_eq!(rounded_near_one(share), rounded, "{share}");
        }
    }

    #[test]
    fn a_rate_has_three_digits_or_is_whole() {
        for (rate, text) in [
            (0.0, "0/s"),
            (0.012345, "0.0123/s"),
            (9.5, "9.50/s"),
            (9.996, "10.0/s"),
            (13.333, "13.3/s"),
            (50.0, "50/s"),
            (49.999_999_999_9, "50/s"),
            (99.97, "100/s"),
            (186.2, "186/s"),
            (1e6, "1000000/s"),
        ] {
            assert_eq!(per_second(rate), text);
        }
    }
}
