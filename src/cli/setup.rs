//! Everything that a run needs, checked.

use super::cluster::check_demo_tiers;
use super::promise::Promised;
use super::{Arguments, Nodes, Options, Refusal};
use crate::client::Connecting;
use crate::core::plan::Plan;
use crate::core::summary::Setting;
use crate::report::Output;
use std::net::SocketAddr;
use std::time::Duration;

/// A requested run, as checked values. Nothing after this reads text.
#[derive(Debug)]
pub struct Setup {
    pub plan: Plan,
    pub nodes: Nodes,
    pub connecting: Connecting,
    /// `None` if no metrics are served.
    pub metrics: Option<Metrics>,
    /// The files that results go to.
    pub outputs: Vec<Output>,
    /// Whether the live view is shown if standard output is a terminal.
    pub live_view: bool,
    /// Every option with its value, for the reports.
    pub settings: Vec<Setting>,
    /// The command that repeats this run.
    pub repeating_command: String,
}

/// The server of metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The address to listen on. Port 0 stands for any free one.
    pub addr: SocketAddr,
    /// The time for which metrics stay available after a run that was not stopped.
    pub linger: Duration,
    asked_by: String,
    text: String,
}

impl Metrics {
    /// The line that refuses the address.
    pub fn refuse(&self, why: &std::io::Error) -> Refusal {
        let allowed = format!("must be an address to listen on; {why}");
        Refusal::wrong(&self.asked_by, &self.text, &allowed)
    }
}

impl Setup {
    /// Checks the rules that concern several options.
    ///
    /// # Errors
    /// The options contradict each other, or a file that they name can't be read.
    pub fn new(arguments: &Arguments<Options>) -> Result<Setup, Refusal> {
        let Options {
            cluster,
            connections,
            traffic,
            requests,
            answers,
            keys: key_options,
            audit,
            thresholds,
            results,
            generator,
        } = &arguments.options;
        let is_demo = cluster.is_demo(arguments)?;
        let promised = Promised::new(arguments, audit.promise(is_demo), &requests.quota)?;
        let quota = promised.quota;
        let schedule = traffic.schedule(arguments, quota.window)?;
        let mut nodes = cluster.nodes(arguments, is_demo, quota)?;
        connections.redirect(arguments, &mut nodes)?;
        let key_seed = audit.key_seed(arguments, promised.promises.is_some())?;
        let keys = key_options.plan(arguments, key_seed)?;
        let (allowed, blocked) = answers.rules(&requests.preset);
        let request = requests.request(
            arguments,
            &keys,
            quota,
            allowed.read_bodies() || blocked.read_bodies(),
        )?;
        check_demo_tiers(arguments, &nodes, &request, &keys)?;
        let audit = audit.plan(arguments, &promised, is_demo, &request)?;
        let plan = Plan {
            thresholds: thresholds.plan(arguments, nodes.count(), audit.is_some())?,
            audit,
            alignment: traffic.alignment(arguments, &schedule, quota.window)?,
            schedule,
            workers: generator.workers,
            queue: generator.queue,
            timeout: generator.requests.timeout,
            drain_timeout: generator.drain_timeout,
            stats_interval: generator.stats_interval,
            request,
            limit: quota.limit,
            window: quota.window,
            cost: *requests.cost,
            keys,
            key_distribution: *key_options.key_distribution,
            seed: *generator.seed,
            key_seed,
            allowed,
            blocked,
        };
        requests.check_lengths(arguments, &plan, &nodes.examples())?;
        Ok(Setup {
            connecting: connections.connecting(arguments, cluster.trust(arguments)?, &nodes)?,
            nodes,
            // A variable may set this for all runs.
            metrics: generator.metrics_addr.as_ref().map(|addr| Metrics {
                addr: **addr,
                linger: generator.metrics_linger,
                asked_by: arguments.name(addr),
                text: addr.text.clone(),
            }),
            outputs: results.outputs(arguments),
            live_view: !results.no_tui,
            settings: arguments.settings(),
            repeating_command: arguments.repeating_command(plan.seed),
            plan,
        })
    }
}
