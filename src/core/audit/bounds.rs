use crate::base::Nanos;

/// How far two clocks may drift apart in this time.
pub(super) fn drift(span: Nanos) -> Nanos {
    Nanos(span.0.div_ceil(2_000))
}

/// What follows from the terms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub limit: u64,
    pub targets: usize,
    pub prior_use: PriorUse,
    pub window: Nanos,
    pub timeout: Nanos,
    /// See [`Terms::tolerance`](super::Terms::tolerance).
    pub tolerance: Nanos,
    /// The resolution of the limiter's clocks.
    pub resolution: Nanos,
    /// W − ε: requests that lie within less than this lie within one window by the limiter's clocks.
    pub shortest_window: Nanos,
    /// W + ε: requests that are further apart than this are further apart than a window by the limiter's clocks.
    pub longest_window: Nanos,
    /// How long after its done an admission is needed.
    pub kept: Nanos,
}

/// Who else may have sent requests for the keys, before or beside this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorUse {
    /// Nobody: the keys are random.
    None,
    /// An earlier run may have used them, because a seed was given.
    EarlierRun,
    /// Anybody may, at any time, because the keys come from a list. Blocked requests then prove nothing.
    Anyone,
}
