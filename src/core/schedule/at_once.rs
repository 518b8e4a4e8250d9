use super::{Count, Curve};
use crate::base::Nanos;

/// So many requests at one instant: N(t) = n from t = 0 on, so all numbers below n are due at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtOnce(pub u64);

impl Curve for AtOnce {
    fn count_at(&self, _: Nanos) -> Count {
        Count::requests(self.0)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        (number < Count::requests(self.0)).then_some(Nanos::ZERO)
    }

    fn passed(&self, _: Nanos) -> Count {
        Count::requests(self.0)
    }
}
