use super::{Count, Mode, Nanos, Phase, Profile, Rate};
use std::fmt;

/// A steady rate r with bursts of rate b: each lasts B, and one starts every I, the first at I.
///
/// With P = b·B + r·(I − B) for the requests of one interval, and t = I·(q + 1) + w, 0 ≤ w < I:
///
/// ```text
/// N(t) = r·t                                  t < I
/// N(t) = r·I + q·P + b·w                      w < B
/// N(t) = r·I + q·P + b·B + r·(w − B)          otherwise
/// ```
///
/// Each piece is linear, so the inverse is one division for the interval and one for the piece.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    pub(super) steady: Rate,
    pub(super) burst: Rate,
    pub(super) duration: Nanos,
    pub(super) interval: Nanos,
}

impl Bursts {
    /// # Panics
    /// Unless 0 < `duration` < `interval`.
    pub fn new(steady: Rate, burst: Rate, duration: Nanos, interval: Nanos) -> Self {
        assert!(Nanos::ZERO < duration && duration < interval);
        Bursts {
            steady,
            burst,
            duration,
            interval,
        }
    }

    fn per_interval(&self) -> Count {
        self.burst.over(self.duration) + self.steady.over(self.interval - self.duration)
    }
}

impl Profile for Bursts {
    fn count_at(&self, t: Nanos) -> Count {
        let Some(since_first) = t.checked_sub(self.interval) else {
            return self.steady.over(t);
        };
        let whole = since_first.0 / self.interval.0;
        let within = Nanos(since_first.0 % self.interval.0);
        let part = match within.checked_sub(self.duration) {
            None => self.burst.over(within),
            Some(after) => self.burst.over(self.duration) + self.steady.over(after),
        };
        self.steady.over(self.interval) + self.per_interval().times(whole) + part
    }

    fn time_of(&self, count: Count) -> Option<Nanos> {
        let before_first = self.steady.over(self.interval);
        if count <= before_first {
            return u64::try_from(self.steady.time_for(count)).ok().map(Nanos);
        }
        let (whole, part) = (count - before_first).div_rem(self.per_interval());
        let in_burst = self.burst.over(self.duration);
        let within = if part <= in_burst {
            self.burst.time_for(part)
        } else {
            u128::from(self.duration.0) + self.steady.time_for(part - in_burst)
        };
        let at = u128::from(self.interval.0)
            .checked_mul(whole + 1)?
            .checked_add(within)?;
        u64::try_from(at).ok().map(Nanos)
    }

    fn phase(&self, t: Nanos) -> Phase {
        let (steady, burst) = (self.steady, self.burst);
        if t < self.interval {
            let (start, end) = (Nanos::ZERO, Some(self.interval));
            return Phase {
                mode: Mode::Steady,
                rate: steady,
                start,
                end,
            };
        }
        let interval_start = Nanos(t.0 - t.0 % self.interval.0);
        let burst_end = interval_start + self.duration;
        if t < burst_end {
            let (start, end) = (interval_start, Some(burst_end));
            Phase {
                mode: Mode::Burst,
                rate: burst,
                start,
                end,
            }
        } else {
            let (start, end) = (burst_end, Some(interval_start + self.interval));
            Phase {
                mode: Mode::Steady,
                rate: steady,
                start,
                end,
            }
        }
    }
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bursts {
            steady,
            burst,
            duration,
            interval,
        } = self;
        write!(
            f,
            "{steady}/s with bursts of {burst}/s for {duration} every {interval}"
        )
    }
}
