//! Responses with JSON, and headers of their own.

use crate::system::http_server::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

/// A JSON object with its fields in this order. Fields whose value is `None` are left out.
macro_rules! object {
    ($($name:literal: $value:expr),+ $(,)?) => {
        $crate::limiter::http::response::object_of([$(
            ($name, serde_json::to_string(&$value).expect("plain values are always JSON"))
        ),+])
    };
}
pub(super) use object;

pub(super) fn object_of<const N: usize>(fields: [(&str, String); N]) -> Box<RawValue> {
    let present = fields.iter().filter(|(_, value)| value != "null");
    let fields = present.map(|(name, value)| format!("\"{name}\":{value}"));
    let fields: Vec<_> = fields.collect();
    let text = format!("{{{}}}", fields.join(","));
    RawValue::from_string(text).expect("names without quotes and JSON values")
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let text = serde_json::to_vec(value).expect("plain values are always JSON");
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Adds headers of lower-case names and printable values.
pub(super) fn with_headers<N: AsRef<str>>(
    mut response: Response,
    headers: impl IntoIterator<Item = (N, String)>,
) -> Response {
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_ref()).expect("a legal name");
        let value = HeaderValue::try_from(value).expect("a legal value");
        response.headers_mut().insert(name, value);
    }
    response
}
