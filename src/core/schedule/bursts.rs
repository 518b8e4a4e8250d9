use super::{Count, Curve, Phase, Profile, Rate, Shape};
use crate::base::Nanos;
use std::{fmt, iter};

/// A steady rate r with bursts of rate b: each lasts B, and one starts every I, the first at F.
///
/// With P = b·B + r·(I − B) for the requests of one interval, and t = F + I·q + w, 0 ≤ w < I:
///
/// ```text
/// N(t) = r·t                                  t < F
/// N(t) = r·F + q·P + b·w                      w < B
/// N(t) = r·F + q·P + b·B + r·(w − B)          otherwise
/// ```
///
/// Each piece is linear, so the inverse is one division for the interval and one for the piece.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    pub(super) steady: Rate,
    pub(super) burst: Rate,
    pub(super) duration: Nanos,
    pub(super) interval: Nanos,
    pub(super) first: Nanos,
}

impl Bursts {
    /// The first burst starts after one interval.
    ///
    /// # Panics
    /// Unless 0 < `duration` < `interval`, and both rates are over 0.
    pub fn new(steady: Rate, burst: Rate, duration: Nanos, interval: Nanos) -> Self {
        assert!(Nanos::ZERO < duration && duration < interval);
        assert!(steady > Rate::ZERO && burst > Rate::ZERO);
        Bursts {
            steady,
            burst,
            duration,
            interval,
            first: interval,
        }
    }

    /// The same bursts, but for the interval, which is rounded up to whole windows. The first
    /// starts when it would have.
    ///
    /// # Panics
    /// If the window is zero.
    pub fn whole_windows_apart(self, window: Nanos) -> Self {
        let windows = self.interval.0.div_ceil(window.0);
        Bursts {
            interval: window * windows,
            ..self
        }
    }

    fn per_interval(&self) -> Count {
        self.burst.over(self.duration) + self.steady.over(self.interval - self.duration)
    }
}

impl Curve for Bursts {
    fn count_at(&self, t: Nanos) -> Count {
        let Some(since_first) = t.checked_sub(self.first) else {
            return self.steady.over(t);
        };
        let whole = since_first.0 / self.interval.0;
        let within = Nanos(since_first.0 % self.interval.0);
        let part = match within.checked_sub(self.duration) {
            None => self.burst.over(within),
            Some(after) => self.burst.over(self.duration) + self.steady.over(after),
        };
        self.steady.over(self.first) + self.per_interval().times(whole) + part
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let before_first = self.steady.over(self.first);
        if number <= before_first {
            return u64::try_from(self.steady.time_for(number)).ok().map(Nanos);
        }
        let (whole, part) = (number - before_first).div_rem(self.per_interval());
        let in_burst = self.burst.over(self.duration);
        let within = if part <= in_burst {
            self.burst.time_for(part)
        } else {
            u128::from(self.duration.0) + self.steady.time_for(part - in_burst)
        };
        let at = u128::from(self.interval.0)
            .checked_mul(whole)?
            .checked_add(u128::from(self.first.0) + within)?;
        u64::try_from(at).ok().map(Nanos)
    }
}

impl Profile for Bursts {
    fn round(&self) -> Option<Nanos> {
        Some(self.interval)
    }

    fn phase(&self, t: Nanos) -> Option<Phase> {
        let phase = |shape, rate: Rate, start, end| Phase {
            shape,
            start,
            end: Some(end),
            count: Some(rate.over(end - start)),
        };
        let steady = |start, end| phase(Shape::Steady(self.steady), self.steady, start, end);
        let Some(since_first) = t.checked_sub(self.first) else {
            return Some(steady(Nanos::ZERO, self.first));
        };
        let start = t - Nanos(since_first.0 % self.interval.0);
        let burst_end = start + self.duration;
        Some(match t < burst_end {
            true => phase(Shape::Burst(self.burst), self.burst, start, burst_end),
            false => steady(burst_end, start + self.interval),
        })
    }

    fn phases(&self) -> Box<dyn Iterator<Item = Phase> + Send + '_> {
        let next = |phase: &Phase| {
            let end = phase.end.filter(|end| *end < Nanos::MAX);
            end.and_then(|end| self.phase(end))
        };
        Box::new(iter::successors(self.phase(Nanos::ZERO), next))
    }
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bursts {
            steady,
            burst,
            duration,
            interval,
            first,
        } = self;
        write!(
            f,
            "{steady}/s with bursts of {burst}/s for {duration} every {interval}"
        )?;
        match first == interval {
            true => Ok(()),
            false => write!(f, " from {first}"),
        }
    }
}
