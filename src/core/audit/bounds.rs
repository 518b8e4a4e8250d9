use crate::base::Nanos;

/// Two clocks drift apart by at most one part in so many.
pub(super) const DRIFT: u64 = 2_000;

/// How far two clocks may drift apart in this time.
pub(super) fn drift(span: Nanos) -> Nanos {
    Nanos(span.0.div_ceil(DRIFT))
}

/// What the terms mean for a key with one quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How many requests are promised per window.
    pub limit: u64,
    /// The same with the excess tolerance: only more than this is an excess.
    pub most: u64,
    /// The units that a bucket gets back per window, and the units that it holds.
    pub rate: u64,
    pub burst: u64,
    /// The units that one request counts.
    pub cost: u64,
    /// The excess tolerance, in millionths.
    pub excess_millionths: u64,
    pub targets: usize,
    pub prior_use: PriorUse,
    pub window: Nanos,
    pub timeout: Nanos,
    /// How far the limiter's clocks may be from this machine's within a window, ε.
    pub tolerance: Nanos,
    /// How far an instant of one of the limiter's clocks may be from the same instant of another: their resolution ρ,
    /// and the clock tolerance.
    pub skew: Nanos,
    /// W − ε: requests that lie within less than this lie within one window by the limiter's clocks.
    pub shortest_window: Nanos,
    /// W + ε: requests that are further apart than this are further apart than a window by the limiter's clocks.
    pub longest_window: Nanos,
    /// How long after its done an admission is needed.
    pub kept: Nanos,
}

/// Who else may send requests for the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorUse {
    /// Nobody: the keys are random, and of this run only.
    None,
    /// Anybody may, at any time, because the keys come from a list or were used before. Blocked requests then prove
    /// nothing.
    Anyone,
}

impl Bounds {
    /// ε of so many windows: how far the limiter's clocks may be from this machine's within them.
    pub fn tolerance_over(&self, windows: u64) -> Nanos {
        self.skew + drift(self.window * windows)
    }

    /// How many windows, laid end to end, surely cover a time, by the limiter's clocks: the least k for which it is
    /// shorter than k·W.
    pub fn windows_over(&self, span: Nanos) -> u64 {
        let span = span + drift(span) + self.skew;
        span.0 / self.window.0 + 1
    }
}
