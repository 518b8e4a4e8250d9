//! What is served over HTTP by this crate: a limiter node's interface and metrics for Prometheus.

use crate::system::limits::descriptor_limit;
use oxhttp::Server;
use oxhttp::model::header::{CONNECTION, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderValue, Method, Request, Response};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Where metrics are read from, by Prometheus's convention.
pub const METRICS_PATH: &str = "/metrics";

/// How much of a body that nobody wants is read and thrown away before the connection is given up, in bytes. Closing
/// with bytes unread resets the connection, and the client may lose the response that says why.
const MAX_DISCARDED: u64 = 1024 * 1024;

/// Each of them is a thread.
const MAX_CONNECTIONS: u64 = 10_000;

/// How often a free port is looked for, when it was taken between being found and being bound.
const PORT_ATTEMPTS: usize = 16;

/// Serves on `addr` until the process ends, and listens when this returns. Port 0 stands for any free port; the address
/// returned has the real one.
///
/// oxhttp has no way to stop a server. It keeps one thread for accepting and one for each open connection. Of these there
/// are at most a quarter as many as the process may have [descriptors](crate::system::limits), and at most 10,000; further
/// ones wait until others end. A connection is kept for as long as the client keeps it: oxhttp ends an idle one, if it
/// is given a timeout, by sending a 500 that nobody asked for, which a client would take for the answer to its next
/// request. So what this serves belongs where its clients are trusted.
///
/// A request's body is read to its end only if that is near; else the connection is closed after the response. `HEAD`
/// is answered as `respond` answers it, without the body, and by oxhttp with `Content-Length: 0`.
///
/// A client's close is quiet; a connection that its client resets makes oxhttp write one line to standard error.
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
        // oxhttp binds by itself and doesn't tell the port it got, so it is given one that was just free.
        let free = TcpListener::bind(addr)?.local_addr()?;
        serve_on(free)
    })
}

/// Out of descriptors, oxhttp would try to accept again and again without a pause.
fn max_connections() -> usize {
    // It takes two for each connection.
    let quarter = descriptor_limit().map_or(u64::MAX, |limit| limit / 4);
    quarter.clamp(1, MAX_CONNECTIONS) as usize
}

/// Left alone, oxhttp reads on to the end of the body before it answers, however far that is.
fn discard_body(request: &mut Request<Body>) {
    let body = request.body_mut();
    let ended = body.len().is_none_or(|length| length <= MAX_DISCARDED)
        && io::copy(&mut body.take(MAX_DISCARDED), &mut io::sink())
            .is_ok_and(|discarded| discarded < MAX_DISCARDED);
    if !ended {
        give_up_connection(request);
    }
}

/// Makes oxhttp answer without reading on, and close then.
pub fn give_up_connection(request: &mut Request<Body>) {
    *request.body_mut() = Body::empty();
    // To oxhttp this is the client's wish.
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
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

/// What a `GET` of [`METRICS_PATH`] is answered: everything in `registry` in OpenMetrics 1.0 text, which Prometheus has
/// read since its version 2.5.
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
    fn port_zero_becomes_a_real_port_that_is_listening_at_once() {
        let addr = serve("127.0.0.1:0".parse().unwrap(), empty).unwrap();
        assert_ne!(addr.port(), 0);
        TcpStream::connect(addr).unwrap();
    }

    #[test]
    fn a_body_without_an_end_is_not_read_for_ever() {
        let addr = serve("127.0.0.1:0".parse().unwrap(), empty).unwrap();
        for method in ["GET", "POST"] {
            let mut stream = TcpStream::connect(addr).unwrap();
            let head =
                format!("{method} / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            // The sockets' buffers take some megabytes.
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
