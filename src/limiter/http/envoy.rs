//! Envoy's ratelimit service, by its JSON endpoint (envoyproxy/ratelimit, `NewJsonHandler`).
//!
//! The body is `{"domain":"d","descriptors":[{"entries":[{"key":"k","value":"v"}]}]}`, a `RateLimitRequest` in protobuf's
//! JSON: `null` stands for a default, and a field that is not known, such as a descriptor's own `limit`, is refused. The
//! node's policy is for each key that a domain and a descriptor's entries make. A request has one descriptor. A `hitsAddend`
//! of 0 is the same as none, and counts 1; only a descriptor's own of 0 would count nothing, and is refused as others are.
//!
//! The answer is
//! `{"overallCode":"OK","statuses":[{"code":"OK","currentLimit":{"requestsPerUnit":100,"unit":"MINUTE"},"limitRemaining":99,"durationUntilReset":"60s"}]}`
//! with 200, or with 429 and `OVER_LIMIT` twice. As in the service's answers, defaults are left out: `limitRemaining` where
//! it is 0, and `unit`, which then means `UNKNOWN`, where the window is none of its units: a second, minute, hour or day.
//!
//! A refusal is a 400 in plain text, and as the service has it, so is the answer while the store fails. The service does not
//! fail open (its client, Envoy, does); failing open, the node answers as the service does where it has no limit.

use super::proto3::{Integer, Message, nullable};
use super::{Asked, Shape, failure, json, key, plain, status, unit};
use crate::limiter::check::{Check, Decision};
use crate::limiter::store::StoreError;
use oxhttp::model::{Body, Response, StatusCode};
use serde::{Deserialize, Serialize};

pub(super) struct Question(Check);

impl Shape for Question {
    const PRESET: &'static str = "envoy";
    const PATH: &'static str = "/json";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        let read = || -> Result<Check, String> {
            let Message(request): Message<RateLimitRequest> =
                serde_json::from_slice(asked.body).map_err(|error| error.to_string())?;
            let key = key::<Self>(&request.names()?)?;
            Ok(asked.policy.check(key))
        };
        read().map(Self).map_err(|why| Box::new(bad_request(&why)))
    }

    fn check(&self) -> &Check {
        &self.0
    }

    fn decided(&self, decision: &Decision, _node: &str) -> Response<Body> {
        let of_descriptor = DescriptorStatus {
            code: code(decision),
            current_limit: Some(RateLimit {
                requests_per_unit: decision.limit.get(),
                unit: unit(self.0.window).map(str::to_ascii_uppercase),
            }),
            limit_remaining: Some(decision.remaining).filter(|&remaining| remaining > 0),
            duration_until_reset: Some(format!("{}s", decision.reset.as_secs_ceil())),
        };
        RateLimitResponse::of(of_descriptor).with(status(decision))
    }

    fn failed_closed(&self, error: &StoreError) -> Response<Body> {
        bad_request(&failure(error))
    }

    fn failed_open(&self, _: &StoreError, _node: &str) -> Response<Body> {
        let without_limit = DescriptorStatus {
            code: OK,
            current_limit: None,
            limit_remaining: None,
            duration_until_reset: None,
        };
        RateLimitResponse::of(without_limit).with(StatusCode::OK)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RateLimitRequest {
    #[serde(deserialize_with = "nullable")]
    domain: String,
    #[serde(deserialize_with = "nullable")]
    descriptors: Vec<Message<Descriptor>>,
    #[serde(alias = "hits_addend")]
    hits_addend: Integer,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Descriptor {
    #[serde(deserialize_with = "nullable")]
    entries: Vec<Message<Entry>>,
    #[serde(alias = "hits_addend")]
    hits_addend: Option<Integer>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "nullable")]
    key: String,
    #[serde(deserialize_with = "nullable")]
    value: String,
}

impl RateLimitRequest {
    /// What makes its key: the domain, then each entry's key and value.
    fn names(&self) -> Result<Vec<&str>, &'static str> {
        if self.domain.is_empty() {
            return Err("domain must not be empty");
        }
        let [Message(descriptor)] = &self.descriptors[..] else {
            return Err("descriptors must be exactly one, since a check is for one key");
        };
        if descriptor.entries.is_empty() {
            return Err("entries must not be empty");
        }
        let of_descriptor = descriptor.hits_addend.unwrap_or(Integer(1));
        if !matches!(self.hits_addend, Integer(0 | 1)) || of_descriptor != Integer(1) {
            return Err("hitsAddend must be 1, since a check counts one request");
        }
        let entries = descriptor.entries.iter();
        let entries = entries.flat_map(|Message(entry)| [&*entry.key, &*entry.value]);
        Ok([&*self.domain].into_iter().chain(entries).collect())
    }
}

const OK: &str = "OK";

fn code(decision: &Decision) -> &'static str {
    match decision.allowed {
        true => OK,
        false => "OVER_LIMIT",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RateLimitResponse {
    overall_code: &'static str,
    statuses: [DescriptorStatus; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescriptorStatus {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_limit: Option<RateLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_remaining: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_until_reset: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RateLimit {
    requests_per_unit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

impl RateLimitResponse {
    fn of(status: DescriptorStatus) -> Self {
        Self {
            overall_code: status.code,
            statuses: [status],
        }
    }

    fn with(&self, status: StatusCode) -> Response<Body> {
        json(status, self)
    }
}

fn bad_request(why: &str) -> Response<Body> {
    plain(StatusCode::BAD_REQUEST, format!("Bad Request: {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, decision, error, parts, refused};
    use super::*;

    fn key(body: &str) -> String {
        let question: Question = asked(body).unwrap_or_else(|why| panic!("{body}: {why:?}"));
        question.0.key.as_str().to_owned()
    }

    #[test]
    fn domain_and_entries_make_the_key() {
        for (body, expected) in [
            (
                r#"{"domain":"d","descriptors":[{"entries":[{"key":"k","value":"v"}]}]}"#,
                r#"["envoy",["d","k","v"]]"#,
            ),
            (
                r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"},{"key":"l","value":"v"}]}]}"#,
                r#"["envoy",["d","k","","l","v"]]"#,
            ),
        ] {
            assert_eq!(key(body), expected);
        }
    }

    #[test]
    fn it_is_read_as_protobufs_json() {
        let plain = key(r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"}]}]}"#);
        for body in [
            r#"{"domain":"d","descriptors":[{"entries":[{"key":"k","value":null}]}],"hitsAddend":null}"#,
            r#"{"hits_addend":"1","domain":"d","descriptors":[{"entries":[{"key":"k"}],"hitsAddend":1}]}"#,
            r#"{"hitsAddend":0,"domain":"d","descriptors":[{"entries":[{"key":"k"}],"hits_addend":null}]}"#,
        ] {
            assert_eq!(key(body), plain, "{body}");
        }
    }

    #[test]
    fn what_it_does_not_decide_is_a_bad_request_in_plain_text() {
        let long = format!(
            r#"{{"domain":"{}","descriptors":[{{"entries":[{{"key":"k"}}]}}]}}"#,
            "d".repeat(256)
        );
        let one = r#"{"entries":[{"key":"k"}]}"#;
        for (body, why) in [
            ("", "EOF"),
            ("[1]", "expected an object"),
            (
                r#"{"domain":"d","descriptors":[{"entries":[["k","v"]]}]}"#,
                "expected an object",
            ),
            ("{}", "domain must not be empty"),
            (r#"{"domain":"d"}"#, "descriptors must be exactly one"),
            (
                &format!(r#"{{"domain":"d","descriptors":[{one},{one}]}}"#),
                "descriptors must be exactly one",
            ),
            (
                r#"{"domain":"d","descriptors":[{}]}"#,
                "entries must not be empty",
            ),
            (
                &format!(r#"{{"domain":"d","descriptors":[{one}],"hitsAddend":2}}"#),
                "hitsAddend must be 1",
            ),
            (
                r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"}],"hitsAddend":0}]}"#,
                "hitsAddend must be 1",
            ),
            (
                r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"}],"limit":{}}]}"#,
                "unknown field `limit`",
            ),
            (
                r#"{"domain":"d","descriptor":[]}"#,
                "unknown field `descriptor`",
            ),
            (&long, "must be at most 256 bytes"),
        ] {
            let (status, text) = refused::<Question>(body);
            assert_eq!(status, 400, "{body}");
            assert!(text.starts_with("Bad Request: "), "{text}");
            assert!(text.contains(why), "{why} is not in {text}");
        }
    }

    const BODY: &str = r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"}]}]}"#;

    fn decided(allowed: bool, remaining: u32, reset_micros: u64) -> (u16, String) {
        let question: Question = asked(BODY).expect("a check");
        parts(question.decided(&decision(allowed, remaining, reset_micros), "n"))
    }

    #[test]
    fn an_answer_tells_the_limit_what_remains_of_it_and_until_when() {
        assert_eq!(
            decided(true, 99, 59_000_001),
            (
                200,
                concat!(
                    r#"{"overallCode":"OK","statuses":[{"code":"OK","#,
                    r#""currentLimit":{"requestsPerUnit":100,"unit":"MINUTE"},"#,
                    r#""limitRemaining":99,"durationUntilReset":"60s"}]}"#
                )
                .to_owned()
            )
        );
        assert_eq!(
            decided(false, 0, 1),
            (
                429,
                concat!(
                    r#"{"overallCode":"OVER_LIMIT","statuses":[{"code":"OVER_LIMIT","#,
                    r#""currentLimit":{"requestsPerUnit":100,"unit":"MINUTE"},"durationUntilReset":"1s"}]}"#
                )
                .to_owned()
            )
        );
    }

    #[test]
    fn a_failed_store_is_a_bad_request_or_no_limit() {
        let question: Question = asked(BODY).expect("a check");
        assert_eq!(
            parts(question.failed_closed(&error())),
            (400, "Bad Request: the store failed: gone\n".to_owned())
        );
        assert_eq!(
            parts(question.failed_open(&error(), "n")),
            (
                200,
                r#"{"overallCode":"OK","statuses":[{"code":"OK"}]}"#.to_owned()
            )
        );
    }
}
