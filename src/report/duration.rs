/// A whole number of seconds in its two largest units, such as `1m05s`.
pub fn in_two_units(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{minutes}m"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_at_most_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (65, "1m05s"),
            (3_599, "59m59s"),
            (3_600, "1h00m"),
            (90_061, "1d01h"),
        ] {
            assert_eq!(in_two_units(seconds), text);
        }
    }
}
