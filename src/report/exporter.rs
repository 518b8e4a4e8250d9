//! Metrics over HTTP, for Prometheus: while the run goes on, and for some time after it.

use super::prometheus;
use crate::core::stats::Snapshot;
use crate::engine::SnapshotRequests;
use crate::system::http_server::{
    HttpServer, METRICS_PATH, Response, metrics_response, text_response,
};
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, StatusCode};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The longest time that a scrape waits for its snapshot. Prometheus itself gives up after ten seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// Serves `/metrics` until it is dropped.
///
/// Each scrape asks for a [`Snapshot`] on the thread of its own connection, so a client that reads slowly, or never,
/// delays nobody.
#[derive(Debug)]
pub struct Exporter {
    server: HttpServer,
    source: Arc<Source>,
}

/// The snapshots that scrapes are answered with.
#[derive(Debug)]
struct Source {
    requests: SnapshotRequests,
    /// The last one, once the run has ended.
    last: OnceLock<Arc<Snapshot>>,
}

impl Source {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let last = || self.last.get().cloned();
        // The run may end while a scrape waits.
        last()
            .or_else(|| self.requests.ask(ANSWERED_WITHIN))
            .or_else(last)
    }
}

impl Exporter {
    /// Listens on `addr` when this returns. Port 0 stands for any free port.
    ///
    /// # Errors
    /// Those of [`HttpServer::start`].
    pub fn start(addr: SocketAddr, requests: &SnapshotRequests) -> io::Result<Exporter> {
        let source = Arc::new(Source {
            requests: requests.clone(),
            last: OnceLock::new(),
        });
        let asking = Arc::clone(&source);
        let server = HttpServer::start(addr, move |request, _| respond(request, &asking))?;
        Ok(Exporter { server, source })
    }

    /// The URL of the metrics, with the real port.
    pub fn url(&self) -> String {
        format!("http://{}{METRICS_PATH}", self.server.addr())
    }

    /// Answers every scrape from now on, and those that wait, with `last`.
    pub fn keep(&self, last: Snapshot) {
        let last = self.source.last.get_or_init(|| Arc::new(last));
        for request in self.source.requests.waiting().try_iter() {
            request.answer(Arc::clone(last));
        }
    }
}

fn respond(request: &Request<()>, source: &Source) -> Response {
    match (request.uri().path(), request.method()) {
        (METRICS_PATH, &Method::GET | &Method::HEAD) => match source.snapshot() {
            Some(snapshot) => metrics_response(request, &prometheus::registry(snapshot)),
            None => text_response(
                StatusCode::SERVICE_UNAVAILABLE,
                "the run has not begun, or is too busy to answer\n",
            ),
        },
        (METRICS_PATH, _) => {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut response = text_response(status, "only GET and HEAD\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            response
        }
        _ => text_response(StatusCode::NOT_FOUND, "only /metrics is here\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stats::testing;
    use std::thread;
    use std::time::Instant;

    fn request(method: Method, path: &str) -> Request<()> {
        let request = Request::builder().method(method).uri(path);
        request.body(()).unwrap()
    }

    fn source() -> Source {
        Source {
            requests: SnapshotRequests::default(),
            last: OnceLock::new(),
        }
    }

    /// The response to one scrape, with a thread that answers it.
    fn answered(method: Method, path: &str) -> Response {
        let source = source();
        thread::scope(|scope| {
            scope.spawn(|| {
                let waiting = source.requests.waiting();
                let scrape = waiting.recv_timeout(Duration::from_millis(500));
                scrape
                    .into_iter()
                    .for_each(|scrape| scrape.answer(testing::snapshot()));
            });
            respond(&request(method, path), &source)
        })
    }

    #[test]
    fn only_reading_metrics_is_served() {
        for (method, path, status) in [
            (Method::GET, "/metrics", 200),
            (Method::GET, "/metrics?name[]=up", 200),
            (Method::HEAD, "/metrics", 200),
            (Method::POST, "/metrics", 405),
            (Method::GET, "/", 404),
            (Method::GET, "/metrics/", 404),
            (Method::POST, "/check", 404),
        ] {
            let response = answered(method.clone(), path);
            assert_eq!(response.status(), status, "{method} {path}");
            let allow = response.headers().get(ALLOW);
            assert_eq!(allow.is_some(), status == 405, "{method} {path}");
        }
    }

    #[test]
    fn a_scrape_that_nobody_answers_is_refused_and_does_not_hang() {
        let before = Instant::now();
        let response = respond(&request(Method::GET, "/metrics"), &source());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(before.elapsed() >= ANSWERED_WITHIN);
    }

    #[test]
    fn after_the_run_every_scrape_gets_the_last_snapshot_at_once() {
        let any_port = ([127, 0, 0, 1], 0).into();
        let exporter = Exporter::start(any_port, &SnapshotRequests::default()).unwrap();
        let scrape = || respond(&request(Method::GET, "/metrics"), &exporter.source).status();
        let before = Instant::now();
        thread::scope(|scope| {
            let waiting = scope.spawn(scrape);
            while exporter.source.requests.waiting().is_empty() {
                thread::yield_now();
            }
            exporter.keep((*testing::snapshot()).clone());
            assert_eq!(waiting.join().unwrap(), StatusCode::OK);
            assert_eq!(scrape(), StatusCode::OK);
        });
        assert!(before.elapsed() < ANSWERED_WITHIN);
    }
}
