//! What was received of an answer, as text for people.

use super::Head;
use super::encoding::decoded_start;
use crate::core::masking::Masks;
use std::fmt::Write;

/// The most bytes of a body, or of whatever came instead of an answer, that are shown.
pub const EXCERPT: usize = 512;

/// The longest text, in bytes.
const LONGEST: usize = 8 * 1024;

/// The status line without its reason, the headers, an empty line, and the start of the body, behind masks.
pub fn excerpt(head: &Head, body: &[u8], masks: &Masks) -> String {
    let mut text = format!("{:?} {}\n", head.version, head.status.as_str());
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {}", masks.header(name.as_str(), &value));
    }
    if !body.is_empty() {
        text.push('\n');
        let body = beginning(&decoded_start(body, &head.headers));
        text.push_str(&masks.text(&body));
    }
    shown(&text)
}

/// The start of bytes that are no answer, or of one that was not read, behind masks.
pub fn raw_excerpt(bytes: &[u8], masks: &Masks) -> String {
    shown(&masks.received(&beginning(bytes)))
}

fn beginning(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(EXCERPT)];
    String::from_utf8_lossy(bytes).replace("\r\n", "\n")
}

/// The text without control characters, and not too long.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if shown.len() > LONGEST {
        shown.truncate(shown.floor_char_boundary(LONGEST - '…'.len_utf8()));
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

    fn head(headers: &[(&'static str, &'static str)]) -> Head {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        Head {
            version: Version::HTTP_11,
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: HeaderMap::from_iter(headers.iter().map(pair)),
        }
    }

    #[test]
    fn an_excerpt_has_the_head_and_512_bytes_of_the_body_without_secrets() {
        let headers = [("server", "x"), ("set-cookie", "a=b")];
        let body = format!("{{\"token\":\"abc\"}}\r\n\0{}", "é".repeat(600));
        let masks = Masks::default();
        let text = excerpt(&head(&headers), body.as_bytes(), &masks);
        let (start, body) = text.split_once("\n\n").unwrap();
        assert_eq!(start, "HTTP/1.1 503\nserver: x\nset-cookie: ***(3 bytes)");
        let rest = body
            .strip_prefix("{\"token\":\"***(3 bytes)\"}\n\\u{0}")
            .unwrap();
        let shown = (EXCERPT - 18) / 2;
        assert_eq!(rest, "é".repeat(shown));
        assert_eq!(excerpt(&head(&[]), b"", &masks), "HTTP/1.1 503\n");
    }

    #[test]
    fn an_excerpt_is_never_longer_than_8_kib() {
        let long: &'static str = "é".repeat(10_000).leak();
        let mut head = head(&[]);
        let value = HeaderValue::from_bytes(long.as_bytes()).unwrap();
        head.headers.insert("x-long", value);
        let text = excerpt(&head, b"body", &Masks::none());
        assert!(text.len() <= LONGEST && text.len() > LONGEST - 4);
        assert!(text.ends_with("é…"));
    }

    #[test]
    fn bytes_that_are_no_answer_are_shown_as_far_as_they_are_text() {
        let raw = b"\x15\x03\x01 caf\xe9\tX-Key: a\r\nX-Key: b\r\n";
        let expected = "\\u{15}\\u{3}\\u{1} caf\u{fffd}\tX-Key: a\nX-Key: ***(1 byte)\n";
        assert_eq!(raw_excerpt(raw, &Masks::default()), expected);
    }
}
