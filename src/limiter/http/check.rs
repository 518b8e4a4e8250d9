//! The node's own shape, in which a check says everything.
//!
//! The body is `{"key":"k","limit":100,"window_ms":60000}`; fields besides these three are ignored, and so is the
//! request's `Content-Type`. Both answers, 200 allowed and 429 blocked, carry
//! `{"allowed":true,"limit":100,"remaining":99,"reset_ms":60000,"node":"demo-1"}`, a 429 also `retry_after_ms`; and these
//! headers, in whole seconds:
//!
//! | header | value |
//! | --- | --- |
//! | `RateLimit-Policy` | `"default";q=100;w=60`: the limit and the window, by draft-ietf-httpapi-ratelimit-headers-11 |
//! | `RateLimit` | `"default";r=99;t=60`: what remains and [`Decision::reset`], by the same draft |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | the same numbers as older clients read them; `-Reset` is in seconds from now |
//! | `Retry-After` | on a 429: seconds, at least 1 (RFC 9110, section 10.2.3) |
//!
//! A refusal is a 400 with `{"error":"…"}`, and `"field"` where one field is to blame. While the store fails the answer is
//! a 503 of that form or, failing open, a 200 with `{"allowed":true,"error":"…","node":"demo-1"}` and none of the headers
//! above.

use super::{
    Asked, Failure, Shape, X_RATE_LIMIT_LIMIT, X_RATE_LIMIT_REMAINING, X_RATE_LIMIT_RESET, failure,
    json, status,
};
use crate::limiter::check::{Check, CheckError, Decision, Key, Limit, Window};
use crate::limiter::store::StoreError;
use oxhttp::model::header::RETRY_AFTER;
use oxhttp::model::{Body, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use thiserror::Error;

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

pub(super) struct Question(Check);

impl Shape for Question {
    const PRESET: &'static str = "check";
    const PATH: &'static str = "/check";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        match parse(asked.body) {
            Ok(check) => Ok(Self(check)),
            Err(refusal) => Err(Box::new(refusal.response())),
        }
    }

    fn check(&self) -> &Check {
        &self.0
    }

    fn decided(&self, decision: &Decision, node: &str) -> Response<Body> {
        decided(decision, self.0.window, node)
    }

    fn failed_closed(&self, error: &StoreError) -> Response<Body> {
        let error = failure(error);
        json(StatusCode::SERVICE_UNAVAILABLE, &Failure { error })
    }

    fn failed_open(&self, error: &StoreError, node: &str) -> Response<Body> {
        let undecided = Undecided {
            allowed: true,
            error: failure(error),
            node,
        };
        json(StatusCode::OK, &undecided)
    }
}

/// Why a body is no check.
#[derive(Debug, Error)]
enum Refusal {
    #[error("the body must be a JSON object: {0}")]
    NotAnObject(#[from] serde_json::Error),
    #[error(transparent)]
    Field(#[from] CheckError),
}

impl Refusal {
    fn response(&self) -> Response<Body> {
        let error = self.to_string();
        match self {
            Self::NotAnObject(_) => json(StatusCode::BAD_REQUEST, &Failure { error }),
            Self::Field(of) => {
                let field = of.field();
                json(StatusCode::BAD_REQUEST, &FieldFailure { error, field })
            }
        }
    }
}

#[derive(Serialize)]
struct FieldFailure {
    error: String,
    field: &'static str,
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

fn parse(body: &[u8]) -> Result<Check, Refusal> {
    let fields: HashMap<String, &RawValue> = serde_json::from_slice(body)?;
    let text = |name| -> Option<String> { serde_json::from_str(fields.get(name)?.get()).ok() };
    let integer = |name| -> Option<u64> { fields.get(name)?.get().parse().ok() };
    Ok(Check {
        key: Key::new(&text("key").ok_or(CheckError::Key)?)?,
        limit: Limit::new(integer("limit").ok_or(CheckError::Limit)?)?,
        window: Window::from_millis(integer("window_ms").ok_or(CheckError::Window)?)?,
    })
}

fn decided(decision: &Decision, window: Window, node: &str) -> Response<Body> {
    let limit = decision.limit.get();
    let remaining = decision.remaining;
    let reset_secs = decision.reset.as_secs_ceil();
    let window_secs = window.length().as_secs_ceil();

    let mut response = json(
        status(decision),
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

#[cfg(test)]
mod tests {
    use super::super::testing::{self, asked, decision, error};
    use super::*;

    fn headers(decision: &Decision, window_millis: u64) -> HashMap<String, String> {
        let window = Window::from_millis(window_millis).unwrap();
        testing::headers(&decided(decision, window, "n"))
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

    fn refusal(body: &str) -> (u16, serde_json::Value) {
        let (status, text) = testing::refused::<Question>(body);
        (status, serde_json::from_str(&text).unwrap())
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
            assert_eq!(status, 400, "{body}");
            assert_eq!(json["error"], error, "{body}");
            let field = error.split(' ').next().unwrap();
            assert_eq!(json["field"], field, "{body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused_without_blaming_a_field() {
        for body in ["", "{", "null", r#"["k",1,1]"#, "\"k\"", r#"{"key":nan}"#] {
            let (status, json) = refusal(body);
            assert_eq!(status, 400, "{body}");
            let error = json["error"].as_str().unwrap();
            assert!(
                error.starts_with("the body must be a JSON object: "),
                "{error}"
            );
            assert!(json.get("field").is_none(), "{body}");
        }
        assert!(parse(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = r#"{"limit":5,"cost":{"deep":[1e999]},"window_ms":1000,"key":"\u006b"}"#;
        let Question(check) = asked(body).unwrap();
        assert_eq!(check.key.as_str(), "k");
        assert_eq!(check.limit.get(), 5);
        assert_eq!(check.window.length().get(), 1_000_000);
    }

    #[test]
    fn a_failed_store_is_told_in_either_answer() {
        let question: Question = asked(r#"{"key":"k","limit":1,"window_ms":1}"#).unwrap();
        let closed = r#"{"error":"the store failed: gone"}"#.to_owned();
        assert_eq!(
            testing::parts(question.failed_closed(&error())),
            (503, closed)
        );
        let open = r#"{"allowed":true,"error":"the store failed: gone","node":"n"}"#.to_owned();
        assert_eq!(
            testing::parts(question.failed_open(&error(), "n")),
            (200, open)
        );
    }
}
