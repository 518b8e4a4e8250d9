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
