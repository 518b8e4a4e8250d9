use super::bounds::{PriorUse, drift};
use super::promise::Promise;
use super::quota::Quota;
use crate::base::{KeyId, Nanos};
use std::sync::Arc;

/// What the audit holds a cluster to, and what it knows beforehand.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The cluster has to keep one of these promises; at least one.
    pub promises: Vec<Promise>,
    /// The limit that requests carry, and that the probe works with; at least 1.
    pub limit: u64,
    /// The window that requests carry, and that the probe works with. Longer than zero.
    pub window: Nanos,
    /// The number of targets; at least 1.
    pub targets: usize,
    /// The longest time from sent to done. A request that takes longer is not held against the limiter.
    pub timeout: Nanos,
    pub prior_use: PriorUse,
    /// About how many bytes the audit may use.
    pub memory: usize,
    /// How far apart the clocks of the limiter's nodes may be, beside their resolution; at most half of the window.
    pub clock_tolerance: Nanos,
    /// The share of the limit by which a limiter may exceed it: 0.05 is 5 %. From 0 to 1.
    pub excess_tolerance: f64,
    /// The units that one request counts; at least 1.
    pub cost: u64,
    pub tiers: Tiers,
    /// By how much more the time from sent to done of one request may have been widened than that of another: the instants of
    /// some machines are less exact than those of others. Zero for a run of one machine.
    pub uneven: Nanos,
    /// Whether requests of the load are known to be missing among the observations. They may have been admitted.
    pub is_partial: bool,
}

/// The keys that have a limit or a cost of their own.
#[derive(Debug, Clone, Default)]
pub struct Tiers {
    pub all: Arc<[Tier]>,
    /// The tier of each key, by its number, as one more than its place; 0 for keys without one.
    pub of_key: Arc<[u16]>,
}

/// What a key has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    pub allowance: Allowance,
    pub cost: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// The limit of the promise.
    Promised,
    Own(Quota),
    Unlimited,
}

impl Tiers {
    /// The place of a key's tier.
    pub(super) fn place(&self, key: KeyId) -> Option<usize> {
        let place = *self.of_key.get(key.0 as usize)?;
        (place as usize).checked_sub(1)
    }
}

impl Terms {
    /// All promises, with a timeout of 10 s, keys that nobody else uses, and a gibibyte of memory.
    pub fn of_all_promises(limit: u64, window: Nanos, targets: usize) -> Terms {
        Terms {
            promises: Promise::of_each_algorithm(Quota::new(limit, window)),
            limit,
            window,
            targets,
            timeout: Nanos(10_000_000_000),
            prior_use: PriorUse::None,
            memory: 1 << 30,
            clock_tolerance: Nanos::ZERO,
            excess_tolerance: 0.0,
            cost: 1,
            tiers: Tiers::default(),
            uneven: Nanos::ZERO,
            is_partial: false,
        }
    }

    /// How far the limiter's clocks may be from this machine's within a window, ε: their resolution, the clock tolerance,
    /// and 500 millionths of the window, the most by which NTP lets a clock be slewed
    /// ([RFC 5905](https://www.rfc-editor.org/rfc/rfc5905), section 11.3).
    pub fn tolerance(&self) -> Nanos {
        self.skew(self.window) + drift(self.window)
    }

    /// The resolution of the limiter's clocks, ρ, which is 1 ms, as many have, though no more than a tenth of the window;
    /// and the clock tolerance, though no more than half of the window with it.
    pub(super) fn skew(&self, window: Nanos) -> Nanos {
        let resolution = Nanos(1_000_000).min(Nanos(window.0 / 10));
        (resolution + self.clock_tolerance).min(Nanos(window.0 / 2))
    }
}
