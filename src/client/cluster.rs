//! The nodes under load, as the engine calls them.

use super::knock::{self, NotReady, Stopped};
use super::{Client, Connecting, Resolver};
use crate::base::{Nanos, Target};
use crate::core::answers::Answers;
use crate::core::plan::Plan;
use crate::core::request::CompiledRequest;
use crate::core::stats::FailureExample;
use crate::engine::Targets;
use crate::system::Stop;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// One client for the traffic and one for the audit's probe. Both share the resolver; each has connections of its own.
#[derive(Debug)]
pub struct Cluster {
    names: Vec<String>,
    resolver: Arc<Resolver>,
    traffic: Client,
    probe: Option<Client>,
}

impl Cluster {
    /// Starts to look up the targets' names, in the background.
    ///
    /// # Errors
    /// The system has no thread for the resolver.
    pub fn start(targets: &[Target], plan: &Plan, connecting: &Connecting) -> io::Result<Cluster> {
        let resolver = Arc::new(Resolver::start(targets)?);
        Ok(Cluster::with_resolver(resolver, targets, plan, connecting))
    }

    /// The same targets with the requests and the keys of another plan, and with connections of their own.
    #[must_use]
    pub fn renewed(&self, targets: &[Target], plan: &Plan, connecting: &Connecting) -> Cluster {
        Cluster::with_resolver(self.resolver.clone(), targets, plan, connecting)
    }

    fn with_resolver(
        resolver: Arc<Resolver>,
        targets: &[Target],
        plan: &Plan,
        connecting: &Connecting,
    ) -> Cluster {
        let client = |requests: CompiledRequest| {
            Client::new(
                targets,
                resolver.clone(),
                requests,
                plan.timeout,
                connecting,
                Answers::new(&plan.allowed, &plan.blocked).with_failing_open(&plan.failing_open),
            )
        };
        let probe = || client(plan.requests_for(targets, &plan.probe_keys()));
        Cluster {
            names: targets.iter().map(ToString::to_string).collect(),
            traffic: client(plan.requests(targets)),
            probe: plan.has_probe().then(probe),
            resolver,
        }
    }

    /// Waits at most for `longest` until the first of `targets`, which are those of the start, accepts a connection and
    /// keeps it open. `report` gets the reason why it does not, whenever that changes.
    ///
    /// # Errors
    /// The time is over.
    pub fn wait_for_first(
        &self,
        targets: &[Target],
        connecting: &Connecting,
        longest: Duration,
        stop: &Stop,
        report: impl FnMut(&str),
    ) -> Result<Stopped, NotReady> {
        knock::wait(targets, &self.resolver, connecting, longest, stop, report)
    }
}

impl Targets for Cluster {
    type Caller = Client;

    fn names(&self) -> &[String] {
        &self.names
    }

    fn wait_for_address(&self, timeout: Duration, stop: &Stop) -> bool {
        self.resolver.any_resolved(timeout, stop)
    }

    fn traffic(&self) -> &Client {
        &self.traffic
    }

    fn probe(&self) -> Option<&Client> {
        self.probe.as_ref()
    }

    fn failure_examples(&self) -> Vec<FailureExample> {
        self.traffic.examples.kept()
    }

    fn take_lookups(&self) -> impl Iterator<Item = Nanos> {
        self.resolver.take_lookups()
    }
}
