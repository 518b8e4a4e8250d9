//! Secrets, before anybody reads them in a report or a message.
//!
//! - A run's user gives the values that requests carry, and any of them may be a secret. [`in_header`], [`in_path`] and
//!   [`in_body`] find all of them but those with harmless names.
//! - A server gives the answers, which are kept because their texts explain failures. [`Masks`] hides what looks like a
//!   secret in them, and what the run itself sent as one.
//!
//! A mask says how long the value is, so that a missing or truncated one is still noticed.

mod answer;
mod names;
mod parts;
mod sent;
mod shapes;

pub use answer::{Masks, is_mask};
pub use parts::{FILLED, Hidden, in_body, in_header, in_path};

use crate::base::text::count;
use std::borrow::Cow;

/// The text with `***` in the place of every [`mask`], so that texts with secrets of different lengths are alike.
pub fn without_lengths(text: &str) -> Cow<'_, str> {
    const BEGINNING: &str = "***(";
    if !text.contains(BEGINNING) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(BEGINNING);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let length = part.split_once(')').filter(|(length, _)| {
            let digits = length.trim_end_matches(" bytes").trim_end_matches(" byte");
            digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        let (mask, rest) = length.map_or((BEGINNING, part), |(_, rest)| ("***", rest));
        plain += mask;
        plain += rest;
    }
    plain.into()
}

/// The replacement for a secret of this many bytes.
pub fn mask(length: usize) -> String {
    format!("***({})", count(length as u64, "byte", "bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_secrets_of_different_lengths_are_alike_without_these() {
        for length in [0, 1, 21, 12_345_678] {
            let text = format!("a={}&b={}", mask(length), mask(length + 1));
            assert_eq!(without_lengths(&text), "a=***&b=***", "{text}");
        }
        for other in ["", "a ***", "***(", "***(x bytes) a)", "(1 byte)"] {
            assert_eq!(without_lengths(other), other);
        }
    }
}
