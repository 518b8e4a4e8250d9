//! Limitador, by its HTTP API (Kuadrant/limitador, `check_and_report`).
//!
//! The body, which must be said to be `application/json`, is
//! `{"namespace":"n","values":{"key":"k"},"delta":1,"response_headers":"DraftVersion03"}`; further fields are ignored. The
//! node's policy is for each key that namespace and values make. All answers have the body `null`. With
//! `"response_headers":"DraftVersion03"` (draft-polli-ratelimit-headers-03) both answers to a check also have
//! `X-RateLimit-Limit: 100, 100;w=60`, the limit and with its window in seconds, `X-RateLimit-Remaining`, and
//! `X-RateLimit-Reset`, in seconds from now.
//!
//! A refusal is a 400 in plain text. While the store fails the answer is a 500, as Limitador's; it has no way to fail open:
//! then the node's 200 has no headers but the mark. Limitador's own `/check`, which counts nothing, gives way to the node's.

use super::{
    Asked, Shape, X_RATE_LIMIT_LIMIT, X_RATE_LIMIT_REMAINING, X_RATE_LIMIT_RESET, is_json, json,
    key, plain, status,
};
use crate::limiter::check::{Check, Decision};
use crate::limiter::store::StoreError;
use oxhttp::model::{Body, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) struct Question {
    check: Check,
    with_headers: bool,
}

impl Shape for Question {
    const PRESET: &'static str = "limitador";
    const PATH: &'static str = "/check_and_report";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        let read = || -> Result<Self, String> {
            if !is_json(asked.headers) {
                return Err("Content-Type must be application/json".to_owned());
            }
            let info: CheckAndReportInfo =
                serde_json::from_slice(asked.body).map_err(|error| error.to_string())?;
            if info.delta != 1 {
                return Err("delta must be 1, since a check counts one request".to_owned());
            }
            let key = key::<Self>(&info.names())?;
            Ok(Self {
                check: asked.policy.check(key),
                with_headers: info.response_headers.as_deref() == Some("DraftVersion03"),
            })
        };
        read().map_err(|why| Box::new(plain(StatusCode::BAD_REQUEST, why)))
    }

    fn check(&self) -> &Check {
        &self.check
    }

    fn decided(&self, decision: &Decision, _node: &str) -> Response<Body> {
        let mut response = json(status(decision), &());
        if self.with_headers {
            let limit = decision.limit.get();
            let window = self.check.window.length().as_secs_ceil();
            let quota = HeaderValue::try_from(format!("{limit}, {limit};w={window}"));
            let headers = response.headers_mut();
            headers.insert(
                X_RATE_LIMIT_LIMIT,
                quota.expect("letters and digits are legal"),
            );
            headers.insert(X_RATE_LIMIT_REMAINING, decision.remaining.into());
            headers.insert(X_RATE_LIMIT_RESET, decision.reset.as_secs_ceil().into());
        }
        response
    }

    fn failed_closed(&self, _: &StoreError) -> Response<Body> {
        json(StatusCode::INTERNAL_SERVER_ERROR, &())
    }

    fn failed_open(&self, _: &StoreError, _node: &str) -> Response<Body> {
        json(StatusCode::OK, &())
    }
}

#[derive(Deserialize)]
struct CheckAndReportInfo {
    namespace: String,
    /// In one order, in whichever they are sent.
    values: BTreeMap<String, String>,
    delta: u64,
    response_headers: Option<String>,
}

impl CheckAndReportInfo {
    /// What makes its key: the namespace, then each value after its name.
    fn names(&self) -> Vec<&str> {
        let values = self.values.iter();
        let values = values.flat_map(|(name, value)| [&**name, &**value]);
        [&*self.namespace].into_iter().chain(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, decision, error, headers, parts, refused};
    use super::*;

    const BODY: &str =
        r#"{"namespace":"n","values":{"key":"k"},"delta":1,"response_headers":"DraftVersion03"}"#;

    #[test]
    fn namespace_and_values_make_the_key_in_any_order() {
        for body in [
            r#"{"namespace":"n","values":{"a":"1","b":"2"},"delta":1}"#,
            r#"{"delta":1,"values":{"b":"2","a":"1"},"namespace":"n","more":[]}"#,
        ] {
            let question: Question = asked(body).expect(body);
            assert_eq!(
                question.check.key.as_str(),
                r#"["limitador",["n","a","1","b","2"]]"#
            );
        }
    }

    #[test]
    fn what_it_does_not_decide_is_a_400_in_plain_text() {
        for (body, why) in [
            ("", "EOF"),
            ("{}", "missing field"),
            (r#"{"namespace":"n","values":{}}"#, "missing field `delta`"),
            (
                r#"{"namespace":"n","values":{"a":1},"delta":1}"#,
                "expected a string",
            ),
            (
                r#"{"namespace":"n","values":{},"delta":-1}"#,
                "invalid value",
            ),
            (
                r#"{"namespace":"n","values":{},"delta":0}"#,
                "delta must be 1",
            ),
            (
                r#"{"namespace":"n","values":{},"delta":2}"#,
                "delta must be 1",
            ),
        ] {
            let (status, text) = refused::<Question>(body);
            assert_eq!(status, 400, "{body}");
            assert!(text.contains(why), "{why} is not in {text}");
        }
    }

    #[test]
    fn the_headers_have_the_drafts_form() {
        let question: Question = asked(BODY).expect("a check");
        for (allowed, status) in [(true, 200), (false, 429)] {
            let response = question.decided(&decision(allowed, 0, 29_000_001), "n");
            let headers = headers(&response);
            assert_eq!(headers["x-ratelimit-limit"], "100, 100;w=60");
            assert_eq!(headers["x-ratelimit-remaining"], "0");
            assert_eq!(headers["x-ratelimit-reset"], "30");
            assert_eq!(parts(response), (status, "null".to_owned()));
        }
    }

    #[test]
    fn headers_come_only_as_the_draft_that_was_asked_for() {
        for with in [
            "",
            r#","response_headers":null"#,
            r#","response_headers":"No""#,
        ] {
            let body = format!(r#"{{"namespace":"n","values":{{}},"delta":1{with}}}"#);
            let question: Question = asked(&body).expect(&body);
            let response = question.decided(&decision(true, 9, 1), "n");
            assert!(!headers(&response).contains_key("x-ratelimit-limit"));
        }
    }

    #[test]
    fn a_failed_store_is_a_500_or_an_answer_without_headers() {
        let question: Question = asked(BODY).expect("a check");
        let null = |status| (status, "null".to_owned());
        assert_eq!(parts(question.failed_closed(&error())), null(500));
        let open = question.failed_open(&error(), "n");
        assert!(!headers(&open).contains_key("x-ratelimit-remaining"));
        assert_eq!(parts(open), null(200));
    }
}
