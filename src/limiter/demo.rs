//! A limiter cluster within this process, to try the load generator without another one, or on a broken one.

use super::algorithm::Algorithm;
use super::check::Policy;
use super::clock::SystemClock;
use super::fail_mode::FailMode;
use super::node::Node;
use super::store::{MemoryStore, RacyStore, Store};
use std::array;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Three nodes, `demo-1` to `demo-3`, on free loopback ports. Like any [`Node`], they serve until this is dropped.
pub struct Demo {
    nodes: Vec<Node>,
}

impl Demo {
    pub const NODES: usize = 3;

    /// Starts the nodes. The policy is for checks that give no limit and window.
    ///
    /// # Errors
    /// The errors of [`Node::start`].
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

    /// The nodes' addresses, in the order of their names.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::addr).collect()
    }
}

/// How a demo's nodes limit. Parsed from its name and displayed as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoLimiter {
    /// The nodes share one memory store with this algorithm, so the cluster as a whole keeps each key's limit.
    Shared(Algorithm),
    /// Each node has a memory store of its own with the default algorithm, so the cluster admits up to three times the
    /// limit.
    PerNode,
    /// The nodes share one [`RacyStore`] with the default algorithm, so the cluster exceeds the limit whenever the
    /// checks of one key overlap.
    Racy,
}

impl DemoLimiter {
    /// The time between the racy limiter's read and its write: two round trips of 35 ms, as between data centres of one
    /// continent. With the default load of a demo (10/s with bursts of 50/s, shared by three keys), no two checks of a key are
    /// that close in steady traffic, and in bursts most checks come before the last one is counted: a key with a limit of 50
    /// a minute gets about 65.
    pub const RACY_WRITE_DELAY: Duration = Duration::from_millis(70);

    pub fn all() -> impl Iterator<Item = Self> {
        let shared = Algorithm::ALL.iter().copied().map(Self::Shared);
        shared.chain([Self::PerNode, Self::Racy])
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Shared(algorithm) => algorithm.name,
            Self::PerNode => "per-node",
            Self::Racy => "racy",
        }
    }

    /// This limiter in a few words. `None` for the default.
    pub fn description(self) -> Option<String> {
        let how = match self {
            default if default == Self::default() => return None,
            Self::Shared(_) => "which the nodes share".to_owned(),
            Self::PerNode => "a sliding log of its own for each node".to_owned(),
            Self::Racy => {
                let apart = Self::RACY_WRITE_DELAY;
                format!("a sliding log that each check reads, and writes back {apart:?} later")
            }
        };
        Some(format!("{self}, {how}"))
    }

    fn stores(self) -> [Arc<dyn Store>; Demo::NODES] {
        let clock = SystemClock::default();
        let in_memory = |algorithm| Arc::new(MemoryStore::new(algorithm, clock)) as Arc<dyn Store>;
        let default = Algorithm::default();
        let store = match self {
            Self::Shared(algorithm) => in_memory(algorithm),
            Self::PerNode => return array::from_fn(|_| in_memory(default)),
            Self::Racy => Arc::new(RacyStore::new(default, clock, Self::RACY_WRITE_DELAY)),
        };
        array::from_fn(|_| Arc::clone(&store))
    }
}

impl Default for DemoLimiter {
    fn default() -> Self {
        Self::Shared(Algorithm::default())
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of {}", DemoLimiter::all().map(DemoLimiter::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownDemoLimiter;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::check::{Check, Key, Limit, Window};

    /// The number of checks that are allowed, made one after another by each node in turn.
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
    fn nodes_with_a_shared_store_keep_the_limit_and_others_keep_it_once_each() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(allowed(DemoLimiter::Shared(algorithm), 4, 30), 4);
        }
        assert_eq!(allowed(DemoLimiter::PerNode, 4, 30), 12);
        assert_eq!(allowed(DemoLimiter::Racy, 4, 6), 4, "one after another");
    }

    #[test]
    fn a_limiter_is_parsed_from_its_name() {
        for limiter in DemoLimiter::all() {
            assert_eq!(limiter.to_string().parse(), Ok(limiter));
        }
        let error = "leaky".parse::<DemoLimiter>().unwrap_err().to_string();
        assert!(error.starts_with("must be one of sliding-log, "), "{error}");
        assert!(error.ends_with(", per-node, racy"), "{error}");
    }
}
