use super::inverse::first;
use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::{Count, Rate};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    form: "ramp RATE to RATE over TIME",
    read: |text| {
        if !text.takes("ramp") {
            return Ok(None);
        }
        let start = text.clone();
        let from = text.rate_or_zero(Rate::MAX_STEADY)?;
        text.keyword("to")?;
        let to = text.rate_or_zero(Rate::MAX_STEADY)?;
        text.keyword("over")?;
        let length = text.time()?;
        if from.max(to) == Rate::ZERO {
            return Err(start.error("one end of a ramp must be more than 0/s"));
        }
        Ok(Some(Arc::new(Ramp::new(from, to, length))))
    },
};

/// A rate that changes evenly from r to s within the time T:
///
/// ```text
/// r(t) = r + (s − r)·t/T          N(t) = r·t + (s − r)·t²/2T          0 ≤ t ≤ T
/// ```
///
/// The integral N is a parabola. It is rounded down to a [`Count`], and exact at t = T, where it is the mean of both
/// rates times T.
///
/// The inverse solves this quadratic equation for the time since the slower end of the ramp, so that no two nearly equal
/// numbers are subtracted. For a rising ramp, N(t) = c at
///
/// ```text
/// t = 2c / (r + √(r² + 2c·(s − r)/T))
/// ```
///
/// That solution is in floating point. Exact values of N around it then give the first whole nanosecond with N(t) ≥ c.
#[derive(Debug)]
pub struct Ramp {
    from: Rate,
    to: Rate,
    length: Nanos,
}

impl Ramp {
    /// # Panics
    /// If the length is zero, or both rates are.
    pub fn new(from: Rate, to: Rate, length: Nanos) -> Self {
        assert!(length > Nanos::ZERO && from.max(to) > Rate::ZERO);
        Ramp { from, to, length }
    }
}

impl Piece for Ramp {
    fn mode(&self) -> Mode {
        Mode::Ramp
    }

    fn length(&self) -> Option<Nanos> {
        Some(self.length)
    }

    fn rate(&self) -> String {
        format!("{}/s to {}/s", self.from, self.to)
    }

    fn typed(&self) -> String {
        format!("ramp {} over {:#}", self.rate(), self.length)
    }

    fn rate_at(&self, t: Nanos) -> f64 {
        let (from, to) = (self.from.as_f64(), self.to.as_f64());
        from + (to - from) * t.as_secs_f64() / self.length.as_secs_f64()
    }

    fn count_at(&self, t: Nanos) -> Count {
        let at_first_rate = self.from.over(t).0;
        let change = self.to.nano().abs_diff(self.from.nano());
        let (down, up) = quadratic(change, t.0, self.length.0);
        Count(if self.from <= self.to {
            at_first_rate + down
        } else {
            at_first_rate - up
        })
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let (Count(number), Count(total)) = (number, self.count_at(self.length));
        if number > total {
            return None;
        }
        let (from, to) = (self.from.nano() as f64, self.to.nano() as f64);
        let length = self.length.0 as f64;
        // The unit of a count is half that of a rate times that of a time. NaN, from 0/0, is cast to 0.
        let since_slower_end = |slower: f64, change: f64, count: u128| {
            let count = count as f64;
            count / (slower + (slower * slower + change * count / length).sqrt())
        };
        let guess = if self.from <= self.to {
            since_slower_end(from, to - from, number)
        } else {
            length - since_slower_end(to, from - to, total - number)
        };
        let reached = |t| self.count_at(Nanos(t)).0 >= number;
        Some(Nanos(first(guess.ceil() as u64, self.length.0, reached)))
    }
}

/// factor·t²/length for t ≤ length, rounded down and rounded up. Exact, although factor·t² may have more than 128 bits.
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
        if nano == 0 {
            Rate::ZERO
        } else {
            Rate::from_nano(nano)
        }
    }

    /// Both rates in whole requests per second.
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
        // The rate rises by 1/s each second, so N(t) = t²/2 and token k is due at √(2k) s.
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
