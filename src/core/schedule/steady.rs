use super::{Count, Curve, Phase, Profile, Rate, Shape};
use crate::base::Nanos;
use std::{fmt, iter};

/// One rate for ever: N(t) = r·t, so token k is due at ⌈k / r⌉.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady {
    rate: Rate,
}

impl Steady {
    /// # Panics
    /// If the rate is zero.
    pub fn new(rate: Rate) -> Self {
        assert!(rate > Rate::ZERO);
        Steady { rate }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    fn only_phase(&self) -> Phase {
        Phase {
            shape: Shape::Steady(self.rate),
            start: Nanos::ZERO,
            end: None,
            count: None,
        }
    }
}

impl Curve for Steady {
    fn count_at(&self, t: Nanos) -> Count {
        self.rate.over(t)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        u64::try_from(self.rate.time_for(number)).ok().map(Nanos)
    }
}

impl Profile for Steady {
    fn phase(&self, _: Nanos) -> Option<Phase> {
        Some(self.only_phase())
    }

    fn phases(&self) -> Box<dyn Iterator<Item = Phase> + Send + '_> {
        Box::new(iter::once(self.only_phase()))
    }
}

impl fmt::Display for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.rate)
    }
}
