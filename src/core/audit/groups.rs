//! The limits of the promises, grouped by their quotas: those of one quota share a log of admissions.

use super::bounds::{Bounds, drift};
use super::observation::AuditedKey;
use super::promise::{Limit, MostInAnyWindow};
use super::quota::Quota;
use super::terms::{Allowance, Terms};

/// A set of limits or promises, by their places; there are 64 at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u64);

impl Flags {
    pub fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    pub fn set(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Limits of one quota.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub bounds: Bounds,
    /// Each with its place among the limits of all promises.
    pub limits: Vec<(usize, Limit)>,
    /// The limits that are the only ones of their promise, by their places.
    pub alone: Flags,
    /// The most requests that a limiter which keeps one of the promises admits in any interval of the window's length, by
    /// these limits.
    pub most_in_any_window: MostInAnyWindow,
}

/// What a key is held to.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// None if the key is unlimited.
    pub groups: Vec<Group>,
    /// The place of these rules among those of all tiers.
    pub tier: usize,
}

/// The rules of each tier. The first are those of the keys without a tier.
#[derive(Debug)]
pub(super) struct AllRules(Vec<Rules>);

impl AllRules {
    pub fn of(terms: &Terms) -> AllRules {
        let own = terms
            .tiers
            .all
            .iter()
            .map(|tier| (tier.allowance, tier.cost));
        let tiers = [(Allowance::Promised, terms.cost)].into_iter().chain(own);
        let rules = tiers.enumerate().map(|(tier, (allowance, cost))| Rules {
            groups: groups(terms, allowance, cost),
            tier,
        });
        AllRules(rules.collect())
    }

    pub fn of_key(&self, key: AuditedKey, terms: &Terms) -> &Rules {
        let place = match key {
            AuditedKey::Load(id) => terms.tiers.place(id).map_or(0, |place| place + 1),
            AuditedKey::Probe(_) => 0,
        };
        &self.0[place]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rules> {
        self.0.iter()
    }
}

fn groups(terms: &Terms, allowance: Allowance, cost: u64) -> Vec<Group> {
    let own = match allowance {
        Allowance::Unlimited => return Vec::new(),
        Allowance::Promised => None,
        Allowance::Own(quota) => Some(quota),
    };
    let limits = terms.promises.iter().flat_map(|promise| &promise.limits);
    let mut alone = Flags::default();
    let mut next = 0;
    for promise in &terms.promises {
        if promise.limits.len() == 1 {
            alone.set(next);
        }
        next += promise.limits.len();
    }
    let mut groups: Vec<(Quota, Vec<(usize, Limit)>)> = Vec::new();
    for (place, limit) in limits.enumerate() {
        let limit = Limit {
            quota: own.unwrap_or(limit.quota),
            ..*limit
        };
        match groups.iter_mut().find(|(quota, _)| *quota == limit.quota) {
            Some((_, limits)) => limits.push((place, limit)),
            None => groups.push((limit.quota, vec![(place, limit)])),
        }
    }
    // The promise of each limit, by their places.
    let promises = terms.promises.iter().enumerate();
    let promises = promises.flat_map(|(promise, one)| one.limits.iter().map(move |_| promise));
    let promises: Vec<_> = promises.collect();
    let groups = groups.into_iter().map(|(quota, limits)| {
        let windows = limits
            .iter()
            .map(|(_, limit)| limit.algorithm.about().windows);
        let bounds = bounds(terms, quota, cost, windows.max().unwrap_or(1));
        let mut most = vec![None::<MostInAnyWindow>; terms.promises.len()];
        for (place, limit) in &limits {
            let of_limit = limit.algorithm.most_in_any_window(&bounds);
            let of_promise = &mut most[promises[*place]];
            if of_promise.is_none_or(|most| most.requests > of_limit.requests) {
                *of_promise = Some(of_limit);
            }
        }
        // The first of those that admit the most.
        let most = most.into_iter().flatten().rev();
        let most = most.max_by_key(|most| most.requests);
        Group {
            most_in_any_window: most.expect("a group has limits"),
            bounds,
            limits,
            alone,
        }
    });
    groups.collect()
}

/// What the terms mean for keys with this quota. `windows` is how many windows of admissions are needed to judge a request.
fn bounds(terms: &Terms, quota: Quota, cost: u64, windows: u64) -> Bounds {
    let window = quota.window;
    let skew = terms.skew(window);
    let tolerance = skew + drift(window);
    let longest_window = window + tolerance;
    let excess_millionths = (terms.excess_tolerance * 1e6).round() as u64;
    let extended = u128::from(quota.limit) * u128::from(1_000_000 + excess_millionths);
    Bounds {
        limit: quota.limit / cost,
        most: (extended / (1_000_000 * u128::from(cost))) as u64,
        rate: quota.limit,
        burst: quota.burst,
        cost,
        excess_millionths,
        targets: terms.targets,
        prior_use: terms.prior_use,
        window,
        timeout: terms.timeout,
        tolerance,
        skew,
        shortest_window: window - tolerance,
        longest_window,
        kept: longest_window * windows + terms.timeout,
    }
}
