use crate::base::Nanos;

/// From one instant to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Interval {
    pub from: Nanos,
    pub to: Nanos,
}

impl Interval {
    pub fn new(from: Nanos, to: Nanos) -> Interval {
        Interval { from, to }
    }

    /// The time between its ends.
    pub fn length(self) -> Nanos {
        self.to - self.from
    }
}
