//! The secrets that a run sends, found again in what servers return.

use super::mask;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::collections::{HashMap, HashSet};

/// The least length of a secret that is looked for, in bytes. Shorter ones occur in any text by chance.
const LEAST: usize = 4;

/// The least length of a beginning of a secret, and of a secret that need not stand alone, in bytes.
const LONG: usize = 8;

/// All but the unreserved characters of [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The secrets by their first bytes, so that a text is searched in one pass, whatever their number.
#[derive(Debug, Default)]
pub(super) struct Sent(HashMap<[u8; LEAST], Vec<String>>);

impl Sent {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Sent {
        let variants: HashSet<_> = secrets.into_iter().flat_map(variants).collect();
        let mut sent = Sent::default();
        variants.into_iter().for_each(|variant| sent.add(variant));
        sent
    }

    fn add(&mut self, secret: String) {
        let Some(start) = secret.as_bytes().first_chunk() else {
            return;
        };
        self.0.entry(*start).or_default().push(secret);
    }

    /// The text with a mask for every secret in it. The beginning of one counts if the text ends with it, since the text
    /// may have been cut there, and if it is at least half of the secret, since the server may have cut it.
    pub fn masked(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let (mut from, mut at) = (0, 0);
        while let Some(start) = text.as_bytes()[at..].first_chunk() {
            let found = self.0.get(start);
            let lengths = found.into_iter().flatten();
            let lengths = lengths.filter_map(|secret| length_at(text, at, secret));
            match lengths.max() {
                Some(length) => {
                    masked += &text[from..at];
                    masked += &mask(length);
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        masked + &text[from..]
    }
}

/// How much of the text from this place is the secret. `None` if it is too little.
fn length_at(text: &str, at: usize, secret: &str) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let common = rest.iter().zip(secret.as_bytes());
    let length = common.take_while(|(one, other)| one == other).count();
    let length = text.floor_char_boundary(at + length) - at;
    let is_whole = length == secret.len();
    // A character that was cut in two was replaced.
    let is_at_end = text[at + length..].trim_end_matches('\u{fffd}').is_empty();
    let stands_alone = !text[..at].ends_with(char::is_alphanumeric)
        && !text[at + length..].starts_with(char::is_alphanumeric);
    let counts = match length {
        _ if is_at_end => length >= LEAST,
        LONG.. => is_whole || 2 * length >= secret.len(),
        _ => is_whole && stands_alone,
    };
    counts.then_some(length)
}

/// A secret in the ways in which a server may write it.
fn variants(secret: &str) -> Vec<String> {
    let secret = secret.trim();
    let mut texts = vec![secret.to_owned()];
    texts.extend(percent_decode_str(secret).decode_utf8().map(Into::into));
    texts.extend(serde_json::from_str::<String>(&format!("\"{secret}\"")));
    if let Some(login) = base64(secret).filter(|login| login.contains(':')) {
        texts.extend(
            login
                .split_once(':')
                .map(|(_, password)| password.to_owned()),
        );
        texts.push(login);
    }
    if secret.contains(char::is_whitespace) {
        // Parts of a long text, but not the words of its prose.
        let ends = |c: char| c.is_whitespace() || "<>\"'=&,;".contains(c);
        let is_long = |word: &&str| {
            word.len() >= 2 * LONG
                || (word.len() >= LONG && word.contains(|c: char| c.is_ascii_digit()))
        };
        texts.extend(secret.split(ends).filter(is_long).map(str::to_owned));
    }
    let mut variants = Vec::new();
    for text in texts.into_iter().filter(|text| text.len() >= LEAST) {
        let json = serde_json::Value::from(&*text).to_string();
        let json = &json[1..json.len() - 1];
        variants.push(json.to_owned());
        variants.push(json.replace('/', "\\/"));
        let percent = utf8_percent_encode(&text, NON_ALPHANUMERIC);
        variants.push(percent.to_string());
        let percent = utf8_percent_encode(&text, RESERVED).to_string();
        variants.push(percent.replace("%20", "+"));
        variants.push(percent);
        let html = text.replace('&', "&amp;").replace('<', "&lt;");
        variants.push(html.replace('>', "&gt;").replace('"', "&quot;"));
        variants.push(text);
    }
    variants
}

/// The text that is in Base64 ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648), section 4). `None` if this is not
/// Base64 of text.
fn base64(text: &str) -> Option<String> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::new();
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn becomes(secret: &str, text: &str, expected: &str) {
        assert_eq!(Sent::new([secret]).masked(text), expected, "{text}");
    }

    #[test]
    fn a_secret_is_found_however_a_server_writes_it() {
        becomes("hunter2!", "no hunter2! here", "no ***(8 bytes) here");
        becomes(
            "a \"b\" c",
            r#"{"x":"a \"b\" c"}"#,
            r#"{"x":"***(9 bytes)"}"#,
        );
        becomes("a%20b%2Fc", "a b/c, a+b%2Fc", "***(5 bytes), ***(7 bytes)");
        becomes("abcd1234/efgh", r"abcd1234\/efgh", "***(14 bytes)");
        becomes("<a>&b", "got &lt;a&gt;&amp;b", "got ***(15 bytes)");
        let words = "the password is\nhunter22 or so";
        becomes(
            words,
            "hunter22 is no password",
            "***(8 bytes) is no password",
        );
        becomes(
            "dXNlcjpzM2NyZXQ=",
            "user with s3cret",
            "user with ***(6 bytes)",
        );
    }

    #[test]
    fn a_secret_that_was_cut_is_found_and_a_short_one_must_stand_alone() {
        becomes("abcdefghijkl", "x abcdefgh", "x ***(8 bytes)");
        becomes("abcdefghijkl", "x abcd", "x ***(4 bytes)");
        becomes("abcdefghijkl", "x abcdefgh!", "x ***(8 bytes)!");
        becomes("abcdefghijkl", "x abcde!", "x abcde!");
        becomes("caféé", "caf\u{e9}\u{fffd}", "***(5 bytes)\u{fffd}");
        becomes("able", "unable, able.", "unable, ***(4 bytes).");
        becomes("1", "1 of 1", "1 of 1");
    }

    proptest! {
        #[test]
        fn no_secret_of_eight_bytes_or_more_is_left(
            secret in r#"[a-z0-9é"%&+/= -]{8,30}"#, before in ".{0,9}", after in ".{0,9}",
        ) {
            let masked = Sent::new([&*secret]).masked(&format!("{before}{secret}{after}"));
            prop_assume!(secret.trim().len() >= LONG);
            prop_assert!(!masked.contains(secret.trim()), "{}", masked);
        }

        #[test]
        fn any_text_is_searched(secrets in prop::collection::vec(".{0,8}", 0..4), text in ".{0,40}") {
            Sent::new(secrets.iter().map(String::as_str)).masked(&text);
        }
    }
}
