//! The limiter's HTTP interface: from a request to its response, without sockets.
//!
//! A check may be asked for as of any limiter that has a preset in [`presets`](crate::core::presets), but nginx: each shape of
//! request is a file here that says what it takes and gives, and has a path of its own. What a shape can't say, the node
//! has been told: its [`Policy`].
//!
//! | request | as of | limit and window | response |
//! | --- | --- | --- | --- |
//! | `POST /check` | the node itself | the request's | 200 allowed, 429 blocked |
//! | `POST /json` | Envoy's ratelimit service | the node's | 200 allowed, 429 blocked |
//! | `POST /check_and_report` | Limitador | the node's | 200 allowed, 429 blocked |
//! | `POST /v1/GetRateLimits` | Gubernator | the request's | 200, the body tells |
//! | `POST /throttle` | throttlecrab-server | the request's | 200, the body tells |
//! | any method, `/` with `X-Key` | Kong | the node's | 200 allowed, 429 blocked |
//! | `GET /health`, `HEAD /health` | | | 200 while checks can be decided, 503 while the store fails or the node stops |
//! | `GET /metrics`, `HEAD /metrics` | | | 200 with what [`metrics`](super::metrics) lists, in OpenMetrics text |
//!
//! All shapes are decided alike, by the node's algorithm; a shape is not the other system's way of counting. Every check
//! counts one request: one that asks to count another number is refused, since a wrong count is worse than none. Keys of
//! different shapes are kept apart. Numbers in answers are those of the [`Decision`], in each shape's own unit and
//! rounded up, so that who waits them has waited long enough; a reset is always [`Decision::reset`].
//!
//! A wrong path or method and a body that is too large or broken are refused in the node's own form before a shape sees
//! them: `{"error":"…"}` with 404, 405 (with `Allow`), 413 or 400. Everything else each shape refuses in its own form. What
//! is not HTTP at all oxhttp refuses by itself, with a 400 in plain text.
//!
//! Under [`FailMode::Open`] a check that the store failed is let through in the shape's own form, by an answer that
//! promises nothing and carries `X-RateLimit-Failure-Mode-Allowed: true` (named as Envoy names the mark of its own failure
//! mode).

mod check;
mod envoy;
mod gubernator;
mod kong;
mod limitador;
mod proto3;
mod throttlecrab;

use super::check::{Check, Decision, Key, Policy, Window};
use super::fail_mode::FailMode;
use super::metrics::MeteredStore;
use super::store::{Store, StoreError};
use crate::system::http_server::{METRICS_PATH, give_up_connection, metrics_response};
use oxhttp::model::header::{ALLOW, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use prometheus_client::registry::Registry;
use serde::Serialize;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// Whether the node can decide.
pub(super) const HEALTH_PATH: &str = "/health";

/// The largest body that is read as a check, in bytes.
const MAX_BODY: u64 = 64 * 1024;

const X_RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const X_RATE_LIMIT_FAILURE_MODE_ALLOWED: HeaderName =
    HeaderName::from_static("x-ratelimit-failure-mode-allowed");

/// How one kind of limiter is asked, and how it answers. A value is one question. A new shape is a file, its `mod` line,
/// and its line in [`ENDPOINTS`].
trait Shape: Sized {
    /// The name of the preset that asks like this.
    const PRESET: &'static str;

    /// The only method it takes; `None` stands for any.
    const METHOD: Option<&'static str> = Some("POST");

    const PATH: &'static str;

    /// # Errors
    /// The answer to what asks no check that the node can decide.
    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>>;

    fn check(&self) -> &Check;

    fn decided(&self, decision: &Decision, node: &str) -> Response<Body>;

    /// The store failed, so nothing passes.
    fn failed_closed(&self, error: &StoreError) -> Response<Body>;

    /// The store failed, so everything passes. The mark is not the shape's to set.
    fn failed_open(&self, error: &StoreError, node: &str) -> Response<Body>;
}

/// What a shape reads.
struct Asked<'a> {
    headers: &'a HeaderMap,
    body: &'a [u8],
    /// For checks that do not say by which limit and window.
    policy: Policy,
}

/// A shape at its path.
struct Endpoint {
    preset: &'static str,
    method: Option<&'static str>,
    path: &'static str,
    answer: fn(&Service, &mut Request<Body>) -> Result<Response<Body>, Refusal>,
}

impl Endpoint {
    const fn of<S: Shape>() -> Self {
        Self {
            preset: S::PRESET,
            method: S::METHOD,
            path: S::PATH,
            answer: Service::answer::<S>,
        }
    }
}

/// Every shape there is.
const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::of::<check::Question>(),
    Endpoint::of::<envoy::Question>(),
    Endpoint::of::<limitador::Question>(),
    Endpoint::of::<gubernator::Question>(),
    Endpoint::of::<throttlecrab::Question>(),
    Endpoint::of::<kong::Question>(),
];

/// The paths that a node answers checks at.
pub fn check_paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.path)
}

/// The names of the [`presets`](crate::core::presets) whose requests a node answers.
pub fn answerable_presets() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.preset)
}

/// What a node answers with.
pub(super) struct Service {
    name: Arc<str>,
    store: Arc<MeteredStore>,
    registry: Registry,
    policy: Policy,
    fail_mode: FailMode,
    stopping: AtomicBool,
    /// Shared by every response until it has been written.
    answering: Arc<()>,
}

impl Service {
    pub fn new(name: Arc<str>, store: Arc<dyn Store>, policy: Policy, fail_mode: FailMode) -> Self {
        let (store, registry) = MeteredStore::new(store, &name);
        Self {
            name,
            store,
            registry,
            policy,
            fail_mode,
            stopping: AtomicBool::new(false),
            answering: Arc::default(),
        }
    }

    /// From now on the node is not healthy, which whoever shares out requests among nodes may notice.
    pub fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether any request is being answered.
    pub fn is_answering(&self) -> bool {
        Arc::strong_count(&self.answering) > 1
    }

    /// Never panics, whatever the request.
    pub fn respond(&self, request: &mut Request<Body>) -> Response<Body> {
        let answering = Arc::clone(&self.answering);
        let mut response = self
            .route(request)
            .unwrap_or_else(|refusal| refusal.response());
        // oxhttp drops a response once it has been written.
        response.extensions_mut().insert(answering);
        response
    }

    fn route(&self, request: &mut Request<Body>) -> Result<Response<Body>, Refusal> {
        match (request.uri().path(), request.method().as_str()) {
            (HEALTH_PATH, "GET" | "HEAD") => return Ok(self.health()),
            (METRICS_PATH, "GET" | "HEAD") => return Ok(metrics_response(&self.registry)),
            (HEALTH_PATH | METRICS_PATH, _) => return Err(Refusal::Method { allow: "GET, HEAD" }),
            _ => {}
        }
        let mut endpoints = ENDPOINTS.iter();
        let endpoint = endpoints
            .find(|endpoint| endpoint.path == request.uri().path())
            .ok_or(Refusal::Path)?;
        match endpoint.method {
            Some(only) if request.method() != only => Err(Refusal::Method { allow: only }),
            _ => (endpoint.answer)(self, request),
        }
    }

    fn answer<S: Shape>(&self, request: &mut Request<Body>) -> Result<Response<Body>, Refusal> {
        let body = read_body(request)?;
        let question = match S::read(&Asked {
            headers: request.headers(),
            body: &body,
            policy: self.policy,
        }) {
            Ok(question) => question,
            Err(refused) => return Ok(*refused),
        };
        Ok(match (self.store.check(question.check()), self.fail_mode) {
            (Ok(decision), _) => question.decided(&decision, &self.name),
            (Err(error), FailMode::Closed) => question.failed_closed(&error),
            (Err(error), FailMode::Open) => {
                let mut response = question.failed_open(&error, &self.name);
                response.headers_mut().insert(
                    X_RATE_LIMIT_FAILURE_MODE_ALLOWED,
                    HeaderValue::from_static("true"),
                );
                response
            }
        })
    }

    fn health(&self) -> Response<Body> {
        let error = if self.stopping.load(Ordering::Relaxed) {
            Some("the node stops".to_owned())
        } else {
            self.store.health().err().map(|error| failure(&error))
        };
        let (status, word) = match error {
            None => (StatusCode::OK, "ok"),
            Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let health = Health {
            status: word,
            error,
            node: &self.name,
        };
        json(status, &health)
    }
}

/// What is refused before any shape is asked.
#[derive(Debug, Error)]
enum Refusal {
    #[error(
        "no such path; there are {}GET {HEALTH_PATH} and GET {METRICS_PATH}",
        checks()
    )]
    Path,
    #[error("no such method here; there are {allow}")]
    Method { allow: &'static str },
    #[error("the body must be at most {MAX_BODY} bytes")]
    BodyTooLarge,
    #[error("the body could not be read: {0}")]
    BodyUnreadable(io::Error),
}

/// All requests for checks, each with what separates it from the next.
fn checks() -> String {
    let check = |endpoint: &Endpoint| match endpoint.method {
        Some(method) => format!("{method} {}, ", endpoint.path),
        None => format!("{} by any method, ", endpoint.path),
    };
    ENDPOINTS.iter().map(check).collect()
}

impl Refusal {
    fn response(&self) -> Response<Body> {
        let status = match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyUnreadable(_) => StatusCode::BAD_REQUEST,
        };
        let error = self.to_string();
        let mut response = json(status, &Failure { error });
        if let Self::Method { allow } = self {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    node: &'a str,
}

/// Why there was no decision, where nothing else is to be said.
#[derive(Serialize)]
struct Failure {
    error: String,
}

fn read_body(request: &mut Request<Body>) -> Result<Vec<u8>, Refusal> {
    let body = request.body_mut();
    if body.len().is_some_and(|length| length > MAX_BODY) {
        return Err(Refusal::BodyTooLarge);
    }
    let mut bytes = Vec::new();
    if let Err(error) = body.take(MAX_BODY + 1).read_to_end(&mut bytes) {
        give_up_connection(request);
        return Err(Refusal::BodyUnreadable(error));
    }
    if bytes.len() as u64 > MAX_BODY {
        return Err(Refusal::BodyTooLarge);
    }
    Ok(bytes)
}

/// The key of what a shape calls by these names, kept apart from all other names and from other shapes' keys.
fn key<S: Shape>(names: &[&str]) -> Result<Key, String> {
    Key::of_names(S::PRESET, names).map_err(|_| {
        let most = Key::MAX_BYTES;
        format!("the names that make the key must be at most {most} bytes in all")
    })
}

/// The unit of time that a window is exactly.
fn unit(window: Window) -> Option<&'static str> {
    match window.length().get() {
        1_000_000 => Some("second"),
        60_000_000 => Some("minute"),
        3_600_000_000 => Some("hour"),
        86_400_000_000 => Some("day"),
        _ => None,
    }
}

/// Whether a body is said to be JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    let subtype = media_type.to_ascii_lowercase();
    let subtype = subtype.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// Of the shapes that tell by status.
fn status(decision: &Decision) -> StatusCode {
    match decision.allowed {
        true => StatusCode::OK,
        false => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn failure(error: &StoreError) -> String {
    format!("the store failed: {error}")
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("plain structs are always JSON");
    response(status, "application/json", text)
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", text)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::limiter::check::Limit;
    use crate::limiter::clock::Micros;
    use std::collections::HashMap;

    pub fn policy(limit: u64, window_millis: u64) -> Policy {
        Policy {
            limit: Limit::new(limit).unwrap(),
            window: Window::from_millis(window_millis).unwrap(),
        }
    }

    /// What a shape reads of a body that is said to be JSON, at a node of 100 requests a minute.
    pub fn asked<S: Shape>(body: &str) -> Result<S, Box<Response<Body>>> {
        let json = HeaderValue::from_static("application/json");
        S::read(&Asked {
            headers: &HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: body.as_bytes(),
            policy: policy(100, 60_000),
        })
    }

    /// The answer to a body that a shape must not take for a check.
    pub fn refused<S: Shape>(body: &str) -> (u16, String) {
        match asked::<S>(body) {
            Ok(_) => panic!("a check: {body}"),
            Err(response) => parts(*response),
        }
    }

    /// Of a check with a limit of 100.
    pub fn decision(allowed: bool, remaining: u32, reset_micros: u64) -> Decision {
        Decision {
            allowed,
            limit: Limit::new(100).unwrap(),
            remaining,
            reset: Micros::new(reset_micros),
        }
    }

    pub fn error() -> StoreError {
        StoreError::new("gone")
    }

    pub fn headers(response: &Response<Body>) -> HashMap<String, String> {
        let headers = response.headers().iter();
        headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    /// Status and body.
    pub fn parts(response: Response<Body>) -> (u16, String) {
        let status = response.status().as_u16();
        (status, response.into_body().to_string().unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{error, headers, parts, policy};
    use super::*;
    use crate::core::presets::{self, Preset};
    use crate::limiter::{AlgorithmKind, ManualClock};
    use oxhttp::model::Method;
    use oxhttp::model::request::Builder;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    struct Broken;

    impl Store for Broken {
        fn check(&self, _: &Check) -> Result<Decision, StoreError> {
            Err(error())
        }

        fn health(&self) -> Result<(), StoreError> {
            Err(error())
        }

        fn keys(&self) -> Result<u64, StoreError> {
            Err(error())
        }
    }

    /// That allows each key one request a minute where a check does not say more.
    fn service(store: Arc<dyn Store>, fail_mode: FailMode) -> Service {
        Service::new("n".into(), store, policy(1, 60_000), fail_mode)
    }

    fn working() -> Service {
        let store = AlgorithmKind::TokenBucket.in_memory(ManualClock::default());
        service(store, FailMode::Closed)
    }

    fn broken(fail_mode: FailMode) -> Service {
        service(Arc::new(Broken), fail_mode)
    }

    fn ask(service: &Service, method: Method, path: &str) -> Response<Body> {
        let body = r#"{"key":"k","limit":1,"window_ms":60000}"#;
        let request = Request::builder().method(method).uri(path);
        service.respond(&mut request.body(Body::from(body)).unwrap())
    }

    fn text(response: Response<Body>) -> String {
        parts(response).1
    }

    fn answered() -> impl Iterator<Item = &'static Preset> {
        answerable_presets().map(|name| presets::find(name).expect(name))
    }

    /// A preset's request for the key `k`, with a limit of 1 a minute where it says them.
    fn filled(template: &str) -> String {
        let values = [
            ("{key}", "k"),
            ("{limit}", "1"),
            ("{window_ms}", "60000"),
            ("{window_s}", "60"),
        ];
        values
            .iter()
            .fold(template.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }

    fn head(preset: &Preset) -> Builder {
        let request = Request::builder().method(preset.method).uri(preset.path);
        preset.headers.iter().fold(request, |request, header| {
            let (name, value) = header.split_once(": ").unwrap();
            request.header(name, filled(value))
        })
    }

    fn ask_as(preset: &Preset, service: &Service) -> Response<Body> {
        let body = Body::from(filled(preset.body));
        service.respond(&mut head(preset).body(body).unwrap())
    }

    #[test]
    fn each_shape_is_where_and_how_its_preset_asks() {
        for (endpoint, preset) in ENDPOINTS.iter().zip(answered()) {
            assert_eq!(endpoint.path, preset.path, "{}", preset.name);
            assert!(endpoint.method.is_none_or(|method| method == preset.method));
        }
        let paths: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
        assert_eq!(paths.len(), ENDPOINTS.len());
    }

    #[test]
    fn the_same_key_in_another_shape_is_another_key() {
        let node = working();
        let first: Vec<_> = answered()
            .map(|preset| parts(ask_as(preset, &node)))
            .collect();
        for (preset, first) in answered().zip(first) {
            assert_eq!(first.0, 200, "{}", preset.name);
            let second = parts(ask_as(preset, &node));
            assert_ne!(first, second, "{}", preset.name);
        }
        assert!(text(ask(&node, Method::GET, "/metrics")).contains("ratelimiter_keys 6\n"));
    }

    #[test]
    fn without_a_store_each_shape_fails_as_its_limiter_does() {
        for (preset, status) in answered().zip([503, 400, 500, 200, 500, 500]) {
            let response = ask_as(preset, &broken(FailMode::Closed));
            assert_eq!(response.status(), status, "{}", preset.name);
            let mark = "x-ratelimit-failure-mode-allowed";
            assert!(!headers(&response).contains_key(mark), "{}", preset.name);
        }
    }

    #[test]
    fn what_a_shape_lets_through_without_a_store_is_marked_and_promises_nothing() {
        for preset in answered() {
            let response = ask_as(preset, &broken(FailMode::Open));
            assert_eq!(response.status(), 200, "{}", preset.name);
            let headers = headers(&response);
            assert_eq!(headers["x-ratelimit-failure-mode-allowed"], "true");
            let names: BTreeSet<_> = headers.keys().map(String::as_str).collect();
            let expected = ["content-type", "x-ratelimit-failure-mode-allowed"];
            assert_eq!(names, BTreeSet::from(expected), "{}", preset.name);
        }
    }

    #[test]
    fn what_is_no_check_is_refused_even_when_failing_open() {
        for preset in answered().filter(|preset| !preset.body.is_empty()) {
            let refused = |service: Service| {
                let mut request = head(preset).body(Body::from("{}")).unwrap();
                parts(service.respond(&mut request))
            };
            let open = refused(broken(FailMode::Open));
            assert_ne!(open.0, 200, "{}", preset.name);
            assert_eq!(open, refused(working()), "{}", preset.name);
        }
    }

    #[test]
    fn a_path_that_is_none_is_told_all_there_are() {
        let (status, told) = parts(ask(&working(), Method::GET, "/elsewhere"));
        assert_eq!(status, 404);
        let there_are = "there are POST /check, POST /json, POST /check_and_report, POST /v1/GetRateLimits, \
                         POST /throttle, / by any method, GET /health and GET /metrics";
        assert!(told.contains(there_are), "{told}");
    }

    #[test]
    fn a_body_is_json_where_its_type_says_so() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_json(&headers), json, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
        for (path, status) in [("/check_and_report", 400), ("/throttle", 415)] {
            assert_eq!(
                ask(&working(), Method::POST, path).status(),
                status,
                "{path}"
            );
        }
    }

    #[test]
    fn health_is_the_stores_until_the_node_stops() {
        let working = working();
        let health = |service: &Service| {
            let response = ask(service, Method::GET, "/health");
            (response.status().as_u16(), text(response))
        };
        assert_eq!(
            health(&working),
            (200, r#"{"status":"ok","node":"n"}"#.to_owned())
        );
        working.begin_to_stop();
        let stops = r#"{"status":"unavailable","error":"the node stops","node":"n"}"#;
        assert_eq!(health(&working), (503, stops.to_owned()));

        let broken = broken(FailMode::Open);
        let failed = r#"{"status":"unavailable","error":"the store failed: gone","node":"n"}"#;
        assert_eq!(health(&broken), (503, failed.to_owned()));
    }

    #[test]
    fn a_request_is_being_answered_until_its_response_is_dropped() {
        let service = broken(FailMode::Closed);
        assert!(!service.is_answering());
        let response = ask(&service, Method::POST, "/check");
        assert!(service.is_answering());
        drop(response);
        assert!(!service.is_answering());
    }

    #[test]
    fn every_check_is_counted_by_its_result_and_every_failed_call_of_the_store() {
        let metrics = |service: &Service| text(ask(service, Method::GET, "/metrics"));
        let holds = |text: &str, lines: &[&str]| {
            for line in lines {
                assert!(text.lines().any(|l| l == *line), "{line} is not in\n{text}");
            }
        };

        let working = working();
        for _ in 0..3 {
            ask(&working, Method::POST, "/check");
        }
        ask(&working, Method::POST, "/elsewhere");
        let text = metrics(&working);
        holds(
            &text,
            &[
                r#"ratelimiter_requests_checked_total{result="allowed"} 1"#,
                r#"ratelimiter_requests_checked_total{result="blocked"} 2"#,
                r#"ratelimiter_requests_checked_total{result="error"} 0"#,
                "ratelimiter_decision_duration_seconds_count 3",
                "ratelimiter_store_errors_total 0",
                "ratelimiter_keys 1",
                concat!(
                    r#"ratelimiter_build_info{version=""#,
                    env!("CARGO_PKG_VERSION"),
                    r#"",node="n"} 1"#
                ),
            ],
        );

        for mode in [FailMode::Closed, FailMode::Open] {
            let broken = broken(mode);
            ask(&broken, Method::POST, "/check");
            ask(&broken, Method::GET, "/health");
            let text = metrics(&broken);
            holds(
                &text,
                &[
                    r#"ratelimiter_requests_checked_total{result="allowed"} 0"#,
                    r#"ratelimiter_requests_checked_total{result="error"} 1"#,
                ],
            );
            assert!(!text.contains("ratelimiter_keys "), "{text}");
            // The check, the health check, and the keys of this scrape or the next.
            let text = metrics(&broken);
            let errors = |n| format!("ratelimiter_store_errors_total {n}");
            assert!(
                text.contains(&errors(3)) || text.contains(&errors(4)),
                "{text}"
            );
        }
    }

    fn fragment() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<f64>().prop_map(|n| n.to_string()),
            any::<i128>().prop_map(|n| n.to_string()),
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
            Just("1".to_owned()),
            Just("null".to_owned()),
            ".{0,8}",
        ]
    }

    /// A preset, and a body that is nearly one of its own.
    fn nearly() -> impl Strategy<Value = (&'static Preset, Vec<u8>)> {
        let preset = (0..ENDPOINTS.len()).prop_map(|place| answered().nth(place).unwrap());
        (preset, prop::array::uniform5(fragment())).prop_map(|(preset, [a, b, c, d, e])| {
            let body = preset.body.replace(r#""{key}""#, &a).replace("{limit}", &b);
            let body = body.replace("{window_ms}", &c).replace("{window_s}", &c);
            let body = body
                .replace(r#""loadgen""#, &d)
                .replace(":1,", &format!(":{e},"));
            (preset, body.into_bytes())
        })
    }

    fn anything() -> impl Strategy<Value = (&'static Preset, Vec<u8>)> {
        (nearly(), any::<Vec<u8>>()).prop_map(|((preset, _), body)| (preset, body))
    }

    proptest! {
        #[test]
        fn any_body_gets_an_answer_in_any_shape(
            (preset, body) in prop_oneof![nearly(), anything()],
            chunked: bool,
        ) {
            let body = if chunked {
                Body::from_read(io::Cursor::new(body))
            } else {
                Body::from(body)
            };
            let response = working().respond(&mut head(preset).body(body).unwrap());
            let expected = match preset.name {
                "gubernator" => [200, 400, 501].as_slice(),
                "throttlecrab" => &[200, 400, 422, 500],
                "kong" => &[200],
                _ => &[200, 400],
            };
            let json = headers(&response)["content-type"] == "application/json";
            let (status, text) = parts(response);
            prop_assert!(expected.contains(&status), "{} {status}", preset.name);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), json);
        }

        #[test]
        fn any_header_gets_an_answer(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let request = Request::get("/").header("x-key", value);
                let response = working().respond(&mut request.body(Body::empty()).unwrap());
                prop_assert!([200, 400].contains(&response.status().as_u16()));
            }
        }
    }
}
