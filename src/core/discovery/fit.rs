//! A limiter that explains the answers, and the windows for which it does.

use super::models::Hypothesis;
use crate::base::Nanos;
use crate::core::audit::{Limit, Quota};
use std::ops::RangeInclusive;

/// A limiter that explains the answers.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// With one of the quotas for which it does.
    pub limit: Limit,
    pub counts_blocked: bool,
    /// At least one; one for each burst of a bucket for which it does, in order.
    pub ways: Vec<Way>,
}

/// Windows for which a limiter explains the answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// With one of them.
    pub quota: Quota,
    pub window: (Nanos, Nanos),
}

impl Way {
    /// The windows in which a bucket admits so many requests again.
    pub fn windows(&self, requests: u64) -> (Nanos, Nanos) {
        let scaled = |window: Nanos| {
            let all = u128::from(window.0) * u128::from(requests) / u128::from(self.quota.limit);
            Nanos(u64::try_from(all).unwrap_or(u64::MAX))
        };
        (scaled(self.window.0), scaled(self.window.1))
    }
}

impl Fit {
    pub fn with(&self, quota: Quota) -> Hypothesis {
        Hypothesis {
            limit: Limit {
                quota,
                ..self.limit
            },
            counts_blocked: self.counts_blocked,
        }
    }

    /// The same, beginning with a quota of one of its ways.
    pub fn at(&self, quota: Quota) -> Fit {
        let mut fit = self.clone();
        fit.ways.retain(|way| way.quota.burst == quota.burst);
        for way in &mut fit.ways {
            way.window = way.windows(quota.limit);
            way.quota = quota;
        }
        fit.limit.quota = quota;
        fit
    }

    /// The longest time for which it blocks.
    pub fn longest_block(&self) -> Nanos {
        let requests = if self.limit.algorithm.about().has_burst {
            1
        } else {
            self.limit.quota.limit
        };
        self.windows(requests).1
    }

    /// Whether it explains the answers with one window as well as with another of twice its length, so that they say little of it.
    pub fn is_vague(&self) -> bool {
        let (from, to) = self.windows(self.limit.quota.limit);
        to > from * 2
    }

    /// All bursts for which it explains the answers.
    pub fn bursts(&self) -> RangeInclusive<u64> {
        let bursts = || self.ways.iter().map(|way| way.quota.burst);
        bursts().min().unwrap_or(1)..=bursts().max().unwrap_or(1)
    }

    /// All windows for which it does, in which so many requests are admitted again.
    pub fn windows(&self, requests: u64) -> (Nanos, Nanos) {
        let all = || self.ways.iter().map(|way| way.windows(requests));
        let (from, to) = (all().map(|one| one.0).min(), all().map(|one| one.1).max());
        (from.unwrap_or_default(), to.unwrap_or_default())
    }
}
