//! throttlecrab-server, by its HTTP transport (lazureykis/throttlecrab).
//!
//! The body, which must be declared as `application/json`, is
//! `{"key":"k","max_burst":100,"count_per_period":100,"period":60}` with `period` in seconds; further fields are ignored.
//! The node's algorithms have one number for the limit, so `max_burst` and `count_per_period` must be equal.
//!
//! Every answer is a 200 with `{"allowed":true,"limit":100,"remaining":99,"reset_after":60,"retry_after":0}`. The last two
//! are in seconds, which throttlecrab rounds down. Another body is refused in plain text: with 400 if it is not JSON, 422
//! if it is other JSON, and 415 if it is not declared as JSON. As by throttlecrab, values out of range are refused with 500
//! and `{"error":"…"}`, which is also the answer while the store fails. throttlecrab can't fail open, since its store is its
//! own memory; failing open, the node allows the request and nothing remains.

use super::*;
use serde::Deserialize;
use serde_json::error::Category;

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::throttlecrab::PRESET,
    any_method: false,
    read,
    answer,
};

#[derive(Deserialize)]
struct ThrottleRequest {
    key: String,
    max_burst: i64,
    count_per_period: i64,
    /// In seconds.
    period: i64,
    quantity: Option<i64>,
}

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    if !incoming.is_json() {
        let why = "Content-Type must be application/json".to_owned();
        return Err(text_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into());
    }
    let request: ThrottleRequest = serde_json::from_slice(incoming.body).map_err(|error| {
        let status = match error.classify() {
            Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            Category::Syntax | Category::Eof | Category::Io => StatusCode::BAD_REQUEST,
        };
        text_response(status, error.to_string())
    })?;
    let check = request.check().map_err(|why| internal_error(&why))?;
    Ok(check.into())
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
        let range = |field, most| format!("{field} must be from 1 to {most}");
        Ok(Check {
            key: key(&SHAPE, &[&self.key])?,
            limit: limit(self.max_burst).ok_or_else(|| range("max_burst", Limit::MAX.into()))?,
            window: window(self.period, 1_000).ok_or_else(|| range("period", MAX_PERIOD))?,
        })
    }
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, _: &str) -> Response {
    let (allowed, remaining, reset, wait) = match verdict {
        Verdict::Decided(decision) => {
            let wait = decision.retry_after().unwrap_or_default();
            (decision.allowed, decision.remaining, decision.reset, wait)
        }
        Verdict::FailedClosed(error) => return internal_error(error),
        Verdict::FailedOpen(_) => (true, 0, Default::default(), Default::default()),
    };
    let object = object! {
        "allowed": allowed,
        "limit": request.check.limit.get(),
        "remaining": remaining,
        "reset_after": reset.as_secs_ceil(),
        "retry_after": wait.as_secs_ceil(),
    };
    json(StatusCode::OK, &object)
}

fn internal_error(why: &str) -> Response {
    let object = object! { "error": format!("Internal server error: {why}") };
    json(StatusCode::INTERNAL_SERVER_ERROR, &object)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, check, parts, refusal};
    use super::*;

    const BODY: &str = r#"{"key":"k","max_burst":100,"count_per_period":100,"period":2}"#;

    #[test]
    fn a_request_gives_key_limit_and_window() {
        for body in [
            BODY,
            r#"{"quantity":1,"period":2,"count_per_period":100,"max_burst":100,"key":"k"}"#,
            r#"{"key":"k","max_burst":100,"count_per_period":100,"period":2,"quantity":null,"x":0}"#,
        ] {
            let key = r#"["throttlecrab",["k"]]"#.to_owned();
            assert_eq!(check(&SHAPE, body), (key, 100, 2_000));
        }
    }

    #[test]
    fn values_out_of_range_are_an_internal_error_as_they_are_to_throttlecrab() {
        let burst = "max_burst must be from 1 to 1000000";
        let period = "period must be from 1 to 86400";
        let quantity = "quantity must be 1, since a check counts one request";
        let different = "max_burst and count_per_period must be the same";
        for ([burst, count, period, quantity], why) in [
            ([-1, -1, 1, 1], burst),
            ([1_000_001, 1_000_001, 1, 1], burst),
            ([2, 1, 1, 1], different),
            ([1, 1, 0, 1], period),
            ([1, 1, i64::MAX, 1], period),
            ([1, 1, 86_401, 1], period),
            ([1, 1, 1, 0], quantity),
            ([1, 1, 1, 2], quantity),
        ] {
            let body = format!(
                r#"{{"key":"k","max_burst":{burst},"count_per_period":{count},"period":{period},"quantity":{quantity}}}"#
            );
            let text = format!(r#"{{"error":"Internal server error: {why}"}}"#);
            assert_eq!(refusal(&SHAPE, &body), (500, text), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_not_such_json_is_refused_by_what_it_is_instead() {
        for (body, status) in [
            ("", 400),
            ("{", 400),
            (r#"{"key":nan}"#, 400),
            ("{}", 422),
            ("[]", 422),
            (&BODY.replace("\"k\"", "7"), 422),
            (&BODY.replace('2', "0.5"), 422),
        ] {
            assert_eq!(refusal(&SHAPE, body).0, status, "{body}");
        }
    }

    #[test]
    fn an_answer_has_seconds_rounded_up() {
        let allowed =
            r#"{"allowed":true,"limit":100,"remaining":99,"reset_after":60,"retry_after":0}"#;
        let blocked =
            r#"{"allowed":false,"limit":100,"remaining":0,"reset_after":1,"retry_after":1}"#;
        for (decision, text) in [((true, 99, 59_000_001), allowed), ((false, 0, 1), blocked)] {
            let response = answer(&SHAPE, BODY, decision);
            assert_eq!(parts(response), (200, text.to_owned()));
        }
    }
}
