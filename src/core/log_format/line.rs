//! The parts of a line.

use crate::core::replay::NotSendable;
use memchr::memmem;
use std::borrow::Cow;

/// How a server writes the values of variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escapes {
    /// Whether a backslash stands before some characters, or before the number of one.
    has_backslashes: bool,
    /// Whether `-` stands for a missing value.
    has_dashes: bool,
}

impl Escapes {
    pub const ENVOY: Escapes = Escapes {
        has_backslashes: false,
        has_dashes: true,
    };
    /// nginx's `escape=default`, and Apache.
    pub const DEFAULT: Escapes = Escapes {
        has_backslashes: true,
        has_dashes: true,
    };
    /// nginx's `escape=json`.
    pub const JSON: Escapes = Escapes {
        has_backslashes: true,
        has_dashes: false,
    };
    /// nginx's `escape=none`.
    pub const NONE: Escapes = Escapes {
        has_backslashes: false,
        has_dashes: false,
    };

    pub fn is_missing(self, value: &[u8]) -> bool {
        value.is_empty() || self.has_dashes && value == b"-"
    }

    /// The value as it was before the server escaped it.
    pub fn undone(self, value: &[u8]) -> Cow<'_, [u8]> {
        match self.has_backslashes {
            true => unescaped(value),
            false => Cow::Borrowed(value),
        }
    }
}

/// The first place of a text in a line. A quote behind a backslash that escapes it does not count.
pub(super) fn find(line: &[u8], text: &[u8], escapes: Escapes) -> Option<usize> {
    let is_escaped = |place: &usize| {
        let before = line[..*place].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    };
    let mut places = memmem::find_iter(line, text);
    places.find(|place| !escapes.has_backslashes || text[0] != b'"' || !is_escaped(place))
}

/// What is before the last text of a line. Either may have blanks behind it that the other has not.
pub(super) fn before_last<'a>(line: &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    line.strip_suffix(text)
        .or_else(|| line.trim_ascii_end().strip_suffix(text.trim_ascii_end()))
}

/// The text without escapes: `\xHH` of nginx and Apache, and those of JSON, some of which Apache writes too.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
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
        if let Some(byte) = number(rest, b'x', 2) {
            plain.push(byte as u8);
            rest = &rest[3..];
            continue;
        }
        if let Some((character, length)) = unicode(rest) {
            plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[length..];
            continue;
        }
        plain.push(match rest.first() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'v') => 0x0B,
            Some(other) => *other,
            None => b'\\',
        });
        rest = rest.get(1..).unwrap_or_default();
    }
    Cow::Owned(plain)
}

/// The hexadecimal number of so many digits behind a letter.
fn number(text: &[u8], letter: u8, digits: usize) -> Option<u16> {
    let text = text.strip_prefix(&[letter])?.get(..digits)?;
    text.iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | digit as u16)
    })
}

/// The character of `uHHHH`, or of two of these, and their length without the first backslash.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    const LENGTH: usize = "uHHHH".len();
    let first = number(text, b'u', 4)?;
    let second = text[LENGTH..].strip_prefix(b"\\");
    let second = second.and_then(|text| number(text, b'u', 4));
    let character = char::decode_utf16([Some(first), second].into_iter().flatten()).next()?;
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    let is_pair = character.len_utf16() == 2;
    Some((character, if is_pair { 2 * LENGTH + 1 } else { LENGTH }))
}

/// The method and the path in a request's first line: `GET /path HTTP/1.1`.
///
/// # Errors
/// It has no method and path.
pub fn first_line(line: &[u8]) -> Result<(&[u8], &[u8]), NotSendable> {
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
