//! The body of a check, prepared but for the key's digits.

use crate::keys;
use serde::Serialize;

/// `{"key":"loadgen-3f9c01ab","limit":100,"window_ms":60000}` with the digits to be filled in.
#[derive(Debug, Clone)]
pub struct CheckBody {
    text: Vec<u8>,
    digits_at: usize,
}

/// As many as a key has.
const DIGITS: usize = 8;

impl CheckBody {
    pub fn new(limit: u64, window_ms: u64) -> CheckBody {
        #[derive(Serialize)]
        struct Check<'a> {
            key: &'a str,
            limit: u64,
            window_ms: u64,
        }
        let key = format!("{}{:0DIGITS$}", keys::PREFIX, 0);
        // Cannot fail: strings and integers are always JSON.
        let text = serde_json::to_vec(&Check {
            key: &key,
            limit,
            window_ms,
        })
        .expect("plain JSON");
        CheckBody {
            text,
            digits_at: r#"{"key":""#.len() + keys::PREFIX.len(),
        }
    }

    /// In bytes, for any key.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Makes `into` the body for the key with these hex digits.
    pub(super) fn render(&self, digits: u32, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.text);
        let place = &mut into[self.digits_at..self.digits_at + DIGITS];
        for (i, digit) in place.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(digits >> (28 - 4 * i) & 0xf) as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_as_documented() {
        let mut body = b"left over from the last request".to_vec();
        CheckBody::new(100, 60_000).render(0x3f9c_01ab, &mut body);
        let text = r#"{"key":"loadgen-3f9c01ab","limit":100,"window_ms":60000}"#;
        assert_eq!(String::from_utf8(body).unwrap(), text);
    }

    #[test]
    fn small_digits_keep_their_zeros() {
        let mut body = Vec::new();
        CheckBody::new(1, 1).render(0xa, &mut body);
        assert!(body.starts_with(br#"{"key":"loadgen-0000000a","#));
    }
}
