//! Amounts beside spans of time, in three digits and a unit.

/// How much of a whole a part is, in percent: all and nothing are said of no less and no more.
pub fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "-".to_owned(),
        (0, _) => "0 %".to_owned(),
        (part, whole) if part == whole => "100 %".to_owned(),
        _ => match part as f64 / whole as f64 * 100.0 {
            v if v < 0.001 => "< 0.001 %".to_owned(),
            v if v < 0.01 => format!("{v:.3} %"),
            v if v < 9.995 => format!("{v:.2} %"),
            v if v < 99.95 => format!("{v:.1} %"),
            v if v < 100.0 => format!("{:.2} %", v.min(99.99)),
            v => format!("{v:.0} %"),
        },
    }
}

/// Of memory.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// What is more than one is many.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 5, "0 %"),
            (5, 5, "100 %"),
            (1, 3, "33.3 %"),
            (1, 30, "3.33 %"),
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
}
