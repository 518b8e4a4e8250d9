//! The syntax of header fields: lists of items with parameters; and how their values are shown.

use crate::base::text::shortened;
use std::borrow::Cow;

use ureq::http::HeaderMap;

/// `name;key=value;key=value`.
pub(super) struct Item<'a> {
    pub bare: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl Item<'_> {
    pub fn number(&self, key: &str) -> Option<u64> {
        self.value(key).and_then(whole)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key).map(unquoted)
    }

    pub fn name(&self) -> String {
        unquoted(self.bare).to_owned()
    }

    fn value(&self, key: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(value)
    }
}

/// All values of one header as one list (RFC 9110, section 5.3); `None` if one of them is not text.
pub(super) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Option<Vec<_>> = values.map(|value| value.to_str().ok()).collect();
    values
        .filter(|values| !values.is_empty())
        .map(|values| values.join(", ").trim().to_owned())
}

pub(super) fn items(list: &str) -> Vec<Item<'_>> {
    let items = split(list, ',').into_iter().filter(|item| !item.is_empty());
    items
        .map(|item| {
            let mut parts = split(item, ';').into_iter();
            let bare = parts.next().unwrap_or_default();
            let parameters = parts.map(|part| {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                (key.trim(), value.trim())
            });
            Item {
                bare,
                parameters: parameters.collect(),
            }
        })
        .collect()
}

/// The parts between separators that are outside of quotes, without the blanks around them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|c| {
        if escaped {
            escaped = false;
        } else if c == '"' {
            quoted = !quoted;
        } else {
            escaped = quoted && c == '\\';
        }
        c == separator && !quoted
    });
    parts.map(str::trim).collect()
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// The number that stands for all numbers that are too large for a `u64`.
pub(super) const HUGE: u64 = u64::MAX;

/// Digits alone. A number that is too large for a `u64` is [`HUGE`].
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(HUGE))
}

/// A number that a header stated, in words.
pub(in super::super) fn stated(number: u64) -> Cow<'static, str> {
    match number {
        HUGE => "more than 18446744073709551614".into(),
        number => number.to_string().into(),
    }
}

/// The most characters of a header's value that are repeated.
const SHOWN: usize = 200;

/// A header's value as it is shown.
pub(super) fn shown(value: &str) -> String {
    shortened(value, SHOWN).into_owned()
}
