//! Metrics over HTTP, for Prometheus: while the run goes on, and for some time after it.

use super::prometheus;
use crate::core::stats::Snapshot;
use crate::engine::SnapshotRequests;
use crate::system::http_server::{METRICS_PATH, metrics_response, serve};
use oxhttp::model::header::{ALLOW, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderValue, Method, Request, Response, StatusCode};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The longest time that a scrape waits for its snapshot. Prometheus itself gives up after ten seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// Serves `/metrics` until the process ends.
///
/// Each scrape asks for a [`Snapshot`] on the thread of its own connection, so a client that reads slowly, or never,
/// delays nobody.
#[derive(Debug)]
pub struct Exporter {
    addr: SocketAddr,
    requests: SnapshotRequests,
}

impl Exporter {
    /// Listens on `addr` when this returns. Port 0 stands for any free port.
    ///
    /// # Errors
    /// Those of [`serve`].
    pub fn start(addr: SocketAddr, requests: &SnapshotRequests) -> io::Result<Exporter> {
        let asking = requests.clone();
        let addr = serve(addr, move |request| respond(request, &asking))?;
        Ok(Exporter {
            addr,
            requests: requests.clone(),
        })
    }

    /// The URL of the metrics, with the real port.
    pub fn url(&self) -> String {
        format!("http://{}{METRICS_PATH}", self.addr)
    }

    /// Answers every scrape from now on with `last`, until the process ends. Returns the URL.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn keep(self, last: Snapshot) -> io::Result<String> {
        let url = self.url();
        let last = Arc::new(last);
        let answer = move || {
            for request in self.requests.waiting() {
                request.answer(last.clone());
            }
        };
        let thread = thread::Builder::new().name("exporter".to_owned());
        thread.spawn(answer).map(|_| url)
    }
}

fn respond(request: &Request<Body>, requests: &SnapshotRequests) -> Response<Body> {
    match (request.uri().path(), request.method()) {
        (METRICS_PATH, &Method::GET | &Method::HEAD) => match requests.ask(ANSWERED_WITHIN) {
            Some(snapshot) => metrics_response(&prometheus::registry(snapshot)),
            None => refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "the run has not begun, or is too busy to answer\n",
            ),
        },
        (METRICS_PATH, _) => {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            response
        }
        _ => refusal(StatusCode::NOT_FOUND, "only /metrics is here\n"),
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(why));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stats::testing;
    use std::time::Instant;

    fn request(method: Method, path: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path);
        request.body(Body::empty()).unwrap()
    }

    /// The response to one scrape, with a thread that answers it.
    fn answered(method: Method, path: &str) -> Response<Body> {
        let requests = SnapshotRequests::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                let scrape = requests.waiting().recv_timeout(Duration::from_millis(500));
                scrape
                    .into_iter()
                    .for_each(|scrape| scrape.answer(testing::snapshot()));
            });
            respond(&request(method, path), &requests)
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
        let response = respond(
            &request(Method::GET, "/metrics"),
            &SnapshotRequests::default(),
        );
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(before.elapsed() >= ANSWERED_WITHIN);
    }
}
