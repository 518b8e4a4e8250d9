//! A validated run: nothing after this reads text.

use crate::cli::{Arguments, Cli, Refusal, without_login};
use crate::client::{Target, Trust};
use crate::limiter;
use crate::schedule::{Bursts, Nanos, Profile, Rate, Schedule, Steady};
use clap::parser::ValueSource;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that was asked of a run, all of it possible.
#[derive(Debug)]
pub struct Plan {
    pub cluster: Cluster,
    pub schedule: Schedule,
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

/// Where the requests go.
#[derive(Debug)]
pub enum Cluster {
    /// To nodes that this process starts.
    Demo,
    /// To these nodes, of which there is at least one.
    Targets(Vec<Target>),
}

impl Plan {
    /// Checks what no option can be checked for alone.
    pub fn new(arguments: &Arguments<Cli>) -> Result<Plan, Refusal> {
        let cli = &arguments.cli;
        let cluster = cluster(arguments)?;
        let profile: Box<dyn Profile> = match cli.burst_enabled {
            true => Box::new(bursts(arguments)?),
            false => Box::new(Steady::new(cli.rps)),
        };
        let end = (!cli.duration.is_zero()).then(|| Nanos::from(cli.duration));
        Ok(Plan {
            cluster,
            schedule: Schedule::new(profile, end),
            workers: cli.workers,
            queue: cli.queue,
            timeout: cli.timeout,
            drain_timeout: cli.drain_timeout,
            stats_interval: cli.stats_interval,
            limit: cli.limit,
            window_ms: cli.window_ms,
            keys: cli.keys,
            seed: cli.seed,
            trust: trust(arguments)?,
            // Without an address there is nothing that could linger: a variable set for all runs
            // does no harm to one without metrics.
            metrics: cli.metrics_addr.map(|addr| Metrics {
                addr,
                linger: cli.metrics_linger,
            }),
        })
    }
}

/// Of `--demo` and `--targets` a flag wins over the other's variable; two flags contradict each
/// other.
fn cluster(arguments: &Arguments<Cli>) -> Result<Cluster, Refusal> {
    let Cli {
        targets,
        path,
        demo,
        ..
    } = &arguments.cli;
    let flag = |option| arguments.source(option) == Some(ValueSource::CommandLine);
    if *demo && flag("targets") && flag("demo") {
        return Err(arguments.refuse("targets", "must not be given together with --demo"));
    }
    if *demo && !flag("targets") {
        answerable_by_the_demo(arguments)?;
        return Ok(Cluster::Demo);
    }
    let targets = targets.0.iter().map(|base| {
        Target::new(base, path).map_err(|wrong| {
            let allowed = "must be http or https URLs, such as http://127.0.0.1:8000";
            let base = without_login(base);
            arguments.refuse("targets", format!("{allowed}; {base} {wrong}"))
        })
    });
    Ok(Cluster::Targets(targets.collect::<Result<_, _>>()?))
}

/// Verifying against given certificates and verifying nothing contradict each other, wherever they
/// come from: neither is given up silently.
fn trust(arguments: &Arguments<Cli>) -> Result<Trust, Refusal> {
    match (&arguments.cli.ca_cert, arguments.cli.insecure) {
        (None, false) => Ok(Trust::PublicAuthorities),
        (None, true) => Ok(Trust::Anyone),
        (Some(authorities), false) => Ok(Trust::Only(authorities.clone())),
        (Some(_), true) => {
            let other = arguments.name("insecure");
            let allowed = format!("must not be given together with {other}");
            Err(arguments.refuse("ca_cert", allowed))
        }
    }
}

/// The reference limiter has bounds of its own, and one path.
fn answerable_by_the_demo(arguments: &Arguments<Cli>) -> Result<(), Refusal> {
    let Cli {
        path,
        limit,
        window_ms,
        ..
    } = &arguments.cli;
    if path != limiter::CHECK_PATH {
        let allowed = format!("must be {} with --demo", limiter::CHECK_PATH);
        return Err(arguments.refuse("path", allowed));
    }
    let with_demo = |error| format!("with --demo, {error}");
    limiter::Limit::new(*limit).map_err(|e| arguments.refuse("limit", with_demo(e)))?;
    limiter::Window::from_millis(*window_ms)
        .map_err(|e| arguments.refuse("window_ms", with_demo(e)))?;
    Ok(())
}

fn bursts(arguments: &Arguments<Cli>) -> Result<Bursts, Refusal> {
    let Cli {
        rps,
        burst_multiplier,
        burst_duration,
        burst_interval,
        ..
    } = &arguments.cli;
    if burst_duration >= burst_interval {
        // Whichever of the two was asked for is the one that is wrong.
        let given = |option| arguments.source(option) != Some(ValueSource::DefaultValue);
        return Err(if given("burst_interval") && !given("burst_duration") {
            let allowed = format!("must be longer than --burst-duration ({burst_duration:?})");
            arguments.refuse("burst_interval", allowed)
        } else {
            let allowed = format!("must be shorter than --burst-interval ({burst_interval:?})");
            arguments.refuse("burst_duration", allowed)
        });
    }
    // The steady rate is at most 10⁶/s and the multiplier at most 10³, so there is such a rate.
    let burst = (rps.nano() as f64 * burst_multiplier).round() as u64;
    let burst = Rate::from_nano(burst.min(Rate::MAX.nano()));
    Ok(Bursts::new(
        *rps,
        burst,
        Nanos::from(*burst_duration),
        Nanos::from(*burst_interval),
    ))
}
