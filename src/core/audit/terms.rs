use super::bounds::{Bounds, PriorUse, drift};
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

impl Terms {
    /// All promises, with a timeout of 10 s, keys that nobody else uses, and a gibibyte of memory.
    pub fn of_all_promises(limit: u64, window: Nanos, targets: usize) -> Terms {
        Terms {
            promises: Promise::ALL.to_vec(),
            limit,
            window,
            targets,
            timeout: Nanos(10_000_000_000),
            prior_use: PriorUse::None,
            memory: 1 << 30,
        }
    }

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

    pub(super) fn bounds(&self) -> Bounds {
        let tolerance = self.tolerance();
        let longest_window = self.window + tolerance;
        Bounds {
            limit: self.limit,
            targets: self.targets,
            prior_use: self.prior_use,
            window: self.window,
            timeout: self.timeout,
            tolerance,
            resolution: self.resolution(),
            shortest_window: self.window - tolerance,
            longest_window,
            kept: longest_window + self.timeout,
        }
    }
}
