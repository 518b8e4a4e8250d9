use crate::base::Nanos;

/// Three significant digits and a unit.
pub fn span(nanos: Nanos) -> String {
    let (value, unit) = match nanos.0 {
        ns @ 0..1_000 => return format!("{ns} ns"),
        ns @ 1_000..999_500 => (ns as f64 / 1e3, "µs"),
        ns @ 999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        ns => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits_and_a_unit() {
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
}
