//! Kong with its rate-limiting plugin and `limit_by: header` (Kong/kong, `plugins/rate-limiting`).
//!
//! Any request for `/` with the header `X-Key`, whose value is the key. Without it Kong would take the client's address for
//! the key; here no route matches, so that what was meant for another path shows. The node is also what is behind Kong: it answers what is allowed with 200 and
//! `{"node":"demo-1"}`. What is blocked is a 429 with `{"message":"API rate limit exceeded"}`. Both carry these headers:
//!
//! | header | value |
//! | --- | --- |
//! | `RateLimit-Limit`, `-Remaining` | the limit, and what remains of it |
//! | `RateLimit-Reset` | seconds from now |
//! | `X-RateLimit-Limit-Minute`, `X-RateLimit-Remaining-Minute` | the same numbers, where the window is one of Kong's: a second, minute, hour or day |
//! | `Retry-After` | on a 429: the reset |
//!
//! What has no key is refused with 404 and `{"message":"…"}`, and a key that the node can't take with 400. While the store fails the answer is a 500 of
//! that form, as with `fault_tolerant: false`; failing open is the plugin's default, a 200 without the headers above.

use super::{Asked, Shape, json, key, status, unit};
use crate::limiter::check::{Check, Decision};
use crate::limiter::store::StoreError;
use oxhttp::model::header::RETRY_AFTER;
use oxhttp::model::{Body, HeaderName, Response, StatusCode};
use serde::Serialize;

const RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const X_KEY: HeaderName = HeaderName::from_static("x-key");

pub(super) struct Question(Check);

impl Shape for Question {
    const PRESET: &'static str = "kong";
    const METHOD: Option<&'static str> = None;
    const PATH: &'static str = "/";

    fn read(asked: &Asked<'_>) -> Result<Self, Box<Response<Body>>> {
        let Some(value) = asked.headers.get(X_KEY) else {
            let message = "no Route matched with those values: there is no X-Key";
            return Err(Box::new(json(StatusCode::NOT_FOUND, &Message { message })));
        };
        let name = str::from_utf8(value.as_bytes()).map_err(|_| "X-Key must be UTF-8".to_owned());
        let key = name.and_then(|name| key::<Self>(&[name]));
        key.map(|key| Self(asked.policy.check(key)))
            .map_err(|why| Box::new(json(StatusCode::BAD_REQUEST, &Message { message: &why })))
    }

    fn check(&self) -> &Check {
        &self.0
    }

    fn decided(&self, decision: &Decision, node: &str) -> Response<Body> {
        let status = status(decision);
        let mut response = match decision.allowed {
            true => json(status, &Upstream { node }),
            false => {
                let message = "API rate limit exceeded";
                json(status, &Message { message })
            }
        };
        let (limit, remaining) = (decision.limit.get(), decision.remaining);
        let headers = response.headers_mut();
        headers.insert(RATE_LIMIT_LIMIT, limit.into());
        headers.insert(RATE_LIMIT_REMAINING, remaining.into());
        headers.insert(RATE_LIMIT_RESET, decision.reset.as_secs_ceil().into());
        if let Some(unit) = unit(self.0.window) {
            for (what, number) in [("limit", limit), ("remaining", remaining)] {
                let name = HeaderName::try_from(format!("x-ratelimit-{what}-{unit}"));
                headers.insert(name.expect("letters and dashes are legal"), number.into());
            }
        }
        if let Some(wait) = decision.retry_after() {
            headers.insert(RETRY_AFTER, wait.as_secs_ceil().into());
        }
        response
    }

    fn failed_closed(&self, _: &StoreError) -> Response<Body> {
        let message = "An unexpected error occurred";
        json(StatusCode::INTERNAL_SERVER_ERROR, &Message { message })
    }

    fn failed_open(&self, _: &StoreError, node: &str) -> Response<Body> {
        json(StatusCode::OK, &Upstream { node })
    }
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct Upstream<'a> {
    node: &'a str,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{decision, error, headers, parts, policy, refused};
    use super::*;
    use crate::limiter::Policy;
    use oxhttp::model::{HeaderMap, HeaderValue};

    fn asked(key: &[u8], policy: Policy) -> Result<Question, Box<Response<Body>>> {
        let key = HeaderValue::from_bytes(key).expect("a legal value");
        Question::read(&Asked {
            headers: &HeaderMap::from_iter([(X_KEY, key)]),
            body: b"",
            policy,
        })
    }

    fn question(window_millis: u64) -> Question {
        asked(b"k", policy(100, window_millis)).unwrap_or_else(|_| panic!("a check"))
    }

    #[test]
    fn the_header_is_the_key() {
        for (value, key) in [
            ("k", r#"["kong",["k"]]"#),
            ("", r#"["kong",[""]]"#),
            ("é", r#"["kong",["é"]]"#),
        ] {
            let Ok(Question(check)) = asked(value.as_bytes(), policy(7, 1_000)) else {
                panic!("{value}");
            };
            assert_eq!(check.key.as_str(), key);
            assert_eq!(check.limit.get(), 7);
        }
    }

    #[test]
    fn without_a_key_no_route_matches() {
        let refused = refused::<Question>("");
        let message = r#"{"message":"no Route matched with those values: there is no X-Key"}"#;
        assert_eq!(refused, (404, message.to_owned()));
    }

    #[test]
    fn a_key_that_cannot_be_one_is_refused_with_a_message() {
        for (value, message) in [
            (&b"\xff"[..], "X-Key must be UTF-8"),
            (
                &[b'k'; 257],
                "the names that make the key must be at most 256 bytes in all",
            ),
        ] {
            let Err(refused) = asked(value, policy(1, 1)) else {
                panic!("{message}");
            };
            let text = format!(r#"{{"message":"{message}"}}"#);
            assert_eq!(parts(*refused), (400, text));
        }
    }

    #[test]
    fn what_is_allowed_comes_from_behind_and_what_is_blocked_does_not() {
        let allowed = question(60_000).decided(&decision(true, 99, 60_000_000), "n");
        let blocked = question(60_000).decided(&decision(false, 0, 1), "n");
        for (response, remaining, reset) in [(&allowed, "99", "60"), (&blocked, "0", "1")] {
            let headers = headers(response);
            for (name, value) in [
                ("ratelimit-limit", "100"),
                ("ratelimit-remaining", remaining),
                ("ratelimit-reset", reset),
                ("x-ratelimit-limit-minute", "100"),
                ("x-ratelimit-remaining-minute", remaining),
            ] {
                assert_eq!(headers[name], value, "{name}");
            }
        }
        assert!(!headers(&allowed).contains_key("retry-after"));
        assert_eq!(headers(&blocked)["retry-after"], "1");
        assert_eq!(parts(allowed), (200, r#"{"node":"n"}"#.to_owned()));
        let exceeded = r#"{"message":"API rate limit exceeded"}"#;
        assert_eq!(parts(blocked), (429, exceeded.to_owned()));
    }

    #[test]
    fn a_window_that_kong_has_no_name_for_is_in_no_header() {
        for (millis, name) in [
            (1_000, Some("x-ratelimit-limit-second")),
            (3_600_000, Some("x-ratelimit-limit-hour")),
            (86_400_000, Some("x-ratelimit-limit-day")),
            (59_999, None),
        ] {
            let response = question(millis).decided(&decision(true, 9, 1), "n");
            let headers = headers(&response);
            let mut names = headers.keys();
            let found = names.find(|name| name.starts_with("x-ratelimit-limit"));
            assert_eq!(found.map(String::as_str), name);
            assert!(headers.contains_key("ratelimit-limit"));
        }
    }

    #[test]
    fn a_failed_store_is_a_500_or_no_obstacle() {
        let unexpected = r#"{"message":"An unexpected error occurred"}"#.to_owned();
        let closed = question(60_000).failed_closed(&error());
        assert_eq!(parts(closed), (500, unexpected));
        let open = question(60_000).failed_open(&error(), "n");
        assert!(!headers(&open).contains_key("ratelimit-limit"));
        assert_eq!(parts(open), (200, r#"{"node":"n"}"#.to_owned()));
    }
}
