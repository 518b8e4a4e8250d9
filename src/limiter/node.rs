//! A limiter node: a store that is served over HTTP on one address.

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

/// The pause between two looks at whether a stopping node is still answering.
const STOP_POLL: Duration = Duration::from_millis(2);

/// A node, which serves until the process ends, as [`serve`] does. Dropping this does not stop it.
pub struct Node {
    addr: SocketAddr,
    name: Arc<str>,
    service: Arc<Service>,
}

impl Node {
    /// Starts to serve `store` on `addr`, and listens when this returns. Port 0 stands for any free port. The `name` is
    /// in the node's answers. Nodes that share a store share its limits. The `policy` is for checks that do not give a
    /// limit and a window.
    ///
    /// # Errors
    /// The errors of [`serve`].
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

    /// The address that it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Prepares for the end of the process: the node turns unhealthy, and this returns when no request is waiting for its
    /// answer, or after `timeout`. Later requests are still answered.
    pub fn finish(&self, timeout: Duration) {
        self.service.begin_to_stop();
        let deadline = Instant::now() + timeout;
        while self.service.is_answering() && Instant::now() < deadline {
            thread::sleep(STOP_POLL);
        }
    }
}

/// Requests the health of the node that listens on `addr` of this machine. An unspecified address (`0.0.0.0`, `::`)
/// stands for loopback.
///
/// # Errors
/// The node is not healthy, or did not answer within `timeout`. The text says why.
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
