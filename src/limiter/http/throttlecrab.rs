//! throttlecrab-server, by its HTTP transport (lazureykis/throttlecrab).
//!
//! The body, which must be said to be `application/json`, is
//! `{"key":"k","max_burst":100,"count_per_period":100,"period":60}`, where `period` is in seconds; further fields are
//! ignored. The node's algorithms have one number for the limit: `max_burst` and `count_per_period` must be the same.
//!
//! The answer is a 200 whatever was decided, with
//! `{"allowed":true,"limit":100,"remaining":99,"reset_after":60,"retry_after":0}`, the last two in seconds, which throttlecrab
//! rounds down. What is no such body is refused in plain text, with 400 where it is not JSON, 422 where it is other JSON,
//! and 415 where it is not said to be; values out of range, as by throttlecrab, with 500 and `{"error":"…"}`, the answer
//! while the store fails too. throttlecrab, whose store is its own memory, has no way to fail open: then the node allows,
//! and nothing remains.

use super::{Asked, Failure, Shape, failure, is_json, json, key, plain};
use crate::limiter::check::{Check, Decision, Limit, Window};
use crate::limiter::store::StoreError;
use oxhttp::model::{Body, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

pub(super) struct Question(Check);

impl Shape for Question {
    const PRESET: &'static str = "throttlecrab";
    const PATH: &'static str = "/throttle";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        if !is_json(asked.headers) {
            let why = "Content-Type must be application/json".to_owned();
            return Err(Box::new(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)));
        }
        let request: ThrottleRequest = serde_json::from_slice(asked.body).map_err(|error| {
            let status = match error.classify() {
                Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
                Category::Syntax | Category::Eof | Category::Io => StatusCode::BAD_REQUEST,
            };
            Box::new(plain(status, error.to_string()))
        })?;
        let check = request.check();
        check
            .map(Self)
            .map_err(|why| Box::new(internal_error(&why)))
    }

    fn check(&self) -> &Check {
        &self.0
    }

    fn decided(&self, decision: &Decision, _node: &str) -> Response<Body> {
        let wait = decision.retry_after().unwrap_or_default();
        let response = ThrottleResponse {
            allowed: decision.allowed,
            limit: decision.limit.get(),
            remaining: decision.remaining,
            reset_after: decision.reset.as_secs_ceil(),
            retry_after: wait.as_secs_ceil(),
        };
        json(StatusCode::OK, &response)
    }

    fn failed_closed(&self, error: &StoreError) -> Response<Body> {
        internal_error(&failure(error))
    }

    fn failed_open(&self, _: &StoreError, _node: &str) -> Response<Body> {
        let response = ThrottleResponse {
            allowed: true,
            limit: self.0.limit.get(),
            remaining: 0,
            reset_after: 0,
            retry_after: 0,
        };
        json(StatusCode::OK, &response)
    }
}

#[derive(Deserialize)]
struct ThrottleRequest {
    key: String,
    max_burst: i64,
    count_per_period: i64,
    /// In seconds.
    period: i64,
    quantity: Option<i64>,
}

impl ThrottleRequest {
    fn check(&self) -> Result<Check, String> {
        const MAX_PERIOD: u64 = Window::MAX_MILLIS / 1_000;
        if self.quantity.is_some_and(|quantity| quantity != 1) {
            return Err("quantity must be 1, since a check counts one request".to_owned());
        }
        if self.max_burst != self.count_per_period {
            return Err("max_burst and count_per_period must be the same".to_owned());
        }
        let limit = u64::try_from(self.max_burst).ok();
        let limit = limit.and_then(|requests| Limit::new(requests).ok());
        let period = u64::try_from(self.period).ok();
        let window = period
            .and_then(|seconds| seconds.checked_mul(1_000))
            .and_then(|millis| Window::from_millis(millis).ok());
        let range = |field, most| format!("{field} must be from 1 to {most}");
        Ok(Check {
            key: key::<Question>(&[&self.key])?,
            limit: limit.ok_or_else(|| range("max_burst", Limit::MAX.into()))?,
            window: window.ok_or_else(|| range("period", MAX_PERIOD))?,
        })
    }
}

#[derive(Serialize)]
struct ThrottleResponse {
    allowed: bool,
    limit: u32,
    remaining: u32,
    /// In seconds, as is the next.
    reset_after: u64,
    retry_after: u64,
}

fn internal_error(why: &str) -> Response<Body> {
    let error = format!("Internal server error: {why}");
    json(StatusCode::INTERNAL_SERVER_ERROR, &Failure { error })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, decision, error, parts, refused};
    use super::*;

    const BODY: &str = r#"{"key":"k","max_burst":5,"count_per_period":5,"period":2}"#;

    #[test]
    fn a_request_says_key_limit_and_window() {
        for body in [
            BODY,
            r#"{"quantity":1,"period":2,"count_per_period":5,"max_burst":5,"key":"k"}"#,
            r#"{"key":"k","max_burst":5,"count_per_period":5,"period":2,"quantity":null,"x":0}"#,
        ] {
            let Question(check) = asked(body).expect(body);
            assert_eq!(check.key.as_str(), r#"["throttlecrab",["k"]]"#);
            assert_eq!(check.limit.get(), 5);
            assert_eq!(check.window.length().as_millis_ceil(), 2_000);
        }
    }

    #[test]
    fn values_out_of_range_are_an_internal_error_as_they_are_to_throttlecrab() {
        let body = |burst: i64, count: i64, period: i64, quantity: i64| {
            format!(
                r#"{{"key":"k","max_burst":{burst},"count_per_period":{count},"period":{period},"quantity":{quantity}}}"#
            )
        };
        let burst = "max_burst must be from 1 to 1000000";
        let period = "period must be from 1 to 86400";
        let quantity = "quantity must be 1, since a check counts one request";
        for (body, why) in [
            (body(0, 0, 1, 1), burst),
            (body(-1, -1, 1, 1), burst),
            (body(1_000_001, 1_000_001, 1, 1), burst),
            (
                body(2, 1, 1, 1),
                "max_burst and count_per_period must be the same",
            ),
            (body(1, 1, 0, 1), period),
            (body(1, 1, i64::MIN, 1), period),
            (body(1, 1, i64::MAX, 1), period),
            (body(1, 1, 86_401, 1), period),
            (body(1, 1, 1, 0), quantity),
            (body(1, 1, 1, 2), quantity),
            (body(1, 1, 1, -1), quantity),
        ] {
            let text = format!(r#"{{"error":"Internal server error: {why}"}}"#);
            assert_eq!(refused::<Question>(&body), (500, text), "{body}");
        }
    }

    #[test]
    fn what_is_no_such_json_is_refused_by_what_it_is_instead() {
        for (body, status) in [
            ("", 400),
            ("{", 400),
            (r#"{"key":nan}"#, 400),
            ("{}", 422),
            ("[]", 422),
            (
                r#"{"key":7,"max_burst":5,"count_per_period":5,"period":2}"#,
                422,
            ),
            (
                r#"{"key":"k","max_burst":5,"count_per_period":5,"period":0.5}"#,
                422,
            ),
        ] {
            assert_eq!(refused::<Question>(body).0, status, "{body}");
        }
    }

    #[test]
    fn an_answer_has_seconds_rounded_up() {
        let question: Question = asked(BODY).expect("a check");
        let answer = |allowed, remaining, reset| {
            parts(question.decided(&decision(allowed, remaining, reset), "n"))
        };
        assert_eq!(
            answer(true, 99, 59_000_001),
            (
                200,
                r#"{"allowed":true,"limit":100,"remaining":99,"reset_after":60,"retry_after":0}"#
                    .to_owned()
            )
        );
        assert_eq!(
            answer(false, 0, 1),
            (
                200,
                r#"{"allowed":false,"limit":100,"remaining":0,"reset_after":1,"retry_after":1}"#
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_failed_store_is_an_internal_error_or_allows() {
        let question: Question = asked(BODY).expect("a check");
        assert_eq!(
            parts(question.failed_closed(&error())),
            (
                500,
                r#"{"error":"Internal server error: the store failed: gone"}"#.to_owned()
            )
        );
        assert_eq!(
            parts(question.failed_open(&error(), "n")),
            (
                200,
                r#"{"allowed":true,"limit":5,"remaining":0,"reset_after":0,"retry_after":0}"#
                    .to_owned()
            )
        );
    }
}
