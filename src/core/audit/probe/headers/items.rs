//! The syntax of header fields: lists of items with parameters.

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

/// Digits alone. A number that is too large for a `u64` is the greatest one.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}
