use ureq::http::{HeaderMap, StatusCode};

/// The part of an answer that comes before its body.
#[derive(Debug)]
pub struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
}
