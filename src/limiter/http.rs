//! The limiter's HTTP interface: from a request to its response, without sockets.
//!
//! | request | response |
//! | --- | --- |
//! | `POST /check` with `{"key":"k","limit":100,"window_ms":60000}` | 200 allowed, 429 blocked |
//! | `GET /health`, `HEAD /health` | 200 while checks can be decided, 503 while the store fails or the node stops |
//! | `GET /metrics`, `HEAD /metrics` | 200 with what [`metrics`](super::metrics) lists, in OpenMetrics text |
//!
//! Fields besides these three are ignored, and so is the request's `Content-Type`. Both answers to a check carry
//! `{"allowed":true,"limit":100,"remaining":99,"reset_ms":60000,"node":"demo-1"}`, a 429 also `retry_after_ms`; and
//! these headers, where seconds are rounded up, so that who waits them has waited long enough:
//!
//! | header | value |
//! | --- | --- |
//! | `RateLimit-Policy` | `"default";q=100;w=60`: the limit and the window, by draft-ietf-httpapi-ratelimit-headers-11 |
//! | `RateLimit` | `"default";r=99;t=60`: what remains and [`Decision::reset`], by the same draft |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | the same numbers as older clients read them; `-Reset` is in seconds from now |
//! | `Retry-After` | on a 429: seconds, at least 1 (RFC 9110, section 10.2.3) |
//!
//! Refusals are `{"error":"…"}`, with `"field"` where one field is to blame: 400, 404, 405 (with `Allow`), 413, and 503
//! when the store fails. What is not HTTP at all oxhttp refuses by itself, with a 400 in plain text.
//!
//! Under [`FailMode::Open`] a check that the store failed is a 200 instead, which no decision is behind: its body is
//! `{"allowed":true,"error":"…","node":"demo-1"}`, it carries none of the headers above but
//! `X-RateLimit-Failure-Mode-Allowed: true` (named as Envoy names the mark of its own failure mode).

use super::check::{Check, CheckError, Decision, Key, Limit, Window};
use super::fail_mode::FailMode;
use super::metrics::MeteredStore;
use super::store::{Store, StoreError};
use crate::server::{METRICS_PATH, give_up_connection, metrics_response};
use oxhttp::model::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use oxhttp::model::{Body, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// Where checks are posted to.
pub const CHECK_PATH: &str = "/check";

/// Whether the node can decide.
pub(super) const HEALTH_PATH: &str = "/health";

/// The largest body that is read as a check, in bytes.
const MAX_BODY: u64 = 64 * 1024;

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const X_RATE_LIMIT_FAILURE_MODE_ALLOWED: HeaderName =
    HeaderName::from_static("x-ratelimit-failure-mode-allowed");

/// What a node answers with.
pub(super) struct Service {
    name: Arc<str>,
    store: Arc<MeteredStore>,
    registry: Registry,
    fail_mode: FailMode,
    stopping: AtomicBool,
    /// Shared by every response until it has been written.
    answering: Arc<()>,
}

impl Service {
    pub fn new(name: Arc<str>, store: Arc<dyn Store>, fail_mode: FailMode) -> Self {
        let (store, registry) = MeteredStore::new(store, &name);
        Self {
            name,
            store,
            registry,
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
        match (request.uri().path(), request.method()) {
            (CHECK_PATH, &Method::POST) => {
                let check = parse_check(&read_body(request)?)?;
                self.check(&check)
            }
            (CHECK_PATH, _) => Err(Refusal::Method { allow: "POST" }),
            (HEALTH_PATH, &Method::GET | &Method::HEAD) => Ok(self.health()),
            (METRICS_PATH, &Method::GET | &Method::HEAD) => Ok(metrics_response(&self.registry)),
            (HEALTH_PATH | METRICS_PATH, _) => Err(Refusal::Method { allow: "GET, HEAD" }),
            _ => Err(Refusal::Path),
        }
    }

    fn check(&self, check: &Check) -> Result<Response<Body>, Refusal> {
        match (self.store.check(check), self.fail_mode) {
            (Ok(decision), _) => Ok(decision_response(&decision, check.window, &self.name)),
            (Err(error), FailMode::Closed) => Err(error.into()),
            (Err(error), FailMode::Open) => Ok(undecided_response(error, &self.name)),
        }
    }

    fn health(&self) -> Response<Body> {
        let error = if self.stopping.load(Ordering::Relaxed) {
            Some("the node stops".to_owned())
        } else {
            let failure = self.store.health().err();
            failure.map(|error| Refusal::Store(error).to_string())
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

/// Why a request got no decision.
#[derive(Debug, Error)]
enum Refusal {
    #[error("no such path; there are POST /check, GET /health and GET /metrics")]
    Path,
    #[error("no such method here; there are {allow}")]
    Method { allow: &'static str },
    #[error("the body must be at most {MAX_BODY} bytes")]
    BodyTooLarge,
    #[error("the body could not be read: {0}")]
    BodyUnreadable(io::Error),
    #[error("the body must be a JSON object: {0}")]
    NotAnObject(#[from] serde_json::Error),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyUnreadable(_) | Self::NotAnObject(_) | Self::Check(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn response(&self) -> Response<Body> {
        let field = match self {
            Self::Check(error) => Some(error.field()),
            _ => None,
        };
        let error = self.to_string();
        let mut response = json(self.status(), &Failure { error, field });
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

#[derive(Serialize)]
struct Failure {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    allowed: bool,
    limit: u32,
    remaining: u32,
    reset_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    node: &'a str,
}

#[derive(Serialize)]
struct Undecided<'a> {
    allowed: bool,
    error: String,
    node: &'a str,
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

fn parse_check(body: &[u8]) -> Result<Check, Refusal> {
    let fields: HashMap<String, &RawValue> = serde_json::from_slice(body)?;
    let text = |name| -> Option<String> { serde_json::from_str(fields.get(name)?.get()).ok() };
    let integer = |name| -> Option<u64> { fields.get(name)?.get().parse().ok() };
    Ok(Check {
        key: Key::new(&text("key").ok_or(CheckError::Key)?)?,
        limit: Limit::new(integer("limit").ok_or(CheckError::Limit)?)?,
        window: Window::from_millis(integer("window_ms").ok_or(CheckError::Window)?)?,
    })
}

fn decision_response(decision: &Decision, window: Window, node: &str) -> Response<Body> {
    let limit = decision.limit.get();
    let remaining = decision.remaining;
    let reset_secs = decision.reset.as_secs_ceil();
    let window_secs = window.length().as_secs_ceil();

    let status = if decision.allowed {
        StatusCode::OK
    } else {
        StatusCode::TOO_MANY_REQUESTS
    };
    let mut response = json(
        status,
        &Answer {
            allowed: decision.allowed,
            limit,
            remaining,
            reset_ms: decision.reset.as_millis_ceil(),
            retry_after_ms: decision.retry_after().map(|wait| wait.as_millis_ceil()),
            node,
        },
    );
    let headers = response.headers_mut();
    let policy = format!(r#""default";q={limit};w={window_secs}"#);
    let service_limit = format!(r#""default";r={remaining};t={reset_secs}"#);
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, service_limit)] {
        let value = HeaderValue::try_from(value).expect("quotes, letters and digits are legal");
        headers.insert(name, value);
    }
    headers.insert(X_RATE_LIMIT_LIMIT, limit.into());
    headers.insert(X_RATE_LIMIT_REMAINING, remaining.into());
    headers.insert(X_RATE_LIMIT_RESET, reset_secs.into());
    if let Some(wait) = decision.retry_after() {
        headers.insert(RETRY_AFTER, wait.as_secs_ceil().into());
    }
    response
}

fn undecided_response(error: StoreError, node: &str) -> Response<Body> {
    let undecided = Undecided {
        allowed: true,
        error: Refusal::Store(error).to_string(),
        node,
    };
    let mut response = json(StatusCode::OK, &undecided);
    response.headers_mut().insert(
        X_RATE_LIMIT_FAILURE_MODE_ALLOWED,
        HeaderValue::from_static("true"),
    );
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("plain structs are always JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::clock::Micros;
    use crate::limiter::{AlgorithmKind, ManualClock};
    use proptest::prelude::*;

    fn decision(allowed: bool, remaining: u32, reset_micros: u64) -> Decision {
        Decision {
            allowed,
            limit: Limit::new(100).unwrap(),
            remaining,
            reset: Micros::new(reset_micros),
        }
    }

    fn headers(decision: &Decision, window_millis: u64) -> HashMap<String, String> {
        let window = Window::from_millis(window_millis).unwrap();
        decision_response(decision, window, "n")
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn the_headers_have_the_drafts_form() {
        let headers = headers(&decision(true, 50, 29_000_001), 60_000);
        assert_eq!(headers["ratelimit-policy"], r#""default";q=100;w=60"#);
        assert_eq!(headers["ratelimit"], r#""default";r=50;t=30"#);
        assert_eq!(headers["x-ratelimit-limit"], "100");
        assert_eq!(headers["x-ratelimit-remaining"], "50");
        assert_eq!(headers["x-ratelimit-reset"], "30");
        assert!(!headers.contains_key("retry-after"));
    }

    #[test]
    fn retry_after_is_in_whole_seconds_rounded_up_and_at_least_one() {
        for (micros, seconds) in [
            (1, "1"),
            (999_999, "1"),
            (1_000_000, "1"),
            (1_000_001, "2"),
            (59_000_001, "60"),
        ] {
            let headers = headers(&decision(false, 0, micros), 60_000);
            assert_eq!(headers["retry-after"], seconds, "{micros} µs");
        }
    }

    #[test]
    fn a_window_of_a_part_of_a_second_is_advertised_as_a_whole_one() {
        let headers = headers(&decision(true, 50, 1_500), 1_500);
        assert_eq!(headers["ratelimit-policy"], r#""default";q=100;w=2"#);
    }

    fn refusal(body: &str) -> (StatusCode, serde_json::Value) {
        let response = parse_check(body.as_bytes()).unwrap_err().response();
        let status = response.status();
        let body = response.into_body().to_string().unwrap();
        (status, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn a_field_out_of_range_is_named_with_its_range() {
        let long = format!(r#"{{"key":"{}","limit":1,"window_ms":1}}"#, "k".repeat(257));
        let key = "key must be a string of 1 to 256 bytes";
        let limit = "limit must be an integer from 1 to 1000000";
        let window = "window_ms must be an integer from 1 to 86400000";
        for (body, error) in [
            (r#"{}"#, key),
            (r#"{"key":"","limit":1,"window_ms":1}"#, key),
            (r#"{"key":7,"limit":1,"window_ms":1}"#, key),
            (r#"{"key":null,"limit":1,"window_ms":1}"#, key),
            (r#"{"key":"\ud800","limit":1,"window_ms":1}"#, key),
            (&long, key),
            (r#"{"key":"k","window_ms":1}"#, limit),
            (r#"{"key":"k","limit":0,"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":-1,"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":1.5,"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":"1","window_ms":1}"#, limit),
            (r#"{"key":"k","limit":true,"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":[1],"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":1000001,"window_ms":1}"#, limit),
            (r#"{"key":"k","limit":1e400,"window_ms":1}"#, limit),
            (
                r#"{"key":"k","limit":99999999999999999999,"window_ms":1}"#,
                limit,
            ),
            (r#"{"key":"k","limit":1}"#, window),
            (r#"{"key":"k","limit":1,"window_ms":0}"#, window),
            (r#"{"key":"k","limit":1,"window_ms":86400001}"#, window),
            (r#"{"key":"k","limit":1,"window_ms":null}"#, window),
        ] {
            let (status, json) = refusal(body);
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert_eq!(json["error"], error, "{body}");
            let field = error.split(' ').next().unwrap();
            assert_eq!(json["field"], field, "{body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused_without_blaming_a_field() {
        for body in ["", "{", "null", r#"["k",1,1]"#, "\"k\"", r#"{"key":nan}"#] {
            let (status, json) = refusal(body);
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            let error = json["error"].as_str().unwrap();
            assert!(
                error.starts_with("the body must be a JSON object: "),
                "{error}"
            );
            assert!(json.get("field").is_none(), "{body}");
        }
        assert!(parse_check(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = r#"{"limit":5,"cost":{"deep":[1e999]},"window_ms":1000,"key":"\u006b"}"#;
        let check = parse_check(body.as_bytes()).unwrap();
        assert_eq!(check.key.as_str(), "k");
        assert_eq!(check.limit.get(), 5);
        assert_eq!(check.window.length().get(), 1_000_000);
    }

    struct Broken;

    impl Store for Broken {
        fn check(&self, _: &Check) -> Result<Decision, StoreError> {
            Err(StoreError::new("connection refused"))
        }

        fn health(&self) -> Result<(), StoreError> {
            Err(StoreError::new("connection refused"))
        }

        fn keys(&self) -> Result<u64, StoreError> {
            Err(StoreError::new("connection refused"))
        }
    }

    fn service(store: Arc<dyn Store>, fail_mode: FailMode) -> Service {
        Service::new("n".into(), store, fail_mode)
    }

    fn ask(service: &Service, method: Method, path: &str) -> Response<Body> {
        let body = r#"{"key":"k","limit":1,"window_ms":60000}"#;
        let request = Request::builder().method(method).uri(path);
        service.respond(&mut request.body(Body::from(body)).unwrap())
    }

    fn text(response: Response<Body>) -> String {
        response.into_body().to_string().unwrap()
    }

    #[test]
    fn failing_closed_is_a_503_that_says_why() {
        let service = service(Arc::new(Broken), FailMode::Closed);
        let response = ask(&service, Method::POST, "/check");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            text(response),
            r#"{"error":"the store failed: connection refused"}"#
        );
    }

    #[test]
    fn failing_open_is_a_200_that_is_marked_and_promises_nothing() {
        let service = service(Arc::new(Broken), FailMode::Open);
        let response = ask(&service, Method::POST, "/check");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()["x-ratelimit-failure-mode-allowed"],
            "true"
        );
        for promise in ["ratelimit", "x-ratelimit-remaining", "retry-after"] {
            assert!(!response.headers().contains_key(promise), "{promise}");
        }
        assert_eq!(
            text(response),
            r#"{"allowed":true,"error":"the store failed: connection refused","node":"n"}"#
        );
    }

    #[test]
    fn a_malformed_check_is_refused_even_when_failing_open() {
        let service = service(Arc::new(Broken), FailMode::Open);
        let mut request = Request::post("/check").body(Body::from("{}")).unwrap();
        assert_eq!(
            service.respond(&mut request).status(),
            StatusCode::BAD_REQUEST
        );
    }

    #[test]
    fn health_is_the_stores_until_the_node_stops() {
        let working = service(
            AlgorithmKind::TokenBucket.in_memory(ManualClock::default()),
            FailMode::Closed,
        );
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

        let broken = service(Arc::new(Broken), FailMode::Open);
        let failed =
            r#"{"status":"unavailable","error":"the store failed: connection refused","node":"n"}"#;
        assert_eq!(health(&broken), (503, failed.to_owned()));
    }

    #[test]
    fn a_request_is_being_answered_until_its_response_is_dropped() {
        let service = service(Arc::new(Broken), FailMode::Closed);
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

        let working = service(
            AlgorithmKind::TokenBucket.in_memory(ManualClock::default()),
            FailMode::Closed,
        );
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
            let broken = service(Arc::new(Broken), mode);
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

    fn near_json() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            any::<f64>().prop_map(|n| n.to_string()),
            any::<i128>().prop_map(|n| n.to_string()),
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
            ".{0,8}",
        ];
        (value.clone(), value.clone(), value).prop_map(|(key, limit, window)| {
            format!(r#"{{"key":{key},"limit":{limit},"window_ms":{window}}}"#)
        })
    }

    proptest! {
        #[test]
        fn any_body_gets_an_answer_in_json(
            body in prop_oneof![near_json().prop_map(String::into_bytes), any::<Vec<u8>>()],
            chunked: bool,
        ) {
            let store = AlgorithmKind::TokenBucket.in_memory(ManualClock::default());
            let body = if chunked {
                Body::from_read(io::Cursor::new(body))
            } else {
                Body::from(body)
            };
            let mut request = Request::post("/check").body(body).unwrap();
            let response = service(store, FailMode::Closed).respond(&mut request);
            prop_assert!([200, 400].contains(&response.status().as_u16()));
            let text = response.into_body().to_string().unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_object());
        }
    }
}
