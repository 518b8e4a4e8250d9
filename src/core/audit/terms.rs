use super::promise::Promise;
use crate::base::Nanos;

/// What the audit holds a cluster to, and what it knows beforehand.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The cluster has to keep one of these promises; at least one.
    pub promises: Vec<Promise>,
    /// How many requests of a key are promised per window; at least 1.
    pub limit: u64,
    /// Longer than zero.
    pub window: Nanos,
    /// The number of targets; at least 1.
    pub targets: usize,
    /// The longest time from sent to done. A request that takes longer is not held against the limiter.
    pub timeout: Nanos,
    pub prior_use: PriorUse,
    /// About how many bytes the audit may use.
    pub memory: usize,
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

impl Terms {
    /// How far the limiter's clocks may be from this machine's within a window, ε: their resolution, and 500 millionths
    /// of the window, the most by which NTP lets a clock be slewed
    /// ([RFC 5905](https://www.rfc-editor.org/rfc/rfc5905), section 11.3).
    pub fn tolerance(&self) -> Nanos {
        self.resolution() + drift(self.window)
    }

    /// The resolution of the limiter's clocks, ρ: 1 ms, which many have, though no more than a tenth of the window.
    fn resolution(&self) -> Nanos {
        Nanos(1_000_000).min(Nanos(self.window.0 / 10))
    }
}

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
    /// See [`Terms::tolerance`].
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

impl Bounds {
    pub fn new(terms: &Terms) -> Bounds {
        let tolerance = terms.tolerance();
        let longest_window = terms.window + tolerance;
        Bounds {
            limit: terms.limit,
            targets: terms.targets,
            window: terms.window,
            timeout: terms.timeout,
            tolerance,
            resolution: terms.resolution(),
            shortest_window: terms.window - tolerance,
            longest_window,
            kept: longest_window + terms.timeout,
        }
    }

    #[cfg(test)]
    pub fn of(limit: u64, window: Nanos, timeout: Nanos) -> Bounds {
        Bounds::new(&Terms {
            promises: Promise::ALL.to_vec(),
            limit,
            window,
            targets: 1,
            timeout,
            prior_use: PriorUse::None,
            memory: 0,
        })
    }
}
