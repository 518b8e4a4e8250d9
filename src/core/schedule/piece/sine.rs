use super::inverse::first;
use super::ramp::quadratic;
use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::{Count, Rate};
use std::f64::consts::{PI, TAU};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    form: "sine RATE ± RATE every TIME for TIME",
    read: |text| {
        if !text.takes("sine") {
            return Ok(None);
        }
        let mean = text.rate(Rate::MAX_STEADY)?;
        text.symbol(&["±", "+-"])?;
        let start = text.clone();
        let amplitude = text.rate(Rate::MAX_STEADY)?;
        if amplitude > mean {
            let must = "must be at most the rate that it swings around";
            return Err(start.error(format!("{} {must}, {mean}/s", start.found())));
        }
        text.keyword("every")?;
        let period = text.time()?;
        text.keyword("for")?;
        let length = text.time()?;
        Ok(Some(Arc::new(Sine::new(mean, amplitude, period, length))))
    },
};

/// A rate that swings around a mean m by an amplitude A ≤ m with a period P, upwards first:
///
/// ```text
/// r(t) = m + A·sin(2πt/P)          N(t) = m·t + A·P/2π · (1 − cos(2πt/P))
/// ```
///
/// The integral N is a straight line with a wave on top, which is zero at the start and after each period.
///
/// To stay with integers, a period is made of M = 4096 straight ramps. So N never decreases, and is m·P exactly after
/// each period. At the joint between two ramps with the angle x = 2πt/P the rate is m + A·κ·sin x, where
/// κ = tan(h/2) / (h/2) and h = 2π/M. The ramps' area is that of the trapezoidal rule, which is the sine's integral times
/// (h/2)·cot(h/2). The factor κ cancels this, so that N too is right at every joint.
///
/// The remaining error of N is less than 6·10⁻¹¹·A·P requests. If A = m, the rate is kept from falling below zero by
/// h²/12·A at the trough, and the crest mirrors that, which is worth A·P·h²/12M. Between joints the ramps differ from
/// the sine by up to 0.0081·h³·A·P/2π, a tenth of that. The rates at the joints are rounded to nano-requests per second,
/// which adds up to 2.5·10⁻¹⁰ requests for each second of P. At 100/s ± 50/s every minute, all of this is 2·10⁻⁷
/// requests, or 2 ns.
///
/// The inverse is a binary search among the joints, and then the inverse of a [`Ramp`](super::ramp::Ramp).
#[derive(Debug)]
pub struct Sine {
    mean: Rate,
    amplitude: Rate,
    period: Nanos,
    length: Nanos,
    /// The joints of the first quarter of a period, including its end. The other quarters mirror it.
    quarter: Box<[Joint]>,
}

/// The number of ramps in one period: M.
const STEPS: u64 = 4096;
const QUARTER: u64 = STEPS / 4;

/// The point where two ramps meet.
#[derive(Debug, Clone, Copy)]
struct Joint {
    /// The rate minus the mean, in nano-requests per second.
    above: i64,
    /// The sum of the rates minus the mean at both ends of each ramp up to here.
    sum: i128,
}

impl Sine {
    /// # Panics
    /// Unless `period` and `length` are over zero, and `amplitude` is over zero and at most `mean`.
    pub fn new(mean: Rate, amplitude: Rate, period: Nanos, length: Nanos) -> Self {
        assert!(period.min(length) > Nanos::ZERO);
        assert!(Rate::ZERO < amplitude && amplitude <= mean);
        let half_step = PI / STEPS as f64;
        let square = half_step * half_step;
        // The Taylor series of tan(x)/x. The next term is below the precision of a double.
        let correction = 1.0 + square / 3.0 + square * square * (2.0 / 15.0);
        let height = amplitude.nano() as f64 * correction;
        let mut sum = 0;
        let mut last = 0;
        let quarter = (0..=QUARTER).map(|joint| {
            let above = (height * sine(2.0 * half_step * joint as f64)).round() as u64;
            let above = above.min(mean.nano()) as i64;
            sum += i128::from(last) + i128::from(above);
            last = above;
            Joint { above, sum }
        });
        Sine {
            mean,
            amplitude,
            period,
            length,
            quarter: quarter.collect(),
        }
    }

    /// The joint with this number within a period, 0 to [`STEPS`].
    fn joint(&self, number: u64) -> Joint {
        let at = |joint| self.quarter[joint as usize];
        let (rest, half) = (number % QUARTER, 2 * at(QUARTER).sum);
        let (forth, back) = (at(rest), at(QUARTER - rest));
        let (above, sum) = match number / QUARTER % 4 {
            0 => (forth.above, forth.sum),
            1 => (back.above, half - back.sum),
            2 => (-forth.above, half - forth.sum),
            _ => (-back.above, back.sum),
        };
        Joint { above, sum }
    }

    /// N at a joint, times [`STEPS`] and divided by the period.
    fn scaled(&self, number: u64) -> u128 {
        let mean = 2 * u128::from(self.mean.nano()) * u128::from(number);
        mean.strict_add_signed(self.joint(number).sum)
    }

    /// The requests of one period.
    fn per_period(&self) -> Count {
        self.mean.over(self.period)
    }

    /// N(t) within the first period.
    fn within_period(&self, t: u64) -> Count {
        let (steps, period) = (u128::from(STEPS), u128::from(self.period.0));
        // With time in units of 1/STEPS nanoseconds, a step is as long as a period is in nanoseconds.
        let scaled = u128::from(t) * steps;
        let (step, since) = ((scaled / period) as u64, (scaled % period) as u64);
        let (this, next) = (self.joint(step), self.joint(step + 1));
        let (down, up) = quadratic(next.above.abs_diff(this.above), since, self.period.0);
        let bend = if next.above >= this.above {
            down as i128
        } else {
            -(up as i128)
        };
        // At the highest rates, sum·period does not fit into 128 bits: it is divided by STEPS first.
        let (steps, period) = (steps as i128, period as i128);
        let (whole, rest) = (this.sum.div_euclid(steps), this.sum.rem_euclid(steps));
        let ramps = rest * period + 2 * i128::from(this.above) * i128::from(since) + bend;
        let above = whole * period + ramps.div_euclid(steps);
        Count(self.mean.over(Nanos(t)).0.strict_add_signed(above))
    }

    /// The first time within the first period at which N reaches this count, which is less than one period's.
    fn reaches(&self, count: Count) -> u64 {
        let period = u128::from(self.period.0);
        let (whole, rest) = (count.0 / period, count.0 % period);
        let scaled = whole * u128::from(STEPS) + rest * u128::from(STEPS) / period;
        // `step` ends as the last joint with N at most the count.
        let (mut step, mut above) = (0, STEPS);
        while above - step > 1 {
            let middle = (step + above) / 2;
            if self.scaled(middle) <= scaled {
                step = middle;
            } else {
                above = middle;
            }
        }
        let rate = |joint: Joint| (self.mean.nano().strict_add_signed(joint.above)) as f64;
        let (from, to) = (rate(self.joint(step)), rate(self.joint(step + 1)));
        // With time in units of period / STEPS, a step is one unit long.
        let left = (scaled - self.scaled(step)) as f64;
        let into = left / (from + (from * from + (to - from) * left).max(0.0).sqrt());
        let guess = (step as f64 + into) / STEPS as f64 * self.period.0 as f64;
        let reached = |t| self.within_period(t) >= count;
        first(guess.ceil() as u64, self.period.0, reached)
    }
}

impl Piece for Sine {
    fn mode(&self) -> Mode {
        Mode::Sine
    }

    fn length(&self) -> Option<Nanos> {
        Some(self.length)
    }

    fn rate(&self) -> String {
        let (mean, amplitude) = (self.mean, self.amplitude);
        format!("{mean}/s ± {amplitude}/s every {:#}", self.period)
    }

    fn typed(&self) -> String {
        format!("sine {} for {:#}", self.rate(), self.length)
    }

    fn rate_at(&self, t: Nanos) -> f64 {
        let angle = TAU * (t.as_secs_f64() / self.period.as_secs_f64()).fract();
        self.mean.as_f64() + self.amplitude.as_f64() * angle.sin()
    }

    fn highest_rate(&self) -> f64 {
        self.mean.as_f64() + self.amplitude.as_f64()
    }

    fn count_at(&self, t: Nanos) -> Count {
        let periods = t.0 / self.period.0;
        self.per_period().times(periods) + self.within_period(t.0 % self.period.0)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let (periods, rest) = number.div_rem(self.per_period());
        let periods = u128::from(self.period.0).checked_mul(periods)?;
        let t = periods.checked_add(u128::from(self.reaches(rest)))?;
        let t = u64::try_from(t).ok().map(Nanos);
        t.filter(|t| *t <= self.length)
    }
}

/// sin x for 0 ≤ x ≤ π/2, by its Taylor series. The last digit of the system's own sine differs from machine to machine,
/// and a schedule must not.
fn sine(x: f64) -> f64 {
    let square = x * x;
    let factor = |n: u32| square / f64::from(2 * n * (2 * n + 1));
    x * (1..=11).rev().fold(1.0, |sum, n| 1.0 - factor(n) * sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::FRAC_PI_2;

    const SECOND: u64 = 1_000_000_000;

    fn sine_of(mean: f64, amplitude: f64, period: u64) -> Sine {
        let rate = |rps| Rate::per_second(rps).unwrap();
        Sine::new(rate(mean), rate(amplitude), Nanos(period), Nanos(u64::MAX))
    }

    /// 1 − cos x, without cancellation.
    fn versine(x: f64) -> f64 {
        2.0 * (x / 2.0).sin().powi(2)
    }

    #[test]
    fn the_series_is_as_good_as_the_system() {
        for step in 0..=10_000 {
            let x = FRAC_PI_2 * f64::from(step) / 10_000.0;
            assert!((sine(x) - x.sin()).abs() < 4.0 * f64::EPSILON, "{x}");
        }
    }

    #[test]
    fn a_period_is_as_many_requests_as_its_mean() {
        for (mean, amplitude, period) in [
            (100.0, 50.0, 60 * SECOND),
            (1e6, 1e6, 24 * 3600 * SECOND),
            (3.0, 2.999999999, 1_000_003),
            (1e6, 1e6, 3650 * 24 * 3600 * SECOND),
        ] {
            let sine = sine_of(mean, amplitude, period);
            for at in [0, 1, 2, 7].map(|periods| Nanos(periods * period)) {
                let expected = sine.mean.over(at);
                assert_eq!(sine.count_at(at), expected, "{mean} ± {amplitude}");
            }
        }
    }

    #[test]
    fn the_rate_swings_around_its_mean_upwards_first() {
        let sine = sine_of(100.0, 50.0, 4 * SECOND);
        for (seconds, rate) in [(0, 100.0), (1, 150.0), (2, 100.0), (3, 50.0), (5, 150.0)] {
            assert!((sine.rate_at(Nanos(seconds * SECOND)) - rate).abs() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn the_count_is_the_integral_within_the_bound(
            mean in 0.001f64..1e6, share in 0.001f64..=1.0, period in 1_000_000u64..100_000 * SECOND,
            at in 0.0f64..1.0
        ) {
            let sine = sine_of(mean, mean * share, period);
            let t = (at * period as f64) as u64;
            let (amplitude, seconds) = (sine.amplitude.as_f64(), period as f64 / 1e9);
            let integral = amplitude * seconds / TAU * versine(TAU * t as f64 / period as f64);
            let counted = sine.count_at(Nanos(t)).0 as i128 - sine.mean.over(Nanos(t)).0 as i128;
            let counted = counted as f64 / Count::PER_REQUEST as f64;
            let bound = 6e-11 * amplitude * seconds + 2.5e-10 * seconds;
            let own_error = 1e-15 * amplitude * seconds + 1e-17;
            prop_assert!((counted - integral).abs() <= bound + own_error, "{counted} {integral}");
        }

        #[test]
        fn the_count_never_decreases_even_where_the_rate_is_zero(
            nano in 1u64..=Rate::MAX.nano(), period in 1u64..=u64::MAX, at: u64, step in 0u64..1_000
        ) {
            let rate = Rate::from_nano(nano);
            let sine = Sine::new(rate, rate, Nanos(period), Nanos(u64::MAX));
            let trough = (u128::from(period) * 3 / 4) as u64;
            for at in [at, trough, trough.saturating_sub(step / 2)] {
                let later = Nanos(at) + Nanos(step);
                prop_assert!(sine.count_at(Nanos(at)) <= sine.count_at(later));
            }
        }
    }
}
