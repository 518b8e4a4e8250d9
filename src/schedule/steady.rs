use super::{Count, Mode, Nanos, Phase, Profile, Rate};
use std::fmt;

/// One rate for ever: N(t) = r·t, so token k is due at ⌈k / r⌉.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    rate: Rate,
}

impl Steady {
    pub fn new(rate: Rate) -> Self {
        Steady { rate }
    }
}

impl Profile for Steady {
    fn count_at(&self, t: Nanos) -> Count {
        self.rate.over(t)
    }

    fn time_of(&self, count: Count) -> Option<Nanos> {
        u64::try_from(self.rate.time_for(count)).ok().map(Nanos)
    }

    fn phase(&self, _: Nanos) -> Phase {
        Phase {
            mode: Mode::Steady,
            rate: self.rate,
            start: Nanos::ZERO,
            end: None,
        }
    }
}

impl fmt::Display for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.rate)
    }
}
