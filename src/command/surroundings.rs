//! What a run needs beside its plan: nodes, the exporter of metrics, and a first target that is ready.

use super::warn;
use crate::base::text::span;
use crate::base::{Nanos, Target};
use crate::cli::{Nodes, Refusal, Setup, Wait};
use crate::client::{Cluster, NotReady, Stopped};
use crate::core::plan::PlannedStart;
use crate::core::summary::timestamp;
use crate::engine::{EventLog, RunError, SnapshotRequests, Targets};
use crate::limiter::Demo;
use crate::report::{Console, Exporter};
use crate::system::Stop;
use anyhow::Context;
use std::time::{Duration, SystemTime};

pub(super) fn start_exporter(
    setup: &Setup,
    requests: &SnapshotRequests,
    events: &EventLog,
) -> Result<Option<Exporter>, Refusal> {
    let Some(metrics) = &setup.metrics else {
        return Ok(None);
    };
    let marks = metrics.accepts_marks.then(|| events.clone());
    let exporter = Exporter::start(metrics.addr, requests, marks);
    exporter.map(Some).map_err(|error| metrics.refuse(&error))
}

/// Returns the targets, and the demo's nodes, which serve for as long as they are kept.
pub(super) fn start_nodes(nodes: &Nodes) -> anyhow::Result<(Vec<Target>, Option<Demo>)> {
    match nodes {
        Nodes::Targets(targets) => Ok((targets.clone(), None)),
        Nodes::Demo { policy, limiter } => {
            let demo = Demo::start(*policy, *limiter).context("can't start the demo's nodes")?;
            let mut targets = Vec::new();
            for addr in demo.addrs() {
                let target = Target::new(&format!("http://{addr}"));
                targets.push(target.map_err(anyhow::Error::msg)?);
            }
            Ok((targets, Some(demo)))
        }
    }
}

/// Waits for the first target, and says on standard error why it is not ready. A stop ends the wait: the run is then over
/// before its first request.
pub(super) fn wait_for_first(
    wait: &Wait,
    cluster: &Cluster,
    targets: &[Target],
    setup: &Setup,
    stop: &Stop,
) -> anyhow::Result<Stopped> {
    let name = &cluster.names()[0];
    let longest = Nanos::from(wait.longest);
    let report = |reason: &str| {
        warn(format!("waiting up to {longest:#} for {name}: {reason}"));
    };
    let waited = cluster.wait_for_first(targets, &setup.connecting, wait.longest, stop, report);
    waited.map_err(|NotReady { reason }| {
        anyhow::anyhow!("{}: {name} was not ready in time: {reason}", wait.asked_by)
    })
}

/// Waits until shortly before the planned start, by the wall clock, which may be set meanwhile. A stop ends the wait.
pub(super) fn wait_for_start(start: &PlannedStart, console: &Console, stop: &Stop) {
    let left = || {
        start
            .at
            .duration_since(SystemTime::now())
            .unwrap_or_default()
    };
    if left() > LEAD {
        let at = timestamp(start.at, Nanos::ZERO);
        let left = span(left().into());
        console.print(format!("Waiting {left} for the start at {at}"));
    }
    while let Some(time) = left().checked_sub(LEAD)
        && !time.is_zero()
        && !stop.wait(time.min(LOOK_EVERY))
    {}
}

/// The time before the planned start at which the run is prepared.
const LEAD: Duration = Duration::from_secs(1);

/// How often the wait for the start reads the wall clock, which may be set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An error of a run, with what to type if nobody said where requests go.
pub(super) fn explained(error: RunError, setup: &Setup) -> anyhow::Error {
    match error {
        RunError::NoTargetResolves(_) if setup.has_default_targets => {
            Refusal::Wrong(NO_TARGET.to_owned()).into()
        }
        error => error.into(),
    }
}

const NO_TARGET: &str = "\
no target is given, and the names of the default ones, such as ratelimiter-1, do not resolve here. Type one of
  loadgen http://127.0.0.1:8000/items   to send GET requests to your own limiter
  loadgen --demo                        to try it with nodes in this process
  loadgen -h                            for help, or --help for all of it";
