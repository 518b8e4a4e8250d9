//! The checks of other limiters: how each is read from a request, and how it is answered.
//!
//! A new shape is a file here, its `mod` line, and its line in [`SHAPES`].

mod check;
mod envoy;
mod gubernator;
pub(super) mod kong;
mod limitador;
mod proto3;
mod throttlecrab;

use super::response::{json, object, with_headers};
use crate::core::presets::{self, Preset};
use crate::limiter::check::{Check, Decision, Key, Limit, Policy, Window};
use crate::system::http_server::{Response, text_response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

/// Every shape, in the order of the presets.
pub(super) const SHAPES: [Shape; 6] = [
    check::SHAPE,
    envoy::SHAPE,
    limitador::SHAPE,
    gubernator::SHAPE,
    throttlecrab::SHAPE,
    kong::SHAPE,
];

/// How one limiter reads and answers a check.
pub(super) struct Shape {
    /// It sends such requests, and so says their path and method.
    pub preset: &'static Preset,
    /// Requests of every method are checks, not only those of the preset's.
    pub any_method: bool,
    pub read: fn(&Incoming<'_>) -> Result<CheckRequest, Refused>,
    /// The last argument is the node's name.
    pub answer: fn(&CheckRequest, &Verdict<'_>, &str) -> Response,
}

/// The parts of a request that a shape reads.
pub(super) struct Incoming<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// For requests that do not give a limit and a window.
    pub policy: Policy,
}

impl Incoming<'_> {
    /// The `Content-Type` is `application/json` or another kind of JSON.
    fn is_json(&self) -> bool {
        let value = self.headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
        let value = value.and_then(Result::ok).unwrap_or_default();
        let media_type = value.split(';').next().unwrap_or_default().trim();
        let subtype = media_type.to_ascii_lowercase();
        let subtype = subtype.strip_prefix("application/");
        subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }
}

/// The response to a request that is not a check which the node can decide.
pub(super) type Refused = Box<Response>;

pub(super) struct CheckRequest {
    pub check: Check,
    /// The client wants rate-limit headers in the answer; only Limitador's can say so.
    wants_headers: bool,
}

impl From<Check> for CheckRequest {
    fn from(check: Check) -> Self {
        Self {
            check,
            wants_headers: false,
        }
    }
}

/// The outcome of a check. The text says why the store failed.
pub(super) enum Verdict<'a> {
    Decided(&'a Decision),
    /// The store failed, so nothing passes.
    FailedClosed(&'a str),
    /// The store failed, so everything passes.
    FailedOpen(&'a str),
}

/// The key that a shape makes of several names. It differs from the keys of all other names and of other shapes.
fn key(shape: &Shape, names: &[&str]) -> Result<Key, String> {
    Key::of_names(shape.preset.name, names).map_err(|_| {
        let most = Key::MAX_BYTES;
        format!("the names that make the key must be at most {most} bytes in all")
    })
}

fn limit(requests: i64) -> Option<Limit> {
    Limit::new(requests.try_into().ok()?).ok()
}

fn window(length: i64, unit_millis: u64) -> Option<Window> {
    let length = u64::try_from(length).ok()?;
    Window::from_millis(length.checked_mul(unit_millis)?).ok()
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

/// The status of an answer, for limiters that answer by status.
fn status(decision: &Decision) -> StatusCode {
    if decision.allowed {
        StatusCode::OK
    } else {
        StatusCode::TOO_MANY_REQUESTS
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::limiter::clock::Micros;
    use std::collections::HashMap;

    /// Reads a body of JSON, at a node of 100 requests a minute.
    pub fn read(shape: &Shape, body: &str) -> Result<CheckRequest, Refused> {
        let json = HeaderValue::from_static("application/json");
        (shape.read)(&Incoming {
            headers: &HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: body.as_bytes(),
            policy: policy(100, 60_000),
        })
    }

    pub fn policy(limit: u64, window_millis: u64) -> Policy {
        Policy {
            limit: Limit::new(limit).unwrap(),
            window: Window::from_millis(window_millis).unwrap(),
        }
    }

    /// The key, limit and window in milliseconds that are read from a body.
    pub fn check(shape: &Shape, body: &str) -> (String, u32, u64) {
        let Ok(CheckRequest { check, .. }) = read(shape, body) else {
            panic!("not a check: {body}");
        };
        let millis = check.window.length().as_millis_ceil();
        (check.key.as_str().to_owned(), check.limit.get(), millis)
    }

    /// Status and body of the response to a body that is not a check.
    pub fn refusal(shape: &Shape, body: &str) -> (u16, String) {
        match read(shape, body) {
            Ok(_) => panic!("a check: {body}"),
            Err(response) => parts(*response),
        }
    }

    /// The answer to a body, given whether it is allowed, what remains of 100, and the reset in microseconds.
    pub fn answer(shape: &Shape, body: &str, decision: (bool, u32, u64)) -> Response {
        let Ok(request) = read(shape, body) else {
            panic!("not a check: {body}");
        };
        answer_to(shape, &request, decision)
    }

    pub fn answer_to(
        shape: &Shape,
        request: &CheckRequest,
        (allowed, remaining, reset_micros): (bool, u32, u64),
    ) -> Response {
        let decision = Decision {
            allowed,
            limit: Limit::new(100).unwrap(),
            remaining,
            reset: Micros::new(reset_micros),
        };
        (shape.answer)(request, &Verdict::Decided(&decision), "n")
    }

    pub fn headers(response: &Response) -> HashMap<String, String> {
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let headers = response.headers().iter();
        headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    /// Status and body.
    pub fn parts(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body()).unwrap())
    }
}

#[cfg(test)]
pub(super) use testing::{headers, parts, policy};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_if_its_type_says_so() {
        for (value, is_json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/", false),
            ("", false),
        ] {
            let incoming = Incoming {
                headers: &HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]),
                body: b"",
                policy: policy(1, 1),
            };
            assert_eq!(incoming.is_json(), is_json, "{value}");
        }
    }

    /// The answers of each shape while the store fails: closed, then open.
    #[test]
    fn a_failed_store_is_answered_as_the_limiter_itself_would() {
        let gubernator = |limit, error| {
            format!(
                r#"{{"responses":[{{"status":"UNDER_LIMIT","limit":"{limit}","remaining":"0","reset_time":"0","error":"{error}","metadata":{{}}}}]}}"#
            )
        };
        let check = r#"{"allowed":true,"error":"gone","node":"n"}"#;
        let envoy = r#"{"overallCode":"OK","statuses":[{"code":"OK"}]}"#;
        let throttlecrab =
            r#"{"allowed":true,"limit":7,"remaining":0,"reset_after":0,"retry_after":0}"#;
        let internal = r#"{"error":"Internal server error: gone"}"#;
        let kong = r#"{"message":"An unexpected error occurred"}"#;
        let answers = [
            ("check", 503, r#"{"error":"gone"}"#, check),
            ("envoy", 400, "Bad Request: gone\n", envoy),
            ("limitador", 500, "null", "null"),
            (
                "gubernator",
                200,
                &*gubernator(0, "gone"),
                &gubernator(7, ""),
            ),
            ("throttlecrab", 500, internal, throttlecrab),
            ("kong", 500, kong, r#"{"node":"n"}"#),
        ];
        for (shape, (name, status, closed, open)) in SHAPES.iter().zip(answers) {
            assert_eq!(shape.preset.name, name);
            let key = key(shape, &["k"]).unwrap();
            let request = CheckRequest::from(policy(7, 60_000).check(key));
            let answer = |verdict| (shape.answer)(&request, &verdict, "n");
            let refused = parts(answer(Verdict::FailedClosed("gone")));
            assert_eq!(refused, (status, closed.to_owned()));
            let response = answer(Verdict::FailedOpen("gone"));
            assert_eq!(headers(&response).len(), 1, "{name} promises something");
            assert_eq!(parts(response), (200, open.to_owned()));
        }
    }
}
