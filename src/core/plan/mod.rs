//! A validated run: nothing after this reads text.

mod answers;
mod audit;
mod cluster;
mod description;
mod keys;
mod requests;
mod thresholds;
mod traffic;

pub use audit::Audit;
pub use cluster::Cluster;
pub use thresholds::Thresholds;

use crate::base::Target;
use crate::cli::{self, Arguments, Options, Refusal};
use crate::client::Trust;
use crate::core::answers::Rules;
use crate::core::keys::{Dealer, Distribution, Keys};
use crate::core::request::{CompiledRequest, Constants, MAX_FILLED, RequestTemplate};
use crate::core::schedule::{Alignment, Schedule};
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
    pub form: RequestTemplate,
    /// Of what is sent, or is known of the limiter.
    pub limit: u64,
    pub window_ms: u64,
    pub keys: Keys,
    pub key_distribution: Distribution,
    pub seed: u64,
    pub trust: Trust,
    /// What counts as allowed, if not as blocked.
    pub allowed: Rules,
    pub blocked: Rules,
    /// Whether the limit is audited.
    pub audit: Option<Audit>,
    /// What is asked of its numbers.
    pub thresholds: Thresholds,
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
            generator,
            keys: cli::Keys {
                key_distribution, ..
            },
            ..
        } = &arguments.options;
        let schedule = traffic::schedule(arguments)?;
        let keys = keys::keys(arguments)?;
        let (allowed, blocked) = answers::answers(arguments);
        let cluster = cluster::cluster(arguments)?;
        let form = requests::form(arguments, &keys)?;
        let audit = audit::audit(arguments, &cluster, &form)?;
        let plan = Plan {
            thresholds: thresholds::thresholds(arguments, &cluster, audit.as_ref())?,
            audit,
            cluster,
            alignment: traffic::alignment(arguments, &schedule)?,
            schedule,
            workers: generator.workers,
            queue: generator.queue,
            timeout: generator.timeout,
            drain_timeout: generator.drain_timeout,
            stats_interval: generator.stats_interval,
            form,
            limit: requests.limit,
            window_ms: requests.window_ms,
            keys,
            key_distribution: *key_distribution,
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
        };
        plan.check_lengths(arguments)?;
        Ok(plan)
    }

    /// That no part of a request is too long, with the longest that may be filled in.
    fn check_lengths(&self, arguments: &Arguments<Options>) -> Result<(), Refusal> {
        match self.requests(&self.examples()).too_long() {
            None => Ok(()),
            Some((part, longest)) => {
                let allowed = format!(
                    "must be at most {MAX_FILLED} bytes with the longest that may be filled in; that is {longest}"
                );
                Err(arguments.refuse(part, allowed))
            }
        }
    }

    /// The targets, or, where those are still to be started, one like them.
    pub fn examples(&self) -> Vec<Target> {
        match &self.cluster {
            Cluster::Targets(targets) => targets.clone(),
            Cluster::Demo { .. } => vec![Target::new("http://127.0.0.1:65535").expect("a URL")],
        }
    }

    /// Whether the audit asks questions of its own.
    pub fn has_probe(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.probe)
    }

    /// The requests of a run against `targets`.
    pub fn requests(&self, targets: &[Target]) -> CompiledRequest {
        self.requests_for(targets, &self.keys)
    }

    /// The requests of a run against `targets` for other keys.
    pub fn requests_for(&self, targets: &[Target], keys: &Keys) -> CompiledRequest {
        let constants = Constants {
            keys,
            limit: self.limit,
            window_ms: self.window_ms,
        };
        self.form.compile(targets, &constants, self.seed)
    }

    /// Which key each of them carries.
    pub fn dealer(&self) -> Dealer {
        Dealer::new(&self.keys, self.key_distribution, self.seed)
    }
}
