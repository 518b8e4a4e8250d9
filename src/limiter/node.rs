//! A limiter node: a store that is served over HTTP on one address.

use super::check::Policy;
use super::fail_mode::FailMode;
use super::http::{HEALTH_PATH, LIVE_PATH, Service};
use super::store::Store;
use crate::system::http_server::HttpServer;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use ureq::Agent;

/// A node. It serves until this is dropped.
pub struct Node {
    name: Arc<str>,
    server: HttpServer,
}

impl Node {
    /// Starts to serve `store` on `addr`, and listens when this returns. Port 0 stands for any free port. The `name` is
    /// in the node's answers. Nodes that share a store share its limits. The `policy` is for checks that do not give a
    /// limit and a window.
    ///
    /// # Errors
    /// The errors of [`HttpServer::start`].
    pub fn start(
        addr: SocketAddr,
        name: impl Into<Arc<str>>,
        store: Arc<dyn Store>,
        policy: Policy,
        fail_mode: FailMode,
    ) -> io::Result<Self> {
        let name = name.into();
        let service = Service::new(Arc::clone(&name), store, policy, fail_mode);
        let server = HttpServer::start(addr, move |request, body| service.respond(request, body))?;
        Ok(Self { name, server })
    }

    /// The address that it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Answers the requests that have begun, for at most `patience`, and no others: see [`HttpServer::stop`].
    pub fn stop(self, patience: Duration) {
        self.server.stop(patience);
    }
}

/// A question about a node, of those that orchestrators ask. Parsed from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Can the node decide checks? If not, it should get no traffic.
    Ready,
    /// Does the node serve? If not, it should be started anew. It serves while its store fails: a new start would not help.
    Live,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be ready or live")]
pub struct UnknownProbe;

impl FromStr for Probe {
    type Err = UnknownProbe;

    fn from_str(name: &str) -> Result<Self, UnknownProbe> {
        match name {
            "ready" => Ok(Self::Ready),
            "live" => Ok(Self::Live),
            _ => Err(UnknownProbe),
        }
    }
}

impl Probe {
    fn path(self) -> &'static str {
        match self {
            Self::Ready => HEALTH_PATH,
            Self::Live => LIVE_PATH,
        }
    }
}

/// Probes the node that listens on `addr` of this machine. An unspecified address (`0.0.0.0`, `::`) stands for loopback.
///
/// # Errors
/// The answer is no, or did not come within `timeout`. The text says why.
pub fn check_health(addr: SocketAddr, probe: Probe, timeout: Duration) -> Result<(), String> {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!(
        "http://{}{}",
        SocketAddr::new(ip, addr.port()),
        probe.path()
    );
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut response = agent.get(&url).call().map_err(|e| format!("{url}: {e}"))?;
    if response.status() == 200 {
        return Ok(());
    }
    let body = response.body_mut().read_to_string().unwrap_or_default();
    Err(format!("{url}: {} {body}", response.status()))
}
