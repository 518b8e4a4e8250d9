//! Marks that somebody posts while a run goes on: `POST /marks` with a body such as `{"name":"deployed"}`.

use crate::core::events::checked_name;
use crate::engine::{EventLog, NotMarked};
use crate::system::http_server::{BodyError, ReadBody, Response, text_response};
use http::header::{ALLOW, CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

pub(super) const MARKS_PATH: &str = "/marks";

/// The longest body, in bytes.
const MOST_BODY: usize = 4096;

/// The body of a mark.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    name: String,
}

/// The reason why a mark is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("this run accepts no marks; start it with --accept-marks")]
    NotAccepted,
    #[error("only POST")]
    NoPost,
    /// A browser names the origin of the page, also if the page's name was made to lead here.
    #[error("no page in a browser may mark a moment")]
    FromAPage,
    /// A page in a browser can't send this type to another site without its permission, which nobody gives here.
    #[error("the Content-Type must be application/json")]
    NotJson,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the body must be JSON such as {{\"name\":\"deployed\"}}: {0}")]
    Syntax(#[from] serde_json::Error),
    #[error("{0}")]
    Name(String),
    #[error(transparent)]
    NotMarked(#[from] NotMarked),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Refused::NotAccepted => StatusCode::NOT_FOUND,
            Refused::FromAPage => StatusCode::FORBIDDEN,
            Refused::NoPost => StatusCode::METHOD_NOT_ALLOWED,
            Refused::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::Body(error) => error.status(),
            Refused::Syntax(_) | Refused::Name(_) => StatusCode::BAD_REQUEST,
            Refused::NotMarked(NotMarked::TooMany) => StatusCode::TOO_MANY_REQUESTS,
            Refused::NotMarked(NotMarked::TooEarly | NotMarked::TooLate) => StatusCode::CONFLICT,
        }
    }
}

/// Answers a request to [`MARKS_PATH`]. `log` gets the mark; without it, no mark is accepted.
pub(super) fn respond(
    request: &Request<()>,
    body: &mut dyn ReadBody,
    log: Option<&EventLog>,
) -> Response {
    match mark(request, body, log) {
        Ok(response) => response,
        Err(refused) => {
            let mut response = text_response(refused.status(), format!("{refused}\n"));
            if matches!(refused, Refused::NoPost) {
                let allow = HeaderValue::from_static("POST");
                response.headers_mut().insert(ALLOW, allow);
            }
            response
        }
    }
}

fn mark(
    request: &Request<()>,
    body: &mut dyn ReadBody,
    log: Option<&EventLog>,
) -> Result<Response, Refused> {
    let log = log.ok_or(Refused::NotAccepted)?;
    if request.method() != Method::POST {
        return Err(Refused::NoPost);
    }
    if request.headers().contains_key(ORIGIN) {
        return Err(Refused::FromAPage);
    }
    if !is_json(request) {
        return Err(Refused::NotJson);
    }
    let Mark { name } = serde_json::from_slice(&body.read(MOST_BODY)?)?;
    let name = name.trim();
    checked_name(name).map_err(Refused::Name)?;
    let at = log.mark(name)?;
    let at = (at.as_secs_f64() * 1e3).round() / 1e3;
    let mut text = json!({ "name": name, "at_s": at }).to_string();
    text.push('\n');
    let mut response = text_response(StatusCode::CREATED, text);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn is_json(request: &Request<()>) -> bool {
    let header = request.headers().get(CONTENT_TYPE);
    let text = header.and_then(|header| header.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(kind: &str, body: &str, log: Option<&EventLog>) -> (u16, String) {
        let request = Request::post(MARKS_PATH).header(CONTENT_TYPE, kind);
        answer(&request.body(()).unwrap(), body, log)
    }

    fn answer(request: &Request<()>, body: &str, log: Option<&EventLog>) -> (u16, String) {
        let response = respond(request, &mut body.as_bytes(), log);
        let text = String::from_utf8(response.body().clone()).unwrap();
        (response.status().as_u16(), text)
    }

    #[test]
    fn only_short_names_as_json_are_marks() {
        let log = EventLog::default();
        const JSON: &str = "application/json";
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(101));
        let larger = format!("{{\"name\":\"{}\"}}", "x".repeat(MOST_BODY));
        for (kind, body, status, says) in [
            (JSON, r#"{"name":"x"}"#, 409, "the run has not begun"),
            (
                "Application/JSON; charset=utf-8",
                r#"{"name":"x"}"#,
                409,
                "not begun",
            ),
            ("text/plain", r#"{"name":"x"}"#, 415, "application/json"),
            ("", r#"{"name":"x"}"#, 415, "application/json"),
            (
                JSON,
                "x",
                400,
                "must be JSON such as {\"name\":\"deployed\"}",
            ),
            (JSON, r#"{"name":5}"#, 400, "must be JSON"),
            (JSON, r#"{"name":"x","at":5}"#, 400, "unknown field"),
            (JSON, "{}", 400, "missing field"),
            (JSON, r#"{"name":" "}"#, 400, "1 to 100 characters"),
            (
                JSON,
                r#"{"name":"a\nb"}"#,
                400,
                "without control characters",
            ),
            (JSON, &long, 400, "1 to 100 characters"),
            (JSON, &larger, 413, "at most 4096 bytes"),
        ] {
            let (is, text) = posted(kind, body, Some(&log));
            assert_eq!(is, status, "{kind} {body}: {text}");
            assert!(
                text.contains(says) && text.ends_with('\n'),
                "{body}: {text}"
            );
        }
        let (status, text) = posted(JSON, r#"{"name":"x"}"#, None);
        assert_eq!(status, 404);
        assert!(text.contains("--accept-marks"), "{text}");
        let from_a_page = Request::post(MARKS_PATH)
            .header(CONTENT_TYPE, JSON)
            .header(ORIGIN, "http://rebound.example")
            .body(())
            .unwrap();
        assert_eq!(answer(&from_a_page, r#"{"name":"x"}"#, Some(&log)).0, 403);
        let get = Request::get(MARKS_PATH).body(()).unwrap();
        assert_eq!(answer(&get, "", Some(&log)).0, 405);
    }
}
