use ureq::http::{HeaderMap, StatusCode, Version};

/// The part of an answer that comes before its body.
#[derive(Debug)]
pub struct Head {
    pub version: Version,
    pub status: StatusCode,
    pub headers: HeaderMap,
}
