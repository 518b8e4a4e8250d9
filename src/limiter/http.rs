//! The limiter's HTTP interface: from a request to its response, without sockets.
//!
//! | request | response |
//! | --- | --- |
//! | `POST /check` with `{"key":"k","limit":100,"window_ms":60000}` | 200 allowed, 429 blocked |
//! | `GET /health`, `HEAD /health` | 200 |
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

use super::check::{Check, CheckError, Decision, Key, Limit, Window};
use super::store::{Store, StoreError};
use oxhttp::model::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use oxhttp::model::{Body, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{self, Read};
use thiserror::Error;

/// Where checks are posted to.
pub const CHECK_PATH: &str = "/check";

/// The largest body that is read as a check, in bytes.
const MAX_BODY: u64 = 64 * 1024;

/// How much of a body that nobody wants is read and thrown away before the connection is given up, in bytes. Closing
/// with bytes unread resets the connection, and the client may lose the response that says why.
const MAX_DISCARDED: u64 = 1024 * 1024;

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The response of the node called `node`. It never panics, whatever the request.
pub(super) fn respond(
    request: &mut Request<Body>,
    node: &str,
    store: &dyn Store,
) -> Response<Body> {
    let mut response = route(request, node, store).unwrap_or_else(|refusal| refusal.response());
    discard_body(request);
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

fn route(
    request: &mut Request<Body>,
    node: &str,
    store: &dyn Store,
) -> Result<Response<Body>, Refusal> {
    match (request.uri().path(), request.method()) {
        (CHECK_PATH, &Method::POST) => {
            let check = parse_check(&read_body(request)?)?;
            let decision = store.check(&check)?;
            Ok(decision_response(&decision, check.window, node))
        }
        (CHECK_PATH, _) => Err(Refusal::Method { allow: "POST" }),
        ("/health", &Method::GET | &Method::HEAD) => {
            Ok(json(StatusCode::OK, &Health { status: "ok", node }))
        }
        ("/health", _) => Err(Refusal::Method { allow: "GET, HEAD" }),
        _ => Err(Refusal::Path),
    }
}

/// Why a request got no decision.
#[derive(Debug, Error)]
enum Refusal {
    #[error("no such path; there are POST /check and GET /health")]
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
fn give_up_connection(request: &mut Request<Body>) {
    *request.body_mut() = Body::empty();
    // To oxhttp this is the client's wish.
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
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

    #[test]
    fn a_store_that_fails_is_a_503_that_says_why() {
        let body = r#"{"key":"k","limit":1,"window_ms":1}"#;
        let mut request = Request::post("/check").body(Body::from(body)).unwrap();
        let response = respond(&mut request, "n", &Broken);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            response.into_body().to_string().unwrap(),
            r#"{"error":"the store failed: connection refused"}"#
        );
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
            let response = respond(&mut request, "n", &*store);
            prop_assert!([200, 400].contains(&response.status().as_u16()));
            let text = response.into_body().to_string().unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_object());
        }
    }
}
