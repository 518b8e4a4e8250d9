//! Metrics over HTTP, for Prometheus: while the run goes on, and for as long after it as is wanted.

use super::prometheus;
use crate::server::{METRICS_PATH, metrics_response, serve};
use crate::stats::Snapshot;
use crossbeam_channel::{Receiver, Sender, bounded};
use oxhttp::model::header::{ALLOW, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderValue, Method, Request, Response, StatusCode};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a scrape waits for its snapshot. Prometheus itself gives up after ten seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// How many scrapes may wait for a snapshot; those beyond wait for room among them.
const WAITING_SCRAPES: usize = 16;

/// Serves `/metrics` until the process ends.
///
/// It holds nothing of the run: each scrape asks for a [`Snapshot`] by a channel, on a thread of
/// its own connection, and whoever owns the tally at the time answers. So a client that reads
/// slowly, or never, holds up nobody.
#[derive(Debug)]
pub struct Exporter {
    addr: SocketAddr,
    scrapes: Receiver<Scrape>,
}

/// Somebody who waits for a snapshot.
#[derive(Debug)]
pub struct Scrape(Sender<Arc<Snapshot>>);

impl Scrape {
    /// Never waits.
    pub fn answer(self, snapshot: Arc<Snapshot>) {
        // Whoever has waited for too long has gone.
        let _ = self.0.try_send(snapshot);
    }
}

impl Exporter {
    /// Listens on `addr` when this returns. Port 0 stands for any free port.
    ///
    /// # Errors
    /// Those of [`serve`].
    pub fn start(addr: SocketAddr) -> io::Result<Exporter> {
        let (ask, scrapes) = bounded(WAITING_SCRAPES);
        let addr = serve(addr, move |request| respond(request, &ask))?;
        Ok(Exporter { addr, scrapes })
    }

    /// Where the metrics are, with the port it really has.
    pub fn url(&self) -> String {
        format!("http://{}{METRICS_PATH}", self.addr)
    }

    /// What is to be answered.
    pub fn scrapes(&self) -> Receiver<Scrape> {
        self.scrapes.clone()
    }

    /// Answers every scrape from now on with `last`, until the process ends. Returns where.
    ///
    /// # Errors
    /// The thread that does can't be started.
    pub fn keep(self, last: Snapshot) -> io::Result<String> {
        let url = self.url();
        let last = Arc::new(last);
        let answer = move || {
            let scrapes = self.scrapes.iter();
            scrapes.for_each(|scrape| scrape.answer(last.clone()));
        };
        let thread = thread::Builder::new().name("exporter".to_owned());
        thread.spawn(answer).map(|_| url)
    }
}

fn respond(request: &Request<Body>, ask: &Sender<Scrape>) -> Response<Body> {
    match (request.uri().path(), request.method()) {
        (METRICS_PATH, &Method::GET | &Method::HEAD) => match snapshot(ask) {
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

fn snapshot(ask: &Sender<Scrape>) -> Option<Arc<Snapshot>> {
    let deadline = Instant::now() + ANSWERED_WITHIN;
    let (reply, answer) = bounded(1);
    ask.send_deadline(Scrape(reply), deadline).ok()?;
    answer.recv_deadline(deadline).ok()
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
    use crate::stats::{Buckets, State};
    use std::time::SystemTime;

    fn request(method: Method, path: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path);
        request.body(Body::empty()).unwrap()
    }

    fn empty() -> Arc<Snapshot> {
        Arc::new(Snapshot {
            state: State::Ended,
            started: SystemTime::UNIX_EPOCH,
            elapsed: Default::default(),
            targets: Vec::new(),
            send_lag: Buckets::default(),
        })
    }

    /// The response, with somebody there to answer scrapes.
    fn answered(method: Method, path: &str) -> Response<Body> {
        let (ask, scrapes) = bounded::<Scrape>(1);
        thread::scope(|scope| {
            scope.spawn(move || scrapes.iter().for_each(|scrape| scrape.answer(empty())));
            let response = respond(&request(method, path), &ask);
            drop(ask);
            response
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
        let (ask, scrapes) = bounded(1);
        // The second finds no room, the third nobody.
        for _ in 0..2 {
            let before = Instant::now();
            let response = respond(&request(Method::GET, "/metrics"), &ask);
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(before.elapsed() >= ANSWERED_WITHIN);
        }
        drop(scrapes);
        let response = respond(&request(Method::GET, "/metrics"), &ask);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn an_answer_that_comes_too_late_holds_up_nobody() {
        let (reply, answer) = bounded(1);
        drop(answer);
        Scrape(reply).answer(empty());
    }
}
