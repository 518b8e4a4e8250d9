//! A limiter node: a store served over HTTP on one address.

use super::http::respond;
use super::store::Store;
use oxhttp::Server;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// How often a free port is looked for, when it was taken between being found and being bound.
const PORT_ATTEMPTS: usize = 16;

/// A node that serves until the process ends.
///
/// Dropping it stops nothing: oxhttp has no way to stop a server. It keeps one thread for accepting and one for each
/// open connection, whatever their number. A connection is kept for as long as the client keeps it: oxhttp ends an idle
/// one, if it is given a timeout, by sending a 500 that nobody asked for, which a client would take for the answer to
/// its next request. So put the node where its clients are trusted.
///
/// A client's close is quiet; a connection that its client resets makes oxhttp write one line to
/// standard error.
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
    /// The address can't be bound, or a thread can't be started.
    pub fn start(
        addr: SocketAddr,
        name: impl Into<Arc<str>>,
        store: Arc<dyn Store>,
    ) -> io::Result<Self> {
        let name = name.into();
        let addr = if addr.port() == 0 {
            on_free_port(|| {
                // oxhttp binds by itself and doesn't tell the port it got, so it is given one that was just free.
                let free = TcpListener::bind(addr)?.local_addr()?;
                serve(free, &name, &store)
            })?
        } else {
            serve(addr, &name, &store)?
        };
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

fn serve(addr: SocketAddr, name: &Arc<str>, store: &Arc<dyn Store>) -> io::Result<SocketAddr> {
    let (name, store) = (Arc::clone(name), Arc::clone(store));
    Server::new(move |request| respond(request, &name, &*store))
        .bind(addr)
        .spawn()?;
    Ok(addr)
}

fn on_free_port(mut attempt: impl FnMut() -> io::Result<SocketAddr>) -> io::Result<SocketAddr> {
    for _ in 1..PORT_ATTEMPTS {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{AlgorithmKind, SystemClock};

    fn store() -> Arc<dyn Store> {
        AlgorithmKind::SlidingLog.in_memory(SystemClock::new())
    }

    #[test]
    fn port_zero_becomes_a_real_port_that_is_listening_at_once() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let node = Node::start(loopback, "n", store()).unwrap();
        assert_ne!(node.addr().port(), 0);
        std::net::TcpStream::connect(node.addr()).unwrap();
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = Node::start(taken.local_addr().unwrap(), "n", store()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_lost_in_a_race_is_tried_again_but_not_for_ever() {
        let taken = || io::Error::from(io::ErrorKind::AddrInUse);
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut attempts = 0;
        let found = on_free_port(|| {
            attempts += 1;
            if attempts < 3 { Err(taken()) } else { Ok(addr) }
        });
        assert_eq!((found.unwrap(), attempts), (addr, 3));

        let mut attempts = 0;
        let lost = on_free_port(|| {
            attempts += 1;
            Err(taken())
        });
        assert!(lost.is_err());
        assert_eq!(attempts, PORT_ATTEMPTS);
    }
}
