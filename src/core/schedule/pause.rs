use super::{Count, Curve};
use crate::base::Nanos;

/// Nothing for a while: N(t) = 0, so what comes next is due when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause;

impl Curve for Pause {
    fn count_at(&self, _: Nanos) -> Count {
        Count::ZERO
    }

    fn time_of(&self, _: Count) -> Option<Nanos> {
        None
    }

    fn passed(&self, _: Nanos) -> Count {
        Count::ZERO
    }
}
