//! A node's answers: which request is answered by which shape or page.

use super::response::{json, object, with_headers};
use super::shapes::{Incoming, SHAPES, Shape, Verdict, kong};
use crate::core::answers::FAILING_OPEN_HEADER;
use crate::core::presets::Preset;
use crate::limiter::check::Policy;
use crate::limiter::fail_mode::FailMode;
use crate::limiter::metrics::MeteredStore;
use crate::limiter::store::{Store, StoreError};
use crate::system::http_server::{BodyError, METRICS_PATH, ReadBody, Response, metrics_response};
use http::{Request, StatusCode};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use thiserror::Error;

/// Readiness: the node can decide checks.
pub(in crate::limiter) const HEALTH_PATH: &str = "/health";

/// Liveness: the node serves, whatever its store does.
pub(in crate::limiter) const LIVE_PATH: &str = "/live";

/// The largest body of a check, in bytes.
const MAX_BODY: usize = 64 * 1024;

pub(in crate::limiter) struct Service {
    name: Arc<str>,
    store: Arc<MeteredStore>,
    registry: Registry,
    policy: Policy,
    fail_mode: FailMode,
}

impl Service {
    pub fn new(name: Arc<str>, store: Arc<dyn Store>, policy: Policy, fail_mode: FailMode) -> Self {
        let (store, registry) = MeteredStore::new(store, &name, fail_mode);
        Self {
            name,
            store,
            registry,
            policy,
            fail_mode,
        }
    }

    /// Never panics, whatever the request.
    pub fn respond(&self, request: &Request<()>, body: &mut dyn ReadBody) -> Response {
        let routed = self.route(request, body);
        routed.unwrap_or_else(|refusal| refusal.response())
    }

    fn route(&self, request: &Request<()>, body: &mut dyn ReadBody) -> Result<Response, Refusal> {
        match (request.uri().path(), request.method().as_str()) {
            (HEALTH_PATH, "GET" | "HEAD" | "OPTIONS") => return Ok(self.health()),
            (LIVE_PATH, "GET" | "HEAD" | "OPTIONS") | ("*", "OPTIONS") => return Ok(self.live()),
            // HAProxy's checks are these, unless its configuration says otherwise.
            ("/", "OPTIONS") if !kong::has_key(request.headers()) => return Ok(self.live()),
            (HEALTH_PATH | LIVE_PATH, _) => {
                let allow = "GET, HEAD, OPTIONS";
                return Err(Refusal::Method { allow });
            }
            (METRICS_PATH, "GET" | "HEAD") => return Ok(metrics_response(request, &self.registry)),
            (METRICS_PATH, _) => return Err(Refusal::Method { allow: "GET, HEAD" }),
            _ => {}
        }
        let has_path = |shape: &&Shape| shape.preset.path == request.uri().path();
        let shape = SHAPES.iter().find(has_path).ok_or(Refusal::Path)?;
        let allow = shape.preset.method;
        if request.method() != allow && !shape.any_method {
            return Err(Refusal::Method { allow });
        }
        let body = body.read(MAX_BODY)?;
        Ok(self.check(shape, request, &body))
    }

    fn check(&self, shape: &Shape, request: &Request<()>, body: &[u8]) -> Response {
        let incoming = Incoming {
            headers: request.headers(),
            body,
            policy: self.policy,
        };
        let request = match (shape.read)(&incoming) {
            Ok(request) => request,
            Err(refused) => return *refused,
        };
        let answer = |verdict| (shape.answer)(&request, &verdict, &self.name);
        let error = match self.store.check(&request.check) {
            Ok(decision) => return answer(Verdict::Decided(&decision)),
            Err(error) => failure(&error),
        };
        match self.fail_mode {
            FailMode::Closed => answer(Verdict::FailedClosed(&error)),
            FailMode::Open => {
                let mark = (FAILING_OPEN_HEADER, "true".to_owned());
                with_headers(answer(Verdict::FailedOpen(&error)), [mark])
            }
        }
    }

    fn health(&self) -> Response {
        let error = self.store.health().err();
        self.state(error.map(|error| failure(&error)))
    }

    fn live(&self) -> Response {
        self.state(None)
    }

    fn state(&self, error: Option<String>) -> Response {
        let (status, word) = match error {
            None => (StatusCode::OK, "ok"),
            Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let health = object! { "status": word, "error": error, "node": self.name.as_ref() };
        json(status, &health)
    }
}

/// A request that no shape reads.
#[derive(Debug, Error)]
enum Refusal {
    #[error(
        "no such path; there are {}GET {HEALTH_PATH}, GET {LIVE_PATH} and GET {METRICS_PATH}",
        checks()
    )]
    Path,
    #[error("no such method here; there are {allow}")]
    Method { allow: &'static str },
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// The requests that are checks, each followed by a comma.
fn checks() -> String {
    let check = |shape: &Shape| {
        let Preset { method, path, .. } = shape.preset;
        if shape.any_method {
            format!("{path} by any method, ")
        } else {
            format!("{method} {path}, ")
        }
    };
    SHAPES.iter().map(check).collect()
}

impl Refusal {
    fn response(&self) -> Response {
        let (status, allow) = match self {
            Self::Path => (StatusCode::NOT_FOUND, None),
            Self::Method { allow } => (StatusCode::METHOD_NOT_ALLOWED, Some(*allow)),
            Self::Body(error) => (error.status(), None),
        };
        let response = json(status, &object! { "error": self.to_string() });
        with_headers(response, allow.map(|allow| ("allow", allow.to_owned())))
    }
}

fn failure(error: &StoreError) -> String {
    format!("the store failed: {error}")
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{headers, parts, policy};
    use super::*;
    use crate::limiter::{Algorithm, Check, Decision, ManualClock, MemoryStore};
    use http::request::Builder;
    use http::{HeaderValue, Method};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    struct Broken;

    impl Store for Broken {
        fn check(&self, _: &Check) -> Result<Decision, StoreError> {
            Err(StoreError::new("gone"))
        }

        fn health(&self) -> Result<(), StoreError> {
            Err(StoreError::new("gone"))
        }

        fn keys(&self) -> Result<u64, StoreError> {
            Err(StoreError::new("gone"))
        }
    }

    /// Allows each key one request a minute, unless a check gives another limit.
    fn service(store: Arc<dyn Store>, fail_mode: FailMode) -> Service {
        Service::new("n".into(), store, policy(1, 60_000), fail_mode)
    }

    fn working() -> Service {
        let store = MemoryStore::new(Algorithm::default(), ManualClock::default());
        service(Arc::new(store), FailMode::Closed)
    }

    fn broken(fail_mode: FailMode) -> Service {
        service(Arc::new(Broken), fail_mode)
    }

    fn ask(service: &Service, method: Method, path: &str) -> Response {
        let body = r#"{"key":"k","limit":1,"window_ms":60000}"#;
        let request = Request::builder().method(method).uri(path);
        respond(service, request, body)
    }

    fn respond(service: &Service, request: Builder, body: impl AsRef<[u8]>) -> Response {
        service.respond(&request.body(()).unwrap(), &mut body.as_ref())
    }

    fn text(response: Response) -> String {
        parts(response).1
    }

    fn answered() -> impl Iterator<Item = &'static Preset> {
        SHAPES.iter().map(|shape| shape.preset)
    }

    /// A template of a preset for the key `k` and a limit of 1 a minute.
    fn filled(template: &str) -> String {
        let filled = template.replace("{key}", "k").replace("{limit}", "1");
        filled
            .replace("{window_ms}", "60000")
            .replace("{window_s}", "60")
    }

    fn head(preset: &Preset) -> Builder {
        let request = Request::builder().method(preset.method).uri(preset.path);
        preset.headers.iter().fold(request, |request, header| {
            let (name, value) = header.split_once(": ").unwrap();
            request.header(name, filled(value))
        })
    }

    fn ask_as(preset: &Preset, service: &Service) -> Response {
        respond(service, head(preset), filled(preset.body))
    }

    #[test]
    fn each_shape_has_a_path_of_its_own() {
        let paths: BTreeSet<_> = answered().map(|preset| preset.path).collect();
        assert_eq!(paths.len(), SHAPES.len());
    }

    #[test]
    fn the_same_key_in_another_shape_is_another_key() {
        let node = working();
        let decided = |preset| parts(ask_as(preset, &node));
        let first: Vec<_> = answered().map(decided).collect();
        for (preset, first) in answered().zip(first) {
            assert_eq!(first.0, 200, "{}", preset.name);
            let second = decided(preset);
            assert_ne!(first, second, "{}", preset.name);
        }
        let keys = format!("ratelimiter_keys {}\n", SHAPES.len());
        assert!(text(ask(&node, Method::GET, "/metrics")).contains(&keys));
    }

    #[test]
    fn a_check_that_passes_because_the_store_failed_is_marked() {
        let mark = FAILING_OPEN_HEADER;
        for preset in answered() {
            let response = ask_as(preset, &broken(FailMode::Open));
            assert_eq!(response.status(), 200, "{}", preset.name);
            assert_eq!(headers(&response)[mark], "true", "{}", preset.name);
            let response = ask_as(preset, &broken(FailMode::Closed));
            assert!(!headers(&response).contains_key(mark), "{}", preset.name);
        }
    }

    #[test]
    fn other_requests_are_refused_even_when_failing_open() {
        for preset in answered().filter(|preset| !preset.body.is_empty()) {
            let refused = |service: Service| parts(respond(&service, head(preset), "{}"));
            let open = refused(broken(FailMode::Open));
            assert_ne!(open.0, 200, "{}", preset.name);
            assert_eq!(open, refused(working()), "{}", preset.name);
        }
    }

    #[test]
    fn an_unknown_path_is_answered_with_all_known_ones() {
        let (status, text) = parts(ask(&working(), Method::GET, "/elsewhere"));
        assert_eq!(status, 404);
        let there_are = "there are POST /check, POST /json, POST /check_and_report, POST /v1/GetRateLimits, \
                         POST /throttle, / by any method, GET /health, GET /live and GET /metrics";
        assert!(text.contains(there_are), "{text}");
    }

    #[test]
    fn two_shapes_refuse_a_body_that_is_not_declared_as_json() {
        for (path, status) in [("/check_and_report", 400), ("/throttle", 415)] {
            let response = ask(&working(), Method::POST, path);
            assert_eq!(response.status(), status, "{path}");
        }
    }

    #[test]
    fn health_is_the_stores_and_a_node_lives_without_one() {
        let get = |service: &Service, path| parts(ask(service, Method::GET, path));
        let ok = (200, r#"{"status":"ok","node":"n"}"#.to_owned());
        assert_eq!(get(&working(), "/health"), ok);
        assert_eq!(get(&working(), "/live"), ok);
        let broken = broken(FailMode::Open);
        let failed = r#"{"status":"unavailable","error":"the store failed: gone","node":"n"}"#;
        assert_eq!(get(&broken, "/health"), (503, failed.to_owned()));
        assert_eq!(get(&broken, "/live"), ok);
        // HAProxy asks by OPTIONS, and for `/` unless its configuration says otherwise.
        for (path, status) in [
            ("/health", 503),
            ("/live", 200),
            ("/", 200),
            ("*", 200),
            ("/check", 405),
        ] {
            let response = ask(&broken, Method::OPTIONS, path);
            assert_eq!(response.status(), status, "{path}");
        }
        let check = Request::options("/").header("X-Key", "k");
        let response = respond(&broken, check, "");
        assert!(headers(&response).contains_key(FAILING_OPEN_HEADER));
    }

    #[test]
    fn a_body_that_is_too_large_is_refused() {
        let body = vec![b' '; MAX_BODY + 1];
        let request = Request::post("/check");
        let (status, text) = parts(respond(&working(), request, body));
        let expected = r#"{"error":"the body must be at most 65536 bytes"}"#;
        assert_eq!((status, &*text), (413, expected));
    }

    #[test]
    fn every_check_is_counted_by_its_result_and_every_failed_call_of_the_store() {
        let metrics = |service: &Service| text(ask(service, Method::GET, "/metrics"));
        let holds = |text: &str, lines: &str| {
            for line in lines.trim().lines().map(str::trim) {
                assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
            }
        };

        let working = working();
        for _ in 0..3 {
            ask(&working, Method::POST, "/check");
        }
        ask(&working, Method::POST, "/elsewhere");
        let expected = r#"
            ratelimiter_requests_checked_total{result="allowed"} 1
            ratelimiter_requests_checked_total{result="blocked"} 2
            ratelimiter_requests_checked_total{result="error"} 0
            ratelimiter_decision_duration_seconds_count 3
            ratelimiter_store_errors_total 0
            ratelimiter_keys 1
            ratelimiter_build_info{version="VERSION",node="n",fail_mode="closed"} 1"#;
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
        holds(&metrics(&working), &expected);

        for mode in [FailMode::Closed, FailMode::Open] {
            let broken = broken(mode);
            ask(&broken, Method::POST, "/check");
            ask(&broken, Method::GET, "/health");
            let text = metrics(&broken);
            let expected = r#"
                ratelimiter_requests_checked_total{result="allowed"} 0
                ratelimiter_requests_checked_total{result="error"} 1"#;
            holds(&text, expected);
            assert!(!text.contains("ratelimiter_keys "), "{text}");
            let label = format!(r#"fail_mode="{}""#, mode.name());
            assert!(text.contains(&label), "{text}");
            // The check, the health check, and the keys of this scrape or the next.
            let text = metrics(&broken);
            let has_errors = |n| text.contains(&format!("ratelimiter_store_errors_total {n}"));
            assert!(has_errors(3) || has_errors(4), "{text}");
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

    /// A preset and a body that resembles its own.
    fn nearly() -> impl Strategy<Value = (&'static Preset, Vec<u8>)> {
        let preset = (0..SHAPES.len()).prop_map(|place| answered().nth(place).unwrap());
        (preset, prop::array::uniform5(fragment())).prop_map(|(preset, [a, b, c, d, e])| {
            let body = preset.body.replace(r#""{key}""#, &a).replace("{limit}", &b);
            let body = body.replace("{window_ms}", &c).replace("{window_s}", &c);
            let body = body.replace(r#""loadgen""#, &d);
            (preset, body.replace(":1,", &format!(":{e},")).into_bytes())
        })
    }

    fn anything() -> impl Strategy<Value = (&'static Preset, Vec<u8>)> {
        (nearly(), any::<Vec<u8>>()).prop_map(|((preset, _), body)| (preset, body))
    }

    proptest! {
        #[test]
        fn any_body_gets_an_answer_in_any_shape(
            (preset, body) in prop_oneof![nearly(), anything()],
        ) {
            let response = respond(&working(), head(preset), body);
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
                let response = respond(&working(), request, "");
                prop_assert!([200, 400].contains(&response.status().as_u16()));
            }
        }
    }
}
