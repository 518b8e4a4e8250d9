use super::inverse::first;
use super::{Count, Curve, Rate};
use crate::base::Nanos;

/// A rate that changes evenly from r to s within T:
///
/// ```text
/// N(t) = r·t + (s − r)·t² / 2T
/// ```
///
/// rounded down to a [`Count`], which at t = T is exact. The inverse solves this quadratic equation,
/// for a falling ramp that of the time that is left, so that no two nearly equal numbers are
/// subtracted: c = N(t) at t = 2c / (r + √(r² + 2c·(s − r)/T)). From that solution in floating point
/// the first whole nanosecond with N(t) ≥ c is found by exact values of N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    pub(super) from: Rate,
    pub(super) to: Rate,
    pub(super) length: Nanos,
}

impl Ramp {
    /// # Panics
    /// If the length is zero, or both rates are.
    pub fn new(from: Rate, to: Rate, length: Nanos) -> Self {
        assert!(length > Nanos::ZERO && from.max(to) > Rate::ZERO);
        Ramp { from, to, length }
    }
}

impl Curve for Ramp {
    fn count_at(&self, t: Nanos) -> Count {
        let by_now = self.from.over(t).0;
        let change = self.to.nano().abs_diff(self.from.nano());
        let (down, up) = quadratic(change, t.0, self.length.0);
        Count(match self.from <= self.to {
            true => by_now + down,
            false => by_now - up,
        })
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let (Count(number), Count(total)) = (number, self.count_at(self.length));
        let (from, to) = (self.from.nano() as f64, self.to.nano() as f64);
        let length = self.length.0 as f64;
        // In this count's unit, which is half of a rate times a time. NaN, of 0/0, is cast to 0.
        let after = |least: f64, change: f64, count: u128| {
            let count = count as f64;
            count / (least + (least * least + change * count / length).sqrt())
        };
        let guess = match self.from <= self.to {
            true => after(from, to - from, number),
            false => length - after(to, from - to, total.saturating_sub(number)),
        };
        let reached = |t| self.count_at(Nanos(t)).0 >= number;
        let within = number <= total;
        within.then(|| Nanos(first(guess.ceil() as u64, self.length.0, reached)))
    }
}

/// factor·t²/length, rounded down and rounded up, for t ≤ length: exact although factor·t² may have
/// more than 128 bits.
pub(super) fn quadratic(factor: u64, t: u64, length: u64) -> (u128, u128) {
    let (t, length) = (u128::from(t), u128::from(length));
    let linear = u128::from(factor) * t;
    let (whole, rest) = (linear / length, linear % length);
    let (down, rest) = (rest * t / length, rest * t % length);
    let down = whole * t + down;
    (down, down + u128::from(rest > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(nano: u64) -> Rate {
        match nano {
            0 => Rate::ZERO,
            nano => Rate::from_nano(nano),
        }
    }

    /// Between so many requests per second.
    fn ramp(from: u64, to: u64, seconds: u64) -> Ramp {
        let length = Nanos(seconds * SECOND);
        Ramp::new(rate(from * SECOND), rate(to * SECOND), length)
    }

    proptest! {
        #[test]
        fn the_quadratic_is_exact(factor in 0u64..1 << 42, (length, t) in
            (1u64..1 << 42).prop_flat_map(|length| (Just(length), 0..=length)))
        {
            let [wide, t, length] = [factor, t, length].map(u128::from);
            let (down, up) = quadratic(factor, t as u64, length as u64);
            prop_assert_eq!(down, wide * t * t / length);
            prop_assert_eq!(up, (wide * t * t).div_ceil(length));
        }

        #[test]
        fn the_whole_ramp_counts_the_mean_of_its_rates(
            from in 0..=Rate::MAX.nano(), to in 1..=Rate::MAX.nano(), length in 1..=u64::MAX
        ) {
            let ramp = Ramp::new(rate(from), rate(to), Nanos(length));
            let expected = (u128::from(from) + u128::from(to)) * u128::from(length);
            prop_assert_eq!(ramp.count_at(Nanos(length)), Count(expected));
        }

        #[test]
        fn up_and_down_are_mirror_images(
            from in 0..=Rate::MAX.nano(), to in 1..=Rate::MAX.nano(),
            (length, t) in (1..=u64::MAX).prop_flat_map(|length| (Just(length), 0..=length))
        ) {
            let there = Ramp::new(rate(from), rate(to), Nanos(length));
            let back = Ramp::new(rate(to), rate(from), Nanos(length));
            let total = there.count_at(Nanos(length));
            let rest = total - there.count_at(Nanos(length - t));
            prop_assert!(rest.0 - back.count_at(Nanos(t)).0 <= 1, "each is rounded down");
        }
    }

    #[test]
    fn a_ramp_from_nothing_is_known_in_closed_form() {
        // N(t) = t²/2 with 1/s more each second, so token k is due at √(2k) s.
        let ramp = ramp(0, 1_000, 1_000);
        for k in [0u64, 1, 2, 3, 8, 50, 12_345, 499_999] {
            let expected = (2 * u128::from(k) * 10u128.pow(18)).isqrt() as u64;
            let due = ramp.time_of(Count::requests(k)).unwrap();
            assert!(due.0 - expected <= 1, "{k}: {due} is not {expected} ns");
        }
        assert_eq!(ramp.time_of(Count::requests(500_001)), None);
    }

    #[test]
    fn a_ramp_to_nothing_is_exact_at_its_end_too() {
        let ramp = ramp(1_000, 0, 1_000);
        for left in [1u64, 2, 8, 50, 12_345, 499_999, 500_000] {
            let before_end = (2 * u128::from(left) * 10u128.pow(18)).isqrt() as u64;
            let due = ramp.time_of(Count::requests(500_000 - left)).unwrap();
            let expected = 1_000 * SECOND - before_end;
            assert_eq!(due, Nanos(expected), "{left} left");
        }
    }
}
