//! The secrets in what a run sends: every value that its user gave, unless its name is harmless.

use super::{names, shapes};
use std::ops::Range;

/// Stands for a placeholder in a text. No text that Unicode assigns a meaning contains it.
pub const FILLED: char = '\u{ffff}';

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// In bytes. It contains no [`FILLED`].
    pub range: Range<usize>,
    /// The name of the header, parameter, member or field.
    pub name: String,
}

/// The words before a secret that say how it authenticates.
const SCHEMES: [&str; 7] = [
    "apikey",
    "basic",
    "bearer",
    "digest",
    "hmac",
    "negotiate",
    "token",
];

/// The most levels of JSON. Deeper texts are hidden as a whole.
const DEEPEST: usize = 127;

/// The secrets in a header's value.
pub fn in_header(name: &str, value: &str) -> Vec<Hidden> {
    let mut parts = Parts::new(value);
    let is_harmless = names::is_harmless_header(name);
    if name.eq_ignore_ascii_case("cookie") {
        for crumb in split(value, 0..value.len(), ';') {
            parts.field(crumb, name);
        }
    } else if let Some(query) = value.find(['?', '#']).filter(|_| is_harmless)
        && (value.contains("://") || name.eq_ignore_ascii_case("referer"))
    {
        parts.value(name, true, 0..query);
        parts.query(query + 1..value.len());
    } else {
        let scheme = scheme(value).filter(|_| !is_harmless);
        let start = scheme.map_or(0, |scheme| scheme.len() + 1);
        parts.value(name, is_harmless, start..value.len());
    }
    parts.hidden
}

/// The secrets in a path and its query.
pub fn in_path(path: &str) -> Vec<Hidden> {
    let mut parts = Parts::new(path);
    let end = path.find('?').unwrap_or(path.len());
    for segment in split(path, 0..end, '/') {
        parts.value("path", true, segment);
    }
    if end < path.len() {
        parts.query(end + 1..path.len());
    }
    parts.hidden
}

/// The secrets in a body: the values of JSON or of a form, or else all of it.
pub fn in_body(text: &str) -> Vec<Hidden> {
    let begins = text.trim_start().chars().next();
    let parts = match begins {
        Some('{' | '[' | '"') => json(text),
        _ => form(text),
    };
    let parts = parts.unwrap_or_else(|| {
        let mut parts = Parts::new(text);
        parts.value("body", false, 0..text.len());
        parts
    });
    parts.hidden
}

/// The word before the secret in a header's value.
pub(super) fn scheme(value: &str) -> Option<&str> {
    let (first, _) = value.split_once(' ')?;
    let lower = first.to_ascii_lowercase();
    SCHEMES.contains(&&*lower).then_some(first)
}

struct Parts<'a> {
    text: &'a str,
    hidden: Vec<Hidden>,
}

impl<'a> Parts<'a> {
    fn new(text: &'a str) -> Parts<'a> {
        Parts {
            text,
            hidden: Vec::new(),
        }
    }

    /// Hides a value, but for its placeholders and what only separates them. One bit is no secret.
    fn value(&mut self, name: &str, is_harmless: bool, range: Range<usize>) {
        let value = &self.text[range.clone()];
        let is_bit = matches!(value.trim(), "true" | "false" | "null");
        if is_bit || (is_harmless && !shapes::has_secret(value)) {
            return;
        }
        let is_filled = value.contains(FILLED);
        let is_separator =
            |run: &str| is_filled && run.len() <= 3 && !run.contains(char::is_alphanumeric);
        let mut at = range.start;
        for run in value.split(FILLED) {
            let start = at + run.len() - run.trim_start().len();
            let run_end = at + run.len();
            at = run_end + FILLED.len_utf8();
            let run = run.trim();
            if !run.is_empty() && !is_separator(run) {
                self.hidden.push(Hidden {
                    range: start..start + run.len(),
                    name: name.to_owned(),
                });
            }
        }
    }

    fn query(&mut self, range: Range<usize>) {
        for field in split(self.text, range, '&') {
            self.field(field, "query");
        }
    }

    /// Hides the value of `name=value`, or all of it without a name.
    fn field(&mut self, range: Range<usize>, of: &str) {
        let field = &self.text[range.clone()];
        match field.find('=') {
            Some(equals) => {
                let name = field[..equals].trim();
                let is_harmless = names::is_harmless_parameter(name);
                self.value(name, is_harmless, range.start + equals + 1..range.end);
            }
            None => self.value(of, false, range),
        }
    }
}

/// The ranges between separators within a range of a text.
fn split(text: &str, range: Range<usize>, separator: char) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    text[range].split(separator).map(move |part| {
        let start = at;
        at += part.len() + separator.len_utf8();
        start..start + part.len()
    })
}

/// `None` if the text is no form. Text with an equals sign may be one by chance, such as Base64.
fn form(text: &str) -> Option<Parts<'_>> {
    let body = text.trim_end();
    let mut parts = Parts::new(text);
    let fields: Vec<_> = split(text, 0..body.len(), '&').collect();
    for field in &fields {
        let (name, value) = text[field.clone()].split_once('=')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-[]%+".contains(c);
        let has_value = !value.is_empty() || fields.len() > 1;
        let is_field = !name.is_empty()
            && name.chars().all(is_name)
            && !shapes::has_secret(name)
            && !value.contains(char::is_whitespace)
            && !value.starts_with('=')
            && has_value;
        if !is_field {
            return None;
        }
        parts.field(field.clone(), "body");
    }
    Some(parts)
}

/// `None` if the text is no JSON, or not only values of JSON one after the other.
fn json(text: &str) -> Option<Parts<'_>> {
    let mut scan = Scan {
        at: 0,
        parts: Parts::new(text),
    };
    while scan.next().is_some() {
        scan.value("body", false, 0)?;
    }
    Some(scan.parts)
}

struct Scan<'a> {
    at: usize,
    parts: Parts<'a>,
}

impl Scan<'_> {
    /// The next byte after white space.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.parts.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        rest.trim_start().bytes().next()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads a value. `within_secret` is whether a name around it is secretive.
    fn value(&mut self, name: &str, within_secret: bool, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let is_harmless = names::is_harmless_parameter(name) && !within_secret;
        let within_secret = within_secret || names::is_secretive(name);
        match self.next()? {
            b'{' => {
                self.at += 1;
                if self.takes(b'}') {
                    return Some(());
                }
                loop {
                    self.next();
                    let name = self.string()?;
                    let name = self.parts.text[name].to_owned();
                    self.takes(b':').then_some(())?;
                    self.value(&name, within_secret, depth + 1)?;
                    if !self.takes(b',') {
                        return self.takes(b'}').then_some(());
                    }
                }
            }
            b'[' => {
                self.at += 1;
                if self.takes(b']') {
                    return Some(());
                }
                loop {
                    self.value(name, within_secret, depth + 1)?;
                    if !self.takes(b',') {
                        return self.takes(b']').then_some(());
                    }
                }
            }
            b'"' => {
                let range = self.string()?;
                self.parts.value(name, is_harmless, range);
                Some(())
            }
            _ => {
                let rest = &self.parts.text[self.at..];
                let ends = |c: char| c.is_whitespace() || "{}[]\",:".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                if length == 0 {
                    return None;
                }
                let range = self.at..self.at + length;
                self.at += length;
                self.parts.value(name, is_harmless, range);
                Some(())
            }
        }
    }

    /// Reads a string. Returns what is between its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        let rest = self.parts.text[self.at..].strip_prefix('"')?;
        let start = self.at + 1;
        let mut is_escaped = false;
        for (place, byte) in rest.bytes().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => {
                    self.at = start + place + 1;
                    return Some(start..start + place);
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::masking::mask;
    use proptest::prelude::*;

    /// The text with its secrets masked. `~` stands for a placeholder.
    #[track_caller]
    fn shown(text: &str, find: impl Fn(&str) -> Vec<Hidden>) -> String {
        let text = text.replace('~', &FILLED.to_string());
        let mut shown = String::new();
        let mut from = 0;
        for Hidden { range, .. } in find(&text) {
            shown += &text[from..range.start];
            assert!(!text[range.clone()].contains(FILLED), "{text}");
            shown += &mask(range.len());
            from = range.end;
        }
        (shown + &text[from..]).replace(FILLED, "~")
    }

    #[test]
    fn headers_show_harmless_values_schemes_and_placeholders() {
        for (name, value, expected) in [
            ("Content-Type", "application/json", "application/json"),
            ("X-Auth", "abc", "***(3 bytes)"),
            ("Ocp-Apim-Subscription-Key", "k", "***(1 byte)"),
            ("Authorization", "Bearer abc", "Bearer ***(3 bytes)"),
            ("Authorization", "Bearer ~", "Bearer ~"),
            ("X-Key", "~", "~"),
            ("X-Limit", "~/~", "~/~"),
            ("X-Key", "ab-~-c", "***(3 bytes)~***(2 bytes)"),
            ("Cookie", "a=bc; d=e", "a=***(2 bytes); d=***(1 byte)"),
            (
                "Referer",
                "http://h/a?token=bc",
                "http://h/a?token=***(2 bytes)",
            ),
            ("User-Agent", "x Bearer abc.d", "***(14 bytes)"),
            ("X-Debug", "true", "true"),
        ] {
            let actual = shown(value, |value| in_header(name, value));
            assert_eq!(actual, expected, "{name}: {value}");
        }
    }

    #[test]
    fn paths_show_their_segments_and_the_names_in_their_queries() {
        for (path, expected) in [
            ("/v1/items/~", "/v1/items/~"),
            (
                "/a?api_key=abc&limit=10&n=~",
                "/a?api_key=***(3 bytes)&limit=10&n=~",
            ),
            ("/a?abc", "/a?***(3 bytes)"),
            ("/a?~", "/a?~"),
            ("/a?b=&c=d?e=f", "/a?b=&c=***(5 bytes)"),
            (
                "/hook/sk_live_4eC39HqLyjWDarjtT1zdp7dc/x",
                "/hook/***(32 bytes)/x",
            ),
        ] {
            assert_eq!(shown(path, in_path), expected, "{path}");
        }
    }

    #[test]
    fn bodies_show_the_shape_of_json_and_of_forms() {
        for (body, expected) in [
            (
                r#"{"key":"~","limit":100,"window_ms":~}"#,
                r#"{"key":"~","limit":100,"window_ms":~}"#,
            ),
            (
                r#"{"password":"a\"b","pin":1234,"ok":true}"#,
                r#"{"password":"***(4 bytes)","pin":***(4 bytes),"ok":true}"#,
            ),
            (
                r#"{"a":[{"limit":1,"b":["x",2]}],"auth":{"limit":7}}"#,
                r#"{"a":[{"limit":1,"b":["***(1 byte)",***(1 byte)]}],"auth":{"limit":***(1 byte)}}"#,
            ),
            (
                "{\"limit\":1}\n{\"a\":2}",
                "{\"limit\":1}\n{\"a\":***(1 byte)}",
            ),
            (r#""abc""#, r#""***(3 bytes)""#),
            (r#"{"a":"b""#, "***(8 bytes)"),
            ("{not json}", "***(10 bytes)"),
            ("a=b&limit=3&c=~", "a=***(1 byte)&limit=3&c=~"),
            ("user[name]=x", "user[name]=***(1 byte)"),
            ("c2VjcmV0cw==", "***(12 bytes)"),
            ("c2VjcmV0c3=", "***(11 bytes)"),
            ("hello = world", "***(13 bytes)"),
            ("<k>~</k>\n", "***(3 bytes)~***(4 bytes)\n"),
            ("~", "~"),
            ("", ""),
        ] {
            assert_eq!(shown(body, in_body), expected, "{body}");
        }
        let deep = "[".repeat(10_000) + "1" + &"]".repeat(10_000);
        assert_eq!(shown(&deep, in_body), "***(20001 bytes)");
    }

    proptest! {
        #[test]
        fn ranges_are_in_order_and_within_any_text(text in r#"[a-z={}\[\]":,&?/ \\~é]{0,40}"#) {
            let finders: [fn(&str) -> Vec<Hidden>; 3] = [in_body, in_path, |text| in_header("cookie", text)];
            for find in finders {
                shown(&text, find);
            }
        }

        #[test]
        fn no_value_of_json_is_shown_without_a_harmless_name(secret in "[A-Z]{4,20}", name in "[a-z]{1,8}") {
            prop_assume!(!names::is_harmless_parameter(&name));
            let body = format!(r#"{{"{name}":"{secret}","x":[{{"{name}":["{secret}"]}}]}}"#);
            prop_assert!(!shown(&body, in_body).contains(&secret));
        }
    }
}
