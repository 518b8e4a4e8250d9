//! Gubernator, by its HTTP gateway (gubernator-io/gubernator, `V1.GetRateLimits`).
//!
//! The body is `{"requests":[{"name":"n","uniqueKey":"k","hits":1,"limit":100,"duration":60000}]}`, protobuf's JSON of a
//! `GetRateLimitsReq`: names may be written either way, integers may be strings, and unknown fields are ignored. So are
//! `algorithm` and `burst`, since the node's own algorithm decides. A `behavior` that would change the decision is refused.
//! A batch has one request.
//!
//! Every answer is a 200 with
//! `{"responses":[{"status":"UNDER_LIMIT","limit":"100","remaining":"99","reset_time":"1700000060000","error":"","metadata":{}}]}`.
//! 64-bit integers are strings, and `reset_time` is in Unix milliseconds. The `error` says why a request was refused or
//! that the store failed. A body that is not a batch of one is refused as the gateway does it:
//! `{"code":3,"message":"…","details":[]}` with 400, or code 12 with 501. Gubernator can't fail open; failing open, the node
//! answers `UNDER_LIMIT` and that nothing remains.

use super::proto3::{Integer, Message, nullable};
use super::*;
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::gubernator::PRESET,
    any_method: false,
    read,
    answer,
};

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

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    let Message(batch): Message<GetRateLimitsReq> = serde_json::from_slice(incoming.body)
        .map_err(|error| gateway_error(StatusCode::BAD_REQUEST, 3, &error.to_string()))?;
    let [Message(request)] = &batch.requests[..] else {
        let why = "requests must be exactly one, since a check is for one key";
        return Err(gateway_error(StatusCode::NOT_IMPLEMENTED, 12, why).into());
    };
    let check = request.check().map_err(|why| failed(&why))?;
    Ok(check.into())
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
        if !self.behavior_is_neutral() {
            return Err("behavior must be BATCHING, NO_BATCHING or GLOBAL".to_owned());
        }
        let range = |field, most| format!("{field} must be an integer from 1 to {most}");
        Ok(Check {
            key: key(&SHAPE, &[&self.name, &self.unique_key])?,
            limit: limit(self.limit.0).ok_or_else(|| range("limit", Limit::MAX.into()))?,
            window: window(self.duration.0, 1)
                .ok_or_else(|| range("duration", Window::MAX_MILLIS))?,
        })
    }

    /// The behaviors that only say how requests travel among Gubernator's own nodes.
    fn behavior_is_neutral(&self) -> bool {
        match &self.behavior {
            Value::Null => true,
            Value::String(name) => ["BATCHING", "NO_BATCHING", "GLOBAL"].contains(&&**name),
            // NO_BATCHING and GLOBAL are the two lowest of its flags.
            flags => flags.as_u64().is_some_and(|flags| flags <= 3),
        }
    }
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, _: &str) -> Response {
    match verdict {
        Verdict::Decided(decision) => decided(decision, SystemTime::now()),
        Verdict::FailedClosed(error) => failed(error),
        Verdict::FailedOpen(_) => batch("UNDER_LIMIT", [request.check.limit.get(), 0], 0, ""),
    }
}

fn decided(decision: &Decision, now: SystemTime) -> Response {
    let status = if decision.allowed {
        "UNDER_LIMIT"
    } else {
        "OVER_LIMIT"
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let reset = now + Duration::from_micros(decision.reset.get());
    let reset_millis = reset.as_micros().div_ceil(1_000);
    let counts = [decision.limit.get(), decision.remaining];
    batch(status, counts, reset_millis, "")
}

fn failed(error: &str) -> Response {
    // Protobuf's defaults.
    batch("UNDER_LIMIT", [0, 0], 0, error)
}

fn batch(status: &str, [limit, remaining]: [u32; 2], reset_millis: u128, error: &str) -> Response {
    let response = object! {
        "status": status,
        "limit": limit.to_string(),
        "remaining": remaining.to_string(),
        "reset_time": reset_millis.to_string(),
        "error": error,
        "metadata": serde_json::Map::new(),
    };
    json(StatusCode::OK, &object! { "responses": [response] })
}

/// The gateway's response to a failed call, with gRPC's code for the failure.
fn gateway_error(status: StatusCode, code: u8, message: &str) -> Response {
    let details: [(); 0] = [];
    let object = object! { "code": code, "message": message, "details": details };
    json(status, &object)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parts, refusal};
    use super::*;
    use crate::limiter::clock::Micros;
    use serde_json::json;

    fn body(field: &str, value: Value) -> String {
        let mut request =
            json!({"name": "n", "uniqueKey": "k", "hits": 1, "limit": 5, "duration": 1000});
        request[field] = value;
        json!({ "requests": [request] }).to_string()
    }

    #[test]
    fn a_request_gives_key_limit_and_window_in_any_of_protobufs_ways() {
        let strings = r#"{"name":"n","unique_key":"k","hits":"1","limit":5,"duration":"1000"}"#;
        for body in [
            body("limit", json!("5")),
            body("algorithm", json!("LEAKY_BUCKET")),
            body("behavior", json!("NO_BATCHING")),
            body("behavior", json!(2)),
            body("unknown", json!([{}])),
            format!(r#"{{"requests":[{strings}]}}"#),
        ] {
            let key = r#"["gubernator",["n","k"]]"#.to_owned();
            assert_eq!(check(&SHAPE, &body), (key, 5, 1_000));
        }
    }

    #[test]
    fn an_invalid_request_is_answered_with_an_error() {
        let hits = "hits must be 1, since a check counts one request";
        let limit = "limit must be an integer from 1 to 1000000";
        let duration = "duration must be an integer from 1 to 86400000";
        let behavior = "behavior must be BATCHING, NO_BATCHING or GLOBAL";
        let long = "the names that make the key must be at most 256 bytes in all";
        for (field, value, error) in [
            ("name", json!(""), "name must not be empty"),
            ("name", json!(null), "name must not be empty"),
            ("uniqueKey", json!(""), "unique_key must not be empty"),
            ("uniqueKey", json!("k".repeat(256)), long),
            ("hits", json!(0), hits),
            ("hits", json!(null), hits),
            ("hits", json!(-1), hits),
            ("limit", json!(0), limit),
            ("limit", json!(-1), limit),
            ("limit", json!(1_000_001), limit),
            ("duration", json!(0), duration),
            ("duration", json!("86400001"), duration),
            ("behavior", json!("DURATION_IS_GREGORIAN"), behavior),
            ("behavior", json!(8), behavior),
            ("behavior", json!({}), behavior),
        ] {
            let body = body(field, value);
            let expected = parts(failed(error));
            assert_eq!(refusal(&SHAPE, &body), expected, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_not_a_batch_of_one_is_refused_by_the_gateway() {
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
            let (actual, text) = refusal(&SHAPE, body);
            assert_eq!(actual, status, "{body}");
            let start = format!(r#"{{"code":{code},"message":""#);
            assert!(text.starts_with(&start), "{text}");
            assert!(text.ends_with(r#"","details":[]}"#), "{text}");
        }
    }

    #[test]
    fn an_answer_has_every_field_and_integers_as_strings() {
        let now = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_999);
        for (allowed, status, remaining) in [(true, "UNDER_LIMIT", 99), (false, "OVER_LIMIT", 0)] {
            let decision = Decision {
                allowed,
                limit: Limit::new(100).unwrap(),
                remaining,
                reset: Micros::new(60_000_000),
            };
            let text = format!(
                r#"{{"responses":[{{"status":"{status}","limit":"100","remaining":"{remaining}","reset_time":"1700000060001","error":"","metadata":{{}}}}]}}"#
            );
            assert_eq!(parts(decided(&decision, now)), (200, text));
        }
    }
}
