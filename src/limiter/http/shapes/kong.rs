//! Kong with its rate-limiting plugin and `limit_by: header` (Kong/kong, `plugins/rate-limiting`).
//!
//! A check is any request for `/` with the header `X-Key`, whose value is the key. Without it Kong would take the client's
//! address for the key; here no route matches, so that a request with a misspelled path is noticed. The node is also the
//! service behind Kong: an allowed request gets 200 and `{"node":"demo-1"}`. A blocked one gets 429 and
//! `{"message":"API rate limit exceeded"}`. Both have these headers:
//!
//! | header | value |
//! | --- | --- |
//! | `RateLimit-Limit`, `-Remaining` | the limit, and what remains of it |
//! | `RateLimit-Reset` | seconds from now |
//! | `X-RateLimit-Limit-Minute`, `X-RateLimit-Remaining-Minute` | the same numbers, if the window is one of Kong's: a second, minute, hour or day |
//! | `Retry-After` | on a 429: the reset |
//!
//! A request without a key is refused with 404 and `{"message":"…"}`, and an invalid key with 400. While the store fails,
//! the answer is a 500 of that form, as with `fault_tolerant: false`. Failing open, which is the plugin's default, it is a
//! 200 without these headers.

use super::*;

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::kong::PRESET,
    any_method: true,
    read,
    answer,
};

const KEY: &str = "x-key";

/// The request is a check, if its path is Kong's.
pub(in crate::limiter::http) fn has_key(headers: &HeaderMap) -> bool {
    headers.contains_key(KEY)
}

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    let Some(value) = incoming.headers.get(KEY) else {
        let text = "no Route matched with those values: there is no X-Key";
        return Err(message(StatusCode::NOT_FOUND, text).into());
    };
    let name = str::from_utf8(value.as_bytes()).map_err(|_| "X-Key must be UTF-8".to_owned());
    let key = name.and_then(|name| key(&SHAPE, &[name]));
    let key = key.map_err(|why| message(StatusCode::BAD_REQUEST, &why))?;
    Ok(incoming.policy.check(key).into())
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, node: &str) -> Response {
    let upstream = || json(StatusCode::OK, &object! { "node": node });
    let decision = match verdict {
        Verdict::Decided(decision) => decision,
        Verdict::FailedClosed(_) => {
            let text = "An unexpected error occurred";
            return message(StatusCode::INTERNAL_SERVER_ERROR, text);
        }
        Verdict::FailedOpen(_) => return upstream(),
    };
    let response = if decision.allowed {
        upstream()
    } else {
        message(StatusCode::TOO_MANY_REQUESTS, "API rate limit exceeded")
    };
    let limit = decision.limit.get().to_string();
    let remaining = decision.remaining.to_string();
    let reset = decision.reset.as_secs_ceil().to_string();
    let mut headers = vec![
        ("ratelimit-limit".to_owned(), limit.clone()),
        ("ratelimit-remaining".to_owned(), remaining.clone()),
        ("ratelimit-reset".to_owned(), reset),
    ];
    if let Some(unit) = unit(request.check.window) {
        headers.push((format!("x-ratelimit-limit-{unit}"), limit));
        headers.push((format!("x-ratelimit-remaining-{unit}"), remaining));
    }
    if let Some(wait) = decision.retry_after() {
        headers.push(("retry-after".to_owned(), wait.as_secs_ceil().to_string()));
    }
    with_headers(response, headers)
}

fn message(status: StatusCode, text: &str) -> Response {
    json(status, &object! { "message": text })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer_to, headers, parts, policy, refusal};
    use super::*;

    fn read_key(key: &[u8], policy: Policy) -> Result<CheckRequest, Refused> {
        let value = HeaderValue::from_bytes(key).expect("a legal value");
        read(&Incoming {
            headers: &HeaderMap::from_iter([("x-key".try_into().unwrap(), value)]),
            body: b"",
            policy,
        })
    }

    fn answered(window_millis: u64, decision: (bool, u32, u64)) -> Response {
        let Ok(request) = read_key(b"k", policy(100, window_millis)) else {
            panic!("not a check");
        };
        answer_to(&SHAPE, &request, decision)
    }

    #[test]
    fn the_header_is_the_key() {
        for name in ["k", "", "é"] {
            let Ok(CheckRequest { check, .. }) = read_key(name.as_bytes(), policy(7, 1_000)) else {
                panic!("{name}");
            };
            assert_eq!(check.key.as_str(), format!(r#"["kong",["{name}"]]"#));
            assert_eq!(check.limit.get(), 7);
        }
    }

    #[test]
    fn a_missing_or_invalid_key_is_refused_with_a_message() {
        let message = r#"{"message":"no Route matched with those values: there is no X-Key"}"#;
        assert_eq!(refusal(&SHAPE, ""), (404, message.to_owned()));
        let long = "the names that make the key must be at most 256 bytes in all";
        for (key, message) in [(&b"\xff"[..], "X-Key must be UTF-8"), (&[b'k'; 257], long)] {
            let refused = read_key(key, policy(1, 1)).err().expect(message);
            let text = format!(r#"{{"message":"{message}"}}"#);
            assert_eq!(parts(*refused), (400, text));
        }
    }

    #[test]
    fn an_allowed_request_is_answered_from_behind_and_a_blocked_one_is_not() {
        let exceeded = r#"{"message":"API rate limit exceeded"}"#;
        let node = r#"{"node":"n"}"#;
        for (decision, status, body, remaining, reset, retry_after) in [
            ((true, 99, 60_000_000), 200, node, "99", "60", None),
            ((false, 0, 1), 429, exceeded, "0", "1", Some("1")),
        ] {
            let response = answered(60_000, decision);
            let headers = headers(&response);
            assert_eq!(headers["ratelimit-limit"], "100");
            assert_eq!(headers["ratelimit-remaining"], remaining);
            assert_eq!(headers["ratelimit-reset"], reset);
            assert_eq!(headers["x-ratelimit-limit-minute"], "100");
            assert_eq!(headers["x-ratelimit-remaining-minute"], remaining);
            assert_eq!(headers.get("retry-after").map(String::as_str), retry_after);
            assert_eq!(parts(response), (status, body.to_owned()));
        }
    }

    #[test]
    fn only_a_window_that_kong_has_a_name_for_is_in_a_headers_name() {
        for (millis, name) in [
            (1_000, Some("x-ratelimit-limit-second")),
            (3_600_000, Some("x-ratelimit-limit-hour")),
            (86_400_000, Some("x-ratelimit-limit-day")),
            (59_999, None),
        ] {
            let headers = headers(&answered(millis, (true, 9, 1)));
            let mut names = headers.keys().map(String::as_str);
            let limit = names.find(|name| name.starts_with("x-ratelimit-limit"));
            assert_eq!(limit, name);
            assert!(headers.contains_key("ratelimit-limit"));
        }
    }
}
