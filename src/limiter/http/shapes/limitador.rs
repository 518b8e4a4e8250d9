//! Limitador, by its HTTP API (Kuadrant/limitador, `check_and_report`).
//!
//! The body, which must be declared as `application/json`, is
//! `{"namespace":"n","values":{"key":"k"},"delta":1,"response_headers":"DraftVersion03"}`; further fields are ignored.
//! Namespace and values make the key, and the node's policy applies. Every answer has the body `null`. With
//! `"response_headers":"DraftVersion03"` (draft-polli-ratelimit-headers-03) the answers to a check also have
//! `X-RateLimit-Limit: 100, 100;w=60`, the limit alone and with its window in seconds, `X-RateLimit-Remaining`, and
//! `X-RateLimit-Reset` in seconds from now.
//!
//! A refusal is a 400 in plain text. While the store fails, the answer is a 500, as it is Limitador's. Limitador can't fail
//! open; failing open, the node answers 200 without these headers. Limitador's own `/check`, which counts nothing, is not
//! served: that path is the node's.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::limitador::PRESET,
    any_method: false,
    read,
    answer,
};

#[derive(Deserialize)]
struct CheckAndReportInfo {
    namespace: String,
    /// Sorted, so that the order in a request does not matter.
    values: BTreeMap<String, String>,
    delta: u64,
    response_headers: Option<String>,
}

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    let read = || -> Result<CheckRequest, String> {
        if !incoming.is_json() {
            return Err("Content-Type must be application/json".to_owned());
        }
        let info: CheckAndReportInfo =
            serde_json::from_slice(incoming.body).map_err(|error| error.to_string())?;
        if info.delta != 1 {
            return Err("delta must be 1, since a check counts one request".to_owned());
        }
        let values = info.values.iter();
        let values = values.flat_map(|(name, value)| [&**name, &**value]);
        let names: Vec<_> = [&*info.namespace].into_iter().chain(values).collect();
        Ok(CheckRequest {
            check: incoming.policy.check(key(&SHAPE, &names)?),
            wants_headers: info.response_headers.as_deref() == Some("DraftVersion03"),
        })
    };
    read().map_err(|why| text_response(StatusCode::BAD_REQUEST, why).into())
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, _: &str) -> Response {
    let decision = match verdict {
        Verdict::Decided(decision) => decision,
        Verdict::FailedClosed(_) => return json(StatusCode::INTERNAL_SERVER_ERROR, &()),
        Verdict::FailedOpen(_) => return json(StatusCode::OK, &()),
    };
    let response = json(status(decision), &());
    if !request.wants_headers {
        return response;
    }
    let limit = decision.limit.get();
    let window = request.check.window.length().as_secs_ceil();
    let reset = decision.reset.as_secs_ceil();
    let headers = [
        ("x-ratelimit-limit", format!("{limit}, {limit};w={window}")),
        ("x-ratelimit-remaining", decision.remaining.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
    ];
    with_headers(response, headers)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, check, headers, parts, refusal};
    use super::*;

    const BODY: &str =
        r#"{"namespace":"n","values":{"key":"k"},"delta":1,"response_headers":"DraftVersion03"}"#;

    #[test]
    fn namespace_and_values_make_the_key_in_any_order() {
        for body in [
            r#"{"namespace":"n","values":{"a":"1","b":"2"},"delta":1}"#,
            r#"{"delta":1,"values":{"b":"2","a":"1"},"namespace":"n","more":[]}"#,
        ] {
            let key = r#"["limitador",["n","a","1","b","2"]]"#.to_owned();
            assert_eq!(check(&SHAPE, body), (key, 100, 60_000));
        }
    }

    #[test]
    fn other_requests_are_refused_with_400_in_plain_text() {
        for (fields, why) in [
            ("", "missing field `values`"),
            (r#","values":{}"#, "missing field `delta`"),
            (r#","values":{"a":1},"delta":1"#, "expected a string"),
            (r#","values":{},"delta":-1"#, "invalid value"),
            (r#","values":{},"delta":0"#, "delta must be 1"),
            (r#","values":{},"delta":2"#, "delta must be 1"),
        ] {
            let (status, text) = refusal(&SHAPE, &format!(r#"{{"namespace":"n"{fields}}}"#));
            assert_eq!(status, 400, "{fields}");
            assert!(text.contains(why), "{why} is not in {text}");
        }
    }

    #[test]
    fn the_headers_have_the_drafts_form() {
        for (allowed, status) in [(true, 200), (false, 429)] {
            let response = answer(&SHAPE, BODY, (allowed, 0, 29_000_001));
            let headers = headers(&response);
            assert_eq!(headers["x-ratelimit-limit"], "100, 100;w=60");
            assert_eq!(headers["x-ratelimit-remaining"], "0");
            assert_eq!(headers["x-ratelimit-reset"], "30");
            assert_eq!(parts(response), (status, "null".to_owned()));
        }
    }

    #[test]
    fn headers_are_sent_only_if_that_draft_is_requested() {
        for value in ["null", r#""No""#] {
            let body = BODY.replace(r#""DraftVersion03""#, value);
            let response = answer(&SHAPE, &body, (true, 9, 1));
            assert!(!headers(&response).contains_key("x-ratelimit-limit"));
        }
    }
}
