//! A validated run: nothing after this reads text.

mod answers;
mod cluster;
mod traffic;

pub use cluster::Cluster;

use crate::cli::{Arguments, Options, Refusal};
use crate::client::{Rules, Trust};
use crate::schedule::{Alignment, Schedule};
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that was asked of a run, all of it possible.
#[derive(Debug)]
pub struct Plan {
    pub cluster: Cluster,
    pub schedule: Schedule,
    /// Whether its start waits for the clock.
    pub alignment: Option<Alignment>,
    pub workers: usize,
    /// Capacity of the queue, in tokens.
    pub queue: usize,
    pub timeout: Duration,
    pub drain_timeout: Duration,
    pub stats_interval: Duration,
    pub limit: u64,
    pub window_ms: u64,
    /// How many distinct keys; 0 for a fresh one with every request.
    pub keys: u32,
    pub seed: u64,
    pub trust: Trust,
    /// What counts as allowed, if not as blocked.
    pub allowed: Rules,
    pub blocked: Rules,
    /// Whether metrics are served.
    pub metrics: Option<Metrics>,
}

#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    /// Port 0 stands for any free one.
    pub addr: SocketAddr,
    /// How long they stay after a run that was not stopped.
    pub linger: Duration,
}

impl Plan {
    /// Checks what no option can be checked for alone.
    pub fn new(arguments: &Arguments<Options>) -> Result<Plan, Refusal> {
        let Options {
            requests,
            keys,
            generator,
            ..
        } = &arguments.options;
        let schedule = traffic::schedule(arguments)?;
        let (allowed, blocked) = answers::answers(arguments);
        Ok(Plan {
            cluster: cluster::cluster(arguments)?,
            alignment: traffic::alignment(arguments, &schedule)?,
            schedule,
            workers: generator.workers,
            queue: generator.queue,
            timeout: generator.timeout,
            drain_timeout: generator.drain_timeout,
            stats_interval: generator.stats_interval,
            limit: requests.limit,
            window_ms: requests.window_ms,
            keys: keys.keys,
            seed: generator.seed,
            trust: cluster::trust(arguments)?,
            allowed,
            blocked,
            // Without an address there is nothing that could linger: a variable set for all runs
            // does no harm to one without metrics.
            metrics: generator.metrics_addr.map(|addr| Metrics {
                addr,
                linger: generator.metrics_linger,
            }),
        })
    }
}
