//! A limiter node: a store served over HTTP on one address.

use super::http::respond;
use super::store::Store;
use crate::server::serve;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A node that serves until the process ends, as [`serve`] does. Dropping it stops nothing.
#[derive(Debug)]
pub struct Node {
    addr: SocketAddr,
    name: Arc<str>,
}

impl Node {
    /// Starts serving `store` on `addr`, and listens when this returns. Port 0 stands for any free port. The `name`
    /// tells nodes apart in their answers; nodes that share a store share its limits.
    ///
    /// # Errors
    /// Those of [`serve`].
    pub fn start(
        addr: SocketAddr,
        name: impl Into<Arc<str>>,
        store: Arc<dyn Store>,
    ) -> io::Result<Self> {
        let name = name.into();
        let called = Arc::clone(&name);
        let addr = serve(addr, move |request| respond(request, &called, &*store))?;
        Ok(Self { addr, name })
    }

    /// The address it listens on, with the port it really has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}
