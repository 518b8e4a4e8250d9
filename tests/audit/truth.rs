//! How many requests a limiter truly admitted beyond a limit, by the instants of its decisions.

use super::cluster::History;
use loadgen::core::audit::{Algorithm, Allowance, AuditedKey, Limit, Quota};
use std::slice;

/// The instants of one key's admissions, in order, in nanoseconds since the run's start.
type Key = Vec<i128>;

/// The places of the kinds among those of their algorithm.
const BY_CLOCK: usize = 0;
const BY_ADMISSION: usize = 1;

/// A limit in requests, and its window in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Size {
    limit: i128,
    window: i128,
}

/// The most requests that any key was admitted beyond the limit, by the kind of limiter that makes this least. It is zero or
/// less if no key was admitted too much.
pub fn excess(history: &History, limit: &Limit) -> i128 {
    let tiers = 0..=history.terms.tiers.all.len();
    let each = tiers.filter_map(|tier| excess_in_tier(history, limit, tier));
    each.max().unwrap_or(0)
}

/// The same of the keys of one tier, by its number; 0 stands for keys without one. `None` if they are unlimited.
fn excess_in_tier(history: &History, limit: &Limit, tier: usize) -> Option<i128> {
    let terms = &history.terms;
    let (quota, cost) = match tier.checked_sub(1).map(|place| terms.tiers.all[place]) {
        None => (limit.quota, terms.cost),
        Some(tier) => match tier.allowance {
            Allowance::Promised => (limit.quota, tier.cost),
            Allowance::Own(own) => (own, tier.cost),
            Allowance::Unlimited => return None,
        },
    };
    let is_in_tier = |key: &AuditedKey| {
        let of_key = match key {
            AuditedKey::Load(id) => terms.tiers.of_key.get(id.0 as usize),
            AuditedKey::Probe(_) => None,
        };
        usize::from(of_key.copied().unwrap_or(0)) == tier
    };
    let size = Size {
        limit: (quota.limit / cost).into(),
        window: quota.window.0.into(),
    };
    let keys = history.admitted.iter().filter(|(key, _)| is_in_tier(key));
    let keys: Vec<Key> = keys
        .map(|(_, all)| all.iter().map(|at| i128::from(*at)).collect())
        .collect();
    match limit.algorithm {
        Algorithm::TokenBucket => keys.iter().map(|key| overdrawn(key, quota, cost)).max(),
        _ => Some(size.excess(&keys, limit)),
    }
}

/// The most admissions within less than a window.
fn peak(key: &Key, window: i128) -> i128 {
    let mut instants = key.clone();
    instants.sort_unstable();
    let within = |(place, from): (usize, &i128)| {
        let end = instants.partition_point(|at| at - from < window);
        (end - place) as i128
    };
    instants.iter().enumerate().map(within).max().unwrap_or(0)
}

/// The most requests beyond what a bucket held and got back, rounded up.
fn overdrawn(key: &Key, quota: Quota, cost: u64) -> i128 {
    let rate = 1.0005 * quota.limit as f64 / quota.window.0 as f64;
    let mut instants = key.clone();
    instants.sort_unstable();
    let (mut most, mut missing, mut last) = (0.0, 0.0_f64, 0);
    for at in instants {
        missing = (missing - (at - last) as f64 * rate).max(0.0) + cost as f64;
        last = at;
        most = f64::max(most, missing);
    }
    ((most - quota.burst as f64) / cost as f64 - 1e-6).ceil() as i128
}

impl Size {
    fn excess(self, keys: &[Key], limit: &Limit) -> i128 {
        let of_each = |of: &dyn Fn(&[Key]) -> i128| {
            let each = keys.iter().map(|key| of(slice::from_ref(key)));
            each.max().unwrap_or(0)
        };
        let accepts = |kind: &usize| limit.accepts(*kind);
        let most = match limit.algorithm {
            Algorithm::FixedWindow => {
                let kinds = [BY_CLOCK, BY_ADMISSION, 2].into_iter().filter(accepts);
                let least = kinds.map(|kind| match kind {
                    BY_CLOCK => self.most_by_clock(keys),
                    BY_ADMISSION => of_each(&|keys| self.most_in_opened(&keys[0])),
                    _ => of_each(&|keys| self.most_by_clock(keys)),
                });
                least.min().expect("a kind")
            }
            Algorithm::SlidingCounter if limit.accepts(BY_CLOCK) => self.most_estimated(keys),
            Algorithm::SlidingCounter => of_each(&|keys| self.most_estimated(keys)),
            _ => of_each(&|keys| peak(&keys[0], self.window)),
        };
        most - self.limit
    }

    /// The most admissions of a key in one of the windows that one clock lays for all keys, with the phase that makes this
    /// least. The clock may drift, so admissions close to a boundary do not count.
    fn most_by_clock(self, keys: &[Key]) -> i128 {
        let drift = drift(keys);
        let phases = self.phases(keys, drift).into_iter();
        let most = |phase: i128| {
            let of_key = |key: &Key| {
                let inside = key.iter().filter(|at| self.is_inside(**at, phase, drift));
                let places = inside.map(|at| (at - phase).div_euclid(self.window));
                let places: Vec<_> = places.collect();
                let alike = places.chunk_by(|a, b| a == b).map(<[i128]>::len);
                alike.max().unwrap_or(0) as i128
            };
            keys.iter().map(of_key).max().unwrap_or(0)
        };
        phases.map(most).min().unwrap_or(0)
    }

    /// The most admissions in one of the windows that they open, each after the end of the last.
    fn most_in_opened(self, key: &Key) -> i128 {
        let (mut opened, mut count, mut most) = (None, 0, 0);
        for at in key {
            if opened.is_none_or(|opened| *at >= opened + self.window) {
                (opened, count) = (Some(at), 0);
            }
            count += 1;
            most = most.max(count);
        }
        most
    }

    /// The least limit with which a sliding counter would have admitted all, with the phase that makes this least. The clock
    /// may drift, so admissions close to a boundary do not count, and the former window counts less.
    fn most_estimated(self, keys: &[Key]) -> i128 {
        let drift = drift(keys);
        let phases = self.phases(keys, drift).into_iter();
        let most = |phase: i128| {
            let of_key = |key: &Key| self.most_estimated_at(phase, drift, key);
            keys.iter().map(of_key).max().unwrap_or(0)
        };
        phases.map(most).min().unwrap_or(0)
    }

    fn most_estimated_at(self, phase: i128, drift: i128, key: &Key) -> i128 {
        let (mut most, mut window) = (0, i128::MIN / 2);
        let (mut former, mut current) = (0, 0);
        for at in key.iter().filter(|at| self.is_inside(**at, phase, drift)) {
            let place = (at - phase).div_euclid(self.window);
            if place > window {
                former = if place == window + 1 { current } else { 0 };
                (window, current) = (place, 0);
            }
            let left = self.window - (at - phase).rem_euclid(self.window) - drift;
            let estimate = former * left + current * self.window;
            // The estimate has to be below the limit.
            most = most.max(estimate / self.window + 1);
            current += 1;
        }
        most
    }

    /// Whether an instant is surely within a window of this phase.
    fn is_inside(self, at: i128, phase: i128, drift: i128) -> bool {
        let over = (at - phase).rem_euclid(self.window);
        (drift..self.window - drift).contains(&over)
    }

    /// The phases at which an admission comes close to a boundary, or leaves it. Between them, no count changes, and
    /// estimates only grow.
    fn phases(self, keys: &[Key], drift: i128) -> Vec<i128> {
        let changes = |at: &i128| [at - drift, at - drift + 1, at + drift, at + drift + 1];
        let changes = keys.iter().flatten().flat_map(changes);
        let mut phases: Vec<_> = changes.map(|at| at.rem_euclid(self.window)).collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }
}

/// How far a clock may drift during all admissions.
fn drift(keys: &[Key]) -> i128 {
    let instants = || keys.iter().flatten().copied();
    let span = instants().max().unwrap_or(0) - instants().min().unwrap_or(0);
    (span + 1_999) / 2_000
}
