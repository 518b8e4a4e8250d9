//! A limiter cluster within this process, for trying the load generator without one.

use super::algorithm::AlgorithmKind;
use super::check::Policy;
use super::clock::SystemClock;
use super::fail_mode::FailMode;
use super::node::Node;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

const NODES: usize = 3;

/// Three nodes, `demo-1` to `demo-3`, on free loopback ports. They share one memory store with the sliding log, so the
/// cluster as a whole keeps each key's limit. Like [`Node`], they serve until the process ends.
pub struct Demo {
    nodes: Vec<Node>,
}

impl Demo {
    /// With a policy for checks that say none.
    ///
    /// # Errors
    /// Those of [`Node::start`].
    pub fn start(policy: Policy) -> io::Result<Self> {
        let store = AlgorithmKind::SlidingLog.in_memory(SystemClock::new());
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let nodes = (1..=NODES)
            .map(|number| {
                let (name, store) = (format!("demo-{number}"), Arc::clone(&store));
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
