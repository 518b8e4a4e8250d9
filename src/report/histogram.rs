//! A histogram as rows of text.

use super::styled_text::{Line, StyledText};
use crate::base::Nanos;
use crate::base::text::{count, share, span};
use crate::core::summary::{Bucket, DurationSummary};

/// The most rows, unless the durations span more powers of ten than that.
const ROWS: usize = 8;

/// The most rows of any histogram: durations span fewer powers of ten.
const MOST_ROWS: usize = 20;

/// The length of the longest bar.
const BAR: u64 = 32;

/// How many of ten bounds in each power of ten are shown, from the finest to the coarsest.
const STEPS: [&[usize]; 5] = [
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    &[0, 2, 4, 6, 8],
    &[0, 3, 7],
    &[0, 5],
    &[0],
];

/// Adds a row for each of some ranges of durations, as wide as it takes for few rows: its bounds, the number of answers, their
/// share, and a bar as long as that.
pub(super) fn histogram(text: &mut StyledText, of: &DurationSummary) {
    let mut rows = rows(&of.histogram);
    rows.truncate(MOST_ROWS);
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
    let answers = count(of.count, "answered request", "answered requests");
    text.push(Line::fixed(format!("  latency of {answers}")));
    let width = rows.iter().map(|row| row.count.to_string().len()).max();
    let width = width.unwrap_or(0);
    for row in &rows {
        let [from, to] = [row.from_ns, row.to_ns].map(|ns| bound(Nanos(ns)));
        let (number, share) = (row.count, share(row.count, of.count));
        let line = format!("    {from:>7} – {to:>7}  {number:>width$}  {share:>9}  ");
        let line = line + &bar(row.count, most);
        text.push(Line::fixed(line.trim_end()));
    }
}

/// The buckets, merged until they are few.
fn rows(buckets: &[Bucket]) -> Vec<Bucket> {
    let merged = STEPS.iter().map(|step| merged(buckets, step));
    let mut merged: Vec<_> = merged.collect();
    let place = merged.iter().position(|rows| rows.len() <= ROWS);
    merged.swap_remove(place.unwrap_or(STEPS.len() - 1))
}

/// The buckets, merged so that each ends at a bound that is shown.
fn merged(buckets: &[Bucket], step: &[usize]) -> Vec<Bucket> {
    let mut rows: Vec<Bucket> = Vec::new();
    for bucket in buckets {
        match rows.last_mut() {
            Some(last) if !is_shown(bucket.from_ns, step) => {
                last.to_ns = bucket.to_ns;
                // A saved summary may have any numbers.
                last.count = last.count.saturating_add(bucket.count);
            }
            _ => rows.push(*bucket),
        }
    }
    rows
}

/// Whether a bound is one of those of `step`, by its leading digits.
fn is_shown(bound: u64, step: &[usize]) -> bool {
    const LEADING: [u64; 10] = [100, 125, 160, 200, 250, 320, 400, 500, 630, 800];
    let mut leading = bound;
    while leading >= 1_000 {
        leading /= 10;
    }
    let place = LEADING.iter().position(|of| *of == leading);
    place.is_none_or(|place| step.contains(&place))
}

/// A bound without needless zeros, such as `1.25 ms` or `2 s`.
fn bound(of: Nanos) -> String {
    let text = span(of);
    let Some((number, unit)) = text.split_once(' ') else {
        return text;
    };
    if !number.contains('.') {
        return text;
    }
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} {unit}")
}

/// A bar in eighths of a character. Any count has a bar.
fn bar(count: u64, most: u64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(count) * u128::from(BAR) * 8 / u128::from(most.max(1));
    let eighths = (eighths as usize).max(usize::from(count > 0));
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stats::Histogram;

    fn printed(spans: &[(u64, u64)]) -> String {
        let mut histogram = Histogram::default();
        for (ns, times) in spans {
            (0..*times).for_each(|_| histogram.record(Nanos(*ns)));
        }
        let mut text = StyledText::default();
        super::histogram(&mut text, &DurationSummary::with_spectrum(&histogram));
        text.to_string()
    }

    #[test]
    fn a_histogram_has_few_rows_with_bars() {
        let spans = [(130_000, 60), (300_000, 30), (1_100_000, 9), (2_100_000, 1)];
        let expected = "  latency of 100 answered requests
     125 µs –  160 µs  60     60.0 %  ████████████████████████████████
     160 µs –  250 µs   0        0 %
     250 µs –  400 µs  30     30.0 %  ████████████████
     400 µs –  630 µs   0        0 %
     630 µs –    1 ms   0        0 %
       1 ms –  1.6 ms   9     9.00 %  ████▊
     1.6 ms –  2.5 ms   1     1.00 %  ▌";
        assert_eq!(printed(&spans), expected);
    }

    #[test]
    fn every_answer_is_in_one_row_and_no_row_is_too_wide() {
        for spread in [1, 2, 10, 1_000, 1_000_000, 100_000_000] {
            let spans = [7, 9, 10, 13, 40].map(|n| (n * 100 + n * spread * 100, n));
            let printed = printed(&spans);
            let rows: Vec<_> = printed.lines().skip(1).collect();
            assert!((1..=12).contains(&rows.len()), "{printed}");
            let counts = rows.iter().map(|row| {
                let mut words = row.split_whitespace();
                words.nth(5).unwrap().parse::<u64>().unwrap()
            });
            assert_eq!(counts.sum::<u64>(), 79, "{printed}");
            assert!(
                rows.iter().all(|row| row.chars().count() <= 80),
                "{printed}"
            );
        }
    }

    #[test]
    fn durations_of_one_length_are_one_row() {
        assert_eq!(printed(&[(1_500_000, 3)]).lines().count(), 2);
    }
}
