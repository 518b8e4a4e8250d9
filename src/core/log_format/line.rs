//! The parts of a line.

use crate::core::replay::NotSendable;
use memchr::memmem;
use std::borrow::Cow;

/// The first place of a text in a line. With escapes, a quote behind a backslash is none.
pub(super) fn find(line: &[u8], text: &[u8], has_escapes: bool) -> Option<usize> {
    let is_escaped = |place: &usize| {
        let before = line[..*place].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    };
    let mut places = memmem::find_iter(line, text);
    places.find(|place| !has_escapes || text[0] != b'"' || !is_escaped(place))
}

/// The text without escapes: `\xHH` of nginx and Apache, and a character behind a backslash, which Apache writes.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let code = match rest {
            [b'x', high, low, ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high)
                    .zip(digit(*low))
                    .map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        let (byte, length) = match (code, rest.first()) {
            (Some(code), _) => (code, 3),
            (None, Some(b'n')) => (b'\n', 1),
            (None, Some(b't')) => (b'\t', 1),
            (None, Some(b'r')) => (b'\r', 1),
            (None, Some(other)) => (*other, 1),
            (None, None) => (b'\\', 0),
        };
        plain.push(byte);
        rest = &rest[length..];
    }
    Cow::Owned(plain)
}

/// The method and the path in a request's first line: `GET /path HTTP/1.1`.
pub(super) fn first_line(line: &[u8]) -> Result<(&[u8], &[u8]), NotSendable> {
    let blank = |byte: &u8| *byte == b' ';
    let wrong = || NotSendable::new("its request has no method and path");
    let first = line.iter().position(blank).ok_or_else(wrong)?;
    let last = line.iter().rposition(blank).filter(|last| {
        // HTTP/0.9 had no version.
        *last > first && line[last + 1..].starts_with(b"HTTP/")
    });
    let path = &line[first + 1..last.unwrap_or(line.len())];
    Ok((&line[..first], path))
}
