//! Which window, or which rate of a bucket, would a person have configured? The roundest that the answers leave.

use crate::base::Nanos;
use crate::core::audit::Quota;
use std::ops::RangeInclusive;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The steps of round times in nanoseconds, the longest first. Shorter ones are decimal.
const STEPS: [u64; 13] = [
    24 * HOUR,
    12 * HOUR,
    6 * HOUR,
    HOUR,
    30 * MINUTE,
    10 * MINUTE,
    5 * MINUTE,
    MINUTE,
    30 * SECOND,
    10 * SECOND,
    5 * SECOND,
    2 * SECOND,
    SECOND,
];

/// The units of time of a rate.
const UNITS: [u64; 4] = [SECOND, MINUTE, HOUR, 24 * HOUR];

/// How many bursts are tried at most.
const MOST_BURSTS: usize = 16;

/// The roundest time within an interval, and the longest step of which it is a multiple. The interval may not end before it
/// begins, nor be zero.
pub(super) fn time(from: Nanos, to: Nanos) -> (Nanos, Nanos) {
    let decimal = (0..=8)
        .rev()
        .flat_map(|digits| [5, 2, 1].map(|one| one * 10_u64.pow(digits)));
    let mut steps = STEPS.into_iter().chain(decimal);
    let multiple = |step: u64| {
        let nearest = Nanos(u64::midpoint(from.0, to.0).saturating_add(step / 2) / step * step);
        [
            nearest,
            Nanos(to.0 / step * step),
            Nanos(from.0.div_ceil(step) * step),
        ]
        .into_iter()
        .find(|time| *time > Nanos::ZERO && (from..=to).contains(time))
    };
    let roundest = steps.find_map(|step| multiple(step).map(|time| (time, Nanos(step))));
    roundest.unwrap_or((to, Nanos(1)))
}

/// The roundest whole number within a range that is not empty and does not begin with zero.
fn number(range: &RangeInclusive<u64>) -> u64 {
    let (from, to) = (*range.start(), *range.end());
    let steps = (0..=19)
        .rev()
        .flat_map(|digits| [5, 2, 1].map(|one| 10_u64.pow(digits).saturating_mul(one)));
    let mut multiples = steps.filter_map(|step| {
        let middle = (u64::midpoint(from, to).saturating_add(step / 2) / step).saturating_mul(step);
        [middle, to / step * step]
            .into_iter()
            .find(|one| range.contains(one))
    });
    multiples.next().unwrap_or(from)
}

/// How much there is to a number: twice its digits without trailing zeros, and less if the last is 5, or the only one 2.
fn digits(mut number: u64) -> u32 {
    while number > 0 && number.is_multiple_of(10) {
        number /= 10;
    }
    let is_simple = number <= 2 || number % 10 == 5;
    2 * (number.checked_ilog10().unwrap_or(0) + 1) - u32::from(is_simple)
}

/// The same of a time, in the unit in which there is least to it.
fn digits_of_time(time: u64) -> u32 {
    let units = UNITS.into_iter().filter(|unit| time.is_multiple_of(*unit));
    units
        .map(|unit| digits(time / unit))
        .min()
        .unwrap_or_else(|| digits(time))
}

/// The bursts that are worth a try, the roundest first.
pub(super) fn bursts(range: &RangeInclusive<u64>) -> Vec<u64> {
    let roundest = number(range);
    let mut bursts: Vec<u64> = range
        .clone()
        .take(4 * MOST_BURSTS)
        .filter(|burst| *burst != roundest)
        .collect();
    bursts.sort_by_key(|burst| digits(*burst));
    bursts.truncate(MOST_BURSTS - 1);
    bursts.insert(0, roundest);
    bursts
}

/// The roundest rate of a bucket that gets one request back in a time from `least` to `most` nanoseconds, and how much there is
/// to it: so many requests per second, minute, hour or day, or a burst per round time.
pub(super) fn rate(least: f64, most: f64, burst: u64) -> (Quota, u32) {
    let per_unit = UNITS.into_iter().filter_map(|unit| {
        let fewest = (unit as f64 / most).ceil().max(1.0) as u64;
        let requests = fewest..=(unit as f64 / least).floor() as u64;
        let requests = (!requests.is_empty()).then(|| number(&requests))?;
        // Few count by the day what they don't count by the hour.
        let rare = u32::from(unit >= HOUR);
        Some((
            Quota {
                burst,
                ..Quota::new(requests, Nanos(unit))
            },
            digits(requests) + rare,
        ))
    });
    let of = |time: f64| (time * burst as f64) as u64;
    let (window, _) = time(Nanos(of(least) + 1), Nanos(of(most).max(of(least) + 1)));
    let per_burst = (Quota::new(burst, window), digits_of_time(window.0));
    let all = per_unit.chain([per_burst]);
    let simplest = all.min_by_key(|(_, digits)| *digits);
    simplest.unwrap_or(per_burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(from: u64, to: u64) -> (Nanos, Nanos) {
        (Nanos(from * 1_000_000), Nanos(to * 1_000_000))
    }

    #[test]
    fn the_roundest_time_of_an_interval_is_found() {
        for ((from, to), roundest) in [
            (millis(9_998, 10_003), 10_000),
            (millis(59_900, 60_050), 60_000),
            (millis(7_996, 8_004), 8_000),
            (millis(86_390_000, 86_410_000), 86_400_000),
            (millis(99, 101), 100),
            (millis(12_345, 12_346), 12_345),
            (millis(1_499, 1_502), 1_500),
        ] {
            let (time, step) = time(from, to);
            assert_eq!(time, Nanos(roundest * 1_000_000));
            assert!(time.0.is_multiple_of(step.0));
        }
        assert_eq!(time(Nanos(7), Nanos(7)), (Nanos(7), Nanos(1)));
    }

    #[test]
    fn the_roundest_rate_is_per_unit_of_time_or_a_burst_per_round_time() {
        for (limit, window, burst, shown) in [
            (10, SECOND, 20, "10/s"),
            (20, 10 * SECOND, 20, "2/s"),
            (100, MINUTE, 100, "100/60s"),
            (3, 7 * SECOND, 3, "3/7s"),
            (4_567, MINUTE, 4_567, "4567/60s"),
            (5, HOUR, 1, "5/3600s"),
            (1, 60 * SECOND, 1, "1/60s"),
        ] {
            let one = window as f64 / limit as f64;
            let (quota, _) = rate(one * 0.9995, one * 1.0005, burst);
            assert_eq!((quota.to_string(), quota.burst), (shown.to_owned(), burst));
        }
    }

    #[test]
    fn the_roundest_burst_comes_first() {
        assert_eq!(bursts(&(97..=104))[0], 100);
        assert_eq!(bursts(&(21..=21)), [21]);
        assert_eq!(bursts(&(1..=3)).len(), 3);
    }
}
