//! A limiter cluster within this process, for trying the load generator without one, or on a broken one.

use super::algorithm::{AlgorithmKind, SlidingLog};
use super::check::Policy;
use super::clock::SystemClock;
use super::fail_mode::FailMode;
use super::node::Node;
use super::store::{RacyStore, Store};
use std::array;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Three nodes, `demo-1` to `demo-3`, on free loopback ports. Like [`Node`], they serve until the process ends.
pub struct Demo {
    nodes: Vec<Node>,
}

impl Demo {
    /// How many there are.
    pub const NODES: usize = 3;

    /// With a policy for checks that say none.
    ///
    /// # Errors
    /// Those of [`Node::start`].
    pub fn start(policy: Policy, limiter: DemoLimiter) -> io::Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let nodes = (1..)
            .zip(limiter.stores())
            .map(|(number, store)| {
                let name = format!("demo-{number}");
                Node::start(any_port, name, store, policy, FailMode::Closed)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { nodes })
    }

    /// Where the nodes listen, in the order of their names.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::addr).collect()
    }
}

/// How a demo's nodes limit. Parsed from its name and displayed as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoLimiter {
    /// In one memory store with this algorithm, so that the cluster as a whole keeps each key's limit.
    Shared(AlgorithmKind),
    /// Each in a memory store of its own with the sliding log, so that the cluster admits up to three times the limit.
    PerNode,
    /// In one [`RacyStore`] with the sliding log, so that the cluster admits more than the limit where a key's checks
    /// overlap.
    Racy,
}

impl DemoLimiter {
    /// How far the racy limiter's reads and writes are apart: two round trips of 35 ms, as between data centres of one
    /// continent. Where 10/s with bursts of 50/s is shared by seven keys, as by default, no two checks of a key are that
    /// close in steady traffic, and in bursts every eighth comes before the last one is counted: of 100 in a minute a key
    /// gets some 104.
    pub const RACY_APART: Duration = Duration::from_millis(70);

    pub fn all() -> impl Iterator<Item = Self> {
        let shared = AlgorithmKind::ALL.iter().copied().map(Self::Shared);
        shared.chain([Self::PerNode, Self::Racy])
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Shared(algorithm) => algorithm.name(),
            Self::PerNode => "per-node",
            Self::Racy => "racy",
        }
    }

    /// One for each node.
    fn stores(self) -> [Arc<dyn Store>; Demo::NODES] {
        let clock = SystemClock::new();
        let shared = |store: Arc<dyn Store>| array::from_fn(|_| Arc::clone(&store));
        match self {
            Self::Shared(algorithm) => shared(algorithm.in_memory(clock)),
            Self::PerNode => array::from_fn(|_| AlgorithmKind::SlidingLog.in_memory(clock)),
            Self::Racy => {
                let store = RacyStore::<SlidingLog, _>::new(clock, Self::RACY_APART);
                shared(Arc::new(store))
            }
        }
    }
}

impl Default for DemoLimiter {
    fn default() -> Self {
        Self::Shared(AlgorithmKind::SlidingLog)
    }
}

impl fmt::Display for DemoLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DemoLimiter {
    type Err = UnknownDemoLimiter;

    fn from_str(name: &str) -> Result<Self, UnknownDemoLimiter> {
        Self::all()
            .find(|limiter| limiter.name() == name)
            .ok_or(UnknownDemoLimiter)
    }
}

/// A name that no limiter of a demo has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of {}", DemoLimiter::all().map(DemoLimiter::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownDemoLimiter;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::check::{Check, Key, Limit, Window};

    /// How many of the checks are allowed that are made one after another, by each node in turn.
    fn allowed(limiter: DemoLimiter, limit: u64, checks: usize) -> usize {
        let check = Check {
            key: Key::new("k").unwrap(),
            limit: Limit::new(limit).unwrap(),
            window: Window::from_millis(Window::MAX_MILLIS).unwrap(),
        };
        let stores = limiter.stores();
        (0..checks)
            .filter(|turn| stores[turn % Demo::NODES].check(&check).unwrap().allowed)
            .count()
    }

    #[test]
    fn nodes_that_share_counts_keep_the_limit_and_others_keep_it_once_each() {
        for &algorithm in AlgorithmKind::ALL {
            assert_eq!(allowed(DemoLimiter::Shared(algorithm), 4, 30), 4);
        }
        assert_eq!(allowed(DemoLimiter::PerNode, 4, 30), 12);
        assert_eq!(allowed(DemoLimiter::Racy, 4, 6), 4, "one after another");
    }

    #[test]
    fn a_limiter_is_known_by_its_name() {
        for (name, limiter) in [
            ("sliding-log", DemoLimiter::default()),
            (
                "fixed-window",
                DemoLimiter::Shared(AlgorithmKind::FixedWindow),
            ),
            (
                "token-bucket",
                DemoLimiter::Shared(AlgorithmKind::TokenBucket),
            ),
            ("per-node", DemoLimiter::PerNode),
            ("racy", DemoLimiter::Racy),
        ] {
            assert_eq!(name.parse(), Ok(limiter));
            assert_eq!(limiter.to_string(), name);
        }
        assert_eq!(
            "leaky".parse::<DemoLimiter>().unwrap_err().to_string(),
            "must be one of sliding-log, fixed-window, token-bucket, per-node, racy"
        );
    }
}
