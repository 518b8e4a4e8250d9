//! A limiter node: a store served over HTTP on one address.

use super::check::Policy;
use super::fail_mode::FailMode;
use super::http::{HEALTH_PATH, Service};
use super::store::Store;
use crate::system::http_server::serve;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// How often a node that stops looks whether it still answers somebody.
const STOP_POLL: Duration = Duration::from_millis(2);

/// A node that serves until the process ends, as [`serve`] does. Dropping it stops nothing.
pub struct Node {
    addr: SocketAddr,
    name: Arc<str>,
    service: Arc<Service>,
}

impl Node {
    /// Starts serving `store` on `addr`, and listens when this returns. Port 0 stands for any free port. The `name`
    /// tells nodes apart in their answers; nodes that share a store share its limits. Checks that do not say by which
    /// limit and window they are to be decided are decided by `policy`.
    ///
    /// # Errors
    /// Those of [`serve`].
    pub fn start(
        addr: SocketAddr,
        name: impl Into<Arc<str>>,
        store: Arc<dyn Store>,
        policy: Policy,
        fail_mode: FailMode,
    ) -> io::Result<Self> {
        let name = name.into();
        let service = Arc::new(Service::new(Arc::clone(&name), store, policy, fail_mode));
        let serving = Arc::clone(&service);
        let addr = serve(addr, move |request| serving.respond(request))?;
        Ok(Self {
            addr,
            name,
            service,
        })
    }

    /// The address it listens on, with the port it really has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Prepares for the end of the process: the node turns unhealthy, and this returns when every request that it was
    /// answering has its answer, but `within` that time at the latest. Requests that still come are answered.
    pub fn finish(&self, within: Duration) {
        self.service.begin_to_stop();
        let deadline = Instant::now() + within;
        while self.service.is_answering() && Instant::now() < deadline {
            thread::sleep(STOP_POLL);
        }
    }
}

/// Asks the node that listens on `addr` of this machine whether it is healthy. An unspecified address (`0.0.0.0`, `::`)
/// stands for loopback.
///
/// # Errors
/// Why it is not, or why it could not be asked within `timeout`.
pub fn check_health(addr: SocketAddr, timeout: Duration) -> Result<(), String> {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}{HEALTH_PATH}", SocketAddr::new(ip, addr.port()));
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
