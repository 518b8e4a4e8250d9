//! The HTTP server of limiter nodes and of metrics for Prometheus.

use crate::system::limits::descriptor_limit;
use oxhttp::Server;
use oxhttp::model::header::{CONNECTION, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderValue, Method, Request, Response};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// The path of the metrics, by Prometheus's convention.
pub const METRICS_PATH: &str = "/metrics";

/// The most of an unwanted body that is read and discarded before the connection is closed, in bytes. Closing with
/// unread bytes resets the connection, and the client may lose the response with the reason.
const MAX_DISCARDED: u64 = 1024 * 1024;

/// Each connection has a thread.
const MAX_CONNECTIONS: u64 = 10_000;

/// The number of attempts to find a free port, which may be taken before it is bound.
const PORT_ATTEMPTS: usize = 16;

/// Serves on `addr` until the process ends, and listens when this returns. Port 0 stands for any free port; the returned
/// address has the real one.
///
/// oxhttp can't stop a server. It has one thread to accept connections and one for each connection. At most 10,000
/// connections are open, and at most a quarter as many as the process may have
/// [file descriptors](crate::system::limits); further ones wait. A connection stays open for as long as the client keeps
/// it. With a timeout, oxhttp would end an idle one by sending a 500, which a client would take for the answer to its next
/// request. So the clients must be trusted.
///
/// The rest of a request's body is read if it is short; otherwise the connection is closed after the response. A `HEAD` is
/// answered like a `GET`, without the body, and by oxhttp with `Content-Length: 0`.
///
/// If a client resets its connection, oxhttp writes one line to standard error. A client that closes it causes none.
///
/// # Errors
/// The address can't be bound, or a thread can't be started.
pub fn serve(
    addr: SocketAddr,
    respond: impl Fn(&mut Request<Body>) -> Response<Body> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let respond = Arc::new(respond);
    let serve_on = |addr| {
        let respond = Arc::clone(&respond);
        let server = Server::new(move |request| {
            let mut response = respond(request);
            discard_body(request);
            if request.method() == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
            response
        });
        let server = server.with_max_concurrent_connections(max_connections());
        server.bind(addr).spawn().map(|_| addr)
    };
    if addr.port() != 0 {
        return serve_on(addr);
    }
    on_free_port(|| {
        // oxhttp binds by itself and does not return the port, so it gets one that was free a moment ago.
        let free = TcpListener::bind(addr)?.local_addr()?;
        serve_on(free)
    })
}

/// Without free file descriptors, oxhttp would retry to accept without a pause.
fn max_connections() -> usize {
    // Each connection takes two.
    let quarter = descriptor_limit().map_or(u64::MAX, |limit| limit / 4);
    quarter.clamp(1, MAX_CONNECTIONS) as usize
}

/// By itself, oxhttp would read the whole body before it answers, however long it is.
fn discard_body(request: &mut Request<Body>) {
    let body = request.body_mut();
    let ended = body.len().is_none_or(|length| length <= MAX_DISCARDED)
        && io::copy(&mut body.take(MAX_DISCARDED), &mut io::sink())
            .is_ok_and(|discarded| discarded < MAX_DISCARDED);
    if !ended {
        give_up_connection(request);
    }
}

/// Makes oxhttp answer without reading the rest of the body, and then close the connection.
pub fn give_up_connection(request: &mut Request<Body>) {
    *request.body_mut() = Body::empty();
    // oxhttp takes this as the client's wish.
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
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

/// The response to a `GET` of [`METRICS_PATH`]: the registry in OpenMetrics 1.0 text, which Prometheus reads since its
/// version 2.5.
pub fn metrics_response(registry: &Registry) -> Response<Body> {
    const OPENMETRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    let mut exposition = String::new();
    text::encode(&mut exposition, registry).expect("a String takes everything");
    let mut response = Response::new(Body::from(exposition));
    response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;

    fn empty(_: &mut Request<Body>) -> Response<Body> {
        Response::new(Body::empty())
    }

    #[test]
    fn an_endless_body_is_not_read_forever() {
        let addr = serve("127.0.0.1:0".parse().unwrap(), empty).unwrap();
        for method in ["GET", "POST"] {
            let mut stream = TcpStream::connect(addr).unwrap();
            let head =
                format!("{method} / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            // The sockets' buffers hold some megabytes.
            let accepted = (0..1_024).take_while(|_| stream.write_all(&chunk).is_ok());
            assert!(accepted.count() < 1_024, "{method}: 64 MiB were read");
        }
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = serve(taken.local_addr().unwrap(), empty).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_that_was_taken_meanwhile_is_replaced_but_not_forever() {
        let taken = || io::Error::from(io::ErrorKind::AddrInUse);
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut attempts = 0;
        let mut free_at = |free_at| {
            attempts = 0;
            let found = on_free_port(|| {
                attempts += 1;
                if attempts < free_at {
                    Err(taken())
                } else {
                    Ok(addr)
                }
            });
            (found.ok(), attempts)
        };
        assert_eq!(free_at(3), (Some(addr), 3));
        assert_eq!(free_at(usize::MAX), (None, PORT_ATTEMPTS));
    }
}
