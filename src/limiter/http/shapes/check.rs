//! The node's own shape. A check gives its key, limit and window.
//!
//! The body is `{"key":"k","limit":100,"window_ms":60000}`. Other fields and the request's `Content-Type` are ignored. Both
//! answers, 200 for allowed and 429 for blocked, carry
//! `{"allowed":true,"limit":100,"remaining":99,"reset_ms":60000,"node":"demo-1"}`; a 429 also has `retry_after_ms`. They have
//! these headers, in whole seconds:
//!
//! | header | value |
//! | --- | --- |
//! | `RateLimit-Policy` | `"default";q=100;w=60`: the limit and the window, by draft-ietf-httpapi-ratelimit-headers-11 |
//! | `RateLimit` | `"default";r=99;t=60`: what remains and [`Decision::reset`], by the same draft |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | the same numbers for older clients; `-Reset` is in seconds from now |
//! | `Retry-After` | on a 429: seconds, at least 1 (RFC 9110, section 10.2.3) |
//!
//! A refusal is a 400 with `{"error":"…"}`, and `"field"` if one field is wrong. While the store fails, the answer is a 503
//! of that form; failing open, it is a 200 with `{"allowed":true,"error":"…","node":"demo-1"}` and without these headers.

use super::*;
use crate::limiter::check::CheckError;
use crate::limiter::clock::Micros;
use serde_json::value::RawValue;
use std::collections::HashMap;

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::check::PRESET,
    any_method: false,
    read,
    answer,
};

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    let fields: HashMap<String, &RawValue> =
        serde_json::from_slice(incoming.body).map_err(|error| {
            let error = format!("the body must be a JSON object: {error}");
            json(StatusCode::BAD_REQUEST, &object! { "error": error })
        })?;
    let check = check_of(&fields).map_err(|error| {
        let object = object! { "error": error.to_string(), "field": error.field() };
        json(StatusCode::BAD_REQUEST, &object)
    })?;
    Ok(check.into())
}

fn check_of(fields: &HashMap<String, &RawValue>) -> Result<Check, CheckError> {
    let text = |name| -> Option<String> { serde_json::from_str(fields.get(name)?.get()).ok() };
    let integer = |name| -> Option<u64> { fields.get(name)?.get().parse().ok() };
    Ok(Check {
        key: Key::new(&text("key").ok_or(CheckError::Key)?)?,
        limit: Limit::new(integer("limit").ok_or(CheckError::Limit)?)?,
        window: Window::from_millis(integer("window_ms").ok_or(CheckError::Window)?)?,
    })
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, node: &str) -> Response {
    let decision = match verdict {
        Verdict::Decided(decision) => decision,
        Verdict::FailedClosed(error) => {
            return json(StatusCode::SERVICE_UNAVAILABLE, &object! { "error": error });
        }
        Verdict::FailedOpen(error) => {
            let object = object! { "allowed": true, "error": error, "node": node };
            return json(StatusCode::OK, &object);
        }
    };
    let (limit, remaining) = (decision.limit.get(), decision.remaining);
    let body = object! {
        "allowed": decision.allowed,
        "limit": limit,
        "remaining": remaining,
        "reset_ms": decision.reset.as_millis_ceil(),
        "retry_after_ms": decision.retry_after().map(|wait| wait.as_millis_ceil()),
        "node": node,
    };
    let reset = decision.reset.as_secs_ceil();
    let window = request.check.window.length().as_secs_ceil();
    let policy = format!(r#""default";q={limit};w={window}"#);
    let headers = [
        ("ratelimit-policy", policy),
        ("ratelimit", format!(r#""default";r={remaining};t={reset}"#)),
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", remaining.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
    ];
    let retry_after = |wait: Micros| ("retry-after", wait.as_secs_ceil().to_string());
    let response = with_headers(json(status(decision), &body), headers);
    with_headers(response, decision.retry_after().map(retry_after))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, answer, check, headers};
    use super::*;

    fn refusal(body: &str) -> serde_json::Value {
        let (status, text) = testing::refusal(&SHAPE, body);
        assert_eq!(status, 400, "{body}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn retry_after_and_windows_are_in_whole_seconds_rounded_up() {
        let body = r#"{"key":"k","limit":100,"window_ms":1500}"#;
        for (micros, seconds) in [(1, "1"), (1_000_000, "1"), (1_000_001, "2")] {
            let headers = headers(&answer(&SHAPE, body, (false, 0, micros)));
            assert_eq!(headers["retry-after"], seconds, "{micros} µs");
            assert_eq!(headers["ratelimit-policy"], r#""default";q=100;w=2"#);
        }
    }

    #[test]
    fn a_field_out_of_range_is_named_with_its_range() {
        let long = "k".repeat(257);
        let key = "key must be a string of 1 to 256 bytes";
        let limit = "limit must be an integer from 1 to 1000000";
        let window = "window_ms must be an integer from 1 to 86400000";
        for (fields, error) in [
            ("", key),
            (r#""key":"","limit":1,"window_ms":1"#, key),
            (r#""key":7,"limit":1,"window_ms":1"#, key),
            (r#""key":null,"limit":1,"window_ms":1"#, key),
            (r#""key":"\ud800","limit":1,"window_ms":1"#, key),
            (&format!(r#""key":"{long}","limit":1,"window_ms":1"#), key),
            (r#""key":"k","window_ms":1"#, limit),
            (r#""key":"k","limit":0,"window_ms":1"#, limit),
            (r#""key":"k","limit":-1,"window_ms":1"#, limit),
            (r#""key":"k","limit":1.5,"window_ms":1"#, limit),
            (r#""key":"k","limit":"1","window_ms":1"#, limit),
            (r#""key":"k","limit":[1],"window_ms":1"#, limit),
            (r#""key":"k","limit":1000001,"window_ms":1"#, limit),
            (r#""key":"k","limit":1e400,"window_ms":1"#, limit),
            (r#""key":"k","limit":1"#, window),
            (r#""key":"k","limit":1,"window_ms":0"#, window),
            (r#""key":"k","limit":1,"window_ms":86400001"#, window),
            (r#""key":"k","limit":1,"window_ms":null"#, window),
        ] {
            let json = refusal(&format!("{{{fields}}}"));
            assert_eq!(json["error"], error, "{fields}");
            assert_eq!(json["field"], error.split(' ').next().unwrap(), "{fields}");
        }
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_refused_without_blaming_a_field() {
        for body in ["", "{", "null", r#"["k",1,1]"#, "\"k\"", r#"{"key":nan}"#] {
            let json = refusal(body);
            let error = json["error"].as_str().unwrap();
            let start = "the body must be a JSON object: ";
            assert!(error.starts_with(start), "{error}");
            assert!(json.get("field").is_none(), "{body}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = r#"{"limit":5,"cost":{"deep":[1e999]},"window_ms":1000,"key":"\u006b"}"#;
        assert_eq!(check(&SHAPE, body), ("k".to_owned(), 5, 1_000));
    }
}
