//! The HTTP server of limiter nodes and of metrics for Prometheus: HTTP/1.1 by RFC 9112, with a thread for each connection.
//!
//! | file | holds |
//! | --- | --- |
//! | `acceptor` | the thread that accepts connections |
//! | `connections` | the open connections, and their end |
//! | `connection` | the loop of one connection: a request, its response, the next request |
//! | `input` | the bytes that have arrived, and the wait for more |
//! | `head`, `body`, `response` | what the bytes mean, without sockets |
//! | `metrics`, `accept`, `classic_text` | the response with metrics, and the choice of its format |
//!
//! It is a server of its own because no synchronous one has all of these properties: pipelined requests, a strict reading of
//! heads and bodies, timeouts, and an end. oxhttp gives each request a buffer of its own, and so loses the bytes of the next
//! one; no wrapper can mend that. tiny_http, and rouille on top of it, has no timeouts and accepts `Transfer-Encoding :`.
//! touche prefers `Transfer-Encoding` where both framings are given, takes a broken chunk for the body's end, and can't be
//! stopped. may_minihttp reads no chunks and at most 16 header fields. astra brings tokio. Here, `httparse` parses the heads,
//! and `http` has the types; ureq depends on both.

mod accept;
mod acceptor;
mod body;
mod classic_text;
mod connection;
mod connections;
mod head;
mod input;
mod metrics;
mod response;

pub use body::{BodyError, ReadBody};
pub use metrics::{METRICS_PATH, metrics_response};

use crate::system::limits::descriptor_limit;
use acceptor::{Acceptor, Listener, Waker};
use connections::Connections;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use response::Rejection;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A response with its whole body.
pub type Response = http::Response<Vec<u8>>;

/// Answers the requests of all connections, several at once.
type Respond = dyn Fn(&Request<()>, &mut dyn ReadBody) -> Response + Send + Sync;

/// The bounds of what clients can make the server do.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections at a time. Further ones wait until one of these is closed.
    connections: usize,
    /// The time without a request after which a connection is closed. It is longer than that of nginx (60 s) and of Go's
    /// client (90 s), so that clients close their idle connections first, and send no request at the moment of the end.
    idle: Duration,
    /// The time from a request's first byte to its last one.
    request: Duration,
    /// The time that a client may take to receive a response.
    response: Duration,
    /// The time that a client has to close a connection after the last response.
    closing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        /// Each connection has a thread.
        const MAX_CONNECTIONS: u64 = 10_000;
        // Several servers may share a process with the generator, whose connections take descriptors too.
        let quarter = descriptor_limit().map_or(u64::MAX, |limit| limit / 4);
        Self {
            connections: quarter.clamp(1, MAX_CONNECTIONS) as usize,
            idle: Duration::from_secs(120),
            request: Duration::from_secs(20),
            response: Duration::from_secs(20),
            closing: Duration::from_secs(1),
        }
    }
}

/// The time that requests have to get their responses when a server is dropped.
const DROP_PATIENCE: Duration = Duration::from_secs(2);

/// The time that threads have to end after their connections were cut off.
const CUT_PATIENCE: Duration = Duration::from_millis(500);

/// A server that serves until it is dropped.
///
/// At most 10,000 connections are open, and at most a quarter as many as the process may have
/// [file descriptors](crate::system::limits); further ones wait. Without free file descriptors it says so on standard error,
/// one line for each outage, and tries ten times a second to accept connections.
///
/// It refuses by itself, with a line of plain text, and then closes the connection:
///
/// | status | request |
/// | --- | --- |
/// | 400 | malformed, without a `Host` in HTTP/1.1, or with a body whose end can be understood in two ways |
/// | 408 | it did not arrive within 20 s |
/// | 413 | its `Content-Length` exceeds 64 bits; the bound of a body is its reader's |
/// | 414, 431 | the request line or the head is longer than 16 KiB, or has more than 100 fields |
/// | 417 | it expects something else than `100-continue` |
/// | 501 | `CONNECT`, or a transfer coding beside `chunked` |
/// | 505 | neither HTTP/1.0 nor HTTP/1.1 |
///
/// A connection that is idle for 120 s is closed without a response. A client gets 20 s for each response, and after a panic
/// of the answering function a 500.
pub struct HttpServer {
    addr: SocketAddr,
    connections: Arc<Connections>,
    /// `None` once the server has stopped.
    acceptor: Option<(JoinHandle<()>, Waker)>,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpServer").field(&self.addr).finish()
    }
}

impl HttpServer {
    /// Listens on `addr` when this returns. Port 0 stands for any free port.
    ///
    /// The function gets each request with its target in origin form or absolute form, and reads the body if it needs it. A
    /// `HEAD` is to be answered like a `GET`: its response is sent without the body. The headers `Date`, `Connection` and
    /// `Content-Length` are the server's.
    ///
    /// # Errors
    /// The address can't be bound, or the system has no thread.
    pub fn start(
        addr: SocketAddr,
        respond: impl Fn(&Request<()>, &mut dyn ReadBody) -> Response + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_within(Limits::default(), addr, respond)
    }

    fn start_within(
        limits: Limits,
        addr: SocketAddr,
        respond: impl Fn(&Request<()>, &mut dyn ReadBody) -> Response + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (listener, waker) = Listener::bind(addr)?;
        let addr = listener.addr();
        let connections = Arc::new(Connections::new(limits.connections));
        let acceptor = Acceptor {
            listener,
            connections: Arc::clone(&connections),
            limits,
            respond: Arc::new(respond),
        };
        let thread = thread::Builder::new().name("http acceptor".to_owned());
        let thread = thread.spawn(move || acceptor.run())?;
        Ok(Self {
            addr,
            connections,
            acceptor: Some((thread, waker)),
        })
    }

    /// The address that it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listening socket and the idle connections, and waits for at most `patience` until all requests that have
    /// begun are answered. Each connection is closed after its response. The remaining ones are then cut off. Returns
    /// whether there were none.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.end(patience)
    }

    fn end(&mut self, patience: Duration) -> bool {
        let Some((acceptor, waker)) = self.acceptor.take() else {
            return true;
        };
        self.connections.begin_to_end();
        drop(waker);
        // A panic of the acceptor has been reported by itself.
        let _ = acceptor.join();
        self.connections.close_idle();
        if self.connections.wait_for_end(patience) {
            return true;
        }
        self.connections.cut();
        self.connections.wait_for_end(CUT_PATIENCE);
        false
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.end(DROP_PATIENCE);
    }
}

/// A response in plain text.
pub fn text_response(status: StatusCode, text: impl Into<Vec<u8>>) -> Response {
    const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response
}

#[cfg(test)]
mod tests;
