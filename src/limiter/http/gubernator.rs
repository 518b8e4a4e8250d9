//! Gubernator, by its HTTP gateway (gubernator-io/gubernator, `V1.GetRateLimits`).
//!
//! The body is `{"requests":[{"name":"n","uniqueKey":"k","hits":1,"limit":100,"duration":60000}]}`, protobuf's JSON of a
//! `GetRateLimitsReq`: names may be written either way, integers as strings, and unknown fields are ignored. So are
//! `algorithm` and `burst`, for the node's own algorithm decides; a `behavior` that would change what is asked is refused.
//! A batch has one request.
//!
//! The answer is a 200 whatever was decided, with
//! `{"responses":[{"status":"UNDER_LIMIT","limit":"100","remaining":"99","reset_time":"1700000060000","error":"","metadata":{}}]}`:
//! 64-bit integers are strings, and `reset_time` is in Unix milliseconds. A request that is refused has the reason in its
//! `error`, and so has one while the store fails; what is no batch of one is refused as the gateway refuses,
//! `{"code":3,"message":"…","details":[]}` with 400, or code 12 with 501. Gubernator has no way to fail open: then the node
//! answers that a check is under its limit, of which nothing remains.

use super::proto3::{Integer, Message, nullable};
use super::{Asked, Shape, failure, json, key};
use crate::limiter::check::{Check, Decision, Limit, Window};
use crate::limiter::clock::Micros;
use crate::limiter::store::StoreError;
use oxhttp::model::{Body, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) struct Question(Check);

impl Shape for Question {
    const PRESET: &'static str = "gubernator";
    const PATH: &'static str = "/v1/GetRateLimits";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        let Message(batch): Message<GetRateLimitsReq> = serde_json::from_slice(asked.body)
            .map_err(|error| Box::new(Status::InvalidArgument.response(error.to_string())))?;
        let [Message(request)] = &batch.requests[..] else {
            let why = "requests must be exactly one, since a check is for one key".to_owned();
            return Err(Box::new(Status::Unimplemented.response(why)));
        };
        let check = request.check();
        let check = check.map_err(|why| Box::new(RateLimitResp::failed(why).response()))?;
        Ok(Self(check))
    }

    fn check(&self) -> &Check {
        &self.0
    }

    fn decided(&self, decision: &Decision, _node: &str) -> Response<Body> {
        RateLimitResp::decided(decision, SystemTime::now()).response()
    }

    fn failed_closed(&self, error: &StoreError) -> Response<Body> {
        RateLimitResp::failed(failure(error)).response()
    }

    fn failed_open(&self, _: &StoreError, _node: &str) -> Response<Body> {
        let under_limit = RateLimitResp {
            limit: self.0.limit.get().to_string(),
            ..RateLimitResp::default()
        };
        under_limit.response()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GetRateLimitsReq {
    #[serde(deserialize_with = "nullable")]
    requests: Vec<Message<RateLimitReq>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RateLimitReq {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(alias = "uniqueKey", deserialize_with = "nullable")]
    unique_key: String,
    hits: Integer,
    limit: Integer,
    /// In milliseconds.
    duration: Integer,
    behavior: Value,
}

impl RateLimitReq {
    fn check(&self) -> Result<Check, String> {
        for (field, text) in [("unique_key", &self.unique_key), ("name", &self.name)] {
            if text.is_empty() {
                return Err(format!("{field} must not be empty"));
            }
        }
        if self.hits != Integer(1) {
            return Err("hits must be 1, since a check counts one request".to_owned());
        }
        if !self.asks_for_nothing_special() {
            return Err("behavior must be BATCHING, NO_BATCHING or GLOBAL".to_owned());
        }
        let limit = u64::try_from(self.limit.0)
            .ok()
            .and_then(|n| Limit::new(n).ok());
        let window = u64::try_from(self.duration.0).ok();
        let window = window.and_then(|millis| Window::from_millis(millis).ok());
        let range = |field, most| format!("{field} must be an integer from 1 to {most}");
        Ok(Check {
            key: key::<Question>(&[&self.name, &self.unique_key])?,
            limit: limit.ok_or_else(|| range("limit", Limit::MAX.into()))?,
            window: window.ok_or_else(|| range("duration", Window::MAX_MILLIS))?,
        })
    }

    /// How requests travel among Gubernator's own nodes is all the same here.
    fn asks_for_nothing_special(&self) -> bool {
        match &self.behavior {
            Value::Null => true,
            Value::String(name) => ["BATCHING", "NO_BATCHING", "GLOBAL"].contains(&&**name),
            // NO_BATCHING and GLOBAL are the two lowest of its flags.
            flags => flags.as_u64().is_some_and(|flags| flags <= 3),
        }
    }
}

#[derive(Serialize)]
struct GetRateLimitsResp {
    responses: [RateLimitResp; 1],
}

#[derive(Serialize)]
struct RateLimitResp {
    status: &'static str,
    limit: String,
    remaining: String,
    reset_time: String,
    error: String,
    metadata: NoMetadata,
}

#[derive(Serialize)]
struct NoMetadata {}

/// Protobuf's defaults.
impl Default for RateLimitResp {
    fn default() -> Self {
        Self {
            status: "UNDER_LIMIT",
            limit: "0".to_owned(),
            remaining: "0".to_owned(),
            reset_time: "0".to_owned(),
            error: String::new(),
            metadata: NoMetadata {},
        }
    }
}

impl RateLimitResp {
    fn decided(decision: &Decision, now: SystemTime) -> Self {
        let status = match decision.allowed {
            true => "UNDER_LIMIT",
            false => "OVER_LIMIT",
        };
        Self {
            status,
            limit: decision.limit.get().to_string(),
            remaining: decision.remaining.to_string(),
            reset_time: reset_time(now, decision.reset).to_string(),
            ..Self::default()
        }
    }

    fn failed(error: String) -> Self {
        Self {
            error,
            ..Self::default()
        }
    }

    fn response(self) -> Response<Body> {
        let responses = [self];
        json(StatusCode::OK, &GetRateLimitsResp { responses })
    }
}

/// In Unix milliseconds, rounded up.
fn reset_time(now: SystemTime, reset: Micros) -> u128 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let reset = now + Duration::from_micros(reset.get());
    reset.as_micros().div_ceil(1_000)
}

/// What gRPC says of a failed call, and the gateway instead of an answer.
enum Status {
    InvalidArgument,
    Unimplemented,
}

impl Status {
    fn response(&self, message: String) -> Response<Body> {
        #[derive(Serialize)]
        struct Failed {
            code: u8,
            message: String,
            details: [(); 0],
        }
        let (status, code) = match self {
            Self::InvalidArgument => (StatusCode::BAD_REQUEST, 3),
            Self::Unimplemented => (StatusCode::NOT_IMPLEMENTED, 12),
        };
        let details = [];
        json(
            status,
            &Failed {
                code,
                message,
                details,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, decision, error, parts, refused};
    use super::*;
    use serde_json::json;

    fn body(change: impl FnOnce(&mut Value)) -> String {
        let mut request =
            json!({"name": "n", "uniqueKey": "k", "hits": 1, "limit": 5, "duration": 1000});
        change(&mut request);
        json!({ "requests": [request] }).to_string()
    }

    #[test]
    fn a_request_says_key_limit_and_window_in_any_of_protobufs_ways() {
        for body in [
            body(|_| ()),
            body(|request| request["limit"] = "5".into()),
            body(|request| request["algorithm"] = "LEAKY_BUCKET".into()),
            body(|request| request["behavior"] = "NO_BATCHING".into()),
            body(|request| request["behavior"] = 2.into()),
            body(|request| request["nobody_knows_it"] = json!([{}])),
            r#"{"requests":[{"name":"n","unique_key":"k","hits":"1","limit":5,"duration":"1000"}]}"#.to_owned(),
        ] {
            let Question(check) = asked(&body).expect(&body);
            assert_eq!(check.key.as_str(), r#"["gubernator",["n","k"]]"#);
            assert_eq!(check.limit.get(), 5);
            assert_eq!(check.window.length().as_millis_ceil(), 1_000);
        }
    }

    #[test]
    fn what_a_request_may_not_ask_is_in_its_error() {
        let limit = "limit must be an integer from 1 to 1000000";
        let duration = "duration must be an integer from 1 to 86400000";
        let behavior = "behavior must be BATCHING, NO_BATCHING or GLOBAL";
        for (field, value, error) in [
            ("name", json!(""), "name must not be empty"),
            ("name", Value::Null, "name must not be empty"),
            ("uniqueKey", json!(""), "unique_key must not be empty"),
            (
                "hits",
                json!(0),
                "hits must be 1, since a check counts one request",
            ),
            (
                "hits",
                json!(null),
                "hits must be 1, since a check counts one request",
            ),
            (
                "hits",
                json!(-1),
                "hits must be 1, since a check counts one request",
            ),
            ("limit", json!(0), limit),
            ("limit", json!(-1), limit),
            ("limit", json!(1_000_001), limit),
            ("duration", json!(0), duration),
            ("duration", json!("86400001"), duration),
            ("behavior", json!("DURATION_IS_GREGORIAN"), behavior),
            ("behavior", json!(8), behavior),
            ("behavior", json!({}), behavior),
            (
                "uniqueKey",
                json!("k".repeat(256)),
                "the names that make the key must be at most 256 bytes in all",
            ),
        ] {
            let body = body(|request| request[field] = value);
            let (status, text) = refused::<Question>(&body);
            assert_eq!(status, 200, "{body}");
            let text: Value = serde_json::from_str(&text).expect("JSON");
            let [answer] = &text["responses"].as_array().expect("a list")[..] else {
                panic!("{text}");
            };
            assert_eq!(answer["error"], error, "{body}");
            assert_eq!(answer["status"], "UNDER_LIMIT");
        }
    }

    #[test]
    fn what_is_no_batch_of_one_the_gateway_refuses() {
        let one = r#"{"name":"n","uniqueKey":"k","hits":1,"limit":5,"duration":1000}"#;
        let two = format!(r#"{{"requests":[{one},{one}]}}"#);
        for (body, status, code) in [
            ("", 400, 3),
            ("[]", 400, 3),
            (r#"{"requests":[{"hits":1.5}]}"#, 400, 3),
            ("{}", 501, 12),
            (r#"{"requests":null}"#, 501, 12),
            (&two, 501, 12),
        ] {
            let (seen, text) = refused::<Question>(body);
            assert_eq!(seen, status, "{body}");
            let text: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(text["code"], code, "{body}");
            assert!(text["message"].is_string());
            assert_eq!(text["details"], json!([]));
        }
    }

    #[test]
    fn an_answer_has_every_field_and_integers_as_strings() {
        let now = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_999);
        let answer = |allowed, remaining| {
            let decision = decision(allowed, remaining, 60_000_000);
            parts(RateLimitResp::decided(&decision, now).response())
        };
        let text = |status, remaining| {
            format!(
                r#"{{"responses":[{{"status":"{status}","limit":"100","remaining":"{remaining}","reset_time":"1700000060001","error":"","metadata":{{}}}}]}}"#
            )
        };
        assert_eq!(answer(true, 99), (200, text("UNDER_LIMIT", 99)));
        assert_eq!(answer(false, 0), (200, text("OVER_LIMIT", 0)));
    }

    #[test]
    fn a_failed_store_is_an_error_or_under_the_limit() {
        let question: Question = asked(&body(|_| ())).expect("a check");
        let text = |limit, error| {
            format!(
                r#"{{"responses":[{{"status":"UNDER_LIMIT","limit":"{limit}","remaining":"0","reset_time":"0","error":"{error}","metadata":{{}}}}]}}"#
            )
        };
        let closed = parts(question.failed_closed(&error()));
        assert_eq!(closed, (200, text(0, "the store failed: gone")));
        let open = parts(question.failed_open(&error(), "n"));
        assert_eq!(open, (200, text(5, "")));
    }
}
